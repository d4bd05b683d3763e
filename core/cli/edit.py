"""`egao edit`: edits the expression of faces in photos."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import typer

from core.cli.shared.editing import ALL, PROMINENT, Bench, Task
from core.cli.shared.films import check_task, edit_film
from core.cli.shared.generator import GeneratorOption, settings_for
from core.cli.shared.kept import KeptFaces
from core.cli.shared.projecting import progress_bars
from core.cli.shared.written import OWN, Folder, checked_format, photos_of
from core.directions import load_direction
from core.edit import Editor, Models, PhotoEditor
from core.edit.scale import LIMIT
from core.errors import BadOption, EgaoError
from core.expressions import NEUTRAL, Strength, default, names, names_with_variations
from core.expressions import named as expression_named
from core.faces import load_film, read_photo
from core.methods import DEFAULT_METHOD
from core.pictures import credentials
from core.store import Store

DEFAULT_STRENGTHS: tuple[Strength, ...] = (NEUTRAL, 1.5)


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command("edit")(edit)


def edit(
    photos: Annotated[list[Path], typer.Argument(help="JPEG, PNG, WebP, GIF, AVIF or HEIC pictures, or folders of them")],
    strength: Annotated[
        list[float] | None,
        typer.Option(
            "--strength",
            f"--{default().name}",
            help="-5 to 5; may be repeated. 1 is natural, negative is more serious; beyond 3 hardly anything changes",
        ),
    ] = None,
    neutral: Annotated[
        bool, typer.Option("--neutral", help="make a picture in which the face does not show the expression")
    ] = False,
    expression: Annotated[
        str,
        typer.Option(help=f"{', '.join(names_with_variations())}; or, say, {names()[-1]}=0.8; if not given, {default().name}"),
    ] = "",
    face: Annotated[
        str, typer.Option(help="a number, counted from the left, or all; if not given, the most prominent face")
    ] = PROMINENT,
    kind: Annotated[
        str, typer.Option("--format", help="of the pictures: own (as each photo is), png, jpeg, webp, avif, heic")
    ] = OWN,
    direction: Annotated[str | None, typer.Option(help="another direction for the expression; see: egao directions list")] = None,
    method: Annotated[str, typer.Option(help="method of the projection: fast, w, w+")] = DEFAULT_METHOD,
    steps: Annotated[
        int | None, typer.Option(min=1, max=10_000, help="steps of the projection; if not given, the method's own number")
    ] = None,
    crop: Annotated[bool, typer.Option("--crop", help="write the aligned face as PNG, not the photo")] = False,
    animated: Annotated[bool, typer.Option("--animate", help="also a sweep as WebP and GIF")] = False,
    every_frame: Annotated[
        bool,
        typer.Option("--every-frame", help="of animated GIF, WebP, PNG and AVIF: all frames, not the first alone"),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print one line of JSON for each photo")] = False,
    force: Annotated[bool, typer.Option("--force", help="overwrite existing pictures")] = False,
    out: Annotated[Path, typer.Option("-o", "--out", help="folder for the pictures")] = Path("out"),
    named: GeneratorOption = None,
) -> None:
    """Give the faces in photos another expression. Without a strength: neutral and 1.5.

    Every strength is made from the photo, never from an earlier edit. The latent of a face is kept (see `egao faces`), so
    that the same photo is projected only once. Results are marked as AI edits. Research and personal use only: see `egao
    models list`.
    """
    name, own = _named(expression)
    shown = expression_named(name)
    usual = tuple(one for one in DEFAULT_STRENGTHS if shown.at(one) is shown)
    strengths: tuple[Strength, ...] = (*own, *(strength or ()), *((NEUTRAL,) if neutral else ())) or usual
    if any(isinstance(one, float) and not abs(one) <= LIMIT for one in strengths):
        raise BadOption(name="--strength", reason=f"strengths go from {-LIMIT:g} to {LIMIT:g}")
    if (main := shown.at(NEUTRAL)) is not shown and (animated or any(shown.at(one) is main for one in strengths)):
        raise BadOption(name="--expression", reason=f"{name} can only be put on a face; to take it off, use {main.name}")
    task = Task(strengths, shown.along(direction), face, checked_format(kind), animated, crop)
    if every_frame:
        check_task(task)
    files, settings = photos_of(photos), settings_for(named)
    load_direction(task.expression.move.direction, settings)  # what is missing is told before any work
    editor = PhotoEditor(Editor(Models(settings)))
    failed: list[EgaoError] = []
    told = False  # that a picture was not good enough
    with ExitStack() as opened, progress_bars() as bars:
        store = cache(lambda: opened.enter_context(Store.open(settings)))
        folder = Folder(out, force=force, credentials=credentials(settings.c2pa))
        bench = Bench(editor, KeptFaces(editor, store, method, steps), folder, bars)
        overall = bars.add_task("photos", total=len(files), visible=len(files) > 1)
        for file in files:
            bars.update(overall, description=f"photos: {file.name}")
            try:
                film = load_film(read_photo(file, settings, own=True), settings) if every_frame else None
                report = bench.edit(file, task) if film is None else edit_film(bench, file, film, task)
                told = told or any(one["told"] for face_ in report["faces"] for one in face_["variants"])
            except EgaoError as error:  # this photo's fault: the others go on
                failed.append(error)
                report = {"photo": str(file), "error": error.code, "sentence": str(error)}
            _say(report, task, as_json=as_json, alone=len(files) == 1)
            bars.advance(overall)
    if failed and len(files) == 1:
        raise failed[0]
    if failed:
        typer.echo(f"egao: {len(failed)} of {len(files)} photos could not be edited", err=True)
    if failed or told:
        raise typer.Exit(1)


def _named(expression: str) -> tuple[str, tuple[float, ...]]:
    """Read `NAME` or `NAME=STRENGTH`. Raises BadOption if the strength is no number."""
    name, sign, strength = expression.partition("=")
    try:
        return name, (float(strength),) if sign else ()
    except ValueError:
        raise BadOption(name="--expression", reason=f"{strength!r} is no strength; write, for example, {name}=0.8") from None


def _say(report: dict[str, Any], task: Task, *, as_json: bool, alone: bool) -> None:
    """Report on one photo: a line of JSON, or text for a person."""
    if as_json:
        typer.echo(json.dumps(report))
    elif "error" not in report:
        for line in _lines(report, task):
            typer.echo(line)
    if "error" in report and not alone:
        typer.echo(f"egao: {report['photo']}: {report['sentence']}", err=True)


def _lines(report: dict[str, Any], task: Task) -> Iterator[str]:
    name = task.expression.name
    for face in report["faces"]:
        yield f"{report['photo']}, face {face['face']}: {_source(report, face)}"
        if face["note"]:
            yield f"  {face['note']}"
        for one in face["variants"]:
            yield f"  {one['told'] or one['file']}  ({name} score {one[f'{name}_before']} -> {one[f'{name}_after']})"
            if one.get("frames_left"):
                yield f"  left as they are: frames {', '.join(str(at + 1) for at in one['frames_left'])}"
        yield from (f"  {file}" for file in (face.get("sheet"), *face.get("animations", ())) if file)
    yield from (f"  all faces: {file}" for file in report["together"].values())
    count = report["faces_in_photo"]
    if count > 1 and task.face != ALL:
        yield f"  There are {count} faces in this photo: --face 1 to {count}, counted from the left, or --face all."
    yield from (f"  Left out: {what}." for what in report["left_out"])


def _source(report: dict[str, Any], face: dict[str, Any]) -> str:
    """Say where the latent of a face comes from."""
    if "frames" in report:
        return f"followed through {report['frames']} frames"
    project = face["seconds"].get("project")
    return "its latent was kept from an earlier edit" if face["stored"] else f"projected in {project} s"
