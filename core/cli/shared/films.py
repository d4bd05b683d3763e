"""One animation of `egao edit --every-frame`: edits its faces in all frames, writes an animation for each strength, reports."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from core.cli.shared.editing import Bench, Task, chosen_of
from core.cli.shared.written import OWN
from core.edit import FilmEdit, KnownFace, Take
from core.errors import BadOption
from core.faces import Face, Film, Photo
from core.pictures import FILM_KINDS, FilmKind, Playing, encode_film


def film_kind(film: Film, asked: str) -> FilmKind:
    """Choose the kind of an animation's results for a checked value of `--format`. Raises BadOption for one that is still."""
    wanted = film.manner.kind if asked == OWN else asked
    for kind in FILM_KINDS:
        if kind == wanted:
            return kind
    raise BadOption(name="--format", reason=f"no animation can be written as {asked}: {OWN}, png, webp or avif")


def check_task(task: Task) -> None:
    """Check that the options fit an animation. Raises BadOption."""
    for name, given in (("--crop", task.crop), ("--animate", task.animation)):
        if given:
            raise BadOption(name=name, reason="it does not go with --every-frame, which keeps each frame whole")


def edit_film(bench: Bench, file: Path, film: Film, task: Task) -> dict[str, Any]:
    """Edit one animation, write its results, and return the report as JSON data, laid out as `Bench.edit` does.

    Raises PhotoError, WouldOverwrite, BadOption and what an edit raises.
    """
    kind, stem, began = film_kind(film, task.kind), bench.folder.stem(file), time.perf_counter()
    chosen: list[Face] = []
    names: dict[str, str] = {}

    def choose(found: Sequence[Face], photo: Photo) -> list[Face]:
        chosen.extend(chosen_of(found, photo, task.face))
        which = "all" if len(chosen) > 1 else f"face{chosen[0].index + 1}"
        names.update({label: f"{stem}-{which}-{label}.{kind}" for label in task.labels})
        bench.folder.check(names.values())
        return chosen

    def project(photo: Photo, face: Face) -> KnownFace:
        return bench.faces.face(photo, face, f"projecting face {face.index + 1}", bars=bench.bars).face

    edit = FilmEdit(bench.editor, film, choose, task.strengths, task.expression, project)
    bar = bench.bars.add_task("frames", total=1)
    for done, whole in edit.run():
        bench.bars.update(bar, completed=done, total=whole)
    bench.bars.remove_task(bar)
    files = {
        label: None if all(take.told) else str(_write(bench, names[label], film, take, kind))
        for label, take in zip(task.labels, edit.takes, strict=True)
    }
    faces = [_face(face, place, edit.takes, files, task) for place, face in enumerate(chosen)]
    faces[0]["seconds"] = {"all": round(time.perf_counter() - began, 2)}
    together = {label: one for label, one in files.items() if one is not None} if len(chosen) > 1 else {}
    return {
        "photo": str(file), "frames": len(film.frames), "faces_in_photo": edit.found, "faces": faces, "together": together,
        "left_out": [],
    }  # fmt: skip


def _write(bench: Bench, name: str, film: Film, take: Take, kind: FilmKind) -> Path:
    """Encode a take into the folder."""
    frames = [photo.finished(pixels) for photo, pixels in zip(film.frames, take.frames, strict=True)]
    before = [photo.pixels if photo.layered is None else photo.layered for photo in film.frames]
    playing = Playing(film.durations, film.loops, film.apart)
    data = encode_film(frames, before, kind, playing, manner=film.manner, credentials=bench.folder.credentials)
    file = bench.folder.out / name
    file.write_bytes(data)
    return file


def _face(face: Face, place: int, takes: Sequence[Take], files: dict[str, str | None], task: Task) -> dict[str, Any]:
    """Report on one face."""
    name = task.expression.name
    variants = [
        {"asked": take.asked, "strength": round(take.strengths[place], 3),
         "file": None if take.told[place] else files[label],
         "told": None if take.told[place] is None else str(take.told[place]),
         "frames_left": [] if take.told[place] else take.left[place],
         f"{name}_before": _score(take.before[place]), f"{name}_after": _score(take.after[place])}
        for label, take in zip(task.labels, takes, strict=True)
    ]  # fmt: skip
    return {"face": face.index + 1, "box": [round(edge, 1) for edge in face.box], "note": None, "variants": variants}


def _score(score: float) -> float | None:
    return None if np.isnan(score) else round(score, 3)
