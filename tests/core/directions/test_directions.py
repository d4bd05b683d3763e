"""Directions: files, arithmetic, fits that reproduce what ships, and what the default does to faces it never saw."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import binomtest
from typer.testing import CliRunner

from core.cli import app
from core.directions import DEFAULT, Direction, apply, load_direction, names, read_direction, save_direction
from core.directions.combine import combine
from core.directions.direction import held_out
from core.directions.effect import Bench, Subjects, effect, subjects
from core.directions.fit import METHODS, fit, fittable
from core.directions.report import SWEEP, cosines, report, sweep, tables
from core.directions.split import Plane, Split, share
from core.emotion import EmotionClassifier
from core.errors import BadSeeds, NoSuchDirection, WeightsUnfit
from core.expressions import default, load, names_with_variations
from core.faces import FaceFinder
from core.generator import Generator
from core.rendering import Renderer
from core.seeds import SeedSet, load_labels
from core.settings import Settings

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("_drawn_once")]

FRESH = (5000, 5005, 5010, 5011, 5014, 5018, 5020, 5021, 5026, 5027)  # beyond every seed that a fit has seen


@pytest.fixture(scope="module")
def seeds(settings: Settings, generator: Generator) -> SeedSet:
    return load_labels(settings, generator)


@pytest.fixture(scope="module")
def bench(settings: Settings, generator: Generator) -> Iterator[Bench]:
    with FaceFinder(settings) as finder:
        yield Bench(generator, Renderer(generator), EmotionClassifier(settings), finder, default())


# One of each side and all of them: with how many faces of each side at least.
@pytest.fixture(scope="module", params=[((5005, 5010), 1), pytest.param((FRESH, 4), marks=pytest.mark.long)])
def fresh(request: pytest.FixtureRequest, bench: Bench) -> tuple[Subjects, Subjects]:
    seeds, least = request.param
    neutral, happy = subjects(bench, seeds, 0.7)
    assert min(len(neutral.ws), len(happy.ws)) >= least
    return neutral, happy


@pytest.fixture
def small() -> Direction:
    """Three styles of four numbers: the middle one takes half, the last nothing."""
    return Direction("small", np.array([1, 2, 0, -1], np.float32), np.array([1, 0.5, 0], np.float32), "d" * 64)


def test_an_edit_adds_strength_times_the_step(small: Direction) -> None:
    ws = torch.randn(2, 3, 4)
    moved = apply(small, ws, 2.0) - ws
    np.testing.assert_allclose(moved[0], [[2, 4, 0, -2], [1, 2, 0, -1], [0, 0, 0, 0]], atol=1e-6)
    np.testing.assert_array_equal(apply(small, ws, 0), ws)
    each = apply(small, ws, torch.tensor([1.0, -3.0])) - ws
    np.testing.assert_allclose(each[1], -3 * small.step(), atol=1e-6)
    np.testing.assert_allclose(apply(small, apply(small, ws, 1.5), -1.5), ws, atol=1e-6)


def test_styles_may_go_ways_of_their_own() -> None:
    vector = np.arange(12, dtype=np.float32).reshape(3, 4)
    direction = Direction("own", vector, np.array([1, 0, 2], np.float32), "d" * 64)
    np.testing.assert_array_equal(apply(direction, torch.zeros(1, 3, 4), 1.0)[0], vector * [[1], [0], [2]])


def test_a_direction_comes_back_from_its_file(small: Direction, tmp_path: Path) -> None:
    told = replace(small, provenance={"method": "笑顔", "unit": 1.25})
    path = save_direction(told, tmp_path)
    first = path.read_bytes()
    assert save_direction(told, tmp_path).read_bytes() == first
    back = read_direction(path)
    np.testing.assert_array_equal(back.vector, small.vector)
    np.testing.assert_array_equal(back.styles, small.styles)
    assert (back.name, back.generator, back.provenance) == ("small", "d" * 64, told.provenance)
    assert [file.name for file in tmp_path.iterdir()] == ["small.safetensors"]


@pytest.mark.parametrize("name", ["laugh", "", "../smile", "/etc/passwd", "smile.safetensors", "SMILE"])
def test_an_unknown_direction_names_the_known_ones(settings: Settings, name: str) -> None:
    with pytest.raises(NoSuchDirection, match="smile, "):
        load_direction(name, settings)


def test_a_direction_of_another_generator_is_refused(settings: Settings, small: Direction, tmp_path: Path) -> None:
    mine = settings.model_copy(update={"home": tmp_path})
    save_direction(small, tmp_path / "directions")
    assert "small" in names(mine)
    with pytest.raises(WeightsUnfit, match="small belongs to another generator"):
        load_direction("small", mine)


def test_what_was_fitted_here_goes_before_what_ships(settings: Settings, tmp_path: Path) -> None:
    mine = settings.model_copy(update={"home": tmp_path})
    shipped = load_direction("mean", mine)
    save_direction(replace(shipped, vector=shipped.vector * 2), tmp_path / "directions")
    np.testing.assert_array_equal(load_direction("mean", mine).vector, shipped.vector * 2)
    assert names(mine) == names(settings)
    assert names(mine)[0] == DEFAULT


def test_all_that_ships_fits_the_generator(settings: Settings, generator: Generator) -> None:
    assert set(names(settings)) == {*fittable(default()), *(load(one).move.direction for one in names_with_variations())}
    for name in names(settings):
        direction = load_direction(name, settings, generator)
        assert direction.styles.shape == (generator.num_ws,)
        assert direction.vector.shape[-1] == generator.w_dim
        about = direction.provenance
        assert about["seeds"] == [600, 2600]
        assert about["truncation"] == 0.7


SUMS = tuple(dict.fromkeys(one.plain.name for one in map(load, names_with_variations()) if one.move.sum))


@pytest.mark.parametrize("name", SUMS)
def test_a_sum_of_directions_is_made_again_as_it_ships(settings: Settings, generator: Generator, name: str) -> None:
    expression = load(name)
    made = combine(load_labels(settings, generator, expression=expression), generator, settings)
    shipped = load_direction(expression.move.direction, settings, generator)
    np.testing.assert_array_equal(made.step(), shipped.step())
    assert made.provenance == shipped.provenance
    parts = {name: load_direction(name, settings, generator) for name in expression.move.sum}
    np.testing.assert_allclose(
        made.step(), sum(steps * parts[name].step() for name, steps in expression.move.sum.items()), atol=1e-6
    )
    assert made.provenance["of"] == {name: part.digest for name, part in parts.items()}
    assert held_out(made.provenance) == "-"


QUICK = ("mean", "svm-original")  # the others go the same way, with other seeds, another C or a logistic regression
REFITS = [name if name in QUICK else pytest.param(name, marks=pytest.mark.long) for name in fittable(default())[:-1]]


@pytest.fixture(scope="module")
def original(seeds: SeedSet, generator: Generator) -> Direction:
    return fit(seeds, "svm-original", generator)


@pytest.mark.parametrize("name", REFITS)
def test_a_refit_gives_what_ships(
    name: str, original: Direction, seeds: SeedSet, settings: Settings, generator: Generator
) -> None:
    again = original if name == original.name else fit(seeds, name, generator)
    shipped = load_direction(name, settings, generator)
    assert cosines([again, shipped])[0, 1] > 0.99999
    assert np.linalg.norm(again.vector) == pytest.approx(np.linalg.norm(shipped.vector), rel=1e-3)
    np.testing.assert_array_equal(again.styles, shipped.styles)
    ours, theirs = again.provenance, shipped.provenance
    assert {k: ours[k] for k in ("labels", "C", "fitted_on")} == {k: theirs[k] for k in ("labels", "C", "fitted_on")}
    assert ours["test"]["hits"] == pytest.approx(theirs["test"]["hits"], abs=1)


@pytest.mark.parametrize("end", [1600, pytest.param(2601, marks=pytest.mark.long)])
def test_another_expressions_directions_have_names_of_their_own(settings: Settings, generator: Generator, end: int) -> None:
    judged = default().judged.model_copy(update={"emotion": "sad"})
    sad = default().along("sad").model_copy(update={"name": "sad", "default": False, "judged": judged})
    seeds = load_labels(settings, generator, expression=sad).within(600, end)
    assert not set(fittable(sad)) & set(fittable(default()))
    own, mean = fit(seeds, "sad", generator), fit(seeds, "sad-mean", generator)
    assert (own.name, own.provenance["method"], mean.name, mean.provenance["method"]) == ("sad", "svm", "sad-mean", "mean")
    assert own.provenance["task"] == "sad against rest"


def test_the_same_seeds_give_the_same_file(original: Direction, seeds: SeedSet, generator: Generator, tmp_path: Path) -> None:
    fits = {"a": original, "b": fit(seeds, "svm-original", generator)}
    files = [save_direction(one, tmp_path / part).read_bytes() for part, one in fits.items()]
    assert files[0] == files[1]


def test_the_split_is_whole_disjoint_and_blind() -> None:
    split = Split.of(2001)
    parts = [split.train, split.validation, split.test]
    assert [len(part) for part in parts] == [1401, 200, 400]
    np.testing.assert_array_equal(np.sort(np.concatenate(parts)), np.arange(2001))
    assert not set(split.known) & set(split.test)
    np.testing.assert_array_equal(Split.of(2001).test, split.test)


@pytest.mark.parametrize("name", METHODS)
def test_one_unit_is_the_way_from_the_mean_neutral_to_the_mean_happy_face(
    name: str, seeds: SeedSet, settings: Settings, generator: Generator
) -> None:
    vector = load_direction(name, settings, generator).vector.astype(np.float64)
    known = Split.of(len(seeds.seeds)).known
    mean = {True: seeds.w[known][seeds.showing[known]].mean(axis=0), False: seeds.w[known][seeds.neutral[known]].mean(axis=0)}
    length = np.linalg.norm(vector)
    assert (mean[True] - mean[False]) @ vector / length == pytest.approx(length, rel=1e-3)


def test_the_svm_tells_held_out_faces_apart(seeds: SeedSet, settings: Settings, generator: Generator) -> None:
    about = load_direction("svm", settings, generator).provenance
    last = Split.of(len(seeds.seeds)).test
    assert about["test"]["of"] == len(last)
    low, high = about["test"]["interval"]
    assert low < about["test"]["share"] < high
    assert about["cross_validated"]["share"] >= 0.87


@pytest.mark.parametrize("end", [1200, pytest.param(2601, marks=pytest.mark.long)])
def test_labels_that_mean_nothing_are_not_learned(seeds: SeedSet, generator: Generator, end: int) -> None:
    """Held-out accuracy would stay high here if the test part leaked into the fit."""
    seeds = seeds.within(600, end)
    shuffled = replace(seeds, probabilities=np.random.RandomState(0).permutation(seeds.probabilities))
    test = fit(shuffled, "svm-original", generator).provenance["test"]
    assert test["share"] < seeds.showing.mean() + 0.03


def test_confident_tails_are_fewer_and_easier(original: Direction, seeds: SeedSet, generator: Generator) -> None:
    whole, tails = original.provenance, fit(seeds, "svm-original", generator, 0.5).provenance
    assert tails["confident"] == 0.5
    assert sum(tails["fitted_on"].values()) < 0.6 * sum(whole["fitted_on"].values())
    assert tails["test"]["of"] == whole["test"]["of"]  # judged on all, easy or not


def test_too_few_seeds_are_a_sentence(seeds: SeedSet, generator: Generator) -> None:
    with pytest.raises(BadSeeds, match="egao seeds build"):
        fit(seeds.within(600, 610), "svm", generator)


def test_a_plane_counts_what_it_gets_right() -> None:
    plane = Plane(np.array([1.0, 0.0]), threshold=0.5)
    w = np.array([[1.0, 9], [0, 9], [1, -9], [0.4, 0]])
    assert plane.accuracy(w, np.array([True, False, False, True]))["share"] == 0.5


@pytest.mark.parametrize(("hits", "of"), [(0, 10), (10, 10), (348, 400), (1, 2)])
def test_intervals_are_wilsons(hits: int, of: int) -> None:
    expected = binomtest(hits, of).proportion_ci(0.95, method="wilson")
    assert share(hits, of)["interval"] == pytest.approx([expected.low, expected.high], abs=1e-4)


def test_neutral_faces_become_happy_and_happy_ones_stop(
    bench: Bench, fresh: tuple[Subjects, Subjects], settings: Settings, generator: Generator
) -> None:
    neutral, happy = fresh
    direction = load_direction(DEFAULT, settings, generator)
    up, down = effect(bench, direction, neutral, 1.5), effect(bench, direction, happy, -1.5)
    assert up.reached["hits"] >= len(neutral.ws) - 1
    assert down.reached["hits"] >= len(happy.ws) - 1
    assert up.change > 0.3
    assert down.change < -0.3
    smiles = [up.blendshapes.get(name, 0.0) for name in default().score]
    assert min(smiles) > 0.3, "what its expression is scored by is among what moves most"
    assert max(up.turned, down.turned) < 8


def test_a_report_sets_directions_side_by_side(bench: Bench, settings: Settings, generator: Generator) -> None:
    chosen = [load_direction(name, settings, generator) for name in ("mean", "svm", "angry", "smile-teeth")]
    made = json.loads(json.dumps(report(chosen, bench, FRESH[:1], 0.7)))
    assert made["neutral"]["count"] + made["showing"]["count"] <= 1
    assert made["cosines"]["mean"]["mean"] == 1
    assert 0.4 < made["cosines"]["mean"]["svm"] < 0.8
    assert made["cosines"]["svm"]["mean"] == made["cosines"]["mean"]["svm"]
    assert [row["name"] for row in made["directions"]] == ["mean", "svm", "angry", "smile-teeth"]
    assert [table.row_count for table in tables(made)] == [4, 4, 4, 4], "however they were learned"


def test_a_sweep_changes_along_its_rows(bench: Bench, settings: Settings, generator: Generator) -> None:
    picture = sweep(load_direction(DEFAULT, settings, generator), bench, 0.7, seeds=FRESH[:1], size=64)
    assert picture.dtype == np.uint8
    assert picture.shape[1] > 64 * len(SWEEP)
    wide = picture.shape[1] // len(SWEEP) * len(SWEEP)
    columns = np.split(picture[:, :wide].astype(float), len(SWEEP), axis=1)
    assert np.abs(columns[0] - columns[-1]).mean() > np.abs(columns[3] - columns[4]).mean() > 0


def test_the_verb_fits_where_it_is_told(settings: Settings, tmp_path: Path) -> None:
    run = CliRunner(env={"EGAO_HOME": str(tmp_path), "EGAO_CACHE": str(settings.cache), "COLUMNS": "160"})
    done = run.invoke(app, ["directions", "fit", "--method", "mean", "-o", str(tmp_path / "d")], catch_exceptions=False)
    assert done.exit_code == 0
    assert "2001 seeds" in done.output
    assert read_direction(tmp_path / "d" / "mean.safetensors").name == "mean"
    with pytest.raises(NoSuchDirection, match="svm-neutral"):
        run.invoke(app, ["directions", "fit", "--method", "grin"], catch_exceptions=False)
    listed = run.invoke(app, ["directions", "list"], catch_exceptions=False)
    assert "svm-original" in listed.output


def test_a_report_on_faces_it_was_fitted_to_is_refused(settings: Settings, tmp_path: Path) -> None:
    run = CliRunner(env={"EGAO_HOME": str(tmp_path), "EGAO_CACHE": str(settings.cache)})
    with pytest.raises(BadSeeds, match="learned from 600-2600"):
        run.invoke(app, ["directions", "report", "--seeds", "700-705"], catch_exceptions=False)
