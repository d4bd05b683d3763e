"""`egao train ...`: trains the parts that are learned from drawn faces only."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated

import torch
import typer

from core.cli.shared.expression import ExpressionOption
from core.cli.shared.generator import GeneratorOption, settings_for
from core.device import choose_device, use_threads
from core.directions import save_direction
from core.directions.direction import fitted_folder
from core.edit import Editor, Models
from core.edit.curve_set import FIRST_SEED, TRUNCATION, CurveSet
from core.emotion import EmotionClassifier
from core.expressions import named as expression_named
from core.faces import FaceFinder
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
from core.fast.trained import CURVATURE, ENCODER, FOLDER, PREVIEW, save_trained, trained_file
from core.generator import Generator, load_generator
from core.generator.protocol import with_features, with_styles
from core.occlusion.network import ThingNet
from core.occlusion.train import SCHEDULE as THINGS_SCHEDULE
from core.occlusion.train import score_things, things_set, train_things
from core.projection.features import Features
from core.projection.start import fit_table, save_table
from core.reach.drawn import Drawn, MixedSet
from core.reach.ease import MOVED
from core.reach.learn import fit as fit_maps
from core.rendering import Renderer
from core.seeds import load_labels, parse_seeds
from core.settings import Settings
from core.weights.parts import CURVES, MAPS, STARTS, made_folder

Folder = Annotated[
    Path | None, typer.Option("--folder", help="folder for faces and checkpoints; if not given, EGAO_CACHE/training")
]
Out = Annotated[Path | None, typer.Option("--out", help="folder for the trained parts; if not given, this machine's")]
Steps = Annotated[
    int | None, typer.Option("--steps", min=1, help="training steps; if not given, as many as for the shipped weights")
]
Faces = Annotated[
    int | None, typer.Option("--faces", min=16, help="number of drawn faces; if not given, as many as for the shipped weights")
]
_EVERY = 50  # steps between two lines of output
_PACE = 10.0  # seconds between two lines about faces


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    verb = typer.Typer(
        no_args_is_help=True,
        help="Train the parts that are learned from drawn faces only; an interrupted training can be continued.",
    )
    verb.command("preview-head")(train_preview_head)
    verb.command("encoder")(train_the_encoder)
    verb.command("curvature")(train_the_curvature)
    verb.command("maps")(learn_maps)
    verb.command("curves")(learn_curves)
    verb.command("direction")(learn_direction)
    verb.command("starts")(make_starts)
    verb.command("things")(train_the_things)
    app.add_typer(verb, name="train")


def train_preview_head(
    folder: Folder = None, out: Out = None, steps: Steps = None, faces: Faces = None, named: GeneratorOption = None
) -> None:
    """Train the head that converts features at 128 pixels to a 256-pixel image. The encoder needs it."""
    settings = settings_for(named)
    whose, place = _prepare(folder, settings)
    generator = with_features(whose)
    schedule = replace(HEAD_SCHEDULE, steps=steps or HEAD_SCHEDULE.steps)
    drawn = _fill(head_set(generator, place / "exact", **_given(faces)))
    training = train_head(generator, place, schedule, drawn.faces)
    loss = _run(training)
    assert isinstance(training.module, Preview)
    scores = score_head(training.module, generator)
    _keep(training, _into(out, settings, generator) / PREVIEW, generator, schedule, drawn.faces, loss, scores)


def train_the_encoder(
    folder: Folder = None, out: Out = None, steps: Steps = None, faces: Faces = None, named: GeneratorOption = None
) -> None:
    """Train the network that predicts a latent from a photo."""
    settings = settings_for(named)
    whose, place = _prepare(folder, settings)
    generator = with_features(whose)
    head = out / FOLDER / PREVIEW if out else trained_file(settings, generator, PREVIEW)
    schedule = replace(ENCODER_SCHEDULE, steps=steps or ENCODER_SCHEDULE.steps)
    drawn = _fill(encoder_set(generator, head, place / "drawn", **_given(faces)))
    trunk = Features.load(settings)
    training = train_encoder(generator, trunk, place, head, schedule, drawn.faces)
    loss = _run(training)
    assert isinstance(training.module, Encoder)
    scores = score_encoder(training.module, generator)
    _keep(training, _into(out, settings, generator) / ENCODER, generator, schedule, drawn.faces, loss, scores)


def train_the_curvature(folder: Folder = None, out: Out = None, faces: Faces = None, named: GeneratorOption = None) -> None:
    """Learn along which directions of the latent a projection's loss is steep, and along which flat."""
    settings = settings_for(named)
    whose, place = _prepare(folder, settings)
    generator = with_styles(whose)
    features = Features.load(settings).to(choose_device(settings))
    learned_from = SlopeSet(place / "slopes", generator, features, **_given(faces))
    say = _pace("faces looked at", learned_from.faces)
    for done in learned_from.fill():
        say(done)
    curvature = fit_curvature(generator, learned_from.all())
    held_out = CURVATURE_HELD_OUT[: max(8, learned_from.faces // 4)]
    outside = torch.cat([slopes_at(generator, features, number) for number in held_out])
    scores = {name: f"{value:.1f}" for name, value in score_curvature(curvature, outside.cpu()).items()}
    file = _into(out, settings, generator) / CURVATURE
    save_trained(curvature, file, generator, {"faces": str(learned_from.faces), **scores})
    typer.echo(f"{file}: " + ", ".join(f"{name} {score}" for name, score in scores.items()))


def train_the_things(
    out: Annotated[Path, typer.Option(help="file for the weights")] = Path("things.safetensors"),
    folder: Folder = None,
    steps: Steps = None,
    faces: Faces = None,
    named: GeneratorOption = None,
) -> None:
    """Train the network that finds hands, cups, masks and letters in front of a face. All generators share it."""
    settings = settings_for(named)
    whose, place = _prepare(folder, settings)
    generator = with_features(whose)
    drawn = _fill(things_set(generator, trained_file(settings, generator, PREVIEW), place / "things", **_given(faces)))
    features, schedule = Features.load(settings), replace(THINGS_SCHEDULE, steps=steps or THINGS_SCHEDULE.steps)
    training = train_things(features, drawn, place, schedule)
    loss = _run(training)
    assert isinstance(training.module, ThingNet)
    _keep(training, out, generator, schedule, drawn.faces, loss, score_things(training.module, features, drawn))


def learn_direction(
    expression: ExpressionOption = "",
    folder: Folder = None,
    out: Out = None,
    steps: Steps = None,
    faces: Faces = None,
    named: GeneratorOption = None,
) -> None:
    """Learn the direction of an expression that takes the whole face along, such as anger or surprise."""
    from core.directions.teach_whole import fit_whole  # scikit-learn takes a second to load

    settings, chosen = settings_for(named), expression_named(expression)
    generator, place = _prepare(folder, settings)
    with FaceFinder(settings) as finder:
        drawn = _measured(place, generator, settings, finder, faces)
    seeds, given = load_labels(settings, generator, expression=chosen), {} if steps is None else {"steps": steps}
    direction = fit_whole(chosen, drawn, seeds, generator, settings, **given, say=typer.echo)
    typer.echo(f"{save_direction(direction, out or fitted_folder(settings, generator))}")


def learn_maps(folder: Folder = None, out: Out = None, faces: Faces = None, named: GeneratorOption = None) -> None:
    """Learn which changes of the latent move each of the landmarker's scores.

    With these maps brows, eyes and mouth can be brought to rest separately.
    """
    settings = settings_for(named)
    generator, place = _prepare(folder, settings)
    with FaceFinder(settings) as finder:
        drawn = _measured(place, generator, settings, finder, faces)
    fitted = fit_maps(drawn, generator)
    file = (out or made_folder(settings, generator)) / MAPS
    fitted.maps.save(file, {"faces": len(fitted.maps.faces), "explained": fitted.explained})
    best = sorted(fitted.explained.items(), key=lambda one: -one[1])
    told = ", ".join(f"{name} {share:.2f}" for name, share in best if name.startswith(MOVED))
    typer.echo(f"{file}: shares of the scores' variance on faces held out: {told}")


def _measured(place: Path, generator: Generator, settings: Settings, finder: FaceFinder, faces: int | None) -> Drawn:
    """Draw and measure the mixed faces that are missing in the folder `mixed` of `place`, and read them all."""
    drawn = MixedSet(place / "mixed", generator, Renderer(generator), finder, EmotionClassifier(settings), **_given(faces))
    say = _pace("faces looked at", drawn.faces)
    for done in drawn.fill():
        say(done)
    return drawn.all()


def learn_curves(
    expression: ExpressionOption = "",
    folder: Folder = None,
    out: Out = None,
    faces: Faces = None,
    named: GeneratorOption = None,
) -> None:
    """Try drawn faces along an expression, so that what a strength means for a new face takes a few pictures."""
    settings, chosen = settings_for(named), expression_named(expression)
    place = (folder or settings.cache / "training") / "curves"
    models = Models(settings)
    tried = CurveSet(place, Editor(models), chosen, **_given(faces))
    try:
        say = _pace("faces tried", tried.faces)
        for done in tried.fill():
            say(done)
        curves = tried.all()
    finally:
        models.finder.close()
    file = (out or made_folder(settings, models.generator)) / CURVES.format(chosen.name)
    curves.save(file, {"faces": len(curves.scores), "first_seed": FIRST_SEED, "truncation": TRUNCATION})
    typer.echo(f"{file}: {len(curves.scores)} faces")


def make_starts(
    seeds: Annotated[str, typer.Option(help="seeds that a projection may start from: 600-2600 (both ends)")] = "600-2600",
    out: Out = None,
    named: GeneratorOption = None,
) -> None:
    """Compute the features of seeds, so that a projection can begin with the one most like the photo (--start nearest)."""
    settings, wanted = settings_for(named), parse_seeds(seeds)
    generator, _ = _prepare(None, settings)
    table = fit_table(
        generator, Features.load(settings).to(choose_device(settings)), wanted, _pace("faces looked at", len(wanted))
    )
    file = (out or made_folder(settings, generator)) / STARTS
    save_table(table, file)
    typer.echo(f"{len(wanted)} seeds in {file}")


def _pace(what: str, count: int) -> Callable[[int], None]:
    """Make what tells how many of `count` are done: the first time, the last time, and between them every _PACE seconds."""
    told = -_PACE

    def say(done: int) -> None:
        nonlocal told
        if done == count or time.monotonic() - told >= _PACE:
            typer.echo(f"{what}: {done} of {count}")
            told = time.monotonic()

    return say


def _into(out: Path | None, settings: Settings, generator: Generator) -> Path:
    return (out or made_folder(settings, generator)) / FOLDER


def _prepare(folder: Path | None, settings: Settings) -> tuple[Generator, Path]:
    use_threads(settings)
    generator = load_generator(settings)
    assert isinstance(generator, torch.nn.Module)
    generator.to(choose_device(settings))
    place = folder or settings.cache / "training"
    place.mkdir(parents=True, exist_ok=True)
    return generator, place


def _given(faces: int | None) -> dict[str, int]:
    return {} if faces is None else {"faces": faces}


def _fill(drawn: DrawnSet) -> DrawnSet:
    say = _pace("faces drawn", drawn.faces)
    for done in drawn.fill():
        say(done)
    return drawn


def _run(training: Training, say: Callable[[str], None] = typer.echo) -> float:
    """Train to the end and return the mean loss of the last steps; nan if nothing was left to do."""
    recent: list[float] = []
    for step in training.run():
        recent = [*recent, step.loss][-_EVERY:]
        if step.step % _EVERY == 0 or step.step == step.steps:
            say(f"step {step.step} of {step.steps}: loss {sum(recent) / len(recent):.4f}")
    return sum(recent) / len(recent) if recent else float("nan")


def _keep(training: Training, file: Path, generator: Generator, schedule: Schedule, faces: int, loss: float,
          scores: dict[str, float]) -> None:  # fmt: skip
    """Write the weights with their scores in the file's metadata, and print the scores."""
    facts = {"schedule": json.dumps(asdict(schedule)), "faces": str(faces), "loss": f"{loss:.4f}"}
    facts |= {name: f"{value:.4f}" for name, value in scores.items()}
    save_trained(training.module, file, generator, facts)
    typer.echo(f"{file}: " + ", ".join(f"{name} {facts[name]}" for name in ("loss", *scores)))
