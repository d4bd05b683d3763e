"""`egao interpolate`: a film from seed to seed."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from rich.progress import track
from torch import Tensor

from core.cli.shared.folder import make_folder
from core.cli.shared.generator import ClassOption, GeneratorOption, generator_of, settings_for
from core.device import use_threads
from core.errors import BadOption
from core.generator import Generator, seed_w, seed_z, truncate
from core.instruments.paths import around
from core.pictures import animate
from core.rendering import Renderer
from core.seeds import parse_seeds

FPS = 24


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command("interpolate")(interpolate)


def interpolate(
    seeds: Annotated[str, typer.Option(help="seeds, one after the other: 1,5,9 or 600-603")],
    space: Annotated[str, typer.Option(help="w: along lines between their w; z: along great circles between their z")] = "w",
    frames: Annotated[int, typer.Option(min=2, max=600, help="from each seed to the next")] = 24,
    truncation: Annotated[float, typer.Option(min=0.0, max=2.0, help="psi: 0 the average face, 1 no truncation")] = 0.7,
    out: Annotated[Path, typer.Option("-o", "--out", help="folder for interpolation.webp")] = Path("out"),
    label: ClassOption = None,
    named: GeneratorOption = None,
) -> None:
    """Draw a film that goes from seed to seed and back, as an animated WebP."""
    wanted = parse_seeds(seeds)
    if space not in ("z", "w"):
        raise BadOption(name="--space", reason=f"{space!r} is neither z nor w")
    if len(wanted) < 2:
        raise BadOption(name="--seeds", reason="a way needs two seeds at least")
    settings = settings_for(named)
    use_threads(settings)
    generator = generator_of(settings, label)
    way = [*(_in_w if space == "w" else _in_z)(generator, wanted, frames, truncation)]
    renderer = Renderer(generator)
    pictures = [renderer.images(generator.broadcast(w))[0] for w in track(way, "drawing", transient=True)]
    make_folder(out)
    file = out / "interpolation.webp"
    file.write_bytes(animate(pictures, "webp", fps=FPS, source="generated"))
    typer.echo(f"{len(pictures)} frames in {file}")


def _shares(frames: int) -> list[float]:
    return [float(one) for one in np.linspace(0, 1, frames, endpoint=False)]


def _in_w(generator: Generator, seeds: list[int], frames: int, truncation: float) -> Iterator[Tensor]:
    """Yield w [1, w_dim] of each frame; the last seed ends the way."""
    ends = seed_w(generator, seeds, truncation)
    for one, other in pairwise(ends):
        yield from (one[None].lerp(other[None], share) for share in _shares(frames))
    yield ends[-1:]


def _in_z(generator: Generator, seeds: list[int], frames: int, truncation: float) -> Iterator[Tensor]:
    """Yield w [1, w_dim] of each frame, mapped from a z whose length goes evenly from one seed's to the next one's."""
    z = torch.from_numpy(seed_z(seeds, generator.z_dim))
    with torch.inference_mode():
        for one, other in pairwise(z):
            for share in _shares(frames):
                length = (1 - share) * one.norm() + share * other.norm()
                turned = around(one[None], other[None], torch.tensor([[share]])) * length
                yield truncate(generator.mapping(turned), generator.w_average(), truncation)
        yield truncate(generator.mapping(z[-1:]), generator.w_average(), truncation)
