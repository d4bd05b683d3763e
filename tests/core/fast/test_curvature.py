"""The learned curvature: in its coordinates a loss bends about alike in far more directions, and steps reach further."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from core.fast.curvature import Curvature
from core.fast.lbfgs import Lbfgs
from core.fast.train_curvature import SAMPLES, SlopeSet, fit_curvature, score_curvature, slopes_at
from core.fast.trained import CURVATURE, trained_file
from core.generator import seed_w
from core.generator.families.mobilestylegan import MobileStyleGAN
from core.projection.features import Features, area_downsample
from core.settings import Settings
from tests.core.compiled.kit import tiny

OUTSIDE = range(460_000, 460_006)  # training faces that the shipped curvature has not seen


@pytest.fixture(scope="module", params=[2, pytest.param(6, marks=pytest.mark.long)])
def outside(request: pytest.FixtureRequest, generator: MobileStyleGAN, features: Features) -> Tensor:
    return torch.cat([slopes_at(generator, features, number) for number in OUTSIDE[: request.param]])


def made_up(generator: MobileStyleGAN, faces: int, seed: int) -> Tensor:
    """Samples [faces * SAMPLES, num_ws, w_dim] of one curvature: a few steep channels, and one steep way across all styles."""
    chance = torch.Generator().manual_seed(seed)
    together = torch.randn(faces * SAMPLES, 1, generator=chance)
    slopes = []
    for layer in generator.style_weights():
        channels = torch.logspace(-2, 1, len(layer)) * torch.randn(faces * SAMPLES, len(layer), generator=chance)
        slopes.append((channels + 30 * together) @ layer)
    return torch.stack(slopes, dim=1)


def test_halved_is_the_picture_averaged(generator: MobileStyleGAN) -> None:
    ws = generator.broadcast(seed_w(generator, [5000]))
    with torch.inference_mode():
        assert torch.allclose(generator.halved(ws), area_downsample(generator.synthesis(ws), 512), atol=1e-5)


def test_a_style_moves_nothing_beside_its_layer() -> None:
    generator = tiny()
    assert isinstance(generator, MobileStyleGAN)
    ws = torch.randn(1, generator.num_ws, generator.w_dim, requires_grad=True)
    (slopes,) = torch.autograd.grad(generator.synthesis(ws).square().sum(), ws)
    layers = generator.style_weights()
    assert len(layers) == generator.num_ws
    for layer, of_style in zip(layers, slopes[0], strict=True):
        through = torch.linalg.lstsq(layer.T, of_style[:, None]).solution
        assert torch.allclose(layer.T @ through, of_style[:, None], atol=1e-4 * float(of_style.norm()))


def test_what_is_learned_holds_for_samples_that_were_not_seen() -> None:
    generator = tiny()
    assert isinstance(generator, MobileStyleGAN)
    curvature = fit_curvature(generator, made_up(generator, 100, 0), directions=3)
    scores = score_curvature(curvature, made_up(generator, 50, 1))
    assert scores["alike_after"] > 3 * scores["alike_before"]
    within = curvature.within_styles()
    assert torch.equal(within, within.triu())
    axes = curvature.directions
    assert torch.allclose(axes.T @ axes, torch.eye(3), atol=1e-4)


def test_a_style_that_moves_nothing_is_left_alone() -> None:
    """An imported generator may have one, and fits all others."""
    generator = tiny()
    assert isinstance(generator, MobileStyleGAN)
    samples = made_up(generator, 20, 0)
    samples[:, 1] = 0
    curvature = fit_curvature(generator, samples, directions=3)
    assert bool(curvature(torch.ones(1, generator.num_ws, generator.w_dim)).isfinite().all())


def test_a_narrow_valley_is_crossed_in_a_few_steps() -> None:
    """The same descent on the same loss, in learned coordinates and in plain ones."""
    generator = tiny()
    assert isinstance(generator, MobileStyleGAN)
    samples = made_up(generator, 100, 0)
    learned, plain = fit_curvature(generator, samples, directions=3), 0.05
    goal = torch.randn(1, generator.num_ws, generator.w_dim, generator=torch.Generator().manual_seed(2))

    def left_after(steps: int, learn: bool) -> float:
        def loss(y: Tensor) -> tuple[float, Tensor]:
            y = y.clone().requires_grad_(True)
            missed = goal - (learned(y) if learn else plain * y)
            value = (samples.flatten(1) @ missed.flatten()).square().mean() / 2
            return float(value.detach()), torch.autograd.grad(value, y)[0]

        descent = Lbfgs(torch.zeros_like(goal), first_length=2.0)
        descent.look(loss)
        before = descent.loss
        for _ in range(steps):
            if not descent.step(loss):
                break
        return descent.loss / before

    assert left_after(12, learn=True) < 0.2 * left_after(12, learn=False)


def test_the_shipped_curvature_makes_losses_bend_alike(settings: Settings, generator: MobileStyleGAN, outside: Tensor) -> None:
    scores = score_curvature(Curvature.load(generator, trained_file(settings, generator, CURVATURE)), outside)
    assert scores["alike_after"] > 4 * scores["alike_before"]


def test_samples_follow_from_their_number_and_are_made_once(
    generator: MobileStyleGAN, features: Features, outside: Tensor, tmp_path: Path
) -> None:
    begun = SlopeSet(tmp_path, generator, features, faces=1, first=OUTSIDE.start)
    assert list(begun.fill()) == [1]
    assert torch.allclose(begun.all(), outside[:SAMPLES], rtol=1e-3, atol=1e-3)
    (file,) = tmp_path.iterdir()
    made = file.stat().st_mtime_ns
    assert list(SlopeSet(tmp_path, generator, features, faces=1, first=OUTSIDE.start).fill()) == [1]
    assert file.stat().st_mtime_ns == made
