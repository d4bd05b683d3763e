"""The clean direction's teachers: the judge, what must stay still, the linear start, and a lesson in small."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from core.directions import clean, load_direction, teach
from core.directions.effect import Bench, effect, subjects
from core.directions.judge import Ridge, logit
from core.directions.still import PARTS, Seen, Stillness, ellipse
from core.directions.teach import fit_clean
from core.emotion import EmotionClassifier
from core.evaluate.compare import STRENGTHS, compare
from core.evaluate.look import Looker
from core.evaluate.summary import summary
from core.expressions import default
from core.faces import FaceFinder
from core.generator import Generator
from core.reach.drawn import SIDES
from core.rendering import Renderer
from core.seeds import load_labels
from core.settings import Settings

FRESH = (5000, 5005, 5010, 5011, 5014, 5018, 5020, 5021, 5026, 5027)
SHORT, FULL = 4, 40  # lessons; whether they repeat themselves is asked of the second


def test_a_ridge_finds_what_is_linear_and_says_what_is_noise() -> None:
    x = torch.randn(300, 500)
    y = torch.stack([x[:, 0] + 2 * x[:, 1] + 3, torch.randn(300)], dim=1)
    held_out = torch.arange(300) % 5 == 0
    found = Ridge.fit(torch.cat([x[:, :2], 0.01 * x[:, 2:]], dim=1), y, held_out)
    assert found.explained[0] > 0.99
    assert found.explained[1] < 0.2
    assert float(found(torch.zeros(1, 500))[0, 0]) == pytest.approx(3, abs=0.2)


def test_scores_become_even_and_stay_finite() -> None:
    assert logit(torch.tensor([0.5])).item() == 0
    assert logit(torch.tensor([0.0, 1.0])).tolist() == pytest.approx([-5, 5], abs=0.05)


@pytest.fixture
def still() -> Stillness:
    """Its judge of traits reads one number: the first of the coarse features."""
    weight = torch.zeros(112 * 64, 1)
    weight[0] = 1
    return Stillness(Ridge(weight, torch.zeros(112 * 64), torch.zeros(1), torch.ones(1)), torch.ones(1))


def _seen(images: Tensor) -> Seen:
    sizes = ((16, 128), (24, 64), (40, 32), (112, 16))
    return Seen(images, [torch.zeros(len(images), channels, side, side) for channels, side in sizes])


def _changed(still: Stillness, where: Tensor, by: float) -> dict[str, float]:
    base = torch.zeros(1, 3, 256, 256)
    moved = still(_seen(base), _seen(base + by * where))[0]
    return dict(zip(PARTS, moved.tolist(), strict=True))


def test_what_a_person_is_known_by_costs_most(still: Stillness) -> None:
    mouth, eye, corner = (ellipse((x, y, 12, 8)) for x, y in ((128, 190), (100, 120), (20, 20)))
    smiling, backdrop, person = (_changed(still, where, 0.5) for where in (mouth, corner, eye))
    assert smiling["tone"] == 0
    assert smiling["pixels"] < person["pixels"] / 1.5
    assert backdrop["pixels"] > 0
    assert backdrop["tone"] == 0
    assert person["pixels"] > 2 * backdrop["pixels"]


def test_skin_beside_the_mouth_keeps_its_tone(still: Stillness) -> None:
    jaw = ellipse((78, 205, 14, 14))
    assert _changed(still, jaw, 0.3)["tone"] > 0
    stubble = jaw * torch.randn(1, 1, 256, 256).sign()  # finer than a block: its tone is nought
    assert _changed(still, stubble, 0.3)["tone"] < 0.1 * _changed(still, jaw, 0.3)["tone"]


def test_traits_count_in_units_of_their_spread(still: Stillness) -> None:
    before, after = _seen(torch.zeros(1, 3, 256, 256)), _seen(torch.zeros(1, 3, 256, 256))
    after.taps[3][:, 0, :2, :2] = 3.0
    assert still(before, after)[0, PARTS.index("traits")] == pytest.approx(9)
    assert still(before, after)[0, PARTS.index("features")] > 0


@pytest.mark.slow
@pytest.mark.parametrize("lessons", [SHORT, pytest.param(FULL, marks=pytest.mark.long)])
def test_a_lesson_moves_only_what_it_may_and_repeats_itself(
    settings: Settings, generator: Generator, lessons: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clean, "_UNIT", 1)  # batches that measure the start, of which this asks nothing
    seeds, told = load_labels(settings, generator), list[str]()
    start = load_direction(teach.START, settings, generator)  # that a fit gives what ships is asked in test_directions
    monkeypatch.setattr(teach, "fit", lambda *_: start)
    once = fit_clean(seeds, generator, settings, steps=1, lessons=lessons, say=told.append)
    assert len(told) == 2
    if lessons == FULL:
        again = fit_clean(seeds, generator, settings, steps=1, lessons=lessons)
        np.testing.assert_allclose(once.vector, again.vector, atol=1e-5)
    sides = np.array(generator.style_resolutions)
    np.testing.assert_array_equal(np.abs(once.step()).sum(axis=1) > 0, (sides >= SIDES[0]) & (sides <= SIDES[1]))
    assert once.provenance["seeds"] == [600, 2600]


@pytest.fixture(scope="module")
def bench(settings: Settings, generator: Generator) -> Iterator[Bench]:
    with FaceFinder(settings) as finder:
        yield Bench(generator, Renderer(generator), EmotionClassifier(settings), finder, default())


@pytest.mark.long  # what ships is a file; test_directions asks fewer faces whether it makes them smile and stop
@pytest.mark.parametrize("seeds", [FRESH])
def test_what_ships_smiles_as_much_and_leaves_the_backdrop(
    bench: Bench, settings: Settings, generator: Generator, seeds: tuple[int, ...]
) -> None:
    neutral, happy = subjects(bench, seeds, 0.7)
    assert len(neutral.ws)
    assert len(happy.ws)
    clean, svm = (load_direction(name, settings, generator) for name in ("clean", "svm"))
    for faces, strength in ((neutral, 1.5), (happy, -1.5)):
        ours, theirs = effect(bench, clean, faces, strength), effect(bench, svm, faces, strength)
        assert ours.reached["hits"] >= len(faces.ws) - 1
        assert abs(ours.change) > 0.9 * abs(theirs.change)
        assert ours.border < 0.8 * theirs.border


@pytest.mark.slow
@pytest.mark.long
def test_at_equal_gain_what_ships_leaves_eyes_and_skin(bench: Bench, settings: Settings, generator: Generator) -> None:
    chosen = [load_direction(name, settings, generator) for name in ("clean", "svm")]
    looker = Looker(settings, bench.finder, bench.classifier, default())
    shares: list[float] = []
    rows = compare(chosen, generator, bench.renderer, looker, FRESH[:6], 0.7, shares.append)
    assert shares[-1] == 1
    assert len(rows) == 2 * 6 * len(STRENGTHS)
    clean, svm = (made["equal_gain"][0] for made in summary(rows, default()))
    assert clean["identity"] < svm["identity"] + 0.02
    assert clean["eyes"] < 0.6 * svm["eyes"]
    assert clean["skin"] < svm["skin"]


def test_the_shipped_file_is_small() -> None:
    file = Path(__file__).parents[3] / "data/generators/mobilestylegan-ffhq/directions/clean.safetensors"
    assert file.stat().st_size < 100_000
