"""The fast projection: its parts fit the generator, its start is near, its end is like the photo, its training goes on."""

from __future__ import annotations

import copy
import itertools
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from core.edit import Editor, Models
from core.errors import LatentUnreadable, WeightsMissing, WeightsUnfit
from core.faces import FaceFinder, align
from core.fast.augment import augment
from core.fast.curvature import Curvature
from core.fast.data import DrawnSet, training_ws
from core.fast.encoder import SIDE, Encoder
from core.fast.lbfgs import Lbfgs
from core.fast.objective import FastOptions
from core.fast.preview import FEATURE_SIDE, Preview
from core.fast.project import FastProjection
from core.fast.train import Schedule, Training
from core.fast.train_encoder import train_encoder
from core.fast.train_head import head_set, score_head, train_head
from core.fast.trained import CURVATURE, ENCODER, PREVIEW, load_trained, trained_file
from core.generator import seed_w
from core.generator.families.mobilestylegan import MobileStyleGAN
from core.generator.haar import forward_haar, inverse_haar
from core.projection.features import Features, area_downsample, distance
from core.settings import Settings
from tests.core.compiled.kit import tiny

pytestmark = pytest.mark.slow

SEEDS = range(7_000_000, 7_000_004)  # in no training set and in no other evaluation


@pytest.fixture(scope="module")
def head(settings: Settings, generator: MobileStyleGAN) -> Preview:
    return load_trained(Preview.shaped_for(generator), trained_file(settings, generator, PREVIEW), generator)


@pytest.fixture(scope="module")
def encoder(settings: Settings, generator: MobileStyleGAN) -> Encoder:
    return Encoder.load(generator, trained_file(settings, generator, ENCODER))


@pytest.fixture(scope="module")
def curvature(settings: Settings, generator: MobileStyleGAN) -> Curvature:
    return Curvature.load(generator, trained_file(settings, generator, CURVATURE))


@pytest.fixture(scope="module")
def face(settings: Settings, astronaut: np.ndarray) -> np.ndarray:
    """The sample photo's face as FFHQ aligns: uint8 [1024, 1024, 3]."""
    with FaceFinder(settings) as finder:
        (found,) = finder.require(astronaut)
    return align(astronaut, found.landmarks, 1024).image


def whole(generator: MobileStyleGAN, ws: Tensor) -> Tensor:
    """ws -> images [N, 3, 256, 256]."""
    with torch.inference_mode():
        return area_downsample(generator.synthesis(ws)).contiguous(memory_format=torch.channels_last)


def squared_error(a: Tensor, b: Tensor) -> float:
    """In the unit of 0..1."""
    return float((a - b).square().mean() / 4)


def unit(pixels: np.ndarray) -> Tensor:
    return area_downsample(torch.tensor(pixels).permute(2, 0, 1)[None].float() / 127.5 - 1)


def test_haar_steps_undo_each_other() -> None:
    x = torch.randn(2, 3, 16, 16)
    assert torch.allclose(inverse_haar(forward_haar(x)), x, atol=1e-5)


def test_lbfgs_reaches_the_bottom_of_a_narrow_valley() -> None:
    def rosenbrock(x: Tensor) -> tuple[float, Tensor]:
        x = x.clone().requires_grad_(True)
        loss = 100 * (x[1] - x[0] ** 2) ** 2 + (1 - x[0]) ** 2
        return float(loss.detach()), torch.autograd.grad(loss, x)[0]

    descent = Lbfgs(torch.tensor([-1.2, 1.0], dtype=torch.double), first_length=0.1)
    descent.look(rosenbrock)
    losses = [descent.loss]
    while descent.loss > 1e-9 and len(losses) < 80 and descent.step(rosenbrock):
        losses.append(descent.loss)
    assert torch.allclose(descent.x, torch.ones(2, dtype=torch.double), atol=1e-3)
    assert losses == sorted(losses, reverse=True)  # no step went up


