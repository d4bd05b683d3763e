"""Many faces at once: each descends as it would alone, comes and goes at any time, and is found where memory is scarce, too."""

from __future__ import annotations

import itertools
from functools import cache

import numpy as np
import pytest
import torch
from torch import Tensor

from core.captured import Captured
from core.errors import LatentUnreadable
from core.fast.curvature import Curvature
from core.fast.lbfgs import Lbfgs
from core.fast.lockstep import Lockstep, Rules
from core.fast.many import ManyFaces, OneOfMany
from core.fast.objective import FastOptions
from core.fast.project import FastProjection
from core.generator.families.mobilestylegan import MobileStyleGAN
from core.projection.features import Features
from tests.core.compiled.kit import tiny

OPTIONS = FastOptions(most=3)
CPU = torch.device("cpu")
SIZE, ROWS = 40, 4


def wavy(x: Tensor, row: int) -> Tensor:
    """A loss in 40 coordinates: a valley a thousand times steeper one way than another, with waves that mislead a line search."""
    random = torch.Generator().manual_seed(row)
    steep = torch.logspace(-1, 2, SIZE)[torch.randperm(SIZE, generator=random)]
    d = x - torch.randn(SIZE, generator=random)
    return 2 + (steep * d.square()).sum() + 0.3 * torch.cos((3 + row) * d).sum() + 0.05 * (d**4).sum()


