"""One photo of `egao edit`: chooses its faces, edits each, writes the pictures, and reports."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.progress import Progress

from core.cli.shared.kept import KeptFace, KeptFaces
from core.cli.shared.projecting import shown
from core.cli.shared.written import Folder, kind_for
from core.composite import Original
from core.edit import Editor, PhotoEditor, Scale, Variant
from core.errors import BadOption
from core.expressions import NEUTRAL, Expression, Strength
from core.faces import Aligned, Face, Photo
from core.generator.latent import Latent
from core.latents import to_npz
from core.pictures import SUFFIXES, PictureKind, animate, contact_sheet, encode

SWEEP = np.linspace(-2.0, 2.0, 17)  # strengths of an animation
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
        files = {name: str(self.folder.write(f"{edit.stem}-all-{name}", all_of, kind, photo))
                 for name, all_of in (edit.together or {}).items()}  # fmt: skip
        return {
            "photo": str(file), "faces_in_photo": len(found), "faces": reports, "together": files,
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
    """The edit of one photo. `together` collects, by label, the photo with all chosen faces edited; None for a single face."""

    bench: Bench
    task: Task
    photo: Photo
    kind: PictureKind
    stem: str
    together: dict[str, np.ndarray] | None

    def _name(self, face: Face, what: str) -> str:
        return f"{self.stem}-face{face.index + 1}-{what}"

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
        basic, task, folder = self.bench.editor.editor, self.task, self.bench.folder
        began, latent = time.perf_counter(), kept.face.latent
        picture = basic.reconstructed(latent)
        projected = basic.face_in(picture) if basic.models.draws_faces else None
        crop = task.crop or projected is None
        seconds["render"] = time.perf_counter() - began
        if projected is None:
            scale = Scale.plain(task.expression.calibration)
        else:
            kept = self.bench.faces.learn(kept, task.expression, aligned.image)
            scale = self.bench.editor.scale(kept.face, task.expression)
        seconds |= kept.seconds
        began = time.perf_counter()
        drawn = variants = basic.variants(latent, task.strengths, task.expression, scale)
        if projected is not None and not crop:
            original = basic.original(self.photo, basic.found(face), latent, drawn=projected)
            variants = self._into_photo(original, drawn, scale.score(0.0))
        seconds["render"] += time.perf_counter() - began
        within = None if crop else self.photo
        files = [None if one.told else folder.write(self._name(face, _plain(one)), one.pixels, self.kind, within)
                 for one in variants]  # fmt: skip
        report = {
            "face": face.index + 1, "box": [round(edge, 1) for edge in face.box],
            "latent": str(folder.put(self._name(face, "latent.npz"), to_npz(latent))), "stored": "project" not in kept.seconds,
            "note": FACELESS if projected is None else None,
            "seconds": {stage: round(duration, 2) for stage, duration in seconds.items()},
            "sheet": str(folder.put(self._name(face, "sheet.png"), self._sheet(picture, variants, drawn, crop=crop))),
            "variants": self._told(variants, files, basic.score(aligned.image, task.expression)),
        }  # fmt: skip
        return report | ({"animations": self._animations(face, latent, scale, crop=crop)} if task.animation else {})

    def _told(self, variants: Sequence[Variant], files: Sequence[Path | None], before: float) -> list[dict[str, Any]]:
        name = self.task.expression.name
        return [
            {"asked": one.asked, "strength": round(one.strength, 3), "file": None if file is None else str(file),
             "told": None if one.told is None else str(one.told),
             f"{name}_before": _score(before), f"{name}_after": _score(one.score)}
            for one, file in zip(variants, files, strict=True)
        ]  # fmt: skip

    def _into_photo(self, original: Original, drawn: list[Variant], before: float) -> list[Variant]:
        """Put each variant into the photo and judge it; the good ones are also added to `together`."""
        editor, judged = self.bench.editor.editor, []
        for one in drawn:
            if self.together is None:
                judged.append(editor.judged(original, one, before))
                continue
            laid, together = editor.laid_on(original, one, before, self.together.get(_plain(one)))
            judged.append(laid)
            if together is not None:
                self.together[_plain(one)] = together
        return judged

    def _sheet(self, projected: np.ndarray, variants: Sequence[Variant], drawn: Sequence[Variant], *, crop: bool) -> bytes:
        """Lay out a sheet: the photo and its good edits in the upper row, the generator's pictures of them in the lower. PNG."""
        above, below = [("photo", self._shown(self.photo.pixels))], [("projected", projected)]
        for laid, one in zip(variants, drawn, strict=True):
            if laid.told is None:
                above.append((laid.label, laid.pixels if crop else self._shown(laid.pixels)))
                below.append((one.label, one.pixels))
        return encode(contact_sheet([above, below], SHEET_SIDE), "png")

    def _shown(self, pixels: np.ndarray) -> np.ndarray:
        """Make a picture of the photo small enough for a sheet, in sRGB."""
        small = Photo(pixels, "", self.photo.manner).at_most(SHEET_SIDE)
        return small.srgb

    def _animations(self, face: Face, latent: Latent, scale: Scale, *, crop: bool) -> list[str]:
        """Write a sweep over the strengths as WebP and GIF: in the photo made smaller, or of the face alone with --crop."""
        basic, task = self.bench.editor.editor, self.task
        drawn = basic.variants(latent, [float(one) for one in SWEEP], task.expression, scale, judge=False)
        frames = []
        with shown(self.bench.bars, "frames of the sweep", len(drawn)) as count:
            small = self.photo.at_most(SWEEP_SIDE)
            original = None if crop else basic.original(self.photo, basic.found(face), latent, small)
            for one in drawn:
                if original is None:
                    frames.append(basic.resized(one.pixels, SWEEP_SIDE))
                else:
                    frames.append(small.in_srgb(basic.into_photo(original, one, judge=False).pixels))
                count()
        files = [self.bench.folder.out / self._name(face, f"sweep.{kind}") for kind in ("webp", "gif")]
        signs = self.bench.folder.credentials
        files[0].write_bytes(animate(frames, "webp", fps=12, credentials=signs))
        files[1].write_bytes(animate(frames, "gif", fps=12, credentials=signs))
        return [str(file) for file in files]


def _plain(variant: Variant) -> str:
    """Return the label as it is used in names of files."""
    return variant.label.replace(" ", "")


def _score(score: float) -> float | None:
    return None if np.isnan(score) else round(score, 3)
