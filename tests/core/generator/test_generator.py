"""The torch port against the published runtime, and the arithmetic of latents."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import openvino
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from core.cli import app
from core.errors import WeightsCorrupt
from core.generator import Generator, mix_styles, seed_w, seed_z, truncate
from core.generator.convert import convert_ir
from core.generator.families.mobilestylegan import MobileStyleGAN
from core.generator.haar import inverse_haar
from core.generator.protocol import FeatureGenerator
from core.generator.render import network_in, to_pixels
from core.rendering import Renderer
from core.settings import Settings
from core.weights.cache import weight_path

pytestmark = pytest.mark.slow

SEEDS = range(5000, 5016)
SHORT = 2  # of them: each goes the same way through the same networks


@pytest.fixture(scope="module")
def reference(settings: Settings) -> dict[str, openvino.CompiledModel]:
    """The published files in the runtime they were published for, in full float32."""
    folder, core = weight_path(settings, "generator-ir"), openvino.Core()
    exact = {"INFERENCE_PRECISION_HINT": "f32"}
    return {name: core.compile_model(str(folder / f"{name}Network.xml"), "CPU", exact) for name in ("Mapping", "Synthesis")}


def _run(model: openvino.CompiledModel, values: np.ndarray) -> np.ndarray:
    return np.asarray(next(iter(model(values).values())))


def test_is_a_generator(generator: Generator) -> None:
    assert isinstance(generator, Generator)
    assert (generator.resolution, generator.w_dim) == (1024, 512)
    assert len(generator.style_resolutions) == generator.num_ws
    assert list(generator.style_resolutions) == sorted(generator.style_resolutions)


@pytest.mark.parametrize("seed", [*SEEDS[:SHORT], *(pytest.param(seed, marks=pytest.mark.long) for seed in SEEDS[SHORT:])])
def test_agrees_with_the_published_runtime(generator: Generator, reference: dict[str, openvino.CompiledModel], seed: int) -> None:
    z = seed_z([seed])
    mapped = _run(reference["Mapping"], z)
    assert np.abs(generator.mapping(torch.from_numpy(z)).numpy() - mapped).max() < 2e-5
    w = truncate(torch.from_numpy(mapped), generator.w_average(), 0.7)
    expected = _run(reference["Synthesis"], w.numpy())
    with torch.inference_mode():
        image = generator.synthesis(generator.broadcast(w)).numpy()
    assert np.abs(image - expected).max() < 1e-4


def test_synthesis_has_the_right_gradient(generator: Generator) -> None:
    """A step along the gradient changes a loss by as much as the gradient says."""
    ws = generator.broadcast(seed_w(generator, [5000])).contiguous().requires_grad_(True)
    loss = generator.synthesis(ws).square().mean()
    (gradient,) = torch.autograd.grad(loss, ws)
    step = 1e-3 * gradient / gradient.norm()
    with torch.no_grad():
        change = (generator.synthesis(ws + step).square().mean() - generator.synthesis(ws - step).square().mean()) / 2
    assert float(change) == pytest.approx(1e-3 * float(gradient.norm()), rel=0.02)


def test_a_copy_in_half_precision_has_gradients_whoever_asked_for_it_first(settings: Settings) -> None:
    fresh = MobileStyleGAN.load(weight_path(settings, "generator"))  # one that nobody has asked for a copy
    with torch.inference_mode():
        network = network_in(fresh, torch.bfloat16)
    assert isinstance(network, FeatureGenerator)  # its first layers: a gradient through large pictures takes half a minute
    ws = fresh.broadcast(fresh.w_average()[None]).bfloat16().requires_grad_(True)
    (gradient,) = torch.autograd.grad(network.features(ws, 32).float().square().mean(), ws)
    assert gradient.abs().sum() > 0


def test_inverse_haar_is_orthonormal_and_places_the_bands() -> None:
    x = torch.randn(1, 8, 3, 3)
    assert float(inverse_haar(x).square().sum()) == pytest.approx(float(x.square().sum()), rel=1e-5)
    only_lh = torch.zeros(1, 4, 1, 1)
    only_lh[0, 1] = 2
    assert inverse_haar(only_lh)[0, 0].tolist() == [[1, 1], [-1, -1]]  # the upper row minus the lower
    only_hl = torch.zeros(1, 4, 1, 1)
    only_hl[0, 2] = 2
    assert inverse_haar(only_hl)[0, 0].tolist() == [[1, -1], [1, -1]]


def test_average_is_that_of_the_published_projector(generator: Generator) -> None:
    z = np.random.RandomState(123).randn(10_000, 512).astype(np.float32)
    w = generator.mapping(torch.from_numpy(z))
    assert torch.allclose(generator.w_average(), w.mean(dim=0), atol=1e-5)
    assert generator.w_deviation() == pytest.approx(float((w - w.mean(dim=0)).square().sum().div(10_000).sqrt()), rel=1e-4)


def test_truncation_and_seeds(generator: Generator) -> None:
    average = generator.w_average()
    w = seed_w(generator, [7, 8], 1.0)
    assert torch.allclose(seed_w(generator, [7, 8], 0.5), (w + average) / 2, atol=1e-6)
    assert np.array_equal(seed_z([600]), np.random.RandomState(600).randn(1, 512).astype(np.float32))


def test_style_mixing_takes_the_styles_of_these_sides_from_the_other(generator: Generator) -> None:
    a, b = (generator.broadcast(seed_w(generator, [seed])) for seed in (1, 2))
    mixed = mix_styles(generator, a, b, 16, 64)
    for index, side in enumerate(generator.style_resolutions):
        assert torch.equal(mixed[:, index], (b if 16 <= side <= 64 else a)[:, index])


def test_fast_precision_looks_the_same(generator: Generator) -> None:
    ws = generator.broadcast(seed_w(generator, [5000]))
    exact, fast = (Renderer(generator, precision).images(ws)[0].astype(float) for precision in ("exact", "fast"))
    assert exact.shape == (1024, 1024, 3)
    assert 10 * np.log10(255**2 / max(np.square(exact - fast).mean(), 1e-9)) > 40


def test_a_batch_is_its_single_pictures(generator: Generator) -> None:
    ws = generator.broadcast(seed_w(generator, list(range(5))))
    together, alone = Renderer(generator).images(ws), Renderer(generator).images(ws[4:])[0]
    assert together.shape[0] == 5
    assert np.abs(together[4].astype(int) - alone).mean() < 1  # other kernels for other batch sizes, the same picture


def test_pixels_round_as_published() -> None:
    levels = torch.tensor([-2.0, -1.0, 0.0, 1.0, 2.0]).reshape(1, 1, 1, 5).expand(1, 3, 1, 5)
    assert to_pixels(levels)[0, 0, :, 0].tolist() == [0, 0, 128, 255, 255]


def test_conversion_is_deterministic_and_refuses_other_graphs(settings: Settings, tmp_path: Path, generator: Generator) -> None:
    folder = weight_path(settings, "generator-ir")
    convert_ir(folder, tmp_path / "again.safetensors")
    ours, again = MobileStyleGAN.load(weight_path(settings, "generator")), MobileStyleGAN.load(tmp_path / "again.safetensors")
    assert all(torch.equal(a, b) for a, b in zip(ours.state_dict().values(), again.state_dict().values(), strict=True))
    for name in ("MappingNetwork", "SynthesisNetwork"):
        (tmp_path / f"{name}.xml").write_text("<net><layers/><edges/></net>")
        (tmp_path / f"{name}.bin").write_bytes(b"")
    with pytest.raises(WeightsCorrupt):
        convert_ir(tmp_path, tmp_path / "none.safetensors")
    assert not list(tmp_path.glob("none*"))


def test_generate_writes_numbered_pictures(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EGAO_HOME", str(settings.home))
    monkeypatch.setenv("EGAO_CACHE", str(settings.cache))
    result = CliRunner().invoke(app, ["generate", "--seeds", "600-601", "-o", str(tmp_path)], catch_exceptions=False)
    assert result.exit_code == 0
    assert sorted(file.name for file in tmp_path.iterdir()) == ["seed0600.png", "seed0601.png"]
    data = (tmp_path / "seed0600.png").read_bytes()
    assert b"digitalsourcetype/trainedAlgorithmicMedia" in data
    assert Image.open(io.BytesIO(data)).size == (1024, 1024)  # in memory: nothing to close