def all_wavy(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    x = x.detach().requires_grad_(True)
    losses = torch.stack([wavy(one, row) for row, one in enumerate(x)])
    (gradients,) = torch.autograd.grad(losses.sum(), x)
    return losses.detach(), gradients, 2 * losses.detach()


def alone(row: int, most: int) -> list[float]:
    """The losses of the descent by core.fast.lbfgs."""

    def evaluate(x: Tensor) -> tuple[float, Tensor]:
        x = x.detach().requires_grad_(True)
        loss = wavy(x, row)
        (gradient,) = torch.autograd.grad(loss, x)
        return float(loss.detach()), gradient

    descent = Lbfgs(torch.zeros(SIZE), 2.0)
    descent.look(evaluate)
    losses = [descent.loss]
    while len(losses) < most and descent.step(evaluate):
        losses.append(descent.loss)
    return losses


def test_each_of_many_descends_as_it_would_alone() -> None:
    many = Lockstep.empty(ROWS, SIZE, 6, CPU)
    for row in range(ROWS):
        many.begin(row, 12)
    losses: list[list[float]] = [[] for _ in range(ROWS)]
    looks = 0
    while bool(many.going.any()):
        before = many.steps.clone()
        many.advance(all_wavy, Rules(2.0, 0.0, 6, -10.0))
        looks += 1
        for row in torch.nonzero(many.steps > before)[:, 0].tolist():
            losses[row].append(float(many.loss[row]))
    assert looks > 12, "no step was ever refused, so the search is not tried"
    for row in range(ROWS):
        assert len(losses[row]) == 12
        assert losses[row] == pytest.approx(alone(row, 12), rel=2e-3)
        assert float(many.told[row]) == pytest.approx(2 * losses[row][-1])


def test_a_descent_ends_at_the_bottom_and_where_little_is_gained() -> None:
    def bowl(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return x.square().sum(dim=1), 2 * x, x[:, 0]

    many = Lockstep.empty(1, 3, 6, CPU)
    many.begin(0, 50)
    for _ in range(3):
        many.advance(bowl, Rules(2.0, 0.0, 6, 0.04))
    assert not bool(many.going[0]), "it stands where it is flat"
    slow = Lockstep.empty(1, SIZE, 6, CPU)
    slow.begin(0, 1000)
    for _ in range(200):
        slow.advance(lambda x: tuple(one[:1] for one in all_wavy(x)), Rules(2.0, 0.0, 6, 0.5))  # type: ignore[arg-type,return-value]
    assert 6 < float(slow.steps[0]) < 100


@pytest.fixture(scope="module")
def small() -> MobileStyleGAN:
    generator = tiny()
    assert isinstance(generator, MobileStyleGAN)
    return generator


@pytest.fixture(scope="module")
def features() -> Features:
    """The network of the loss with random weights: what it sees does not matter here."""
    torch.manual_seed(0)
    network = Features()
    for weight in network.parameters():
        weight.data.normal_(std=(2 / weight[0].numel()) ** 0.5 if weight.ndim > 1 else 0.01)
    return network.eval()


@pytest.fixture(autouse=True)
def exactly(monkeypatch: pytest.MonkeyPatch) -> None:
    """In float32: in half precision one and many round differently."""
    monkeypatch.setattr("core.fast.objective.gradient_dtype", lambda device: torch.float32)


class Beginner:
    """Begins projections of made-up targets: together, or each alone."""

    def __init__(self, generator: MobileStyleGAN, features: Features) -> None:
        self.generator, self.features, self.curvature = generator, features, Curvature(generator, directions=3)
        random = np.random.RandomState(1)
        self.targets = [random.randint(0, bright, (64, 64, 3), dtype=np.uint8) for bright in (30, 120, 255)]

    def start(self, images: Tensor) -> Tensor:
        return self.generator.broadcast(images.mean() + self.generator.w_average()[None]).clone()

    def many(self, most: int) -> ManyFaces:
        return ManyFaces(self.generator, self.features, self.curvature, OPTIONS, most)

    def alone(self, index: int) -> FastProjection:
        return FastProjection(self.generator, self.features, self.start, self.curvature, self.targets[index], OPTIONS)

    @cache  # noqa: B019 - there is one of these
    def found_alone(self, index: int) -> np.ndarray:
        projection = self.alone(index)
        for _ in projection.run():
            pass
        return projection.ws

    def found(self, one: OneOfMany, index: int) -> bool:
        """Whether it found what is found alone, but for rounding: a fiftieth of what lies between two faces, at most."""
        other = self.found_alone((index + 1) % len(self.targets))
        wanted = self.found_alone(index)
        return float(np.linalg.norm(one.ws - wanted)) < 0.02 * float(np.linalg.norm(other - wanted))

    def among(self, many: ManyFaces, index: int) -> OneOfMany:
        return many.begin(self.start, self.targets[index])


@pytest.fixture(scope="module")
def beginner(small: MobileStyleGAN, features: Features) -> Beginner:
    return Beginner(small, features)


def finish(*ones: OneOfMany) -> None:
    """Run all in turns, as a worker does, until each is done."""
    runs = [one.run() for one in ones]
    while runs:
        runs = [run for run in runs if next(run, None) is not None]


def test_faces_that_come_at_different_times_are_found_as_alone(beginner: Beginner) -> None:
    many = beginner.many(4)
    first, second, third = (beginner.among(many, index) for index in range(3))
    steps = first.run()
    told = [step.step for step in itertools.islice(steps, 2)]
    later = second.run()
    next(later)
    told += [step.step for step in steps]
    assert told == list(range(1, first.done + 1))
    assert second.done > 1, "a step of one is a step of all"
    finish(third)
    for _ in later:
        pass
    for index, one in enumerate((first, second, third)):
        assert beginner.found(one, index), index


def test_more_than_there_is_room_for_wait_and_are_found_too(beginner: Beginner) -> None:
    many = beginner.many(1)
    ones = [beginner.among(many, index) for index in range(3)]
    finish(*ones)
    for index, one in enumerate(ones):
        assert beginner.found(one, index), index


def test_one_that_is_given_up_leaves_its_place_and_disturbs_nobody(beginner: Beginner) -> None:
    many = beginner.many(2)
    gone, stays, comes = (beginner.among(many, index) for index in range(3))
    going, staying = gone.run(), stays.run()
    next(going), next(staying)
    going.close()
    for _ in staying:
        pass
    finish(comes)
    assert beginner.found(stays, 1)
    assert beginner.found(comes, 2)


def test_it_goes_on_from_a_checkpoint_beside_another(beginner: Beginner) -> None:
    before = beginner.among(beginner.many(1), 0)
    steps = before.run()
    assert [step.step for step in itertools.islice(steps, 2)] == [1, 2]
    checkpoint = before.checkpoint()
    many = beginner.many(2)
    other, resumed = beginner.among(many, 1), beginner.among(many, 0)
    beside = other.run()
    next(beside)
    resumed.resume(checkpoint)
    assert resumed.done == 2
    assert next(resumed.run()).step == 3
    finish(resumed)
    assert beginner.found(resumed, 0)
    with pytest.raises(LatentUnreadable):
        beginner.among(many, 2).resume(checkpoint)


def test_where_memory_is_scarce_fewer_are_done_at_once(beginner: Beginner, monkeypatch: pytest.MonkeyPatch) -> None:
    many = beginner.many(4)
    whole = type(many.objective).__call__

    def scarce(objective: object, y: Tensor, *rest: object) -> object:
        if len(y) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return whole(objective, y, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(type(many.objective), "__call__", scarce)
    ones = [beginner.among(many, index) for index in range(3)]
    finish(*ones)
    assert many.at_once == 1
    monkeypatch.undo()
    for index, one in enumerate(ones):
        assert one.done == 1 + OPTIONS.most, index
    monkeypatch.setattr("core.fast.objective.gradient_dtype", lambda device: torch.float32)
    for index, one in enumerate(ones):
        assert beginner.found(one, index), index


def test_memory_for_not_even_one_is_an_error(beginner: Beginner, monkeypatch: pytest.MonkeyPatch) -> None:
    many = beginner.many(2)

    def none(*_: object) -> object:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(type(many.objective), "__call__", none)
    with pytest.raises(torch.OutOfMemoryError):
        finish(beginner.among(many, 0))
    monkeypatch.undo()
    finish(beginner.among(many, 1))


def test_work_on_a_cpu_runs_as_it_is() -> None:
    done: list[int] = []
    captured = Captured(lambda: done.append(1), CPU)
    captured.warm()
    captured()
    captured()
    assert len(done) == 2
