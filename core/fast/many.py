"""The fast projection of many faces at once, for a GPU: one alone would leave most of it idle.

    faces = ManyFaces(generator, features, curvature)
    one, other = faces.begin(encoder, target), faces.begin(encoder, another)   # members' photos, as they come
    for step in one.run(): ...                                                 # a step of one is a step of all that are begun

Each face descends as `core.fast.project` does, by the same loss and rules. Whoever asks for the next step of a face that has
none waiting moves all of them; the others find theirs done. So a worker that takes its requests in turns batches them without
knowing, faces come and go at any time, and a face alone goes as fast as it can.
"""

from __future__ import annotations

import hashlib
import time
from collections import deque
from collections.abc import Generator

import numpy as np
import torch
from safetensors.torch import save
from torch import Tensor

from core.captured import Captured, free_memory, memory_pool
from core.errors import LatentUnreadable
from core.fast.curvature import Curvature
from core.fast.lockstep import Lockstep, Rules
from core.fast.objective import FIRST_LENGTH, FastOptions, Objective, Start, Wanted
from core.generator import protocol
from core.generator.latent import Latent
from core.projection.features import SIDE, TAP_CHANNELS, TAP_SIDES, Features
from core.projection.projector import Step, read_tensors

MOST = 8  # faces in one batch, as many as the executor gives one GPU (core.executor.supervisor.TOGETHER)