def test_preview_shows_what_the_whole_network_shows(generator: MobileStyleGAN, head: Preview) -> None:
    scores = score_head(head, generator, range(60_000, 60_004))
    assert scores["explained"] > 0.94
    assert scores["squared_error"] < 0.004


def test_preview_gives_every_style_a_gradient(generator: MobileStyleGAN, head: Preview) -> None:
    ws = generator.broadcast(seed_w(generator, SEEDS[:1])).clone().requires_grad_(True)
    head(generator.features(ws, FEATURE_SIDE), ws).square().mean().backward()
    assert ws.grad is not None
    assert bool((ws.grad.abs().sum(dim=2) > 0).all())


@pytest.fixture(scope="module", params=[2, pytest.param(4, marks=pytest.mark.long)])
def strangers(request: pytest.FixtureRequest, generator: MobileStyleGAN) -> tuple[Tensor, Tensor]:
    """Some of SEEDS: w [N, w_dim] and images [N, 3, 256, 256]."""
    w = seed_w(generator, SEEDS[: request.param])
    return w, whole(generator, generator.broadcast(w))


def test_encoder_start_is_far_nearer_than_the_mean(
    generator: MobileStyleGAN, features: Features, encoder: Encoder, strangers: tuple[Tensor, Tensor]
) -> None:
    w, images = strangers
    with torch.inference_mode():
        found = encoder(images)
        mean = generator.w_average()
        assert (found.mean(dim=1) - w).square().sum() < 0.6 * (mean - w).square().sum()
        again, average = whole(generator, found), whole(generator, generator.broadcast(mean[None])).expand_as(images)
        assert squared_error(again, images) < 0.5 * squared_error(average, images)
        assert distance(features(again), features(images)).mean() < 0.85 * distance(features(average), features(images)).mean()


def test_encoder_bears_spoiled_photos(generator: MobileStyleGAN, encoder: Encoder, strangers: tuple[Tensor, Tensor]) -> None:
    w, images = strangers
    with torch.inference_mode():
        found = encoder(augment(area_downsample(images, SIDE), np.random.RandomState(1)))
    assert (found.mean(dim=1) - w).square().sum() < 0.8 * (generator.w_average() - w).square().sum()


@pytest.mark.parametrize("name", [PREVIEW, ENCODER, CURVATURE])
def test_parts_of_another_generator_are_refused(settings: Settings, generator: MobileStyleGAN, name: str) -> None:
    other = copy.copy(generator)
    other.digest = "0" * 64
    parts: dict[str, Callable[[], nn.Module]] = {
        PREVIEW: lambda: Preview.shaped_for(other), ENCODER: lambda: Encoder(23, 512), CURVATURE: lambda: Curvature(other),
    }  # fmt: skip
    with pytest.raises(WeightsUnfit, match="belongs to another generator"):
        load_trained(parts[name](), trained_file(settings, generator, name), other)


def test_missing_part_is_a_sentence(generator: MobileStyleGAN, tmp_path: Path) -> None:
    with pytest.raises(WeightsMissing):
        load_trained(Preview.shaped_for(generator), tmp_path / PREVIEW, generator)


def test_shipped_parts_are_small(settings: Settings, generator: MobileStyleGAN) -> None:
    assert sum(trained_file(settings, generator, name).stat().st_size for name in (PREVIEW, ENCODER, CURVATURE)) <= 16_000_000


@dataclass
class Descent:
    """A short fast projection, with a checkpoint from its middle and the latent of two steps later."""

    losses: list[float]
    checkpoint: bytes
    later: np.ndarray


OPTIONS = FastOptions(most=5)
MIDDLE = 3
Begin = Callable[..., FastProjection]


@pytest.fixture(scope="module")
def begin(generator: MobileStyleGAN, features: Features, encoder: Encoder, curvature: Curvature, face: np.ndarray) -> Begin:
    """Begins a projection of the sample's face, or of another target."""
    return lambda target=face, options=OPTIONS: FastProjection(generator, features, encoder, curvature, target, options)


