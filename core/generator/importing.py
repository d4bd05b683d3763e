"""Imports a published generator (`egao models import`) as safetensors in EGAO_HOME, under a name for `--generator`.

The file is read as data (core.generator.reading), and each family is asked whether it recognises it. The result is tried
before it is kept: it must map, draw a picture of finite numbers, and load again from its own file.
"""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Final

import torch
from safetensors.torch import save_file

from core.errors import BadOption, ModelRefused
from core.generator.latent import seed_z, w_statistics
from core.generator.protocol import Generator
from core.generator.reading import read_published
from core.generator.registry import ABOUT, FAMILIES, Converted, family
from core.settings import Settings
from core.untrusted import errors_told
from core.weights.installed import DEFAULT, WEIGHTS, Installed
from core.weights.parts import made_in, read_about, write_about

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9.-]{0,63}")
LARGEST_SIDE: Final = 4096  # pixels; a picture of more would take gigabytes


def import_generator(settings: Settings, file: Path, name: str | None = None) -> Installed:
    """Convert a published generator and keep it under `name`, by default made from the file's name.

    Raises ModelRefused for a file that is no generator or holds more than data, BadOption for an invalid name or one that
    another generator has.
    """
    name = name or re.sub(r"[^a-z0-9.-]+", "-", file.stem.lower()).strip("-.")
    if not _NAME.fullmatch(name) or name == DEFAULT:
        raise BadOption(name="--name", reason=f"{name!r} is not a name of small letters, digits, dots and dashes of its own")
    if not file.is_file():
        raise ModelRefused(reason=f"there is no file {file}")
    kind, converted = recognise(read_published(file))
    folder = made_in(settings) / name
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".import-", dir=folder.parent) as work:
        made = Path(work) / WEIGHTS
        generator = write(converted, kind, made)
        about = read_about(folder)
        if about and about["digest"] != generator.digest:
            raise BadOption(name="--name", reason=f"{name!r} is another generator's; choose a name for this one with --name")
        folder.mkdir(exist_ok=True)
        shutil.move(made, folder / WEIGHTS)
    write_about(folder, {"name": name, "digest": generator.digest, "source": converted.what})
    return Installed(name, generator.digest, folder / WEIGHTS, converted.what)


def recognise(tree: Any) -> tuple[str, Converted]:
    """Find the family of a published file's content and convert it: the family's name, and the result. Raises ModelRefused."""
    for kind in FAMILIES:
        with _as_refusal():
            converted = family(kind).convert(tree)
        if converted is not None:
            return kind, converted
    raise ModelRefused(reason=f"what it holds is no generator of {', '.join(FAMILIES)}")


def write(converted: Converted, kind: str, out: Path) -> Generator:
    """Write the safetensors file, load the generator from it, try it and return it. Raises ModelRefused.

    The same published file gives the same bytes, so that its digest identifies the generator.
    """
    tensors = {key: tensor.detach().float().contiguous().clone() for key, tensor in sorted(converted.tensors.items())}
    about = {ABOUT: json.dumps({"family": kind, "shape": converted.shape}, sort_keys=True)}
    length = converted.shape.get("mapping", {}).get("w_dim")
    if "w_avg" not in tensors and length is None:
        raise ModelRefused(reason=f"what {kind} made of it has neither the mean of w nor how long it is")
    with _as_refusal():
        if not all(bool(tensor.isfinite().all()) for tensor in tensors.values()):
            raise ModelRefused(reason="some of its numbers are not finite")
        if "w_avg" not in tensors:  # not every file tells it
            save_file({**tensors, "w_avg": torch.zeros(length)}, out, about)
            tensors["w_avg"], _ = w_statistics(family(kind).load(out))
        save_file(tensors, out, about)
        out.chmod(0o644)
        generator = family(kind).load(out)
        _try(generator)
    return generator


def _try(generator: Generator) -> None:
    """Draw one picture. Raises ModelRefused if the picture has the wrong shape, is too large or is not finite."""
    side = generator.resolution
    if side > LARGEST_SIDE:
        raise ModelRefused(reason=f"it draws {side} pixels a side, more than {LARGEST_SIDE}")
    with torch.inference_mode():
        w = generator.mapping(torch.from_numpy(seed_z([0], generator.z_dim)))
        picture = generator.synthesis(generator.broadcast(w))
    if picture.shape != (1, 3, side, side) or not bool(picture.isfinite().all()):
        raise ModelRefused(reason="it draws no pictures")


def _as_refusal() -> AbstractContextManager[None]:
    """Turn errors that a family raises over missing or misshapen parts into ModelRefused."""
    built = "its generator is not built as others of its family"
    return errors_told(lambda _, first: ModelRefused(reason=f"{built} ({first})"))