class ManyFaces:
    """Up to `most` faces of one generator that are projected together. For one thread."""

    def __init__(
        self,
        generator: protocol.Generator,
        features: Features,
        curvature: Curvature,
        options: FastOptions | None = None,
        most: int = MOST,
    ) -> None:
        """Take memory for `most` faces; for the networks' work on them it is taken when the first are begun."""
        self.generator, self.features, self.most = generator, features, most
        self.options = options or FastOptions()
        self.objective = Objective(generator, features, curvature, self.options)
        device, size = self.objective.device, generator.num_ws * generator.w_dim
        self.state = Lockstep.empty(most, size, self.options.patience, device)
        self.starts = torch.zeros(most, generator.num_ws, generator.w_dim, device=device)
        taps = [torch.zeros(most, c, s, s, device=device) for c, s in zip(TAP_CHANNELS, TAP_SIDES, strict=True)]
        taps = [tap.contiguous(memory_format=torch.channels_last) for tap in taps]
        images = torch.zeros(most, 3, SIDE, SIDE, device=device).contiguous(memory_format=torch.channels_last)
        self.wanted = Wanted(images, taps)
        self.at_once = most  # in one pass through the networks; fewer where memory does not suffice
        self._rules = Rules(FIRST_LENGTH, self.objective.noise, self.options.patience, self.options.gain)
        self._faces: list[OneOfMany] = []  # that have a row, in the order of the rows
        self._waiting: deque[OneOfMany] = deque()  # for a row
        self._captured: dict[tuple[int, int], Captured] = {}  # by the rows
        self._pool = memory_pool(device)

    def begin(self, encoder: Start, target: np.ndarray, options: FastOptions | None = None) -> OneOfMany:
        """Begin to project `target`, an aligned face uint8 [R, R, 3]; it takes a row when it is first run."""
        return OneOfMany(self, encoder, target, options or self.options)

    def join(self, face: OneOfMany) -> None:
        """Give a face a row, or let it wait for one."""
        self._waiting.append(face)
        self._fill()

    def leave(self, face: OneOfMany) -> None:
        """Take a face's row from it, and move the last one there: rows in use stay together."""
        if face not in self._faces:
            if face in self._waiting:
                self._waiting.remove(face)
            return
        row, last = self._faces.index(face), len(self._faces) - 1
        self.state.going[row] = False
        if row != last:
            self._move(last, row)
        self._faces[row] = self._faces[last]
        self._faces.pop()
        self._fill()

    def row_of(self, face: OneOfMany) -> int | None:
        """Find the row of a face; None while it has none."""
        return self._faces.index(face) if face in self._faces else None

    def _fill(self) -> None:
        while self._waiting and len(self._faces) < self.most:
            face = self._waiting.popleft()
            row = len(self._faces)
            self._faces.append(face)
            face.enter(row)

    def _move(self, source: int, target: int) -> None:
        self.state.move(source, target)
        for one in (self.starts, self.wanted.images, *self.wanted.taps):
            one[target].copy_(one[source])

    def advance(self) -> None:
        """Look at one more point of every face that has a row, and hand each the step that it made, if it made one."""
        done, number = 0, len(self._faces)
        while done < number:
            rows = (done, done + min(self.at_once, _power_of_two(number - done)))
            try:
                self._look(rows)
            except torch.OutOfMemoryError as error:
                if rows[1] - rows[0] == 1:
                    raise
                failure = error.with_traceback(None)
            else:
                done = rows[1]
                continue
            del failure  # out here the traceback is gone, and with it the tensors that it held
            self._captured.clear()
            self.at_once = (rows[1] - rows[0]) // 2
            free_memory(self.objective.device)
        state = self.state
        told = torch.stack([state.steps, state.loss, state.told, state.going.float()], dim=1)[:number].tolist()
        for face, (steps, loss, distance, going) in zip(list(self._faces), told, strict=True):
            face.tell(int(steps), loss, distance, going > 0)
            if not going:  # whoever waits for a row may be the one that asked
                face.leave()

    def _look(self, rows: tuple[int, int]) -> None:
        if rows not in self._captured:
            state, starts = self.state.rows(*rows), self.starts[slice(*rows)]
            wanted = Wanted(self.wanted.images[slice(*rows)], [tap[slice(*rows)] for tap in self.wanted.taps])

            def evaluate(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
                seen = self.objective(x.view_as(starts), starts, wanted)
                return seen.losses, seen.gradients.flatten(1), seen.distances

            captured = Captured(lambda: state.advance(evaluate, self._rules), self.objective.device, self._pool)
            going = state.going.clone()
            state.going.zero_()  # what is captured is also run, and rows that are not going stay as they are
            try:
                captured.warm()
            finally:
                state.going.copy_(going)
            self._captured[rows] = captured
        self._captured[rows]()


def _power_of_two(number: int) -> int:
    """Round up to a power of two: so few sizes are captured, and the rows beyond are not going."""
    return 1 << (number - 1).bit_length()


class OneOfMany:
    """The fast projection of one face among others; see core.projection.Projecting."""

    def __init__(self, faces: ManyFaces, encoder: Start, target: np.ndarray, options: FastOptions) -> None:
        self._faces, self._options = faces, options
        self._wanted = Wanted.of(target, faces.features, faces.objective.device)
        with torch.no_grad():
            self._start = encoder(self._wanted.images)
        facts = repr(options) + faces.generator.digest + hashlib.sha256(target.tobytes()).hexdigest()
        self._identity = hashlib.sha256(facts.encode()).hexdigest()
        self._steps = 0
        self._unseen: tuple[float, float] | None = None  # loss and distance of a step that was not yielded yet
        self._going = True
        self._kept: dict[str, Tensor] = {}  # the row, while the face has none

    @property
    def ws(self) -> np.ndarray:
        """The latent after the steps so far: float32 [1, num_ws, w_dim]."""
        y = self._row().get("x")
        with torch.no_grad():
            ws = self._start if y is None else self._start + self._faces.objective.curvature(y.view_as(self._start))
        found: np.ndarray = ws.cpu().numpy().copy()
        return found

    @property
    def latent(self) -> Latent:
        """The same; this method leaves the noise as it is in the generator's file."""
        return Latent(self.ws)

    @property
    def picture(self) -> None:
        """None: what the loss sees stays on the GPU, where a preview takes no time anyway."""

    @property
    def done(self) -> int:
        return self._steps

    @property
    def steps(self) -> int:
        """The most steps that it takes; it may stop earlier."""
        return 1 + self._options.most

    def run(self) -> Generator[Step, None, None]:
        """Do the remaining steps, yielding after each; the first is the learned start."""
        began, before = time.perf_counter(), self.done
        self._faces.join(self)
        try:
            while self._going or self._unseen is not None:
                if self._unseen is None:
                    self._faces.advance()
                    continue
                (loss, distance), self._unseen = self._unseen, None
                seconds = time.perf_counter() - began
                eta = seconds / max(1, self.done - before) * (self.steps - self.done)
                yield Step(self.done, self.steps, loss, distance, seconds, eta)
        finally:
            self.leave()

    def enter(self, row: int) -> None:
        """Take the row that was given: called by `ManyFaces`."""
        faces = self._faces
        faces.starts[row].copy_(self._start[0])
        faces.wanted.images[row].copy_(self._wanted.images[0])
        for kept, tap in zip(faces.wanted.taps, self._wanted.taps, strict=True):
            kept[row].copy_(tap[0])
        faces.state.begin(row, self.steps)
        for name, tensor in self._kept.items():
            getattr(faces.state, name)[row].copy_(tensor)

    def leave(self) -> None:
        """Give up the row, if there is one, and keep what is in it."""
        self._kept = {name: tensor.clone() for name, tensor in self._row().items()}
        self._faces.leave(self)

    def tell(self, steps: int, loss: float, distance: float, going: bool) -> None:
        """Note how far the face is: called by `ManyFaces`."""
        if steps > self._steps:
            self._unseen = loss, distance
        self._steps, self._going = steps, going

    def _row(self) -> dict[str, Tensor]:
        row = self._faces.row_of(self)
        return self._kept if row is None else {name: tensor[row] for name, tensor in vars(self._faces.state).items()}

    def checkpoint(self) -> bytes:
        """Pack all that `resume` needs to continue, with exactly the same steps if the same faces are beside it."""
        tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in self._row().items()}
        return save(tensors, metadata={"of": self._identity, "done": str(self._steps)})

    def resume(self, checkpoint: bytes) -> None:
        """Continue from the bytes of `checkpoint`. Raises LatentUnreadable if it is of another photo, generator or options."""
        tensors, about = read_tensors(checkpoint)
        if about.get("of") != self._identity:
            raise LatentUnreadable(file="The checkpoint", reason="it is of another photo, generator or set of options")
        self._kept = {name: tensor.to(self._faces.objective.device) for name, tensor in tensors.items()}
        self._steps, self._going = int(about["done"]), bool(tensors["going"]) if "going" in tensors else True
