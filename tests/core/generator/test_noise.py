"""Noise that a projection moved is a part of the face: kept with its latent, and drawn again with it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from typer.testing import CliRunner

from core.cli import app
from core.errors import BadSetting, LatentUnreadable
from core.generator import Generator, load_generator, seed_w
from core.generator.importing import import_generator
from core.generator.latent import Latent
from core.generator.protocol import NoisyGenerator
from core.generator.render import to_pixels
from core.latents import LARGEST, from_npz, to_npz
from core.projection.features import Features, distance, feature_input
from core.projection.projector import Options, Projection
from core.rendering import Renderer
from core.settings import Settings
from tests.core.generator.published_kit import write_case


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory, settings: Settings) -> Settings:
    """A home with a small StyleGAN2 and a Progressive GAN."""
    folder = tmp_path_factory.mktemp("noise")
    own = settings.model_copy(update={"home": folder / "home", "generator": "small"})
    import_generator(own, write_case("stylegan2-skip", folder), "small")
    import_generator(own, write_case("progan-genforce", folder), "silent")
    return own


@pytest.fixture(scope="module")
def small(own: Settings) -> Generator:
    return load_generator(own)


def picture_of(generator: Generator, seed: int) -> NDArray[np.uint8]:
    return np.asarray(Renderer(generator, "exact").images(generator.broadcast(seed_w(generator, [seed])))[0])


def seen(features: Features, pixels: NDArray[np.uint8]) -> list[torch.Tensor]:
    image = torch.tensor(pixels).permute(2, 0, 1)[None].float() / 127.5 - 1
    return features(feature_input(image))  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def fit(small: Generator, features: Features) -> tuple[Latent, float]:
    """A face by `w` before its last step, and the distance to its photo that this step began with."""
    options = replace(Options.of("w", 12), learning_rate=0.01)  # random weights bend more sharply than learned ones
    projection = Projection(small, features, picture_of(small, 5), small.w_average(), options)
    latent = Latent(projection.ws)
    for step in projection.run():
        if step.step == step.steps - 1:
            latent = projection.latent
    return latent, step.distance


def test_a_face_is_drawn_again_as_the_projection_saw_it(
    small: Generator, features: Features, fit: tuple[Latent, float], tmp_path: Path
) -> None:
    latent, told = fit
    assert isinstance(small, NoisyGenerator)
    assert [one.shape for one in latent.noise] == [tuple(one.shape) for one in small.noise_maps()]
    (tmp_path / "face.npz").write_bytes(to_npz(latent))
    read = from_npz(tmp_path / "face.npz", small)
    wanted, ws = seen(features, picture_of(small, 5)), torch.from_numpy(read.ws)
    with torch.inference_mode():
        drawn, bare = small.synthesis(ws, [torch.from_numpy(one) for one in read.noise]), small.synthesis(ws)
        again, without = (float(distance(features(feature_input(one)), wanted)) for one in (drawn, bare))
    assert again == pytest.approx(told, rel=1e-4)
    assert abs(without - told) > 1e-3 * told, "so near a picture comes with its noise alone"
    assert np.array_equal(Renderer(small, "exact").images(read.ws, read.noise), to_pixels(drawn))
    assert read.digest == latent.digest != Latent(read.ws).digest


def test_a_file_of_before_draws_with_the_noise_of_the_generator(small: Generator, fit: tuple[Latent, float]) -> None:
    old = from_npz(to_npz(fit[0].ws), small)
    assert old.noise == ()
    maps = [one.numpy() for one in small.noise_maps()]  # type: ignore[attr-defined]
    renderer = Renderer(small, "exact")
    assert np.array_equal(renderer.images(old.ws, old.noise), renderer.images(old.ws, maps))


def test_noise_that_does_not_fit_is_a_sentence(own: Settings, small: Generator, fit: tuple[Latent, float]) -> None:
    ws, noise = fit[0].ws, fit[0].noise
    silent = load_generator(own.model_copy(update={"generator": "silent"}))
    for bad in (noise[:-1], (*noise, noise[0]), (*noise[:-1], noise[-1][:2]), (*noise[:-1], noise[-1] * np.nan)):
        with pytest.raises(LatentUnreadable, match="noise"):
            from_npz(to_npz(Latent(ws, bad)), small)
    with pytest.raises(LatentUnreadable, match="noise"):
        from_npz(to_npz(Latent(np.zeros((1, 1, silent.w_dim), np.float32), noise)), silent)
    with pytest.raises(LatentUnreadable, match="too large"):
        from_npz(to_npz(Latent(ws, (*noise, np.zeros(LARGEST // 4, np.float32)))), small)


def test_a_projected_face_is_drawn_again_by_the_command(
    own: Settings, small: Generator, fit: tuple[Latent, float], tmp_path: Path
) -> None:
    (tmp_path / "face.npz").write_bytes(to_npz(fit[0]))
    environment = {"EGAO_HOME": str(own.home), "EGAO_CACHE": str(own.cache), "EGAO_DEVICE": "cpu"}
    call = ["generate", "--generator", "small", "-o", str(tmp_path / "out")]
    again = [*call, "--latent", str(tmp_path / "face.npz")]
    done = CliRunner(env=environment).invoke(app, again, catch_exceptions=False)
    assert done.exit_code == 0
    wanted = Renderer(small, "exact").images(fit[0].ws, fit[0].noise)[0]
    assert np.array_equal(np.asarray(Image.open(tmp_path / "out/face.png")), wanted)
    for wrong in (call, [*again, "--sweep", "0,1"]):
        with pytest.raises(BadSetting, match="--seeds"):
            CliRunner(env=environment).invoke(app, wrong, catch_exceptions=False)
