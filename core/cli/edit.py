"""`egao edit`: a photo in, the same face with another expression and neutral out."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from core.cli.folder import make_folder
from core.cli.generator import GeneratorOption, settings_for
from core.cli.kept import KeptFaces
from core.composite import Original
from core.edit import Editor, Models, PhotoEditor, Scale, Variant
from core.edit.scale import LIMIT
from core.errors import BadSetting
from core.expressions import NEUTRAL, Expression, Strength
from core.expressions import named as expression_named
from core.faces import Face, Photo
from core.latents import to_npz
from core.methods import DEFAULT_METHOD
from core.pictures import animate, contact_sheet, encode
from core.store import Store

SWEEP = np.linspace(-2.0, 2.0, 17)  # strengths of an animation
SWEEP_SIDE = 512  # pixels
DEFAULT_STRENGTHS: tuple[Strength, ...] = (NEUTRAL, 1.5)


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command("edit")(edit)


@dataclass(frozen=True)
class _Task:
    """What was asked for."""

    photo: Path
    strengths: tuple[Strength, ...]
    expression: Expression
    out: Path
    animation: bool
    crop: bool
    quiet: bool

    def file(self, face: Face, what: str) -> Path:
        return self.out / f"{self.photo.stem}-face{face.index + 1}-{what}"


def edit(
    photo: Annotated[Path, typer.Argument(help="a JPEG, PNG or WebP picture")],
    strength: Annotated[
        list[float] | None,
        typer.Option("--strength", "--smile", help="-3 to 3; may be repeated. 1 takes four fifths of what is left to give"),
    ] = None,
    neutral: Annotated[bool, typer.Option("--neutral", help="the strength at which this face does not show it")] = False,
    expression: Annotated[str, typer.Option(help="which one; by default a smile")] = "",
    face: Annotated[str, typer.Option(help="which face, counted from the left, or all")] = "1",
    direction: Annotated[str | None, typer.Option(help="another way to it; see: egao directions report")] = None,
    method: Annotated[str, typer.Option(help="how to project: fast, w, w+")] = DEFAULT_METHOD,
    steps: Annotated[int | None, typer.Option(min=1, max=10_000, help="of the projection")] = None,
    crop: Annotated[bool, typer.Option("--crop", help="write the aligned face, not the photo")] = False,
    animated: Annotated[bool, typer.Option("--animate", help="also a sweep as WebP and GIF")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON object")] = False,
    out: Annotated[Path, typer.Option("-o", "--out", help="folder for the pictures")] = Path("out"),
    named: GeneratorOption = None,
) -> None:
    """Make the face in a photo smile, or stop smiling. Without a strength: neutral and 1.5.

    Every strength starts from the photo, never from an earlier edit. The latent is kept (see `egao faces`), so that the
    same photo is projected once. Outputs are marked as AI edits. Research and personal use only: see `egao models list`.
    """
    strengths: tuple[Strength, ...] = (*(strength or ()), *((NEUTRAL,) if neutral else ())) or DEFAULT_STRENGTHS
    if any(isinstance(one, float) and not abs(one) <= LIMIT for one in strengths):
        raise BadSetting(name="--strength", reason=f"strengths go from {-LIMIT:g} to {LIMIT:g}")
    task = _Task(photo, strengths, expression_named(expression).along(direction), out, animated, crop, as_json)
    settings = settings_for(named)
    editor = PhotoEditor(Editor(Models(settings)))
    loaded, found = editor.editor.look(photo)
    chosen = found if face == "all" else [Editor.pick(found, _number(face))]
    make_folder(out)
    with Store.open(settings) as store:
        # by label: the photo with every chosen face edited, where there are several
        together: dict[str, np.ndarray] | None = {} if len(chosen) > 1 and not crop else None
        kept = KeptFaces(editor, store, method, steps)
        reports = [_edit_face(editor, kept, task, loaded, one, together) for one in chosen]
    files = {label: str(_write(out / f"{photo.stem}-all-{label}.png", all_of)) for label, all_of in (together or {}).items()}
    if as_json:
        answer = {"photo": str(photo), "faces_in_photo": len(found), "faces": reports, "together": files}
        typer.echo(json.dumps(answer, indent=1))
    for file in () if as_json else files.values():
        typer.echo(f"all faces: {file}")
    if any(variant["told"] for report in reports for variant in report["variants"]):
        raise typer.Exit(1)


def _number(face: str) -> int:
    if not face.isdecimal():
        raise BadSetting(name="--face", reason=f"{face!r} is neither a number nor all")
    return int(face)


def _edit_face(
    editor: PhotoEditor, faces: KeptFaces, task: _Task, photo: Photo, face: Face, together: dict[str, np.ndarray] | None
) -> dict[str, Any]:
    began, basic = time.perf_counter(), editor.editor
    aligned = basic.align(photo, face)
    seconds = {"align": time.perf_counter() - began}
    label, checkpoint = f"projecting face {face.index + 1}", task.file(face, "projection.checkpoint")
    kept = faces.face(photo, face, label, checkpoint, quiet=task.quiet)
    kept = faces.learn(kept, task.expression, aligned.image)
    seconds |= kept.seconds
    began, ws, scale = time.perf_counter(), kept.face.ws, editor.scale(kept.face, task.expression)
    drawn = variants = basic.variants(ws, task.strengths, task.expression, scale)
    if task.crop:
        projected = basic.reconstructed(ws)
    else:
        original = basic.original(photo, basic.found(face), ws)
        projected, variants = original.reconstructed.pixels, _into_photo(basic, original, drawn, scale.score(0.0), together)
    seconds["render"] = time.perf_counter() - began
    before, name = basic.score(aligned.image, task.expression), task.expression.name
    latent = task.file(face, "latent.npz")
    latent.write_bytes(to_npz(ws))
    files = [None if v.told else _write(task.file(face, f"{_name(v)}.png"), v.pixels) for v in variants]
    sheet = _write(task.file(face, "sheet.png"), _sheet(photo, projected, variants, drawn))
    report: dict[str, Any] = {
        "face": face.index + 1, "box": [round(edge, 1) for edge in face.box], "latent": str(latent),
        "stored": "project" not in kept.seconds,
        "seconds": {stage: round(duration, 2) for stage, duration in seconds.items()}, "sheet": str(sheet),
        "variants": [
            {"asked": v.asked, "strength": round(v.strength, 3), "file": None if file is None else str(file),
             "told": None if v.told is None else str(v.told), f"{name}_before": _score(before), f"{name}_after": _score(v.score)}
            for v, file in zip(variants, files, strict=True)
        ],
    }  # fmt: skip
    if task.animation:
        report["animations"] = _animate(basic, task, face, ws, scale)
    if not task.quiet:
        _tell(report, name)
    return report


def _into_photo(
    editor: Editor, original: Original, drawn: list[Variant], before: float, together: dict[str, np.ndarray] | None
) -> list[Variant]:
    """Each variant alone in the photo, judged; and, in `together`, the good ones on top of the faces that were edited before."""
    judged = [editor.judged(original, variant, before) for variant in drawn]
    if together is not None:
        for variant, laid in zip(drawn, judged, strict=True):
            name = _name(variant)
            onto, way = together.get(name), replace(variant, lips_anew=laid.lips_anew)
            if laid.told is None:
                together[name] = editor.into_photo(original, way, onto, judge=False).pixels
    return judged


def _name(variant: Variant) -> str:
    return variant.label.replace(" ", "")


def _sheet(photo: Photo, projected: np.ndarray, variants: list[Variant], drawn: list[Variant]) -> np.ndarray:
    """The photo and its good edits above, what the generator drew for them below."""
    good = [(laid, below) for laid, below in zip(variants, drawn, strict=True) if laid.told is None]
    above = [("photo", photo.pixels), *((variant.label, variant.pixels) for variant, _ in good)]
    below = [("projected", projected), *((variant.label, variant.pixels) for _, variant in good)]
    return contact_sheet([above, below], 512)


def _animate(editor: Editor, task: _Task, face: Face, ws: np.ndarray, scale: Scale) -> list[str]:
    pictures = editor.draw(ws, [scale.step(float(strength)) for strength in SWEEP], task.expression)
    frames = [editor.resized(picture, SWEEP_SIDE) for picture in pictures]
    files = []
    for kind in ("webp", "gif"):
        file = task.file(face, f"sweep.{kind}")
        file.write_bytes(animate(frames, kind, fps=12))
        files.append(str(file))
    return files


def _write(file: Path, pixels: np.ndarray) -> Path:
    file.write_bytes(encode(pixels, "png"))
    return file


def _score(score: float) -> float | None:
    return None if np.isnan(score) else round(score, 3)


def _tell(report: dict[str, Any], name: str) -> None:
    source = "its latent was kept from an earlier edit" if report["stored"] else f"projected in {report['seconds']['project']} s"
    typer.echo(f"face {report['face']}: {source}")
    for variant in report["variants"]:
        typer.echo(
            f"  {variant['told'] or variant['file']}  ({name} score {variant[f'{name}_before']} -> {variant[f'{name}_after']})"
        )
    for file in (report["sheet"], *report.get("animations", ())):
        typer.echo(f"  {file}")
