"""The papers' instruments against what they are by definition; on small generators with random weights."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import scipy.linalg
import torch
from PIL import Image
from typer.testing import CliRunner, Result

from core.cli import app
from core.errors import BadSetting
from core.generator import Generator, load_generator, seed_w
from core.generator.importing import import_generator
from core.instruments import paths
from core.instruments.frechet import Moments, described, frechet
from core.instruments.paths import EPSILON, PathLength, Sampling, Space, around, path_length, path_lengths
from core.projection.features import Features, distance, feature_input
from core.rendering import Renderer
from core.settings import Settings
from tests.core.generator.published_kit import write_case


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory, settings: Settings) -> Settings:
    """A home with a small StyleGAN2, chosen."""
    folder = tmp_path_factory.mktemp("instruments")
    own = settings.model_copy(update={"home": folder / "home", "generator": "small"})
    import_generator(own, write_case("stylegan2-skip", folder), "small")
    import_generator(own, write_case("progan-genforce", folder), "vivid")  # whose pictures differ widely from seed to seed
    import_generator(own, write_case("stylegan2-kernel5", folder), "lively")  # so do this one's, and its noise is drawn anew
    return own


@pytest.fixture(scope="module")
def small(own: Settings) -> Generator:
    return load_generator(own)


@pytest.fixture(scope="module")
def vivid(own: Settings) -> Generator:
    return load_generator(own.model_copy(update={"generator": "vivid"}))


def run(own: Settings, *call: object, generator: str = "small") -> Result:
    environment = {"EGAO_HOME": str(own.home), "EGAO_CACHE": str(own.cache), "EGAO_DEVICE": "cpu", "COLUMNS": "160"}
    return CliRunner(env=environment).invoke(app, [*map(str, call), "--generator", generator], catch_exceptions=False)


def test_the_distance_of_sets_is_the_one_of_the_formula() -> None:
    random = np.random.RandomState(0)
    a, b = random.randn(400, 12) @ random.randn(12, 12), random.randn(300, 12) * 2 + 1
    one, other = Moments.of(a), Moments.of(b)
    np.testing.assert_allclose(one.covariance, np.cov(a.T, bias=True), rtol=1e-10)
    root = scipy.linalg.sqrtm(one.covariance @ other.covariance).real
    wanted = np.square(a.mean(axis=0) - b.mean(axis=0)).sum() + np.trace(one.covariance + other.covariance - 2 * root)
    assert frechet(one, other) == pytest.approx(wanted, rel=1e-6)
    assert frechet(one, one) == pytest.approx(0, abs=1e-6 * np.trace(one.covariance))


def test_the_distance_of_sets_is_the_published_codes() -> None:
    """What compute_fid of stylegan2-ada-pytorch makes of the same features."""
    a = np.random.RandomState(0).randn(400, 12) @ np.random.RandomState(1).randn(12, 12)
    b = np.random.RandomState(2).randn(300, 12) * 2 + 1
    assert frechet(Moments.of(a), Moments.of(b)) == pytest.approx(51.98555259338029, rel=1e-7)


def test_great_circles_keep_to_the_sphere_and_end_where_they_should() -> None:
    a, b = torch.randn(2, 4, 64, generator=torch.Generator().manual_seed(0))
    half = around(a, b, torch.full((4, 1), 0.5))
    torch.testing.assert_close(half.norm(dim=1), torch.ones(4))
    torch.testing.assert_close((half * a).sum(dim=1) / a.norm(dim=1), (half * b).sum(dim=1) / b.norm(dim=1))
    torch.testing.assert_close(around(a, b, torch.ones(4, 1)), b / b.norm(dim=1, keepdim=True))


@pytest.mark.parametrize("space", ["z", "w"])
def test_a_path_is_as_long_as_the_pictures_are_apart(vivid: Generator, features: Features, space: str) -> None:
    how = PathLength(space, "end", cropped=False)  # type: ignore[arg-type]
    found = next(path_lengths(vivid, features, 1, how))
    random = torch.Generator().manual_seed(0)
    torch.rand(1, generator=random)
    z = torch.randn(2, vivid.z_dim, generator=random)
    if space == "w":
        w = vivid.mapping(z)
        pair = torch.stack([w[0], w[0] + EPSILON * (w[1] - w[0])])
    else:
        unit = z / z.norm(dim=1, keepdim=True)
        angle = torch.acos(unit[0] @ unit[1])
        turned = (torch.sin((1 - EPSILON) * angle) * unit[0] + torch.sin(EPSILON * angle) * unit[1]) / torch.sin(angle)
        pair = vivid.mapping(torch.stack([unit[0], turned]))
    with torch.inference_mode():
        seen = [features(feature_input(vivid.synthesis(vivid.broadcast(one[None])))) for one in pair]
        wanted = float(distance(*seen)) / EPSILON**2
    assert found == pytest.approx(wanted, rel=0.05), "in float32 a step of 1e-4 has two digits"
    assert found > 0


# What PPLSampler of stylegan2-ada-pytorch measures with the same features and seed on the case stylegan2-kernel5: three lengths.
PUBLISHED = {
    ("z", "full", True): (40.9111, 24.6908, 5.32059), ("z", "full", False): (49.8691, 24.0594, 10.7469),
    ("z", "end", True): (162.605, 19.3614, 30.3426), ("z", "end", False): (279.858, 13.1219, 35.5471),
    ("w", "full", True): (30.0575, 19.0774, 6.29598), ("w", "full", False): (19.6567, 21.1946, 10.6642),
    ("w", "end", True): (22.0429, 28.4674, 6.48583), ("w", "end", False): (32.1544, 23.9236, 7.69593),
}  # fmt: skip


@pytest.mark.parametrize("how", PUBLISHED)
def test_a_path_is_as_long_as_the_published_code_says(
    own: Settings, features: Features, monkeypatch: pytest.MonkeyPatch, how: tuple[Space, Sampling, bool]
) -> None:
    monkeypatch.setattr(paths, "EPSILON", 0.01)  # was recorded with: float32 has more digits of a longer step
    lively = load_generator(own.model_copy(update={"generator": "lively"}))
    found = [*path_lengths(lively, features, 3, PathLength(*how))]
    assert found == pytest.approx(PUBLISHED[how], rel=1e-3)


def test_lengths_beyond_the_percentiles_do_not_count() -> None:
    lengths = np.concatenate([np.full(990, 2.0), np.full(5, 1e9), np.full(5, -1e9)])
    assert path_length(lengths) == 2.0


def test_the_same_seed_measures_the_same(small: Generator, features: Features) -> None:
    how = PathLength("w", "full")
    lengths = [[*path_lengths(small, features, 3, one)] for one in (how, how, replace(how, seed=1))]
    assert lengths[0] == lengths[1] != lengths[2]


def test_the_verbs_measure_and_say_with_which_features(own: Settings, tmp_path: Path) -> None:
    told = json.loads(run(own, "measure", "ppl", "--samples", 4, "--space", "z", "--sampling", "end").stdout)
    assert told["ppl"] > 0
    assert told["features"] == "EfficientNet-Lite0"
    with pytest.raises(BadSetting, match="neither z nor w"):
        run(own, "measure", "ppl", "--space", "s")
    Image.new("RGB", (64, 64)).save(tmp_path / "one.png")
    with pytest.raises(BadSetting, match="193 pictures"):
        run(own, "measure", "frechet", tmp_path)


@pytest.mark.parametrize("count", [10, pytest.param(20, marks=pytest.mark.long)])
def test_a_generators_own_pictures_are_nearer_to_it_than_others(small: Generator, features: Features, count: int) -> None:
    def moments(seeds: range, shift: float) -> Moments:
        ws = [small.broadcast(seed_w(small, [seed], 1.0)) for seed in seeds]
        with torch.inference_mode():
            return Moments.of(described(features, (small.synthesis(one) + shift).clamp(-1, 1))[0] for one in ws)

    others = range(count, 2 * count)
    own, same, moved = moments(range(count), 0.0), moments(others, 0.0), moments(others, 0.5)
    assert frechet(own, same) < frechet(own, moved)


def test_a_grid_takes_the_named_sides_of_its_columns(own: Settings, small: Generator, tmp_path: Path) -> None:
    run(own, "style-mix", "--rows", "1,2", "--columns", "3", "--sides", "4", "-o", tmp_path)
    row, column = (small.broadcast(seed_w(small, [seed], 0.7)).clone() for seed in (2, 3))
    taken = [index for index, side in enumerate(small.style_resolutions) if side == 4]
    row[:, taken] = column[:, taken]
    picture = np.asarray(Image.open(tmp_path / "2-3.png"))
    assert np.array_equal(picture, Renderer(small, "exact").images(row)[0])
    assert (tmp_path / "style-mix.png").is_file()
    with pytest.raises(BadSetting, match="which are of 4"):
        run(own, "style-mix", "--rows", "1", "--columns", "3", "--sides", "512-", "-o", tmp_path)
    with pytest.raises(BadSetting, match="not sides"):
        run(own, "style-mix", "--rows", "1", "--columns", "3", "--sides", "low", "-o", tmp_path)


@pytest.mark.parametrize("space", ["z", "w"])
def test_a_film_begins_and_ends_with_its_seeds(own: Settings, vivid: Generator, tmp_path: Path, space: str) -> None:
    run(own, "interpolate", "--seeds", "1,2", "--frames", 3, "--space", space, "-o", tmp_path, generator="vivid")
    with Image.open(tmp_path / "interpolation.webp") as film:
        assert getattr(film, "n_frames", 1) == 6, "four there, and two of them back"
        assert b"trainedAlgorithmicMedia" in (tmp_path / "interpolation.webp").read_bytes()
        frames = []
        for index in (0, 3):
            film.seek(index)
            frames.append(np.asarray(film.convert("RGB")).astype(int))
    for frame, seed in zip(frames, (1, 2), strict=True):
        wanted = Renderer(vivid).images(vivid.broadcast(seed_w(vivid, [seed], 0.7)))[0]
        others = Renderer(vivid).images(vivid.broadcast(seed_w(vivid, [3 - seed], 0.7)))[0]
        assert np.abs(frame - wanted).mean() < np.abs(frame - others).mean()
    with pytest.raises(BadSetting, match="two seeds"):
        run(own, "interpolate", "--seeds", "1", "-o", tmp_path)


def test_a_sweep_has_every_truncation(own: Settings, tmp_path: Path) -> None:
    run(own, "generate", "--seeds", "1,2", "--sweep", "-1,0,1", "-o", tmp_path)
    with Image.open(tmp_path / "truncation.png") as sheet:
        assert sheet.width > 3 * 256
        assert sheet.height > 2 * 256
    with pytest.raises(BadSetting, match="numbers from -2 to 2"):
        run(own, "generate", "--seeds", "1", "--sweep", "0,9", "-o", tmp_path)
