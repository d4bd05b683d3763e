"""One photo of `egao edit`: chooses its faces, edits each, writes the pictures, and reports."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.progress import Progress

from core.cli.shared.kept import KeptFace, KeptFaces
from core.cli.shared.projecting import shown
from core.cli.shared.written import Folder, kind_for
from core.composite import Original
from core.edit import Editor, KnownFace, PhotoEditor, Scale, Variant, movement
from core.errors import BadOption
from core.expressions import NEUTRAL, Expression, Strength
from core.faces import Aligned, Face, Photo
from core.latents import to_npz
from core.pictures import SUFFIXES, PictureKind, Source, animate, contact_sheet, encode

SWEEP, SWEEP_FRAMES = (-2.0, 2.0), 17  # strengths of an animation
SWEEP_SIDE = 512  # pixels
SHEET_SIDE = 512  # pixels
ALL, PROMINENT = "all", ""  # of the faces
FACELESS = (
    "this generator, or its picture of this face, shows no face, so nothing is laid into the photo: these are the generator's "
    "own pictures, and a strength is so many units of the direction"
)


@dataclass(frozen=True)
class Task:
    """The options of the command, the same for every photo."""

    strengths: tuple[Strength, ...]
    expression: Expression
    face: str  # a number, `ALL` or `PROMINENT`
    kind: str  # of the results, as `kind_for` takes it
    animation: bool
    crop: bool

    @property
    def labels(self) -> list[str]:
        """The labels of the strengths, for names of files."""
        return [NEUTRAL if one == NEUTRAL else f"{self.expression.name}{one:+g}" for one in self.strengths]


@dataclass(frozen=True, eq=False)
class Bench:
    """The editor, the kept faces, the folder and the progress bars, shared by all photos."""

    editor: PhotoEditor
    faces: KeptFaces
    folder: Folder
    bars: Progress

    def edit(self, file: Path, task: Task) -> dict[str, Any]:
        """Edit one photo, write its pictures, and return the report as JSON data.

        Raises PhotoError, WouldOverwrite, BadOption and what an edit raises.
        """
        with shown(self.bars, "looking for faces"):
            photo, found = self.editor.editor.look(file)
        chosen = chosen_of(found, photo, task.face)
        kind: PictureKind = "png" if task.crop else kind_for(photo, task.kind)
        edit = _Edit(self, task, photo, kind, self.folder.stem(file), together={} if len(chosen) > 1 and not task.crop else None)
        edit.check(chosen)
        reports = [edit.face(one) for one in chosen]
        return {
            "photo": str(file), "faces_in_photo": len(found), "faces": reports, "together": edit.write_together(),
            "left_out": list(photo.left_out),
        }  # fmt: skip


def chosen_of(faces: Sequence[Face], photo: Photo, which: str) -> list[Face]:
    """Choose faces: one by its number from the left, all, or the most prominent one. Raises NoSuchFace, BadOption."""
    if which == ALL:
        return list(faces)
    if which == PROMINENT:
        return [max(faces, key=lambda face: _prominence(face, photo))]
    if not which.isdecimal():
        raise BadOption(name="--face", reason=f"{which!r} is neither a number nor all")
    return [Editor.pick(faces, int(which))]


def _prominence(face: Face, photo: Photo) -> float:
    """Rate a face: its width in pixels, up to a fifth less towards a corner of the photo."""
    extent = np.array(photo.pixels.shape[1::-1], dtype=np.float64)
    off = float(np.hypot(*((face.centre - extent / 2) / extent)))  # 0 in the middle, 0.7 in a corner
    return face.width * (1 - 0.3 * off)


@dataclass(frozen=True, eq=False)
class _Edit:
    """The edit of one photo.

    `together` collects, by label, the photo with all chosen faces edited, None while no face is; it is None for a single face.
    """

    bench: Bench
    task: Task
    photo: Photo
    kind: PictureKind
    stem: str
    together: dict[str, np.ndarray | None] | None

    def _name(self, face: Face, what: str) -> str:
        return f"{self.stem}-face{face.index + 1}-{what}"

    def _write(self, name: str, pixels: np.ndarray | None) -> Path:
        """Write the photo with these pixels, or (None) as it is, which is then no edit."""
        source: Source = "photo" if pixels is None else "edited"
        return self.bench.folder.write(name, self.photo.pixels if pixels is None else pixels, self.kind, self.photo, source)

    def write_together(self) -> dict[str, str]:
        """Write the pictures with all faces, if several are edited: the files by their labels."""
        return {name: str(self._write(f"{self.stem}-all-{name}", one)) for name, one in (self.together or {}).items()}

    def check(self, faces: Sequence[Face]) -> None:
        """Check, before any work, that no picture would overwrite a file. Raises WouldOverwrite."""
        suffix, names = SUFFIXES[self.kind], []
        for face in faces:
            names += [f"{self._name(face, label)}.{suffix}" for label in self.task.labels]
            names += [self._name(face, f"sweep.{kind}") for kind in ("webp", "gif") if self.task.animation]
        if self.together is not None:
            names += [f"{self.stem}-all-{label}.{suffix}" for label in self.task.labels]
        self.bench.folder.check(names)

    def face(self, face: Face) -> dict[str, Any]:
        """Project a face, or take it from the store, edit it, and write its pictures, latent and sheet.

        Returns the report, as JSON data; a variant that is no good has no file, and its reason under "told". Raises as
        `KeptFaces.face` does, FaceLost, StoreError.
        """
        began = time.perf_counter()
        aligned = self.bench.editor.editor.align(self.photo, face)
        seconds = {"align": time.perf_counter() - began}
        checkpoint = self.bench.folder.out / self._name(face, "projection.checkpoint")
        kept = self.bench.faces.face(self.photo, face, f"projecting face {face.index + 1}", checkpoint, bars=self.bench.bars)
        with shown(self.bench.bars, f"drawing face {face.index + 1}"):
            return self._drawn(face, aligned, kept, seconds)

    def _drawn(self, face: Face, aligned: Aligned, kept: KeptFace, seconds: dict[str, float]) -> dict[str, Any]:
        """Draw the edits of a face whose latent is known, judge and write them; `seconds` of what came before. As `face`."""
        photos, editor, folder = self.bench.editor, self.bench.editor.editor, self.bench.folder
        task, began, picture = self.task, time.perf_counter(), editor.reconstructed(kept.face.latent)
        projected = editor.face_in(picture) if editor.models.draws_faces else None
        crop, plain = task.crop or projected is None, Scale.plain(task.expression.calibration) if projected is None else None
        seconds["render"] = time.perf_counter() - began
        if plain is None:
            kept = self.bench.faces.learn(kept, task.expression, aligned.image)
        seconds |= kept.seconds
        began, before = time.perf_counter(), editor.score(aligned.image, task.expression)
        original = None if crop else photos.placed(self.photo, editor.found(face), kept.face, drawn=projected).original
        variants = photos.pictures(kept.face, task.strengths, task.expression, original, scale=plain)
        if original is None:
            variants = [replace(one, score=editor.score(one.pixels, one.expression)) for one in variants]
        else:
            self._add(original, variants)
        seconds["render"] += time.perf_counter() - began
        files = [self._write_variant(face, one, crop=crop) for one in variants]
        report = {
            "face": face.index + 1, "box": [round(edge, 1) for edge in face.box],
            "latent": str(folder.put(self._name(face, "latent.npz"), to_npz(kept.face.latent))),
            "stored": "project" not in kept.seconds, "note": FACELESS if projected is None else None,
            "seconds": {stage: round(duration, 2) for stage, duration in seconds.items()},
            "sheet": str(folder.put(self._name(face, "sheet.png"), self._sheet(picture, variants, crop=crop))),
            "variants": self._told(variants, files, before),
        }  # fmt: skip
        return report | ({"animations": self._animations(face, kept.face, plain, crop=crop)} if task.animation else {})

    def _add(self, original: Original, variants: Sequence[Variant]) -> None:
        """Lay the good ones of a face's edits into the pictures of all faces too, if several are edited."""
        if self.together is None:
            return
        for one in variants:
            onto = self.together.get(label := _plain(one))
            if one.told is None:
                self.together[label] = self.bench.editor.add(original, one, onto)

    def _write_variant(self, face: Face, one: Variant, *, crop: bool) -> Path | None:
        """Write one edit; None for one that is no good."""
        if one.told is not None:
            return None
        name = self._name(face, _plain(one))
        if crop:
            return self.bench.folder.write(name, one.pixels, self.kind)
        return self._write(name, None if one.untouched else one.pixels)

    def _told(self, variants: Sequence[Variant], files: Sequence[Path | None], before: float) -> list[dict[str, Any]]:
        name = self.task.expression.name
        return [
            {"asked": one.asked, "strength": round(one.strength, 3), "file": None if file is None else str(file),
             "told": None if one.told is None else str(one.told),
             f"{name}_before": _score(before), f"{name}_after": _score(one.score)}
            for one, file in zip(variants, files, strict=True)
        ]  # fmt: skip

    def _sheet(self, projected: np.ndarray, variants: Sequence[Variant], *, crop: bool) -> bytes:
        """Lay out a sheet: the photo and its good edits in the upper row, the generator's pictures of them in the lower. PNG."""
        above, below = [("photo", self._shown(self.photo.pixels))], [("projected", projected)]
        for one in variants:
            if one.told is None:
                above.append((one.label, one.pixels if crop else self._shown(one.pixels)))
                below.append((one.label, projected if one.untouched else one.own))
        return encode(contact_sheet([above, below], SHEET_SIDE), "png")

    def _shown(self, pixels: np.ndarray) -> np.ndarray:
        """Make a picture of the photo small enough for a sheet, in sRGB."""
        small = Photo(pixels, "", self.photo.manner).at_most(SHEET_SIDE)
        return small.srgb

    def _animations(self, face: Face, known: KnownFace, scale: Scale | None, *, crop: bool) -> list[str]:
        """Write a sweep over the strengths as WebP and GIF: in the photo made smaller, or of the face alone with --crop.

        `scale` is as for `PhotoEditor.pictures`.
        """
        photos, frames, small = self.bench.editor, [], self.photo.at_most(SWEEP_SIDE)
        strengths = self._sweep(known, scale)
        with shown(self.bench.bars, "frames of the sweep", len(strengths)) as count:
            original = None if crop else photos.placed(self.photo, photos.editor.found(face), known, small).original
            for one in movement(photos, known, strengths, self.task.expression, original, strict=False, scale=scale):
                frames.append(photos.editor.resized(one.pixels, SWEEP_SIDE) if crop else small.in_srgb(one.pixels))
                count()
        files = [self.bench.folder.out / self._name(face, f"sweep.{kind}") for kind in ("webp", "gif")]
        signs = self.bench.folder.credentials
        files[0].write_bytes(animate(frames, "webp", fps=12, credentials=signs))
        files[1].write_bytes(animate(frames, "gif", fps=12, credentials=signs))
        return [str(file) for file in files]

    def _sweep(self, known: KnownFace, scale: Scale | None) -> list[float]:
        """Choose the strengths of an animation. It begins at rest if the expression has nothing beyond."""
        low, high = SWEEP
        if not self.task.expression.calibration.beyond_rest:
            low = (scale or self.bench.editor.scale(known, self.task.expression)).neutral
        strengths: list[float] = np.linspace(low, high, SWEEP_FRAMES).tolist()
        return strengths


def _plain(variant: Variant) -> str:
    """Return the label as it is used in names of files."""
    return variant.label.replace(" ", "")


def _score(score: float) -> float | None:
    return None if np.isnan(score) else round(score, 3)
