"""`egao evaluate PHOTOS...`: measures edits of faces, every method in one table."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress, TaskID

from core.cli.shared.folder import make_folder
from core.cli.shared.generator import GeneratorOption, settings_for
from core.cli.shared.kept import KeptFaces
from core.cli.shared.projecting import progress_bars, shown
from core.directions import load_direction
from core.edit import Editor, Models, PhotoEditor
from core.errors import BadOption, FaceLost, PhotoError
from core.evaluate.groups import by_group, group_table, read_groups
from core.evaluate.judging import judging_table, self_judgement
from core.evaluate.look import Looker
from core.evaluate.plots import draw_plots
from core.evaluate.sheets import draw_sheet
from core.evaluate.subjects import generated
from core.evaluate.summary import summary, tables
from core.evaluate.trial import CROP, PHOTO, Row, Subject, Surface, Trial
from core.expressions import Expression
from core.expressions import named as expression_named
from core.methods import DEFAULT_METHOD
from core.seeds import TRUNCATION, parse_seeds
from core.settings import Settings
from core.store import Store

STRENGTHS = "-3,-2,-1.5,-1,-0.5,0,0.5,1,1.5,2,3"
_LEAST, _MOST = -5.0, 5.0
_WIDE = 230  # characters of the tables in report.txt


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command("evaluate")(evaluate)


def evaluate(
    photos: Annotated[list[Path] | None, typer.Argument(help="photos; the leftmost face of each is edited")] = None,
    seeds: Annotated[str | None, typer.Option(help="generated faces to edit too, or instead, such as 6000-6029")] = None,
    expression: Annotated[
        str, typer.Option(help="name of an expression, a file of data/expressions; if not given, the default one")
    ] = "",
    direction: Annotated[list[str] | None, typer.Option(help="may be repeated; see: egao directions list")] = None,
    strengths: Annotated[str, typer.Option(help="separated by commas; neutral is tried too")] = STRENGTHS,
    surface: Annotated[str, typer.Option(help="crop: the generator's picture; photo: put back into the photo; both")] = "both",
    things: Annotated[bool, typer.Option("--things", help="paint things in front of the generated faces")] = False,
    spoil: Annotated[
        bool, typer.Option("--spoil", help="spoil good edits in photos too, and count how many of them its judge finds")
    ] = False,
    groups: Annotated[
        Path | None, typer.Option(help="CSV file with the column photo (seed-6000 for a seed) and one for each kind of group")
    ] = None,
    method: Annotated[str, typer.Option(help="method of the projection: fast, w, w+")] = DEFAULT_METHOD,
    as_json: Annotated[bool, typer.Option("--json", help="print the report as one JSON object")] = False,
    out: Annotated[Path, typer.Option("-o", "--out", help="folder for report.json, tables, plots and sheets")] = Path("out"),
    named: GeneratorOption = None,
) -> None:
    """Edit faces over the whole range of strengths, and report the effects: on expression, identity, and all else that changed.

    Two judges tell whether a face shows the expression (landmarks and the emotion classifier), dlib tells whether it is still
    the same person. Latents are kept as `egao edit` keeps them. Needs the extra `eval`.
    """
    asked, surfaces, wanted = _strengths(strengths), _surfaces(surface), expression_named(expression)
    if not any(wanted.at(one) is wanted for one in asked):
        raise BadOption(name="--strengths", reason=f"{wanted.name} can only be put on a face, which takes one above 0")
    if not photos and seeds is None:
        raise BadOption(name="PHOTOS", reason="name photos, or generated faces with --seeds")
    if things and seeds is None:
        raise BadOption(name="--things", reason="things are painted in front of generated faces: name some with --seeds")
    known = {} if groups is None else read_groups(groups)
    settings, drawn = settings_for(named), [] if seeds is None else parse_seeds(seeds)
    expressions = [wanted.along(one) for one in direction or (None,)]
    for one in expressions:
        load_direction(one.move.direction, settings)  # what is missing is told before any work
    make_folder(out)
    with progress_bars() as bars:
        every = bars.add_task("faces: preparing", total=len(photos or ()) + len(drawn))
        editor = Editor(Models(settings))
        looker = Looker(settings, editor.models.finder, editor.models.emotion, wanted)
        trial = Trial(editor, looker, asked, surfaces, spoils=spoil)
        of_photos = _subjects(editor, settings, photos or [], known, method, bars)
        subjects = chain(of_photos, generated(editor, drawn, TRUNCATION, things=things, groups=known))
        rows, refused = _try_all(trial, subjects, expressions, out, (bars, every))
    if not rows:
        told = "; ".join(f"{count} of {len(refused)}: {reason}" for reason, count in Counter(refused.values()).items())
        raise BadOption(name="PHOTOS or --seeds", reason=f"no face of them can be edited; {told}")
    methods, people, judged = summary(rows, wanted), by_group(rows), self_judgement(rows)
    made = {
        "refused": refused, "methods": methods, "groups": people, "self_judgement": judged,
        "edits": [row.as_json() for row in rows],
    }  # fmt: skip
    (out / "report.json").write_text(json.dumps(made, indent=1))
    draw_plots(methods, out)
    with (out / "report.txt").open("w") as file:
        more = [*([group_table(people)] if people else []), *([judging_table(judged)] if judged else [])]
        for table in (*tables(methods, wanted), *more):
            Console(file=file, width=_WIDE).print(table)
    if as_json:
        typer.echo(json.dumps(made, indent=1))
        return
    typer.echo((out / "report.txt").read_text())
    typer.echo(f"report, curves and {len({row.subject for row in rows})} sheets in {out}")
    for name, reason in refused.items():
        typer.echo(f"{name}: {reason}")


def _strengths(text: str) -> list[float]:
    try:
        values = sorted({float(part) for part in text.split(",")})
    except ValueError:
        raise BadOption(name="--strengths", reason=f"{text!r} is not numbers with commas between") from None
    if not values or not all(_LEAST <= value <= _MOST for value in values):
        raise BadOption(name="--strengths", reason=f"strengths go from {_LEAST:g} to {_MOST:g}")
    return values


def _surfaces(name: str) -> tuple[Surface, ...]:
    known: dict[str, tuple[Surface, ...]] = {"crop": (CROP,), "photo": (PHOTO,), "both": (CROP, PHOTO)}
    if name not in known:
        raise BadOption(name="--surface", reason=f"{name!r} is none of {', '.join(known)}")
    return known[name]


def _subjects(
    editor: Editor, settings: Settings, photos: list[Path], groups: Mapping[str, Mapping[str, str]], method: str, bars: Progress
) -> Iterator[Subject | tuple[str, str]]:
    """Yield the subjects of photos, and for each refused photo its name and the reason. `groups` are those of `read_groups`."""
    with Store.open(settings) as store:
        faces = KeptFaces(PhotoEditor(editor), lambda: store, method)
        for path in photos:
            try:
                yield replace(_from_photo(editor, faces, path, bars), groups=groups.get(path.stem, {}))
            except PhotoError as refusal:
                yield path.name, str(refusal)


def _from_photo(editor: Editor, faces: KeptFaces, path: Path, bars: Progress) -> Subject:
    photo, found = editor.look(path)
    known = faces.face(photo, found[0], f"projecting {path.name}", bars=bars).face
    return Subject(path.stem, photo, found[0], editor.align(photo, found[0]), known.latent)


def _try_all(
    trial: Trial, subjects: Iterator[Subject | tuple[str, str]], expressions: list[Expression], out: Path,
    progress: tuple[Progress, TaskID],
) -> tuple[list[Row], dict[str, str]]:  # fmt: skip
    """Try every expression (one for each direction) on every subject, and draw a sheet of each subject.

    The bar `progress` counts the subjects. Returns the rows, and the reasons of refusals by name.
    """
    rows: list[Row] = []
    refused: dict[str, str] = {}
    bars, every = progress
    for tried, subject in enumerate(subjects):
        bars.update(every, description="faces", completed=tried)
        if isinstance(subject, tuple):
            refused[subject[0]] = subject[1]
            continue
        try:
            with shown(bars, f"drawing and judging {subject.name}"):
                of = [row for expression in expressions for row in trial.run(subject, expression)]
        except (FaceLost, PhotoError) as refusal:  # the generator can't draw this face at all, or its mouth is not to be seen
            refused[subject.name] = str(refusal)
            continue
        draw_sheet(subject, of, out)
        rows.extend(of)
        bars.console.print(f"{subject.name}: {len(of)} edits", markup=False, highlight=False, soft_wrap=True)
    return rows, refused
