"""The projector against its published schedule, on the real networks; few steps, since every step is the same code."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from core.errors import BadSetting, LatentOfAnotherModel, LatentUnreadable, WeightsUnfit
from core.faces import FaceFinder, align
from core.generator import Generator, seed_w
from core.latents import from_npz, to_npz
from core.projecting import start_projection
from core.projection import Options, Projection
from core.projection.features import Features, area_downsample, distance
from core.projection.noise import noise_regularity, renormalise
from core.projection.projector import Method, learning_rate
from core.projection.start import find_start, fit_table, load_table, save_table, table_file
from core.rendering import Renderer
from core.settings import Settings
from tests.core.compiled.kit import tiny


@pytest.fixture(scope="module")
def drawn(generator: Generator) -> NDArray[np.uint8]:
    """A face that the generator can draw exactly."""
    return np.asarray(Renderer(generator, "exact").images(generator.broadcast(seed_w(generator, [5003])))[0])


def _error(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    """Mean squared difference at 256 pixels, range 0..1."""
    small = [area_downsample(torch.tensor(x).permute(2, 0, 1)[None].float() / 255) for x in (a, b)]
    return float((small[0] - small[1]).square().mean())


def test_distance_is_zero_for_the_same_and_larger_for_another_face(features: Features, generator: Generator) -> None:
    pictures = Renderer(generator, "exact").images(generator.broadcast(seed_w(generator, [5003, 5004])))
    one, other = (area_downsample(torch.tensor(p).permute(2, 0, 1)[None].float() / 127.5 - 1) for p in pictures)
    blurred = torch.nn.functional.avg_pool2d(one, 3, stride=1, padding=1, count_include_pad=False)
    same, blur, different = (float(distance(features(one), features(x))) for x in (one, blurred, other))
    assert same == 0
    assert 0 < blur < different


def test_schedule_is_the_published_one() -> None:
    options = Options.of("w")
    assert (options.steps, options.learning_rate, options.w_noise, options.noise_weight) == (1000, 0.1, 0.05, 1e5)
    rates = [learning_rate(options, step / 1000) for step in (0, 25, 50, 500, 750, 875, 999)]
    assert rates == pytest.approx([0, 0.05, 0.1, 0.1, 0.1, 0.05, 0.1 * (0.5 - 0.5 * np.cos(np.pi * 0.004))], abs=1e-9)


@dataclass
class Descent:
    """A whole projection, with a checkpoint from its middle and the latent of two steps later."""

    method: Method
    steps: int
    distances: list[float] = field(default_factory=list)
    ws: NDArray[np.float32] = field(init=False)
    checkpoint: bytes = b""
    later: NDArray[np.float32] = field(init=False)

    @property
    def middle(self) -> int:
        """The last step but one that adds noise to w: what is drawn next hangs on the state of chance as well."""
        return self.steps * 2 // 3


@pytest.fixture(scope="module")
def small() -> Generator:
    """A generator of 32 pixels with random weights: that steps repeat themselves does not hang on what they draw."""
    return tiny()


def descended(generator: Generator, features: Features, target: NDArray[np.uint8], made: Descent) -> Descent:
    """Do all its steps."""
    projection = fresh(generator, features, target, made)
    steps = projection.run()
    made.distances += [step.distance for step in itertools.islice(steps, made.middle)]
    made.checkpoint = projection.checkpoint()
    made.distances += [step.distance for step in itertools.islice(steps, 2)]
    made.later = projection.ws
    made.distances += [step.distance for step in steps]
    made.ws = projection.ws
    return made


def fresh(generator: Generator, features: Features, drawn: NDArray[np.uint8], of: Descent) -> Projection:
    return Projection(generator, features, drawn, generator.w_average(), Options.of(of.method, of.steps))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "steps"), [("w", 6), *(pytest.param(method, 12, marks=pytest.mark.long) for method in ("w", "w+"))]
)
def test_a_projection_comes_closer(
    generator: Generator, features: Features, drawn: NDArray[np.uint8], method: Method, steps: int
) -> None:
    descent = descended(generator, features, drawn, Descent(method, steps))
    assert len(descent.distances) == descent.steps
    assert descent.distances[-1] < 0.75 * descent.distances[0]
    assert descent.ws.shape == (1, generator.num_ws, 512)
    assert (descent.ws == descent.ws[:, :1]).all() == (descent.method == "w"), "only w+ frees the styles"


@pytest.mark.parametrize("method", ["w", pytest.param("w+", marks=pytest.mark.long)])
def test_a_projection_repeats_itself_and_goes_on_with_the_same_steps(
    small: Generator, features: Features, drawn: NDArray[np.uint8], method: Method
) -> None:
    descent = descended(small, features, drawn, Descent(method, 6))
    again = fresh(small, features, drawn, descent).run()
    assert [step.distance for step in itertools.islice(again, 3)] == descent.distances[:3]
    second = fresh(small, features, drawn, descent)
    second.resume(descent.checkpoint)
    steps = list(itertools.islice(second.run(), 2))
    middle = descent.middle
    assert [step.step for step in steps] == [middle + 1, middle + 2]
    assert [step.distance for step in steps] == descent.distances[middle : middle + 2]
    assert np.array_equal(second.ws, descent.later)


def test_a_checkpoint_of_something_else_is_refused(generator: Generator, features: Features, drawn: NDArray[np.uint8]) -> None:
    one = Projection(generator, features, drawn, generator.w_average(), Options.of("w", 6))
    other = Projection(generator, features, drawn[::-1].copy(), generator.w_average(), Options.of("w", 6))
    for checkpoint in (one.checkpoint(), b"", b"\x80\x04not a checkpoint"):
        with pytest.raises(LatentUnreadable):
            other.resume(checkpoint)


def test_noise_regularity_sees_correlation_and_renormalising_keeps_it_noise() -> None:
    random = torch.Generator().manual_seed(1)
    white = torch.randn(64, 64, generator=random)
    smooth = torch.nn.functional.avg_pool2d(white[None, None], 5, stride=1, padding=2)[0, 0]
    smooth = smooth / smooth.std()
    assert float(noise_regularity([white])) < 0.1 < 1 < float(noise_regularity([smooth]))
    shifted = white * 3 + 2
    renormalise([shifted])
    assert float(shifted.mean()) == pytest.approx(0, abs=1e-6)
    assert float(shifted.square().mean()) == pytest.approx(1, abs=1e-5)


def test_the_nearest_start_is_the_seed_that_looks_like_it(
    generator: Generator, features: Features, settings: Settings, drawn: NDArray[np.uint8]
) -> None:
    table = load_table(generator, table_file(settings, generator))
    assert len(table.seeds) == 2001
    for seed in (700, 1500):
        picture = Renderer(generator, "exact").images(generator.broadcast(seed_w(generator, [seed])))[0]
        assert torch.equal(find_start("nearest", generator, features, picture, settings), seed_w(generator, [seed])[0])
    average = generator.w_average()
    near, truth = find_start("nearest", generator, features, drawn, settings), seed_w(generator, [5003])[0]
    assert float((near - truth).norm()) < 1.4 * float((average - truth).norm())


def test_a_table_fits_again_and_belongs_to_its_generator(
    generator: Generator, features: Features, settings: Settings, tmp_path: Path
) -> None:
    shipped = load_table(generator, table_file(settings, generator))
    table = fit_table(generator, features, [700, 701, 702])
    expected = [shipped.codes[list(shipped.seeds).index(seed)] for seed in table.seeds]
    refit = (table.mean + table.codes @ table.basis.T - shipped.mean) @ shipped.basis
    assert np.allclose(refit, expected, atol=0.05), "the shipped table holds what rendering these seeds shows"
    save_table(table, tmp_path / "t.safetensors")
    assert load_table(generator, tmp_path / "t.safetensors").seeds.tolist() == [700, 701, 702]
    save_table(type(table)(table.seeds, table.mean, table.basis, table.codes, "0" * 64), tmp_path / "o.safetensors")
    with pytest.raises(WeightsUnfit):
        load_table(generator, tmp_path / "o.safetensors")


def test_unknown_methods_and_starts_are_sentences(
    generator: Generator, features: Features, settings: Settings, drawn: NDArray[np.uint8]
) -> None:
    for method, start in (("e4e", "mean"), ("w", "elsewhere"), ("w", "seed:x"), ("w", "seed:99999999999")):
        with pytest.raises(BadSetting):
            start_projection(generator, features, drawn, settings, method, 3, start)


@pytest.mark.slow
@pytest.mark.long
def test_the_sample_photo_is_recognisable_after_a_few_dozen_steps(
    generator: Generator, features: Features, settings: Settings, astronaut: NDArray[np.uint8]
) -> None:
    with FaceFinder(settings) as finder:
        (face,) = finder.require(astronaut)
    aligned = align(astronaut, face.landmarks).image
    projection = start_projection(generator, features, aligned, settings, "w+", 30)
    list(projection.run())
    assert _error(Renderer(generator).images(projection.ws)[0], aligned) < 0.02  # the mean face: 0.11


def test_latent_files_are_the_interchange_form(generator: Generator, tmp_path: Path) -> None:
    ws = generator.broadcast(seed_w(generator, [1])).numpy().copy()
    data = to_npz(ws)
    assert to_npz(ws) == data
    file = tmp_path / "w.npz"
    file.write_bytes(data)
    with np.load(file) as archive:
        assert archive["w"].shape == (1, generator.num_ws, 512)
        assert archive["w"].dtype == np.float32
    assert np.array_equal(from_npz(file, generator).ws, ws)
    one = tmp_path / "one.npz"
    np.savez(one, w=ws[:, 0])
    assert np.array_equal(from_npz(one, generator).ws, ws), "a single w serves every style"


def test_bad_latent_files_are_sentences(generator: Generator, tmp_path: Path) -> None:
    ws = generator.broadcast(seed_w(generator, [1])).numpy()
    cases = {"none": None, "empty": b"", "text": b"hello", "other": {"x": ws}, "short": {"w": ws[:, :, :10]},
             "nan": {"w": ws * np.nan}, "objects": {"w": np.array([{"a": 1}], dtype=object)}}  # fmt: skip
    for name, content in cases.items():
        file = tmp_path / f"{name}.npz"
        if isinstance(content, bytes):
            file.write_bytes(content)
        elif content is not None:
            np.savez(file, **content)
        with pytest.raises(LatentUnreadable, match="latent file"):
            from_npz(file, generator)
    np.savez(tmp_path / "18.npz", w=np.zeros((1, 18, 512), np.float32))
    with pytest.raises(LatentOfAnotherModel, match="18 styles"):
        from_npz(tmp_path / "18.npz", generator)


def test_the_first_taps_alone_are_the_same(features: Features) -> None:
    images = torch.rand(1, 3, 256, 256, generator=torch.Generator().manual_seed(2)) * 2 - 1
    with torch.inference_mode():
        every, first = features(images), features(images, 3)
    assert len(first) == 3
    assert all(torch.equal(one, other) for one, other in zip(first, every[:3], strict=True))
