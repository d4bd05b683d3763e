"""Learns the direction of an expression that takes the whole face along: brows, lids and mouth together.

Drawn faces are judged before and after a step by two judges. The first reads the landmarker's scores from perceptual
features; the expression's file says which of them rise, fall or stay (`core.expressions.Aims`). The second is the classifier
of emotions itself. Its picture is shifted at random by a few pixels, and one step has to serve all faces, so that no pattern
of pixels can please it that is no expression. All else that changes is penalised as for the clean direction, though the face
itself costs less here than its surroundings.

Every face is mixed of two (`core.reach.drawn`), and some have each style jittered, so that half of them lie outside W, as
projected photographs do. The start is ridge regression of the emotion's logit on w.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from core.directions.clean import BATCH, FULL, Drawing
from core.directions.descent import Descent, Whitened, free_styles
from core.directions.judge import Ridge, expression_inputs, face_inputs, logit
from core.directions.still import PARTS, Stillness, ellipse
from core.emotion import CROP_256, EMOTIONS, SIDE, MiniXception
from core.expressions import Aims, Emotion
from core.projection.features import SIDE as DRAWN
from core.reach.drawn import POSE, Drawn

LESSONS = 1104  # drawn faces that are learned from
STEPS = 120  # of four faces
_HELD_OUT = 5  # of these lessons the fifth chooses the ridges' penalties
_CHUNK = 8  # faces drawn at once for the judges
_FACE = 128, 150, 60, 72  # ellipse from the brows to the chin in a picture of 256 pixels
_FACE_WEIGHT = 0.6  # of its pixels, against 1 for hair and background
_PRICES = dict(zip(PARTS, (0.6, 0.9, 0.3, 0.3), strict=True))  # of each part, in units of its change by the start
_RAISED, _LOWERED, _HELD, _SEEN = 1.0, 0.7, 0.3, 0.6  # prices of squared logits that the aims and the emotion are missed by
_LENGTH = 0.02  # price of the squared length of the step, in deviations of w
_LOGIT = 1.5  # of the emotion, that a whole step must reach
_LEAST = 0.5  # share of a whole step that is tried, at least
_UNIT = 8  # batches over which the changes by the start are averaged
_SHIFT = 6  # pixels
_JITTER = 0.1, 0.4
_START = 2.0  # whitened length of the start
_RIDGE = 0.3  # its penalty, in variances
_GREY = 0.299, 0.587, 0.114


@dataclass(frozen=True)
class Progress:
    """One iteration of the learning, for its log."""

    step: int
    seen: float  # mean squared logits by which the emotion missed its target
    raised: float  # the same of the scores that rise
    lowered: float  # and of those that fall
    moved: Tensor  # [4], each of PARTS in units of its change by the start


class Judges:
    """The judges of drawn faces: the scores that the aims name, as logits; and the logit of the emotion."""

    def __init__(self, scores: Ridge, aims: Aims, classifier: MiniXception, emotion: Emotion) -> None:
        self._scores, self._classifier, self._emotion = scores, classifier, EMOTIONS.index(emotion)
        self.explained: list[float] = scores.explained.tolist()  # share of the variance of each score on faces held out
        self.raised, self.lowered = (logit(torch.tensor(list(named.values()))) for named in (aims.raised, aims.lowered))

    def scores(self, taps: Sequence[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """Read the scores from the features of N faces: those that rise, fall and stay, each [N, …]."""
        found = self._scores(expression_inputs(taps))
        rising, falling = self.raised.numel(), self.lowered.numel()
        return found[:, :rising], found[:, rising : rising + falling], found[:, rising + falling :]

    def emotion(self, images: Tensor, shift: tuple[int, int]) -> Tensor:
        """Compute the emotion's logit [N] in pictures [N, 3, 256, 256] of -1..1 that are shifted by so many pixels."""
        left, top, right, bottom = CROP_256
        across, down = shift
        grey = (images * torch.tensor(_GREY).view(1, 3, 1, 1)).sum(dim=1, keepdim=True)
        face = grey[:, :, top + down : bottom + down, left + across : right + across]
        small = F.interpolate(face, size=(SIDE, SIDE), mode="bilinear", antialias=True, align_corners=False).clamp(-1, 1)
        share = self._classifier(small).log_softmax(dim=1)[:, self._emotion]
        result: Tensor = share - torch.log1p(-share.exp().clamp(max=0.999))
        return result


