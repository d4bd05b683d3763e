"""Teaches an expression of the whole face (`egao train direction`): some ten minutes on two cores, once faces are measured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

import torch

from core.directions.direction import Direction
from core.directions.teach import direction_of, drawing_of
from core.directions.whole import LESSONS, STEPS, WholeFace, first_step, prepare
from core.emotion import EmotionClassifier
from core.errors import BadSeeds
from core.expressions import Expression
from core.generator import Generator
from core.reach.drawn import Drawn
from core.seeds import SeedSet
from core.settings import Settings

METHOD: Final = "whole"
_EVERY = 20  # iterations between two lines of progress


def fit_whole(
    expression: Expression, drawn: Drawn, seeds: SeedSet, generator: Generator, settings: Settings,
    steps: int = STEPS, lessons: int = LESSONS, say: Callable[[str], None] = lambda text: None,
) -> Direction:  # fmt: skip
    """Learn the direction in `steps` iterations from the first `lessons` of the measured faces. `say` gets lines about progress.

    The labelled `seeds` only judge the result. Raises BadSeeds for an expression whose file has no part [aims], PartMissing
    without a preview head, WeightsMissing, WeightsUnfit.
    """
    aims = expression.aims
    if aims is None:
        raise BadSeeds(
            reason=f"the file of {expression.name} has no part [aims]: its direction is not learned for the whole face"
        )
    assert seeds.generator == generator.digest, "the seeds are another generator's"
    faces = replace(
        drawn,
        rest=drawn.rest[:lessons],
        moved=drawn.moved[:lessons],
        scores=drawn.scores[:lessons],
        emotions=drawn.emotions[:lessons],
    )
    drawing, emotion = drawing_of(generator, settings), expression.judged.emotion
    judges, still = prepare(drawing, faces, aims, EmotionClassifier(settings).network, emotion)
    explained = dict(zip((*aims.raised, *aims.lowered, *aims.held), judges.explained, strict=True))
    say("the judge explains of held-out scores: " + ", ".join(f"{name} {share:.0%}" for name, share in explained.items()))
    learning = WholeFace(drawing, faces, judges, still, first_step(faces, emotion), steps)
    recent: list[torch.Tensor] = []
    for done in learning.run():
        recent = [*recent, torch.tensor([done.seen, done.raised, done.lowered, *done.moved.tolist()])][-_EVERY:]
        if done.step % _EVERY == 0 or done.step == steps:
            seen, raised, lowered, *moved = torch.stack(recent).mean(dim=0).tolist()
            say(
                f"step {done.step} of {steps}: missed by emotion {seen:.2f}, raised {raised:.2f}, lowered {lowered:.2f}; "
                f"moved {', '.join(f'{one:.2f}' for one in moved)}"
            )
    about = {
        "method": METHOD, "task": f"{expression.name}, all else still", "C": None, "start": "ridge",
        "faces": len(faces.rest), "judge": {"explained": {name: round(share, 3) for name, share in explained.items()}},
    }  # fmt: skip
    return direction_of(learning.descent, seeds, generator, expression.move.direction, about)
