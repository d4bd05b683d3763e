"""What an imported generator needs beside its weights, made for it: seeds to start from, and a projection by each method."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from core.errors import PartMissing
from core.fast import Curvature
from core.fast.trained import CURVATURE, FOLDER, save_trained
from core.generator import Generator, load_generator, seed_w
from core.generator.importing import import_generator
from core.generator.protocol import with_styles
from core.projecting import start_projection
from core.projection.features import Features
from core.projection.projector import Method, Options, Projection
from core.projection.start import TRUNCATION, find_start, fit_table, save_table
from core.rendering import Renderer
from core.settings import Settings
from core.weights.parts import STARTS, find_part, made_folder
from tests.core.generator.published_kit import write_case

SEEDS = [3, 4, 5, 6]


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory, settings: Settings) -> Settings:
    """A home with a small StyleGAN2, chosen."""
    folder = tmp_path_factory.mktemp("chain")
    own = settings.model_copy(update={"home": folder / "home", "generator": "small"})
    import_generator(own, write_case("stylegan2-skip", folder), "small")
    return own


@pytest.fixture(scope="module")
def small(own: Settings) -> Generator:
    return load_generator(own)


@pytest.fixture(scope="module")
def photo(small: Generator) -> np.ndarray:
    return np.asarray(Renderer(small, "exact").images(small.broadcast(seed_w(small, [SEEDS[1]], TRUNCATION)))[0])


def test_no_part_of_another_generator_is_taken(own: Settings, small: Generator, features: Features, photo: np.ndarray) -> None:
    assert find_part(own, small, STARTS) is None
    with pytest.raises(PartMissing, match="egao train starts"):
        find_start("nearest", small, features, photo, own)
    with pytest.raises(PartMissing, match="egao train curvature"):
        start_projection(small, features, photo, own, "fast")


def test_fast_begins_at_the_nearest_seed_without_an_encoder(
    own: Settings, small: Generator, features: Features, photo: np.ndarray
) -> None:
    made = made_folder(own, small)
    save_table(fit_table(small, features, SEEDS), made / STARTS)
    save_trained(Curvature(with_styles(small)), made / FOLDER / CURVATURE, small, {})
    projecting = start_projection(small, features, photo, own, "fast", 4)
    steps = projecting.run()
    next(steps)
    wanted = small.broadcast(seed_w(small, [SEEDS[1]], TRUNCATION))
    assert torch.allclose(torch.from_numpy(projecting.ws), wanted, atol=1e-6)
    assert all(np.isfinite(step.loss) for step in steps)


@pytest.mark.parametrize("method", ["w", "w+"])
def test_the_other_methods_come_closer_and_leave_the_generator_as_it_was(
    small: Generator, features: Features, photo: np.ndarray, method: Method
) -> None:
    ws = small.broadcast(small.w_average()[None])
    before = small.synthesis(ws)
    options = replace(Options.of(method, 12), learning_rate=0.01)  # random weights bend more sharply than learned ones
    distances = [step.distance for step in Projection(small, features, photo, small.w_average(), options).run()]
    assert distances[-1] < distances[0]
    assert torch.equal(small.synthesis(ws), before)
