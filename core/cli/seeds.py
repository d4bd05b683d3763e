"""`egao seeds build | list | export`: the generated faces that directions are learned from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from core.cli.shared.generator import ClassOption, GeneratorOption, generator_of, settings_for
from core.device import use_threads
from core.emotion import EMOTIONS, EmotionClassifier
from core.faces.landmarks import FaceFinder
from core.rendering import Renderer
from core.seeds import (
    TRUNCATION,
    SeedSet,
    SeedTable,
    build,
    key_of,
    labels_part,
    load_seed_set,
    parse_seeds,
    save_labels,
)
from core.weights.parts import made_folder

Truncation = Annotated[float, typer.Option(min=0.05, max=1.0, help="psi: 0 the average face, 1 no truncation")]


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    verb = typer.Typer(no_args_is_help=True, help="The generated, labelled faces that directions are learned from.")
    verb.command("build")(build_seeds)
    verb.command("list")(list_seeds)
    verb.command("export")(export_seeds)
    app.add_typer(verb, name="seeds")


def build_seeds(
    seeds: Annotated[str, typer.Option(help="seeds: 600-2600 (both ends), or 1,5,9")] = "600-2600",
    truncation: Truncation = TRUNCATION,
    label: ClassOption = None,
    named: GeneratorOption = None,
) -> None:
    """Draw, label and store seeds; seeds already stored are skipped."""
    settings = settings_for(named)
    use_threads(settings)
    wanted = parse_seeds(seeds)
    generator = generator_of(settings, label)
    bar = Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn()
    )
    with SeedTable.open(settings) as table, FaceFinder(settings) as finder:
        todo = table.missing(table.set_id(generator.name, key_of(generator), truncation), wanted)
        if len(todo) < len(wanted):
            typer.echo(f"{len(wanted) - len(todo)} of {len(wanted)} seeds are there already")
        if todo:
            with bar:
                task = bar.add_task("seeds", total=len(todo))
                build(
                    todo, truncation, generator, Renderer(generator), EmotionClassifier(settings), finder, table,
                    lambda count: bar.advance(task, count),
                )  # fmt: skip
    list_seeds(truncation, label, named)


def list_seeds(truncation: Truncation = TRUNCATION, label: ClassOption = None, named: GeneratorOption = None) -> None:
    """Count the emotions of the seed set that directions would be learned from."""
    settings = settings_for(named)
    seeds, origin = load_seed_set(settings, generator_of(settings, label), truncation)
    Console().print(_counts(seeds, origin))


def export_seeds(
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="the .npz file; if not given, the one that `egao directions fit` reads")
    ] = None,
    seeds: Annotated[str, typer.Option(help="range to write, both ends included")] = "600-2600",
    truncation: Truncation = TRUNCATION,
    label: ClassOption = None,
    named: GeneratorOption = None,
) -> None:
    """Write the labels without latents (which are computed from the seeds), in the form that ships with egao."""
    settings = settings_for(named)
    wanted, generator = parse_seeds(seeds), generator_of(settings, label)
    chosen, _ = load_seed_set(settings, generator, truncation)
    chosen = chosen.within(min(wanted), max(wanted))
    file = out or made_folder(settings, generator) / labels_part(generator)
    save_labels(chosen, generator.name, file)
    typer.echo(f"{len(chosen.seeds)} seeds in {file}")


def _counts(seeds: SeedSet, origin: str) -> Table:
    first, last, count = seeds.seeds[0], seeds.seeds[-1], len(seeds.seeds)
    table = Table(title=f"{count} seeds, {first}-{last}, truncation {seeds.truncation}", caption=f"from {origin}")
    for heading in ("emotion", "seeds", "share", f"mean {seeds.expression.name} score"):
        table.add_column(heading, justify="left" if heading == "emotion" else "right")
    for index, emotion in enumerate(EMOTIONS):
        chosen = seeds.emotions == index
        scores = seeds.score[chosen & ~np.isnan(seeds.score)]
        mean = f"{scores.mean():.2f}" if len(scores) else "-"
        table.add_row(emotion, str(chosen.sum()), f"{chosen.mean():.1%}", mean)
    return table
