"""Compares directions on generated faces, each at the strength at which it gains the same amount of the expression."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch

from core.directions.direction import Direction, apply
from core.evaluate.glasses import changed
from core.evaluate.look import Look, Looker, difference
from core.evaluate.trial import CROP, Row
from core.generator import Generator, seed_w
from core.rendering import Renderer

STRENGTHS = (-2.5, -2.0, -1.5, -1.0, 1.0, 1.5, 2.0, 2.5)
_NO_PICTURE = np.zeros((1, 1, 3), dtype=np.uint8)


def compare(
    directions: Sequence[Direction], generator: Generator, renderer: Renderer, looker: Looker, seeds: Sequence[int],
    truncation: float, on_progress: Callable[[float], None] = lambda share: None,
) -> list[Row]:  # fmt: skip
    """Try every direction at each of STRENGTHS on every seed: rows for `summary`.

    `on_progress` is called with the share (0..1) that is done. `truncation` is that of the seeds.
    """
    rows: list[Row] = []
    total = len(seeds) * (1 + len(directions) * len(STRENGTHS))
    for index, w in enumerate(seed_w(generator, seeds, truncation)):
        ws = generator.broadcast(w[None])
        before, drawn = looker.look(renderer.images(ws)[0]), 1
        for direction in directions:
            looks: list[Look] = []
            for batch in renderer.batches(apply(direction, ws.expand(len(STRENGTHS), -1, -1), torch.tensor(STRENGTHS))):
                looks += [looker.look(picture, before.box) for picture in batch]
                on_progress((index * total / len(seeds) + drawn + len(looks)) / total)
            drawn += len(STRENGTHS)
            rows += [_row(seeds[index], direction, *one, before) for one in zip(STRENGTHS, looks, strict=True)]
    return rows


def _row(seed: int, direction: Direction, strength: float, after: Look, before: Look) -> Row:
    return Row(
        subject=str(seed), direction=direction.name, surface=CROP, asked=strength, strength=strength, step=strength,
        before=before.score, was_showing=before.showing, after=after.score, showing=after.showing,
        changes=difference(before, after), glasses=changed(before.glasses, after.glasses),
        outside=0, seam=float("nan"), seconds=float("nan"), picture=_NO_PICTURE,
    )  # fmt: skip
