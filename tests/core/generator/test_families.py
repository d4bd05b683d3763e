"""Every family and published form draws what the published code draws with the same numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from core.errors import ModelRefused
from core.generator.importing import recognise, write
from core.generator.latent import truncate
from core.generator.protocol import FeatureGenerator, Generator, NoisyGenerator, StyledGenerator
from core.generator.reading import read_published
from core.generator.registry import FAMILIES, converts_nothing, family
from core.generator.render import network_in
from tests.core.generator.published_kit import CASES, STATES, expected, form, write_case

# Whether the published code draws something else without its noise; where it has none, that was recorded to be the same.
NOISY = [case for case in CASES if "none" in (told := expected(case)) and not np.allclose(told["none"], told["image"][:1])]
TORCHS = [case for case in CASES if form(case) in STATES]
CONVERTED = [name for name in FAMILIES if family(name).convert is not converts_nothing]


def imported(case: str, folder: Path, legacy: bool = False) -> Generator:
    kind, converted = recognise(read_published(write_case(case, folder, legacy)))
    assert case.split("-")[0] == kind
    return write(converted, kind, folder / "generator.safetensors")


def near(found: Tensor, wanted: np.ndarray, share: float) -> None:
    """Equal but for rounding: `share` of the largest number."""
    assert found.shape == wanted.shape
    assert float((found - torch.from_numpy(wanted)).abs().max()) <= share * float(np.abs(wanted).max())


def mapped(generator: Generator, wanted: dict[str, np.ndarray]) -> Tensor:
    z, labels = torch.from_numpy(wanted["z"]), torch.from_numpy(wanted["c"])
    if labels.shape[1]:
        return generator.mapping(z, labels)  # type: ignore[call-arg]  # families with labels take them
    return generator.mapping(z)


@pytest.mark.parametrize("case", CASES)
def test_draws_what_the_published_code_draws(case: str, tmp_path: Path) -> None:
    generator, wanted = imported(case, tmp_path), expected(case)
    with torch.inference_mode():
        near(mapped(generator, wanted), wanted["w"], 1e-5)
        ws = generator.broadcast(torch.from_numpy(wanted["w"]))
        near(generator.synthesis(ws), wanted["image"], 1e-4)
        near(generator.synthesis(ws[1:]), wanted["image"][1:], 1e-4)  # one picture goes another way than several
        if "cut" in wanted:
            styles = generator.broadcast(mapped(generator, wanted)).clone()
            styles[:, :2] = truncate(styles[:, :2], generator.w_average(), 0.5)
            near(styles, wanted["cut"], 1e-5)


@pytest.mark.parametrize("case", NOISY)
def test_noise_is_kept_left_out_drawn_or_given(case: str, tmp_path: Path) -> None:
    generator, wanted = imported(case, tmp_path), expected(case)
    assert isinstance(generator, NoisyGenerator)
    ws = generator.broadcast(torch.from_numpy(wanted["w"][:1]))
    with torch.inference_mode():
        near(generator.synthesis(ws, noise_mode="none"), wanted["none"], 1e-4)  # type: ignore[call-arg]
        kept = generator.synthesis(ws)
        assert torch.equal(generator.synthesis(ws, generator.noise_maps()), kept)
        assert not torch.equal(generator.synthesis(ws, noise_mode="random"), kept)  # type: ignore[call-arg]
        other = [noise + 1 for noise in generator.noise_maps()]
        assert not torch.allclose(generator.synthesis(ws, other), kept)


@pytest.mark.parametrize("case", CASES)
def test_is_a_whole_generator(case: str, tmp_path: Path) -> None:
    generator = imported(case, tmp_path)
    assert isinstance(generator, Generator)
    assert len(generator.style_resolutions) == generator.num_ws
    assert list(generator.style_resolutions) == sorted(generator.style_resolutions)
    assert generator.w_deviation() > 0
    assert isinstance(generator, StyledGenerator)
    weights = generator.style_weights()
    assert [weight.shape[1] for weight in weights] == [generator.w_dim] * generator.num_ws
    ws = generator.broadcast(generator.w_average()[None]).clone().requires_grad_(True)
    (gradient,) = torch.autograd.grad(generator.synthesis(ws).square().sum(), ws)
    assert bool(gradient.isfinite().all())
    assert isinstance(generator, FeatureGenerator)
    side = max(generator.resolution, generator.style_resolutions[-1])  # some draw a margin and cut it off
    assert generator.features(ws.detach(), side).shape[2:] == (side, side)


@pytest.mark.parametrize("case", CASES)
def test_half_precision_draws_nearly_the_same(case: str, tmp_path: Path) -> None:
    generator, wanted = imported(case, tmp_path), expected(case)
    ws = generator.broadcast(torch.from_numpy(wanted["w"]))
    with torch.inference_mode():
        half = network_in(generator, torch.bfloat16).synthesis(ws.bfloat16()).float()
    error = float((half - torch.from_numpy(wanted["image"])).square().mean())
    assert error < 0.01 * float(np.square(wanted["image"]).mean())


def test_every_family_that_reads_published_files_has_a_case() -> None:
    assert CONVERTED
    assert {case.split("-")[0] for case in CASES} == set(CONVERTED), "tests/core/generator/published has FAMILY-FORM.json"
    assert NOISY
    assert TORCHS


def test_a_mean_is_measured_where_the_file_has_none_and_else_asked_for(tmp_path: Path) -> None:
    kind, converted = recognise(read_published(write_case("stylegan2-skip", tmp_path)))
    told = converted.tensors.pop("w_avg")
    measured = write(converted, kind, tmp_path / "measured.safetensors").w_average()
    assert measured.shape == told.shape
    assert float(measured.abs().max()) > 0
    del converted.shape["mapping"]["w_dim"]
    with pytest.raises(ModelRefused, match="neither the mean of w nor how long it is"):
        write(converted, kind, tmp_path / "refused.safetensors")


@pytest.mark.parametrize("case", TORCHS)
def test_torchs_older_container_holds_the_same(case: str, tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    assert imported(case, tmp_path).digest == imported(case, tmp_path / "old", legacy=True).digest