class WholeFace:
    """The learning of one step, by gradient descent on drawn faces."""

    def __init__(self, drawing: Drawing, faces: Drawn, judges: Judges, still: Stillness, start: Tensor, steps: int) -> None:
        """Keep all that is needed. `start` [w_dim] is whitened; `steps` is the number of iterations."""
        self.drawing, self.judges, self.still, self.steps = drawing, judges, still, steps
        self._rest, self._moved = torch.from_numpy(faces.rest), torch.from_numpy(faces.moved)
        self._mean = self._moved.mean(dim=0)
        self.descent = Descent(start, Whitened(self._moved), free_styles(drawing.generator), steps)
        self._random = np.random.RandomState(1)

    def run(self) -> Iterator[Progress]:
        """Learn to the end, yielding after each iteration."""
        prices = torch.tensor(list(_PRICES.values()))
        with torch.no_grad():
            unit = torch.cat([self._try()[1] for _ in range(_UNIT)]).mean(dim=0)
        for index in range(self.steps):
            missed, moved = self._try()
            seen, raised, lowered, held = missed.mean(dim=0)
            parts = (moved / unit).mean(dim=0)
            aims = _SEEN * seen + _RAISED * raised + _LOWERED * lowered + _HELD * held
            self.descent.descend((prices * parts).sum() + aims + _LENGTH * self.descent.size, index)
            yield Progress(index + 1, float(seen.detach()), float(raised.detach()), float(lowered.detach()), parts.detach())

    def _try(self) -> tuple[Tensor, Tensor]:
        """Edit a batch: squared logits missed by emotion, raised, lowered and held scores [N, 4]; what else changed [N, 4]."""
        ws = self._faces()
        with torch.no_grad():
            before = self.drawing(ws)
            rising, falling, staying = self.judges.scores(before.taps)
            felt = self.judges.emotion(before.images, self._shift())
        size = torch.from_numpy(self._random.uniform(_LEAST, 1.0, BATCH)).float()
        after = self.drawing(ws + (FULL * size)[:, None, None] * self.descent.step)
        risen, fallen, stayed = self.judges.scores(after.taps)
        seen = self.judges.emotion(after.images, self._shift())
        up, down, target = self.judges.raised, self.judges.lowered, torch.tensor(_LOGIT)
        part = size[:, None]  # the nearer to a whole step, the nearer to the aim
        missed = [
            (felt + size * (torch.maximum(target, felt) - felt) - seen).clamp(min=0).square(),
            _mean((rising + part * (torch.maximum(up, rising) - rising) - risen).clamp(min=0)),
            _mean((fallen - falling - part * (torch.minimum(down, falling) - falling)).clamp(min=0)),
            _mean(stayed - staying),
        ]
        return torch.stack(missed, dim=1), self.still(before, after)

    def _faces(self) -> Tensor:
        """Mix latents [BATCH, num_ws, w_dim] of two faces each; the last one has each style jittered."""
        random, count, free = self._random, len(self._rest), self.descent.free
        coarse, fine = random.randint(0, count, BATCH), random.randint(0, count, BATCH)
        fine = fine if random.rand() < 0.7 else coarse
        ws = self._rest[coarse][:, None] * (1 - free) + self._moved[fine][:, None] * free
        ws[-1] += float(random.uniform(*_JITTER)) * (self._rest[random.randint(0, count, len(free))] - self._mean)
        return ws

    def _shift(self) -> tuple[int, int]:
        across, down = self._random.randint(-_SHIFT, _SHIFT + 1, 2)
        return int(across), int(down)


def _mean(differences: Tensor) -> Tensor:
    """Average the squares of differences [N, …] over all but N; 0 if there are none."""
    return differences.square().mean(dim=1) if differences.shape[1] else torch.zeros(len(differences))


def prepare(drawing: Drawing, faces: Drawn, aims: Aims, classifier: MiniXception, emotion: Emotion) -> tuple[Judges, Stillness]:
    """Fit the judges and the measure of stillness to the measured faces, which are drawn here."""
    free, seen, wide = free_styles(drawing.generator), [], []
    rest, moved = torch.from_numpy(faces.rest), torch.from_numpy(faces.moved)
    with torch.no_grad():
        for first in range(0, len(rest), _CHUNK):
            part = slice(first, first + _CHUNK)
            taps = drawing(rest[part][:, None] * (1 - free) + moved[part][:, None] * free).taps
            seen.append(expression_inputs(taps).half())
            wide.append(face_inputs(taps).half())
    held_out = torch.arange(len(rest)) % _HELD_OUT == 0
    scores = torch.from_numpy(faces.scores)
    wanted = [faces.names.index(name) for name in (*aims.raised, *aims.lowered, *aims.held)]
    judge = Ridge.fit(torch.cat(seen).float(), logit(scores[:, wanted]), held_out)
    traits = scores[:, [place for place, name in enumerate(faces.names) if name in POSE or name.startswith("eyeLook")]]
    still = Ridge.fit(torch.cat(wide).float(), traits, held_out)
    pixels = 1 - (1 - _FACE_WEIGHT) * ellipse(_FACE, DRAWN)
    return Judges(judge, aims, classifier, emotion), Stillness(still, traits.std(dim=0).clamp(min=1e-3), pixels)


def first_step(faces: Drawn, emotion: Emotion) -> Tensor:
    """Regress the emotion's logit on the whitened w of the styles that move: a whitened step [w_dim] of length `_START`."""
    share = faces.emotions[:, EMOTIONS.index(emotion)]
    felt = torch.from_numpy(np.log(share + 1e-3) - np.log(1 - share + 1e-3)).double()
    moved = torch.from_numpy(faces.moved)
    inputs = Whitened(moved).of(moved - moved.mean(dim=0))
    system = inputs.T @ inputs + _RIDGE * len(inputs) * torch.eye(inputs.shape[1], dtype=torch.float64)
    found = torch.linalg.solve(system, inputs.T @ ((felt - felt.mean()) / felt.std()))
    result: Tensor = (_START * found / found.norm()).float()
    return result
