"""Compares the methods of projection: quality over time, on the same photos, in the same run."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.bench.quality import MEASURES, Comparison, Judge
from core.edit import Editor
from core.faces import Aligned, Face
from core.faces.sampling import through
from core.generator.latent import Latent
from core.settings import Settings

PUBLISHED = 1000  # steps of the projector whose seconds are to be divided
TIMES = 10  # as many seconds as `fast` that `w+` is given

Kept = tuple[int, float, Latent]  # step, seconds since the photo was aligned, the face by then


@dataclass(frozen=True)
class Portrait:
    """The leftmost face of a photo, aligned."""

    name: str
    face: Face
    aligned: Aligned


def bench_projecting(
    settings: Settings,
    editor: Editor,
    photos: Sequence[Path],
    w_steps: int,
    say: Callable[[str], None],
    fast_steps: int | None = None,
) -> dict[str, Any]:
    """Project each photo by `fast`, `w`, `w+` in as many steps as `fast`, and `w+` in ten times its seconds.

    `w` takes `w_steps` steps with its schedule shortened to them; `fast` at most `fast_steps`, or None for as many as pay.
    Latents are kept on the way and measured afterwards, so that the seconds contain no measuring. Raises PhotoError,
    ExtraMissing, WeightsMissing.
    """
    judge = Judge(settings, editor.models.generator, editor.models.features)
    rows = []
    say("loading and warming up what all methods use")
    _run(editor, _portrait(editor, photos[0]), "fast", fast_steps, ())
    for path in photos:
        portrait = _portrait(editor, path)
        compare = judge.of(portrait.aligned.image, _landmarks(portrait))
        rows += _project_all(editor, portrait, compare, w_steps, fast_steps, say)
    return {"photos": len(photos), "w_steps": w_steps, "rows": rows, "methods": _medians(rows), "goals": _goals(rows)}


def _portrait(editor: Editor, path: Path) -> Portrait:
    photo, faces = editor.look(path)
    return Portrait(path.stem, faces[0], editor.align(photo, faces[0]))


def _landmarks(portrait: Portrait) -> NDArray[np.float64]:
    """Compute the landmarks [478, 2] of a portrait's face in its aligned square."""
    return through(np.linalg.inv(portrait.aligned.matrix).astype(np.float64), portrait.face.landmarks.astype(np.float64))


def _project_all(
    editor: Editor, portrait: Portrait, compare: Comparison, w_steps: int, fast_steps: int | None, say: Callable[[str], None]
) -> list[dict[str, Any]]:
    def measured(name: str, method: str, steps: int | None) -> dict[str, Any]:
        say(f"{portrait.name}: {name}")
        kept = _run(editor, portrait, method, steps, _stops(steps or 100))
        curve = [{"step": step, "seconds": seconds, **compare(latent)} for step, seconds, latent in kept]
        each = seconds_a_step(kept)
        say(f"{portrait.name}: {name} took {kept[-1][1]:.1f} s")
        return {"photo": portrait.name, "method": name, "steps": kept[-1][0], "seconds_per_step": each,
                "first": kept[0][1], "curve": curve, **curve[-1]}  # fmt: skip

    fast = measured("fast", "fast", fast_steps)
    equal = measured("w+ equal steps", "w+", fast["steps"])
    longer = max(1, round(TIMES * fast["seconds"] / equal["seconds_per_step"]))
    return [fast, measured("w", "w", w_steps), equal, measured(f"w+ {TIMES} x seconds", "w+", longer)]


def _run(editor: Editor, portrait: Portrait, method: str, steps: int | None, stops: Collection[int]) -> list[Kept]:
    """Project, and keep the latents after the steps in `stops` and after the last one."""
    began, kept, last = time.perf_counter(), [], (0, 0.0)
    projecting = editor.projecting(portrait.aligned.image, method, steps)
    for step in projecting.run():
        last = step.step, time.perf_counter() - began
        if step.step in stops:
            kept.append((*last, projecting.latent))
    if not kept or kept[-1][0] != last[0]:
        kept.append((*last, projecting.latent))
    return kept


def seconds_a_step(kept: Sequence[Kept]) -> float:
    """Compute the seconds of a step: the first of a run still warms up, the others cost the same; of one step, its own."""
    (first, began, _), (last, ended, _) = kept[0], kept[-1]
    return (ended - began) / (last - first) if last > first else ended / last


def _stops(steps: int) -> set[int]:
    """Choose the steps after which to keep the latent: about three for each doubling."""
    return {round(2 ** (exponent / 3)) for exponent in range(round(3 * np.log2(steps)) + 1)}


def _medians(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Make one row for each method: medians over the photos."""
    made = []
    for name in dict.fromkeys(row["method"] for row in rows):
        of = [row for row in rows if row["method"] == name]
        keys = ("steps", "seconds", "seconds_per_step", "first", *MEASURES)
        made.append({"method": name, **{key: statistics.median(row[key] for row in of) for key in keys}})
    return made


def _goals(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Compare `fast` with its goals, photo by photo. `w`'s seconds for 1000 steps are 1000 times its seconds for one step."""
    by = {name: [row for row in rows if row["method"] == name] for name in dict.fromkeys(row["method"] for row in rows)}
    fast, w, longer = by["fast"], by["w"], by[f"w+ {TIMES} x seconds"]
    pairs = list(zip(fast, w, strict=True))
    reached = [_seconds_to_beat(mine, other) for mine, other in pairs]
    return {
        "w_seconds_for_1000_steps_extrapolated": statistics.median(PUBLISHED * row["seconds_per_step"] for row in w),
        "w_1000_over_fast": statistics.median(PUBLISHED * b["seconds_per_step"] / a["seconds"] for a, b in pairs),
        "fast_better_than_w": {key: sum(a[key] < b[key] for a, b in pairs) for key in MEASURES},
        "fast_better_in_identity_than_w_plus_given_more": sum(
            a["identity"] < b["identity"] for a, b in zip(fast, longer, strict=True)
        ),
        "seconds_until_better_than_w_in_all": statistics.median(reached),
        "w_1000_over_that": statistics.median(
            PUBLISHED * b["seconds_per_step"] / seconds for (_, b), seconds in zip(pairs, reached, strict=True)
        ),
    }


def _seconds_to_beat(mine: dict[str, Any], other: dict[str, Any]) -> float:
    """Find the seconds of the first kept step at which all four measures beat the other's last one; infinite if none does."""
    for at in mine["curve"]:
        if all(at[key] < other[key] for key in MEASURES):
            return float(at["seconds"])
    return float("inf")
