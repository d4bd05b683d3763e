"""`egao directions list | fit | report`: learns directions of an expression from the seed set, and compares them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from core.cli.shared.expression import ExpressionOption
from core.cli.shared.folder import make_folder
from core.cli.shared.generator import ClassOption, GeneratorOption, generator_of, settings_for
from core.device import use_threads
from core.directions import Direction, load_direction, names, save_direction
from core.directions.direction import fitted_folder, held_out
from core.directions.effect import Bench
from core.emotion import EmotionClassifier
from core.errors import BadSeeds, ExtraMissing, NoSuchDirection, PartMissing, WeightsMissing
from core.expressions import Expression
from core.expressions import named as expression_named
from core.faces import FaceFinder
from core.generator import Generator
from core.pictures import encode
from core.rendering import Renderer
from core.seeds import TRUNCATION, SeedSet, load_labels, load_seed_set, named_seeds, parse_seeds
from core.settings import Settings


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    verb = typer.Typer(no_args_is_help=True, help="Directions: what a strength of 1 adds to a face.")
    verb.command("list")(list_directions)
    verb.command("fit")(fit_directions)
    verb.command("report")(report_directions)
    app.add_typer(verb, name="directions")


def list_directions(named: GeneratorOption = None) -> None:
    """Show every direction that --direction accepts, and how it was learned."""
    settings = settings_for(named)
    table = Table()
    for heading in ("name", "learned with", "from", "held-out accuracy", "unit in w", "styles"):
        table.add_column(heading)
    for name in names(settings):
        about = load_direction(name, settings).provenance
        accuracy = held_out(about)
        styles = "{sides[0]}-{sides[1]} px, x{weight}".format_map(about) if "sides" in about else "all"
        table.add_row(name, about["method"], about["task"], accuracy, f"{about['unit']:.2f}", styles)
    Console().print(table)


def fit_directions(
    method: Annotated[
        list[str] | None, typer.Option(help="name of a direction; may be repeated; if not given, all. clean takes minutes")
    ] = None,
    expression: ExpressionOption = "",
    confident: Annotated[
        float | None, typer.Option(min=0.05, max=1.0, help="fit only to this share of each class, its most certain seeds")
    ] = None,
    shipped: Annotated[bool, typer.Option("--shipped", help="use the labels that ship, even if a set was built")] = False,
    showing: Annotated[str, typer.Option(help="seeds of your own choice that show it: 3,8,20-60; with --neutral")] = "",
    neutral: Annotated[str, typer.Option(help="seeds of your own choice that do not: 100-180; with --showing")] = "",
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="folder; if not given, the one that --direction searches")
    ] = None,
    label: ClassOption = None,
    named: GeneratorOption = None,
) -> None:
    """Learn directions from the seed set built on this machine or, if there is none, from the labels that ship.

    With --showing and --neutral they are learned from two sets of seeds that you name. Nothing is drawn or judged then, so
    this works for generators of anything.
    """
    from core.directions.combine import combine
    from core.directions.fit import CLEAN, called, fit, fittable  # scikit-learn takes a second to load
    from core.directions.teach import fit_clean

    settings = settings_for(named)
    use_threads(settings)
    shown = expression_named(expression)
    known = fittable(shown)
    for name in method or ():
        if name not in known:
            raise NoSuchDirection(name=name, known=", ".join(known))
    generator = generator_of(settings, label)
    seeds, origin = _seeds(settings, generator, shown, (showing, neutral), shipped=shipped)
    typer.echo(f"{len(seeds.seeds)} seeds, {seeds.showing.sum()} {shown.judged.emotion}, {seeds.neutral.sum()} neutral: {origin}")
    if not (showing or neutral) and (faceless := int(np.isnan(seeds.pose).any(axis=1).sum())) > len(seeds.seeds) / 2:
        typer.echo(f"no face was found in {faceless} of them: their labels say nothing of any {shown.name}", err=True)
    for name in method or (tuple(one for one in known if one != called(CLEAN, shown)) if showing else known):
        if name == called(CLEAN, shown):
            direction = fit_clean(seeds, generator, settings, say=typer.echo)
        elif name == shown.move.direction and shown.move.sum:
            direction = combine(seeds, generator, settings)
        else:
            direction = fit(seeds, name, generator, confident)
        path = save_direction(direction, out or fitted_folder(settings, generator))
        about = direction.provenance
        typer.echo(f"{name}: {held_out(about) + ' held out' if 'test' in about else about['task']} -> {path}")


def _seeds(
    settings: Settings, generator: Generator, shown: Expression, own: tuple[str, str], *, shipped: bool
) -> tuple[SeedSet, str]:
    """Load the seeds to learn from, and in words where they come from; `own`: those named as showing it, and as neutral."""
    if any(own):
        if not all(own):
            raise BadSeeds(reason="--showing and --neutral are named together")
        return named_seeds(generator, parse_seeds(own[0]), parse_seeds(own[1]), expression=shown), "as you named them"
    if shipped:
        return load_labels(settings, generator, expression=shown), "the labels that ship or were exported"
    return load_seed_set(settings, generator, expression=shown)


def report_directions(
    method: Annotated[list[str] | None, typer.Option(help="name of a direction; may be repeated; if not given, all")] = None,
    expression: ExpressionOption = "",
    seeds: Annotated[str, typer.Option(help="faces to try them on; none may have been used to fit them")] = "5000-5039",
    out: Annotated[Path, typer.Option("-o", "--out", help="folder for a sweep picture of each direction")] = Path("out"),
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON object instead of tables")] = False,
    label: ClassOption = None,
    named: GeneratorOption = None,
) -> None:
    """Compare directions: how they were learned, how similar they are, what they do to fresh faces; and draw sweeps."""
    from core.directions.report import report, tables

    settings = settings_for(named)
    use_threads(settings)
    generator = generator_of(settings, label)
    shown = expression_named(expression)
    directions = [load_direction(name, settings, generator) for name in method or names(settings)]
    if not directions:
        raise PartMissing(name=generator.name, part="direction", command="egao directions fit")
    wanted = parse_seeds(seeds)
    _refuse_known(wanted, directions)
    with FaceFinder(settings) as finder, Progress(transient=True, console=Console(stderr=True)) as progress:
        bench = Bench(generator, Renderer(generator), EmotionClassifier(settings), finder, shown)
        task = progress.add_task("directions", total=1.0)
        made = report(directions, bench, wanted, TRUNCATION, lambda share: progress.update(task, completed=share))
        task = progress.add_task("sweeps", total=1.0)
        made["sweeps"] = _draw_sweeps(directions, bench, out, lambda share: progress.update(task, completed=share))
        task = progress.add_task("at equal gain", total=1.0)
        equal = _at_equal_gain(directions, bench, wanted, settings, lambda share: progress.update(task, completed=share))
    made["equal_gain"] = equal
    if as_json:
        typer.echo(json.dumps(made, indent=1))
        return
    for table in tables(made):
        Console().print(table)
    if equal:
        from core.evaluate.summary import equal_gain

        Console().print(equal_gain(equal, shown))
    typer.echo(f"sweeps in {out}")


def _at_equal_gain(
    directions: list[Direction], bench: Bench, seeds: list[int], settings: Settings, on_progress: Callable[[float], None]
) -> list[dict[str, Any]]:
    """Measure the side effects of each direction at the same gain; [] if the extra `eval` or its weights are missing."""
    from core.evaluate.compare import compare
    from core.evaluate.look import Looker
    from core.evaluate.summary import summary

    try:
        looker = Looker(settings, bench.finder, bench.classifier, bench.expression)
    except (ExtraMissing, WeightsMissing) as missing:
        typer.echo(f"not compared at equal gain: {missing}", err=True)
        return []
    rows = compare(directions, bench.generator, bench.renderer, looker, seeds, TRUNCATION, on_progress)
    return summary(rows, bench.expression)


def _refuse_known(seeds: list[int], directions: list[Direction]) -> None:
    """Check that no seed was used to fit one of the directions. Raises BadSeeds."""
    for direction in directions:
        first, last = direction.provenance["seeds"]
        if any(first <= seed <= last for seed in seeds):
            raise BadSeeds(reason=f"{direction.name} was learned from {first}-{last}; take others, such as 5000-5039")


def _draw_sweeps(directions: list[Direction], bench: Bench, out: Path, on_progress: Callable[[float], None]) -> dict[str, Any]:
    from core.directions.report import sweep

    make_folder(out)
    files: dict[str, str] = {}
    for direction in directions:

        def tell(share: float, before: int = len(files)) -> None:
            on_progress((before + share) / len(directions))

        file = out / f"sweep-{direction.name}.png"
        file.write_bytes(encode(sweep(direction, bench, TRUNCATION, on_progress=tell), "png", source="generated"))
        files[direction.name] = str(file)
    return files
