"""`egao train encoder | preview-head | curvature`: fit the parts of the fast projection on drawn faces."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, cast

import torch
import typer

from core.device import choose_device, use_threads
from core.fast.data import DrawnSet
from core.fast.encoder import Encoder
from core.fast.preview import Preview
from core.fast.train import Schedule, Training
from core.fast.train_curvature import HELD_OUT as CURVATURE_HELD_OUT
from core.fast.train_curvature import SlopeSet, fit_curvature, score_curvature, slopes_at
from core.fast.train_encoder import SCHEDULE as ENCODER_SCHEDULE
from core.fast.train_encoder import encoder_set, score_encoder, train_encoder
from core.fast.train_head import SCHEDULE as HEAD_SCHEDULE
from core.fast.train_head import head_set, score_head, train_head
from core.fast.trained import CURVATURE, ENCODER, PREVIEW, SHIPPED, save_trained
from core.generator import load_generator
from core.generator.protocol import FeatureGenerator
from core.projection.features import Features
from core.settings import Settings

Folder = Annotated[Path | None, typer.Option("--folder", help="faces and checkpoints; cache/training if not given")]
Out = Annotated[Path, typer.Option("--out", help="folder of the trained weights; what ships with egao if not given")]
Steps = Annotated[int | None, typer.Option("--steps", min=1, help="fewer or more steps than the shipped weights had")]
Faces = Annotated[int | None, typer.Option("--faces", min=16, help="fewer or more drawn faces")]
_EVERY = 50  # steps between two lines of output


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    verb = typer.Typer(no_args_is_help=True, help="Train the parts of the fast projection, on drawn faces alone; resumable.")
    verb.command("preview-head")(train_preview_head)
    verb.command("encoder")(train_the_encoder)
    verb.command("curvature")(train_the_curvature)
    app.add_typer(verb, name="train")


def train_preview_head(folder: Folder = None, out: Out = SHIPPED, steps: Steps = None, faces: Faces = None) -> None:
    """Fit the head that turns features at 128 pixels into a 256-pixel image. The encoder needs it."""
    generator, place = _prepare(folder, Settings.load())
    schedule = replace(HEAD_SCHEDULE, steps=steps or HEAD_SCHEDULE.steps)
    drawn = _fill(head_set(generator, place / "exact", **_given(faces)))
    training = train_head(generator, place, schedule, drawn.faces)
    loss = _run(training)
    scores = score_head(cast(Preview, training.module), generator)
    _keep(training, out / PREVIEW, generator, schedule, drawn.faces, loss, scores)


def train_the_encoder(folder: Folder = None, out: Out = SHIPPED, steps: Steps = None, faces: Faces = None) -> None:
    """Train the network that reads the latent from a photo."""
    settings = Settings.load()
    generator, place = _prepare(folder, settings)
    schedule = replace(ENCODER_SCHEDULE, steps=steps or ENCODER_SCHEDULE.steps)
    drawn = _fill(encoder_set(generator, out / PREVIEW, place / "drawn", **_given(faces)))
    trunk = Features.load(settings)
    training = train_encoder(generator, trunk, place, schedule, drawn.faces, out / PREVIEW)
    loss = _run(training)
    scores = score_encoder(cast(Encoder, training.module), generator)
    _keep(training, out / ENCODER, generator, schedule, drawn.faces, loss, scores)


def train_the_curvature(folder: Folder = None, out: Out = SHIPPED, faces: Faces = None) -> None:
    """Learn in which directions of the latent a projection's loss is steep and in which it is flat."""
    settings = Settings.load()
    generator, place = _prepare(folder, settings)
    features = Features.load(settings).to(choose_device(settings))
    learned_from = SlopeSet(place / "slopes", generator, features, **_given(faces))
    for done in learned_from.fill():
        if done % 200 == 0 or done == learned_from.faces:
            typer.echo(f"faces looked at: {done} of {learned_from.faces}")
    curvature = fit_curvature(generator, learned_from.all())
    outside = torch.cat([slopes_at(generator, features, number) for number in CURVATURE_HELD_OUT])
    scores = {name: f"{value:.1f}" for name, value in score_curvature(curvature, outside.cpu()).items()}
    save_trained(curvature, out / CURVATURE, generator, {"faces": str(learned_from.faces), **scores})
    typer.echo(f"{out / CURVATURE}: " + ", ".join(f"{name} {score}" for name, score in scores.items()))


def _prepare(folder: Path | None, settings: Settings) -> tuple[FeatureGenerator, Path]:
    use_threads(settings)
    generator = cast(FeatureGenerator, load_generator(settings))
    assert isinstance(generator, torch.nn.Module)
    generator.to(choose_device(settings))
    place = folder or settings.cache / "training"
    place.mkdir(parents=True, exist_ok=True)
    return generator, place


def _given(faces: int | None) -> dict[str, int]:
    return {} if faces is None else {"faces": faces}


def _fill(drawn: DrawnSet) -> DrawnSet:
    for done in drawn.fill():
        if done % 200 == 0 or done == drawn.faces:
            typer.echo(f"faces drawn: {done} of {drawn.faces}")
    return drawn


def _run(training: Training, say: Callable[[str], None] = typer.echo) -> float:
    """Train to the end; the mean loss of the last steps, nan if there was nothing left to do."""
    recent: list[float] = []
    for step in training.run():
        recent = [*recent, step.loss][-_EVERY:]
        if step.step % _EVERY == 0 or step.step == step.steps:
            say(f"step {step.step} of {step.steps}: loss {sum(recent) / len(recent):.4f}")
    return sum(recent) / len(recent) if recent else float("nan")


def _keep(training: Training, file: Path, generator: FeatureGenerator, schedule: Schedule, faces: int, loss: float,
          scores: dict[str, float]) -> None:  # fmt: skip
    """Write the weights and say what they are worth; the same facts stand in the file's metadata."""
    facts = {"schedule": json.dumps(asdict(schedule)), "faces": str(faces), "loss": f"{loss:.4f}"}
    facts |= {name: f"{value:.4f}" for name, value in scores.items()}
    save_trained(training.module, file, generator, facts)
    typer.echo(f"{file}: " + ", ".join(f"{name} {facts[name]}" for name in ("loss", *scores)))
