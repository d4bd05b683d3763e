"""Measures what a direction does to faces that it was not learned from: drawn, moved, drawn again and judged.

Neutral faces are moved towards the expression, faces that show it away from it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.directions.direction import Direction, apply
from core.directions.split import share
from core.emotion import EMOTIONS, NEUTRAL, EmotionClassifier
from core.expressions import Expression
from core.expressions.blendshapes import BLENDSHAPES
from core.generator import Generator, seed_w
from core.rendering import Renderer
from core.seeds.measure import measure

if TYPE_CHECKING:
    from core.faces.landmarks import FaceFinder

NAMES = tuple(sorted(BLENDSHAPES))
MOST = 5  # blendshapes that a report tells of
BORDER_ROWS = 60 / 1024  # the strip above the head: background and hair, which no expression has any business with


@dataclass(frozen=True)
class Looks:
    """The judgements of N drawn faces."""

    emotions: NDArray[np.intp]  # [N], index into EMOTIONS
    score: NDArray[np.float64]  # [N], 0..1, of the expression; NaN where no face was found
    pose: NDArray[np.float64]  # [N,3], degrees
    border: NDArray[np.float32]  # [N,rows,width,3], the top of the picture, 0..255
    blendshapes: NDArray[np.float64]  # [N,len(NAMES)], 0..1, in that order; NaN where no face was found

    def part(self, chosen: NDArray[np.bool_]) -> Looks:
        """Keep the faces of a mask [N]."""
        return Looks(*(getattr(self, field.name)[chosen] for field in fields(self)))


@dataclass(frozen=True)
class Effect:
    """The mean effect of a direction at one strength, over faces of one starting emotion."""

    strength: float
    reached: dict[str, Any]  # upwards the share that came to show it, downwards the share that no longer does
    score: float  # mean after the edit
    change: float  # of the mean score, by the edit
    turned: float  # mean angle between the head's pose before and after, degrees
    border: float  # mean change of the top rows, levels of 255
    blendshapes: dict[str, float]  # the MOST that change most, and by how much on average


class Bench:
    """The networks that draw and judge, loaded once. For one thread."""

    def __init__(
        self, generator: Generator, renderer: Renderer, classifier: EmotionClassifier, finder: FaceFinder, expression: Expression
    ) -> None:
        self.generator, self.renderer, self.classifier, self.finder = generator, renderer, classifier, finder
        self.expression, self.emotion = expression, EMOTIONS.index(expression.judged.emotion)

    def look(self, ws: Tensor, on_faces: Callable[[int], None] = lambda count: None) -> Looks:
        """Draw ws [N,num_ws,w_dim] and judge each face. `on_faces` is called with the number of faces of each batch."""
        rows, borders = [], []
        for images in self.renderer.batches(ws):
            rows.extend(measure(list(range(len(images))), images, self.classifier, self.finder))
            borders.append(images[:, : max(1, round(BORDER_ROWS * images.shape[1]))].astype(np.float32))
            on_faces(len(images))
        return Looks(
            emotions=np.array([row.probabilities.argmax() for row in rows]),
            score=np.array([row.score(self.expression) for row in rows]),
            pose=np.array([row.pose for row in rows]),
            border=np.concatenate(borders),
            blendshapes=np.array([[row.blendshapes.get(name, np.nan) for name in NAMES] for row in rows]),
        )


@dataclass(frozen=True)
class Subjects:
    """Unedited faces of one starting emotion, with their judgements."""

    ws: Tensor  # [N,num_ws,w_dim]
    looks: Looks


def subjects(
    bench: Bench, seeds: Sequence[int], truncation: float, on_faces: Callable[[int], None] = lambda count: None
) -> tuple[Subjects, Subjects]:
    """Draw the seeds and return the neutral faces and those that show the expression; other faces are left out."""
    ws = bench.generator.broadcast(seed_w(bench.generator, seeds, truncation))
    looks = bench.look(ws, on_faces)
    parts = [
        Subjects(ws[torch.from_numpy(chosen)], looks.part(chosen))
        for chosen in (looks.emotions == NEUTRAL, looks.emotions == bench.emotion)
    ]
    return parts[0], parts[1]


def effect(
    bench: Bench, direction: Direction, before: Subjects, strength: float,
    on_faces: Callable[[int], None] = lambda count: None,
) -> Effect:  # fmt: skip
    """Move every subject by `strength` units and measure the effect. Without subjects all means are NaN."""
    if not len(before.ws):
        unknown = float("nan")
        return Effect(strength, share(0, 0), unknown, unknown, unknown, unknown, {})
    after = bench.look(apply(direction, before.ws, strength), on_faces)
    showing = after.emotions == bench.emotion
    hits = int(showing.sum() if strength > 0 else (~showing).sum())
    return Effect(
        strength=strength,
        reached=share(hits, len(showing)),
        score=_mean(after.score),
        change=_mean(after.score - before.looks.score),
        turned=_mean(np.linalg.norm(after.pose - before.looks.pose, axis=1)),
        border=float(np.abs(after.border - before.looks.border).mean()),
        blendshapes=_most(after.blendshapes - before.looks.blendshapes),
    )


def _mean(values: NDArray[np.float64]) -> float:
    """Average the values that are known, [N] without those that are NaN; NaN if there are none."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")


def _most(changes: NDArray[np.float64]) -> dict[str, float]:
    """Pick the MOST blendshapes with the largest mean changes, up or down, from [N, len(NAMES)]; {} if no face was found."""
    means = {name: _mean(column) for name, column in zip(NAMES, changes.T, strict=True)}
    known = [name for name in means if not np.isnan(means[name])]
    return {name: round(means[name], 3) for name in sorted(known, key=lambda name: -abs(means[name]))[:MOST]}