@pytest.fixture(scope="module")
def begin_small(features: Features) -> Begin:
    """Begins the same with a generator of 32 pixels with random weights, for what does not hang on what is drawn."""
    generator = tiny()
    assert isinstance(generator, MobileStyleGAN)
    curvature = Curvature(generator)

    def start(images: Tensor) -> Tensor:
        return generator.broadcast(images.mean() + generator.w_average()[None]).clone()

    target = np.random.RandomState(1).randint(0, 120, (64, 64, 3), dtype=np.uint8)
    return lambda target=target, options=OPTIONS: FastProjection(generator, features, start, curvature, target, options)


@pytest.fixture(scope="module")
def descent(begin_small: Begin) -> Descent:
    projection = begin_small()
    steps = projection.run()
    losses = [step.loss for step in itertools.islice(steps, MIDDLE)]
    checkpoint = projection.checkpoint()
    losses += [step.loss for step in itertools.islice(steps, 2)]
    later = projection.ws
    losses += [step.loss for step in steps]
    return Descent(losses, checkpoint, later)


def test_fast_comes_nearer_with_every_step(generator: MobileStyleGAN, encoder: Encoder, begin: Begin, face: np.ndarray) -> None:
    projection = begin()
    assert projection.picture is None, "nothing was drawn yet"
    losses, pictures = zip(*((step.loss, projection.picture) for step in projection.run()), strict=True)
    assert len(losses) == 1 + OPTIONS.most
    assert list(losses) == sorted(losses, reverse=True)
    with torch.inference_mode():
        start, end = whole(generator, encoder(unit(face))), whole(generator, torch.from_numpy(projection.ws))
    assert squared_error(end, unit(face)) < 0.5 * squared_error(start, unit(face))
    for shown, drawn in ((pictures[0], start), (pictures[-1], end)):
        assert shown is not None
        assert shown.shape == (256, 256, 3)
        assert squared_error(unit(shown), drawn.clamp(-1, 1)) < 1e-5, "the picture after the step, rounded"


@pytest.mark.long
def test_fast_reaches_the_astronaut(
    settings: Settings, generator: MobileStyleGAN, features: Features, encoder: Encoder, curvature: Curvature, face: np.ndarray
) -> None:
    projection = FastProjection(generator, features, encoder, curvature, face)
    steps = list(projection.run())
    assert [step.step for step in steps] == list(range(1, len(steps) + 1))
    assert len(steps) == projection.done <= projection.steps
    ws = projection.ws
    assert ws.shape == (1, generator.num_ws, generator.w_dim)
    assert ws.dtype == np.float32
    with torch.inference_mode():
        start = whole(generator, encoder(unit(face)))
    end = whole(generator, torch.from_numpy(ws))
    assert squared_error(end, unit(face)) < 0.007
    assert squared_error(end, unit(face)) < 0.3 * squared_error(start, unit(face))
    with torch.inference_mode():
        wanted = features(unit(face))
        assert distance(features(end), wanted) < 0.6 * distance(features(start), wanted)
    editor = Editor(Models(settings))
    neutral, smiling = editor.variants(ws, ["neutral", 1.5])
    assert neutral.score < 0.2 < 0.9 < smiling.score, "the styles are too far apart to take an edit"


def test_fast_stops_when_nothing_is_gained(begin_small: Begin) -> None:
    assert sum(1 for _ in begin_small(options=FastOptions(most=50, gain=0.9, patience=1)).run()) < 20


