"""`egao measure ppl | frechet`: the papers' numbers of a generator, on egao's own feature network."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, get_args

import numpy as np
import torch
import typer
from rich.progress import track

from core.cli.shared.generator import ClassOption, GeneratorOption, generator_of, settings_for
from core.cli.shared.written import photos_of
from core.device import use_threads
from core.errors import BadOption
from core.faces import load_photo
from core.generator import Generator, seed_w
from core.generator.render import pixels_of
from core.instruments.frechet import Moments, described, frechet
from core.instruments.paths import PathLength, Sampling, Space, path_length, path_lengths
from core.projection.features import Features
from core.settings import Settings

Samples = Annotated[int, typer.Option(min=2, help="how many; the papers take 50,000")]
LEAST = 193  # pictures: fewer can't tell all 192 features' covariances


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    verb = typer.Typer(
        no_args_is_help=True, help="The papers' measures, on egao's own features: not comparable with published numbers."
    )
    verb.command("ppl")(measure_path_length)
    verb.command("frechet")(measure_frechet)
    app.add_typer(verb, name="measure")


def measure_path_length(
    space: Annotated[str, typer.Option(help="z or w")] = "w",
    sampling: Annotated[str, typer.Option(help="full: anywhere on the way between two latents; end: where it begins")] = "full",
    samples: Samples = 500,
    whole: Annotated[bool, typer.Option("--whole", help="look at whole pictures, not at the middle, where faces are")] = False,
    seed: Annotated[int, typer.Option(min=0, help="of the random latents")] = 0,
    label: ClassOption = None,
    named: GeneratorOption = None,
) -> None:
    """Measure the perceptual path length: how much the picture changes with a tiny step between two latents."""
    if space not in get_args(Space):
        raise BadOption(name="--space", reason=f"{space!r} is neither z nor w")
    if sampling not in get_args(Sampling):
        raise BadOption(name="--sampling", reason=f"{sampling!r} is neither full nor end")
    settings, generator, features = _prepare(named, label)
    how = PathLength(space, sampling, not whole, seed)  # type: ignore[arg-type]  # checked above
    lengths = track(path_lengths(generator, features, samples, how), "samples", total=samples, transient=True)
    told = {"ppl": round(path_length(np.array([*lengths])), 4), "space": space, "sampling": sampling, "samples": samples,
            "whole": whole, "generator": settings.generator, "features": "EfficientNet-Lite0"}  # fmt: skip
    typer.echo(json.dumps(told))


def measure_frechet(
    pictures: Annotated[Path, typer.Argument(help="a folder of pictures, aligned as those that the generator learned from")],
    samples: Samples = 1000,
    truncation: Annotated[float, typer.Option(min=0.05, max=1.0, help="psi; the papers take 1")] = 1.0,
    label: ClassOption = None,
    named: GeneratorOption = None,
) -> None:
    """Measure the Fréchet distance between the generator's pictures and those of a folder."""
    settings, generator, features = _prepare(named, label)
    files = photos_of([pictures])
    if min(len(files), samples) < LEAST:
        raise BadOption(name="frechet", reason=f"of either kind there must be {LEAST} pictures at least")
    real = Moments.of(_real(file, features, settings) for file in track(files, "pictures", transient=True))
    drawn = Moments.of(_drawn(seed, generator, features, truncation) for seed in track(range(samples), "drawing", transient=True))
    told = {"frechet": round(frechet(real, drawn), 5), "pictures": real.count, "samples": drawn.count,
            "generator": settings.generator, "features": "EfficientNet-Lite0"}  # fmt: skip
    typer.echo(json.dumps(told))


def _prepare(named: str | None, label: int | None) -> tuple[Settings, Generator, Features]:
    settings = settings_for(named)
    use_threads(settings)
    return settings, generator_of(settings, label), Features.load(settings)


def _real(file: Path, features: Features, settings: Settings) -> np.ndarray:
    return _described(features, torch.tensor(load_photo(file, settings, own=True).srgb))


def _drawn(seed: int, generator: Generator, features: Features, truncation: float) -> np.ndarray:
    with torch.inference_mode():
        pixels = pixels_of(generator.synthesis(generator.broadcast(seed_w(generator, [seed], truncation))))
    return _described(features, pixels[0])


def _described(features: Features, pixels: torch.Tensor) -> np.ndarray:
    """Describe a picture uint8 [R, R, 3]: the generator's go through whole numbers as the others do, else they would differ."""
    vector: np.ndarray = described(features, pixels.permute(2, 0, 1)[None].float() / 127.5 - 1)[0]
    return vector
