"""One worker draws with several generators: each request names its own, and few are loaded at once."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from core.edit import Editor, Models
from core.errors import LatentError, NoSuchGenerator
from core.executor import Project, Projected, Render, Rendered
from core.expressions import default
from core.generator import Generator, load_generator
from core.generator.importing import import_generator
from core.latents import from_npz
from core.settings import Settings
from core.weights.installed import DEFAULT, installed, offered
from core.workbench import OTHERS, EditorWorkbench
from tests.core.generator.face_kit import install_faces, portrait
from tests.core.generator.published_kit import write_case

CASES = {"skip": "stylegan2-skip", "orig": "stylegan2-orig", "grown": "progan-genforce"}


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory, settings: Settings) -> Settings:
    """A home with three small generators beside the default one; one of the small ones is the deployment's own."""
    folder = tmp_path_factory.mktemp("worker")
    own = settings.model_copy(update={"home": folder / "home", "generator": "skip", "gates": "off"})
    for name, case in CASES.items():
        import_generator(own, write_case(case, folder), name)
    return own


@pytest.fixture(scope="module")
def digests(own: Settings) -> dict[str, str]:
    return {entry.name: entry.digest for entry in installed(own)}


def test_each_generator_is_loaded_when_it_is_asked_for_and_few_are_held(own: Settings, digests: dict[str, str]) -> None:
    bench = EditorWorkbench(Editor(Models(own), strangers=True))
    assert bench.with_generator("") is bench.with_generator(digests["skip"]) is bench.photos
    made = {name: bench.with_generator(digests[name]) for name in ("orig", "grown", DEFAULT)}
    for name, photos in made.items():
        assert photos.editor.models.generator.digest == digests[name]
        assert photos.editor.models.finder is bench.models.finder, "what depends on no generator is loaded once"
    assert len(made) > OTHERS
    assert bench.with_generator(digests[DEFAULT]) is made[DEFAULT]
    assert bench.with_generator(digests["orig"]) is not made["orig"], "it was the oldest, and let go"
    with pytest.raises(NoSuchGenerator, match="skip"):
        bench.with_generator("f" * 64)


@pytest.mark.slow
def test_a_face_of_another_generator_is_projected_and_drawn_beside_the_workers_own(
    own: Settings, digests: dict[str, str], astronaut_path: Path
) -> None:
    bench = EditorWorkbench(Editor(Models(own)))
    usual = load_generator(own.model_copy(update={"generator": DEFAULT}))
    asked = Project(astronaut_path.read_bytes(), steps=1, generator=digests[DEFAULT])
    *_, projected = bench.project(asked)
    assert isinstance(projected, Projected)
    assert from_npz(projected.latent, usual).ws.shape == (1, usual.num_ws, usual.w_dim)
    about: dict[str, Any] = {"strengths": (0.0,), "size": 64, "learned": projected.learned}
    (drawn,) = bench.render([Render(projected.latent, generator=digests[DEFAULT], **about)])
    assert isinstance(drawn, Rendered)
    (refused,) = bench.render([Render(projected.latent, **about)])
    assert isinstance(refused, LatentError), "without a name it would be the worker's own"


@pytest.mark.slow
@pytest.mark.long  # test_chain edits with an imported generator, beside faces of the default one
@pytest.mark.parametrize("both", [False, True], ids=["the imported one", "both"])
def test_each_of_two_generators_lays_its_smile_into_the_same_photo(
    settings: Settings, generator: Generator, tmp_path: Path, both: bool
) -> None:
    own = settings.model_copy(update={"home": tmp_path, "gates": "off"})
    faces, photo = install_faces(own, "faces", tmp_path), portrait(generator, settings)
    assert [entry.name for entry in offered(own)] == [DEFAULT, "faces"]
    bench, results = EditorWorkbench(Editor(Models(own))), set[bytes]()
    asked_for = [generator.digest, faces] if both else [faces]
    for digest in asked_for:
        *_, projected = bench.project(Project(photo, steps=1, generator=digest))
        assert isinstance(projected, Projected)
        asked = Render(projected.latent, (0.0, 1.0), photo=photo, size=None, learned=projected.learned, generator=digest)
        (drawn,) = bench.render([asked])
        assert isinstance(drawn, Rendered)
        before, after = (np.asarray(Image.open(io.BytesIO(one)).convert("RGB")) for one in drawn.pictures)
        score = bench.editor.models.finder.find
        assert default().of(score(after)[0].blendshapes) > default().of(score(before)[0].blendshapes) + 0.2
        assert np.array_equal(before[:32], after[:32]), "beyond the face nothing moves"
        results.add(drawn.pictures[1])
    assert len(results) == len(asked_for)


def test_only_what_the_bot_can_use_is_offered(own: Settings) -> None:
    """A generator without what `fast` needs, or without a direction, would refuse every photo."""
    assert [entry.name for entry in offered(own)] == [DEFAULT]
    assert len(installed(own)) == 1 + len(CASES)
