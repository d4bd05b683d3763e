"""`egao edit`: a photo in, the same face smiling and neutral out."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from core.cli.folder import make_folder
from core.cli.projecting import project_with_progress
from core.composite import Original
from core.edit import NEUTRAL, Editor, Models, Scale, Strength, Variant
from core.edit.scale import LIMIT
from core.errors import BadSetting
from core.faces import Aligned, Face, Photo
from core.latents import from_npz, to_npz
from core.methods import DEFAULT_METHOD
from core.pictures import animate, contact_sheet, encode
from core.settings import Settings
from core.store import Owner, Store

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
    direction: str
    method: str
    steps: int | None
    out: Path
    animation: bool
    crop: bool
    quiet: bool

    def file(self, face: Face, what: str) -> Path:
        return self.out / f"{self.photo.stem}-face{face.index + 1}-{what}"


def edit(
    photo: Annotated[Path, typer.Argument(help="a JPEG, PNG or WebP picture")],
    smile: Annotated[
        list[float] | None,
        typer.Option(help="a strength, -3 to 3; may be repeated. 1 takes four fifths of the smile that is left"),
    ] = None,
    neutral: Annotated[bool, typer.Option("--neutral", help="the strength at which this face does not smile")] = False,
    face: Annotated[str, typer.Option(help="which face, counted from the left, or all")] = "1",
    direction: Annotated[str, typer.Option(help="see: egao directions report")] = "smile",
    method: Annotated[str, typer.Option(help="how to project: fast, w, w+")] = DEFAULT_METHOD,
    steps: Annotated[int | None, typer.Option(min=1, max=10_000, help="of the projection")] = None,
    crop: Annotated[bool, typer.Option("--crop", help="write the aligned face, not the photo")] = False,
    animated: Annotated[bool, typer.Option("--animate", help="also a sweep as WebP and GIF")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON object")] = False,
    out: Annotated[Path, typer.Option("-o", "--out", help="folder for the pictures")] = Path("out"),
) -> None:
    """Make the face in a photo smile, or stop smiling. Without a strength: neutral and smile 1.5.

    Every strength starts from the photo, never from an earlier edit. The latent is kept (see `egao faces`), so that the
    same photo is projected once. Outputs are marked as AI edits. Research and personal use only: see `egao models list`.
    """
    strengths: tuple[Strength, ...] = (*(smile or ()), *((NEUTRAL,) if neutral else ())) or DEFAULT_STRENGTHS
    if any(isinstance(one, float) and not abs(one) <= LIMIT for one in strengths):
        raise BadSetting(name="--smile", reason=f"strengths go from {-LIMIT:g} to {LIMIT:g}")
    task = _Task(photo, strengths, direction, method, steps, out, animated, crop, as_json)
    settings = Settings.load()
    editor = Editor(Models(settings))
    loaded, faces = editor.look(photo)
    chosen = faces if face == "all" else [editor.pick(faces, _number(face))]
    make_folder(out)
    with Store.open(settings) as store:
        # by label: the photo with every chosen face edited, where there are several
        together: dict[str, np.ndarray] | None = {} if len(chosen) > 1 and not crop else None
        reports = [_edit_face(editor, store, task, loaded, one, together) for one in chosen]
    files = {label: str(_write(out / f"{photo.stem}-all-{label}.png", all_of)) for label, all_of in (together or {}).items()}
    if as_json:
        answer = {"photo": str(photo), "faces_in_photo": len(faces), "faces": reports, "together": files}
        typer.echo(json.dumps(answer, indent=1))
    for file in () if as_json else files.values():
        typer.echo(f"all faces: {file}")


def _number(face: str) -> int:
    if not face.isdecimal():
        raise BadSetting(name="--face", reason=f"{face!r} is neither a number nor all")
    return int(face)


def _edit_face(
    editor: Editor, store: Store, task: _Task, photo: Photo, face: Face, together: dict[str, np.ndarray] | None
) -> dict[str, Any]:
    seconds: dict[str, float] = {}
    began = time.perf_counter()
    aligned = editor.align(photo, face)
    seconds["align"] = time.perf_counter() - began
    ws, scale, reused = _latent(editor, store, task, photo, face, aligned, seconds)
    began = time.perf_counter()
    variants = editor.variants(ws, task.strengths, task.direction, scale)
    drawn = variants
    if task.crop:
        projected = editor.draw(ws, [0.0])[0]
    else:
        original = editor.original(photo, editor.found(face), ws)
        projected, variants = original.reconstructed.pixels, _into_photo(editor, original, drawn, together)
    seconds["render"] = time.perf_counter() - began
    before = editor.smile(aligned.image)
    latent = task.file(face, "latent.npz")
    latent.write_bytes(to_npz(ws))
    files = [_write(task.file(face, f"{_name(variant)}.png"), variant.pixels) for variant in variants]
    sheet = _write(task.file(face, "sheet.png"), _sheet(photo, projected, variants, drawn))
    report: dict[str, Any] = {
        "face": face.index + 1, "box": [round(edge, 1) for edge in face.box], "latent": str(latent), "stored": reused,
        "seconds": {stage: round(duration, 2) for stage, duration in seconds.items()}, "sheet": str(sheet),
        "variants": [
            {"asked": v.asked, "strength": round(v.strength, 3), "file": str(file),
             "smile_before": _score(before), "smile_after": _score(v.smile)}
            for v, file in zip(variants, files, strict=True)
        ],
    }  # fmt: skip
    if task.animation:
        report["animations"] = _animate(editor, task, face, ws, scale)
    if not task.quiet:
        _tell(report)
    return report


def _into_photo(
    editor: Editor, original: Original, drawn: list[Variant], together: dict[str, np.ndarray] | None
) -> list[Variant]:
    """Each variant alone in the photo; and, in `together`, on top of the faces that were edited before."""
    if together is not None:
        for variant in drawn:
            name = _name(variant)
            together[name] = editor.into_photo(original, variant, together.get(name), judge=False).pixels
    return [editor.into_photo(original, variant) for variant in drawn]


def _name(variant: Variant) -> str:
    return variant.label.replace(" ", "")


def _latent(
    editor: Editor, store: Store, task: _Task, photo: Photo, face: Face, aligned: Aligned, seconds: dict[str, float]
) -> tuple[np.ndarray, Scale, bool]:
    """ws of the face and its scale, from the store if this very photo was projected before in the same way, and whether."""
    method, generator = f"{task.method}/{task.steps or 'default'}", editor.models.generator
    owner = Owner.local()
    known = store.faces.find(owner, photo.sha256, face.index, generator=generator.digest, method=method)
    if known is not None:
        store.faces.touch(owner, known.id)
        ws, extras = from_npz(store.faces.latent(owner, known.id), generator), known.extras or {}
    else:
        began = time.perf_counter()
        ws, extras = _project(editor, task, face, aligned), {}
        seconds["project"] = time.perf_counter() - began
        thumbnail = encode(editor.models.renderer.images(ws)[0][::4, ::4].copy(), "webp")
        known = store.faces.add(
            owner, photo_sha256=photo.sha256, face=face.index, box=face.box, quad=aligned.quad.tolist(),
            latent=to_npz(ws), thumbnail=thumbnail, generator=generator.digest, method=method,
        )  # fmt: skip
    scales = extras.get("scales", {})
    digest = editor.models.direction(task.direction).digest
    if digest not in scales:
        began = time.perf_counter()
        scales = {**scales, digest: editor.scale(ws, task.direction, aligned.image).dump()}
        store.faces.note(owner, known.id, {**extras, "scales": scales})
        seconds["scale"] = time.perf_counter() - began
    return ws, Scale.load(scales[digest]), "project" not in seconds


def _project(editor: Editor, task: _Task, face: Face, aligned: Aligned) -> np.ndarray:
    projecting = editor.projecting(aligned.image, task.method, task.steps)
    checkpoint = task.file(face, "projection.checkpoint")
    project_with_progress(projecting, f"projecting face {face.index + 1}", checkpoint, quiet=task.quiet)
    return projecting.ws


def _sheet(photo: Photo, projected: np.ndarray, variants: list[Variant], drawn: list[Variant]) -> np.ndarray:
    """The photo and its edits above, what the generator drew for them below."""
    above = [("photo", photo.pixels), *((variant.label, variant.pixels) for variant in variants)]
    below = [("projected", projected), *((variant.label, variant.pixels) for variant in drawn)]
    return contact_sheet([above, below], 512)


def _animate(editor: Editor, task: _Task, face: Face, ws: np.ndarray, scale: Scale) -> list[str]:
    pictures = editor.draw(ws, [scale.step(float(strength)) for strength in SWEEP], task.direction)
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


def _score(smile: float) -> float | None:
    return None if np.isnan(smile) else round(smile, 3)


def _tell(report: dict[str, Any]) -> None:
    source = "its latent was kept from an earlier edit" if report["stored"] else f"projected in {report['seconds']['project']} s"
    typer.echo(f"face {report['face']}: {source}")
    for variant in report["variants"]:
        typer.echo(f"  {variant['file']}  (smile score {variant['smile_before']} -> {variant['smile_after']})")
    for file in (report["sheet"], *report.get("animations", ())):
        typer.echo(f"  {file}")