def test_fast_goes_on_from_a_checkpoint(begin_small: Begin, descent: Descent) -> None:
    assert len(descent.losses) == 1 + OPTIONS.most
    resumed = begin_small()
    resumed.resume(descent.checkpoint)
    assert resumed.done == MIDDLE
    assert [step.step for step in itertools.islice(resumed.run(), 2)] == [MIDDLE + 1, MIDDLE + 2]
    assert np.abs(resumed.ws - descent.later).max() < 1e-4
    with pytest.raises(LatentUnreadable):
        begin_small(options=replace(OPTIONS, most=9)).resume(descent.checkpoint)
    with pytest.raises(LatentUnreadable):
        begin_small(target=resumed.target[::-1].copy()).resume(descent.checkpoint)


def test_drawn_faces_follow_from_their_number(generator: MobileStyleGAN) -> None:
    many, one = training_ws(generator, range(4)), training_ws(generator, range(3, 4))
    assert torch.allclose(many[3:], one, atol=1e-5)
    spread = (many - many.mean(dim=1, keepdim=True)).square().sum(dim=(1, 2))
    assert (spread > 1).tolist() == [False, False, True, True]  # plain, plain, mixed, jittered


def test_a_set_goes_on_where_it_was_left(generator: MobileStyleGAN, tmp_path: Path) -> None:
    drawn: list[int] = []

    def draw(ws: Tensor) -> Tensor:
        drawn.append(len(ws))
        return ws.mean(dim=(1, 2))[:, None, None, None].expand(-1, 3, 8, 8)

    first = DrawnSet(tmp_path, generator, draw, 8, 136)
    for done in first.fill():
        if done == 68:  # four after the last note of what is done
            break
    again = DrawnSet(tmp_path, generator, draw, 8, 136)
    assert again.done == 64
    list(again.fill())
    assert sum(drawn) == 68 + 72
    assert np.abs(again.ws[:, 0]).max(axis=1).min() > 0  # every row was written
    assert DrawnSet(tmp_path, generator, draw, 8, 136, drawn_by="another head").done == 0


def train(training: Training) -> nn.Module:
    """Train to the end, and leave the checkpoint of the last step but one behind, as if it had been ended there."""
    early = training.checkpoint.with_suffix(".early")
    for step in training.run():
        if step.step == step.steps - 1:
            shutil.copy(training.checkpoint, early)
    early.replace(training.checkpoint)
    return training.module


def assert_same_weights(a: nn.Module, b: nn.Module, of: nn.Module) -> None:
    states = [module.state_dict() for module in (a, b, of)]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    assert any(not torch.equal(states[0][name], states[2][name]) for name in states[0])  # it did learn


def test_training_of_the_head_resumes_to_the_same_weights(tmp_path: Path) -> None:
    generator = tiny(channels=(8,) * 6)  # of 256 pixels, as the head's pictures are: how it learns hangs on no weights
    assert isinstance(generator, MobileStyleGAN)
    schedule = Schedule(steps=2, batch=1, rate=1e-3, checkpoint_every=1)
    list(head_set(generator, tmp_path / "exact", 2).fill())

    def begin() -> Training:
        return train_head(generator, tmp_path, schedule, 2)

    training = begin()
    untouched = copy.deepcopy(training.module)
    straight = train(training)
    resumed = begin()
    assert resumed.done == 1
    list(resumed.run())
    assert_same_weights(straight, resumed.module, untouched)
    assert train_head(generator, tmp_path, schedule, 3).done == 0, "a checkpoint of another set is none of this training"


@pytest.mark.long  # the head is trained by the same loop, above
def test_training_of_the_encoder_resumes_to_the_same_weights(
    settings: Settings, generator: MobileStyleGAN, features: Features, tmp_path: Path
) -> None:
    head_file = trained_file(settings, generator, PREVIEW)
    schedule = Schedule(steps=3, batch=2, rate=1e-4, checkpoint_every=1)

    def begin() -> Training:
        return train_encoder(generator, features, tmp_path, head_file, schedule, 8)

    training = begin()
    untouched = copy.deepcopy(training.module)
    straight = train(training)
    resumed = begin()
    assert resumed.done == 2
    list(resumed.run())
    assert_same_weights(straight, resumed.module, untouched)
