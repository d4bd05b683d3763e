"""Fits a clean direction to labelled seeds (`egao directions fit --method clean`): about four minutes on two cores.

Like every fit it uses only the training and validation parts of the seed set; the test part only judges the result.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from core.device import fast_dtype
from core.directions.clean import Drawing, Learning
from core.directions.descent import Descent
from core.directions.direction import Direction
from core.directions.fit import CLEAN, called, fit
from core.directions.judge import Ridge, face_inputs, logit, mouth_inputs
from core.directions.split import Plane, Split
from core.directions.still import Stillness
from core.errors import BadSeeds, PartMissing
from core.expressions import Taught
from core.fast.preview import Preview
from core.fast.trained import PREVIEW, load_trained, trained_file
from core.generator import Generator
from core.generator.protocol import with_features
from core.projection.features import Features
from core.reach.drawn import SIDES
from core.seeds import MEASURES, SeedSet
from core.settings import Settings

START = "svm"  # the direction that the learning begins with
STEPS = 400  # of four faces
LESSONS = 1000  # seeds that the judge learns from; with 1500 it reads faces no better
_EVERY = 5  # of these the fifth is held out, to choose the ridges' penalties
_BATCH = 8


def fit_clean(
    seeds: SeedSet, generator: Generator, settings: Settings,
    steps: int = STEPS, lessons: int = LESSONS, say: Callable[[str], None] = lambda text: None,
) -> Direction:  # fmt: skip
    """Learn the clean direction in `steps` iterations; the judge learns from `lessons` seeds. `say` gets lines about progress.

    Raises WeightsMissing, WeightsUnfit, PartMissing if the seeds have no scores of the expression or there is no preview
    head, and BadSeeds for too few seeds or an expression whose file has no part [taught].
    """
    taught = seeds.expression.taught
    if taught is None:
        raise BadSeeds(reason=f"the file of {seeds.expression.name} has no part [taught]: there is no clean direction of it")
    assert seeds.generator == generator.digest, "the seeds are another generator's"
    drawing = drawing_of(generator, settings)
    split = Split.of(len(seeds.seeds))
    seen = split.known[~np.isnan(seeds.score[split.known])]
    if not len(seen):
        part = f"set of seeds scored for {seeds.expression.name}"
        raise PartMissing(name=generator.name, part=part, command="egao seeds build")
    lesson = seen[np.random.RandomState(0).permutation(len(seen))[:lessons]]
    score, still = _judges(drawing, seeds, lesson, taught, say)
    w = torch.from_numpy(seeds.w[seen].astype(np.float32))
    start = torch.from_numpy(fit(seeds, called(START, seeds.expression), generator).vector)
    learning = Learning(drawing, score, still, taught, w, start, steps)
    recent: list[Tensor] = []
    for done in learning.run():
        recent = [*recent, torch.cat([torch.tensor([done.missed]), done.moved])][-50:]
        if done.step % 50 == 0 or done.step == steps:
            missed, *moved = torch.stack(recent).mean(dim=0).tolist()
            say(f"step {done.step} of {steps}: the score misses {missed:.2f}, moved {', '.join(f'{one:.2f}' for one in moved)}")
    showing = seeds.showing[split.known]
    about = {
        "method": CLEAN,
        "task": f"{seeds.expression.name} score, all else still",
        "C": None,
        "fitted_on": {seeds.expression.judged.emotion: int(showing.sum()), "rest": int((~showing).sum())},
        "start": START,
        "judge": {"explained": round(float(score.explained[0]), 4)},
    }
    return direction_of(learning.descent, seeds, generator, called(CLEAN, seeds.expression), about)


def drawing_of(generator: Generator, settings: Settings) -> Drawing:
    """Load what draws faces fast. Raises PartMissing without a preview head, WeightsMissing, WeightsUnfit."""
    drawn = with_features(generator)
    head = load_trained(Preview.shaped_for(drawn), trained_file(settings, generator, PREVIEW), generator)
    device = generator.w_average().device
    return Drawing(drawn, head, Features.load(settings).to(device), fast_dtype(device))


def _judges(
    drawing: Drawing, seeds: SeedSet, lesson: np.ndarray, taught: Taught, say: Callable[[str], None]
) -> tuple[Ridge, Stillness]:
    """Fit the judge of the expression and the judge of what should stay to the labels of the seeds `lesson`, drawn here."""
    mouths, faces = [], []
    with torch.no_grad():
        for part in np.array_split(lesson, max(1, len(lesson) // _BATCH)):
            taps = drawing(drawing.generator.broadcast(torch.from_numpy(seeds.w[part].astype(np.float32)))).taps
            mouths.append(mouth_inputs(taps))
            faces.append(face_inputs(taps))
    held_out = torch.arange(len(lesson)) % _EVERY == 0
    score = Ridge.fit(torch.cat(mouths), logit(torch.from_numpy(seeds.score[lesson]))[:, None], held_out)
    traits = _still(seeds, lesson, taught)
    still = Ridge.fit(torch.cat(faces), traits, held_out)
    say(f"the judge explains {float(score.explained[0]):.0%} of held-out scores, {float(still.explained.mean()):.0%} of traits")
    return score, Stillness(still, traits.std(dim=0))


def _still(seeds: SeedSet, part: np.ndarray, taught: Taught) -> Tensor:
    """Collect the pose and the measures that should stay: [N, 3 + number of `taught.still`]."""
    columns = [list(MEASURES).index(name) for name in taught.still]
    return torch.from_numpy(np.concatenate([seeds.pose[part], seeds.measures[part][:, columns]], axis=1))


def direction_of(descent: Descent, seeds: SeedSet, generator: Generator, name: str, about: dict[str, Any]) -> Direction:
    """Make the direction of a learned step. `about` is how it was learned; what the labelled seeds say of it is added."""
    step = descent.step.detach().numpy()
    styles = descent.free[:, 0].numpy()
    mean = step[styles > 0].mean(axis=0).astype(np.float64)
    unit = float(np.linalg.norm(mean))
    w, showing, split = seeds.w.astype(np.float64), seeds.showing, Split.of(len(seeds.seeds))
    values, known = w @ (mean / unit), split.known
    plane = Plane(mean / unit, float((values[known][showing[known]].mean() + values[known][~showing[known]].mean()) / 2))
    provenance: dict[str, Any] = {
        **about,
        "sides": list(SIDES),
        "weight": 1.0,
        "steps": descent.steps,
        "validation": plane.accuracy(w[split.validation], showing[split.validation]),
        "test": plane.accuracy(w[split.test], showing[split.test]),
        "unit": unit,  # length in w of the mean over the styles that move
        "generator": generator.name,
        "truncation": seeds.truncation,
        "seeds": [int(seeds.seeds[0]), int(seeds.seeds[-1])],
        "labels": seeds.digest,
    }
    return Direction(name, step.astype(np.float32), styles.astype(np.float32), generator.digest, provenance)
