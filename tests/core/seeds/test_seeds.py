"""The seed set: built, interrupted, resumed, exported; its shipped labels against fresh renders."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sqlite_utils import Database
from typer.testing import CliRunner

from core.cli import app
from core.directions.teach import fit_clean
from core.emotion import EMOTIONS, EmotionClassifier
from core.errors import BadSeeds, PartMissing, WeightsUnfit
from core.expressions import default
from core.faces import FaceFinder
from core.generator import Generator, seed_w
from core.rendering import Renderer
from core.seeds import MEASURES, SeedSet, SeedTable, build, load_labels, load_seed_set, parse_seeds, save_labels
from core.seeds.measure import landmark_measures, measure
from core.settings import Settings

SEEDS = list(range(605, 609))  # two that show the emotion and two that do not
BATCH = 3  # so these are two batches, the second not full


@pytest.fixture(scope="module")
def finder(settings: Settings) -> Iterator[FaceFinder]:
    with FaceFinder(settings) as finder:
        yield finder


@pytest.fixture(scope="module")
def classifier(settings: Settings) -> EmotionClassifier:
    return EmotionClassifier(settings)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("seeds")


class Stopped(Exception):
    """Stands for whatever ends a build in the middle."""


@pytest.fixture(scope="module")
def built(settings: Settings, generator: Generator, finder: FaceFinder, classifier: EmotionClassifier, home: Path) -> SeedSet:
    """SEEDS, built in three runs: the first was stopped after a batch."""
    renderer = Renderer(generator)
    parts: list[int] = []

    def stop(count: int) -> None:
        parts.append(count)
        if len(parts) == 1:
            raise Stopped

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys.modules["core.seeds.build"], "BATCH", BATCH)
        with SeedTable(home / "seeds.sqlite3") as table, pytest.raises(Stopped):
            build(SEEDS, 0.7, generator, renderer, classifier, finder, table, stop)
        with SeedTable(home / "seeds.sqlite3") as table:
            assert build(SEEDS, 0.7, generator, renderer, classifier, finder, table, stop) == len(SEEDS) - parts[0]
            assert build(SEEDS, 0.7, generator, renderer, classifier, finder, table, stop) == 0
    assert parts == [BATCH, 1]
    assert sum(parts) == len(SEEDS)
    mine = settings.model_copy(update={"home": home})
    seeds, origin = load_seed_set(mine, generator)
    assert str(home) in origin
    return seeds


@pytest.mark.parametrize(
    ("text", "seeds"),
    [("600-603", [600, 601, 602, 603]), ("7", [7]), ("1, 5-6,1", [1, 5, 6]), ("4294967295", [2**32 - 1])],
)
def test_ranges_of_seeds_hold_both_ends(text: str, seeds: list[int]) -> None:
    assert parse_seeds(text) == seeds


@pytest.mark.parametrize("text", ["", "a", "9-3", "-4", "1-2-3", "1.5", "4294967296", "3,,4"])
def test_other_texts_are_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(BadSeeds, match="600-2600"):
        parse_seeds(text)


def test_a_stopped_build_goes_on_and_loses_nothing(built: SeedSet, generator: Generator) -> None:
    assert built.seeds.tolist() == SEEDS
    np.testing.assert_allclose(built.w, seed_w(generator, SEEDS).numpy(), atol=1e-5)
    np.testing.assert_allclose(built.probabilities.sum(axis=1), 1, atol=1e-3)
    assert 0 < built.showing.sum() < len(SEEDS)
    assert not (built.showing & built.neutral).any()
    assert built.score[built.showing].mean() > built.score[~built.showing].mean() + 0.2
    assert np.abs(built.pose).max() < 45
    assert built.measures.shape == (len(SEEDS), len(MEASURES))


def test_the_table_is_what_sqlite_tools_expect(built: SeedSet, home: Path, generator: Generator) -> None:
    db = Database(home / "seeds.sqlite3")
    assert db.journal_mode == "wal"
    row = next(iter(db.query("select * from seeds join sets on sets.id = set_id where seed = 608")))
    assert row["digest"] == generator.digest
    np.testing.assert_array_equal(np.frombuffer(row["w"], "<f4"), built.w[3])
    assert row["happy"] == pytest.approx(built.probabilities[3, EMOTIONS.index("happy")])
    assert len(np.frombuffer(row["landmarks"], "<f2")) == 478 * 2
    db.close()


def test_sets_of_other_truncations_are_apart(built: SeedSet, home: Path, generator: Generator) -> None:
    with SeedTable(home / "seeds.sqlite3") as table:
        other = table.set_id(generator.name, generator.digest, 0.5)
        assert table.missing(other, SEEDS) == SEEDS
        assert table.columns(generator.digest, 0.5, default()) is None
        assert table.set_id(generator.name, generator.digest, 0.5) == other


def test_another_expression_is_read_from_the_same_set(built: SeedSet, home: Path, generator: Generator) -> None:
    judged = default().judged.model_copy(update={"emotion": "surprise"})
    surprise = default().model_copy(update={"name": "surprise", "score": {"jawOpen": 1.0}, "judged": judged})
    settings = Settings.load({"EGAO_HOME": str(home)})
    other, _ = load_seed_set(settings, generator, expression=surprise)
    assert other.emotion == EMOTIONS.index("surprise")
    with Database(home / "seeds.sqlite3") as db:
        rows = list(db.query("select blendshapes from seeds order by seed"))
    assert other.score.tolist() == [np.float32(json.loads(row["blendshapes"])["jawOpen"]) for row in rows]
    assert not np.allclose(other.score, built.score)
    shipped = load_labels(settings, generator, expression=surprise)  # what ships was scored for the default one
    assert np.isnan(shipped.score).all()
    assert shipped.showing.sum() == (shipped.emotions == EMOTIONS.index("surprise")).sum() > 0, "its emotions serve any"
    with pytest.raises(PartMissing, match="surprise"):
        fit_clean(shipped, generator, settings)


def test_a_picture_without_a_face_is_stored_as_unknown(
    generator: Generator, classifier: EmotionClassifier, finder: FaceFinder, tmp_path: Path
) -> None:
    rows = measure([5], np.full((1, 256, 256, 3), 128, np.uint8), classifier, finder)
    with SeedTable(tmp_path / "s.sqlite3") as table:
        table.add(table.set_id("x", generator.digest, 0.7), rows, np.zeros((1, 512), np.float32))
        columns = table.columns(generator.digest, 0.7, default())
    assert columns is not None
    assert np.isnan(columns["score"]).all()
    assert np.isnan(columns["pose"]).all()
    assert columns["probabilities"].sum() == pytest.approx(1, abs=1e-3)


def test_exported_labels_come_back_and_the_same_set_gives_the_same_bytes(
    built: SeedSet, generator: Generator, tmp_path: Path
) -> None:
    for name in ("a.npz", "b.npz"):
        save_labels(built, generator.name, tmp_path / name)
    first, second = (hashlib.sha256((tmp_path / name).read_bytes()).digest() for name in ("a.npz", "b.npz"))
    assert first == second
    with np.load(tmp_path / "a.npz") as archive:
        np.testing.assert_array_equal(archive["probabilities"], built.probabilities)
        assert "w" not in archive
    assert built.digest == replace(built, w=built.w * 2).digest != replace(built, score=built.score + 1).digest


def test_shipped_labels_are_those_of_fresh_renders(settings: Settings, built: SeedSet, generator: Generator) -> None:
    shipped = load_labels(settings, generator)
    assert shipped.seeds.tolist() == list(range(600, 2601))
    same = shipped.within(SEEDS[0], SEEDS[-1])
    np.testing.assert_allclose(same.w, built.w, atol=1e-5)
    np.testing.assert_allclose(same.probabilities, built.probabilities, atol=0.05)  # bf16 here, float32 there
    np.testing.assert_allclose(same.score, built.score, atol=0.05)
    np.testing.assert_allclose(same.pose, built.pose, atol=1.0)
    np.testing.assert_allclose(same.measures, built.measures, atol=0.03)


def test_labels_of_another_generator_or_truncation_are_refused(settings: Settings, generator: Generator) -> None:
    with pytest.raises(WeightsUnfit, match=r"seeds/labels\.npz"):
        load_labels(settings, generator, truncation=0.5)


def test_without_a_built_set_the_shipped_labels_serve(settings: Settings, generator: Generator) -> None:
    seeds, origin = load_seed_set(settings, generator)
    assert len(seeds.seeds) == 2001
    assert "ship" in origin


@given(turn=st.floats(-np.pi, np.pi), scale=st.floats(0.1, 50), shift=st.floats(-1000, 1000))
def test_measures_know_neither_size_nor_place_nor_tilt(turn: float, scale: float, shift: float) -> None:
    points = np.random.RandomState(1).rand(478, 2)
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    moved = points @ rotation * scale + shift
    np.testing.assert_allclose(landmark_measures(points), landmark_measures(moved), rtol=1e-3, atol=2e-4)


def test_an_open_mouth_measures_wider(settings: Settings, finder: FaceFinder, astronaut: NDArray[np.uint8]) -> None:
    (face,) = finder.find(astronaut)
    names = list(MEASURES)
    before = landmark_measures(face.landmarks)
    points = face.landmarks.copy()
    points[14, 1] += 20  # the lower lip falls
    after = landmark_measures(points)
    assert after[names.index("mouth_open")] > before[names.index("mouth_open")] + 0.1
    assert (after[1:] == before[1:]).all()
    assert 0.8 < before[names.index("mouth_width")] < 1.2  # a smile is about as wide as the eyes are apart
    assert 1.8 < before[names.index("face_width")] < 2.6


def test_the_verb_builds_once_and_exports(settings: Settings, tmp_path: Path) -> None:
    run = CliRunner(env={"EGAO_HOME": str(tmp_path), "EGAO_CACHE": str(settings.cache), "COLUMNS": "120"})
    first = run.invoke(app, ["seeds", "build", "--seeds", "600-601"], catch_exceptions=False)
    assert first.exit_code == 0
    assert "2 seeds, 600-601" in first.output
    again = run.invoke(app, ["seeds", "build", "--seeds", "600-601"], catch_exceptions=False)
    assert "2 of 2 seeds are there already" in again.output
    out = tmp_path / "labels.npz"
    assert run.invoke(app, ["seeds", "export", "-o", str(out), "--seeds", "601"], catch_exceptions=False).exit_code == 0
    with np.load(out) as archive:
        assert archive["seeds"].tolist() == [601]
