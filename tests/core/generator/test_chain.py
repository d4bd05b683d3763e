"""What an imported generator needs beside its weights, made for it: seeds, directions, starts, projections, and an edit.

Its weights are random, so it draws no faces: all that must work without any, and be told.
"""

from __future__ import annotations

import json
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from rich.console import Console
from typer.testing import CliRunner, Result

from core.cli import app
from core.directions import Direction, apply, load_direction
from core.directions.effect import Bench
from core.directions.report import report, tables
from core.emotion import EmotionClassifier
from core.errors import BadOption, BadSeeds, GeneratorLacks, PartMissing
from core.expressions import default
from core.faces import FaceFinder
from core.fast import Curvature
from core.fast.trained import CURVATURE, FOLDER, save_trained
from core.generator import Generator, load_generator, seed_w
from core.generator.importing import import_generator
from core.generator.protocol import with_styles
from core.latents import from_npz, to_npz
from core.projecting import start_projection
from core.projection.features import Features
from core.projection.projector import Method, Options, Projection
from core.projection.start import TRUNCATION, find_start, fit_table, save_table
from core.rendering import Renderer
from core.settings import Settings
from core.store import Owner, Store
from core.weights.parts import STARTS, find_part, made_folder
from tests.core.generator.published_kit import write_case

SEEDS = [3, 4, 5, 6]
LEARNED: dict[str, Any] = {  # as a file of a direction tells
    "task": "", "C": None, "fitted_on": {}, "unit": 1.0, "validation": {"share": 0.0},
    "test": {"share": 0.0, "of": 0, "interval": [0.0, 1.0]},
}  # fmt: skip


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory, settings: Settings) -> Settings:
    """A home with a small StyleGAN2, chosen."""
    folder = tmp_path_factory.mktemp("chain")
    own = settings.model_copy(update={"home": folder / "home", "generator": "small"})
    import_generator(own, write_case("stylegan2-kernel5", folder), "small")
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


def run(own: Settings, *call: str) -> Result:
    """What a call says, to a terminal: `stderr` has what its bars said meanwhile."""
    environment = {
        "EGAO_HOME": str(own.home), "EGAO_CACHE": str(own.cache), "EGAO_DEVICE": "cpu", "COLUMNS": "160",
        "TTY_COMPATIBLE": "1", "NO_COLOR": "1",
    }  # fmt: skip
    return CliRunner(env=environment).invoke(app, [*call], catch_exceptions=False)


def test_what_is_missing_is_told_with_the_command_that_makes_it_for_this_generator(own: Settings, astronaut_path: Path) -> None:
    with pytest.raises(PartMissing, match=r"no direction smile yet.*egao directions fit .*--method smile --generator small"):
        run(own, "edit", str(astronaut_path), "--generator", "small")
    with pytest.raises(PartMissing, match=r"no direction smile-teeth yet.*--method smile-teeth --generator small"):
        run(own, "edit", str(astronaut_path), "--generator", "small", "--expression", "smile-teeth")
    with pytest.raises(PartMissing, match=r"no direction smile yet.*--generator small"):
        run(own, "evaluate", str(astronaut_path), "--generator", "small")
    with pytest.raises(PartMissing, match="egao seeds build --generator small"):
        run(own, "directions", "fit", "--generator", "small")
    with pytest.raises(BadSeeds, match="together"):
        run(own, "directions", "fit", "--generator", "small", "--showing", "1-9")
    with pytest.raises(BadSeeds, match="7 is named as"):
        run(own, "directions", "fit", "--generator", "small", "--showing", "1-9", "--neutral", "7-20")
    with pytest.raises(BadSeeds, match="--showing"):
        run(own, "directions", "fit", "--generator", "small", "--showing", "1-9", "--neutral", "10-20")


def test_judged_seeds_are_counted_of_the_generator_that_drew_them(own: Settings) -> None:
    built = run(own, "seeds", "build", "--seeds", "0-7", "--generator", "small")
    assert "8 seeds, 0-7" in built.output, "it counted another generator's"


def as_kept_before(own: Settings, generator: Generator, latent: bytes) -> None:
    """Make the row of the only face of this generator what a version that kept no noise would have made it."""
    with Store.open(own) as store:
        (face,) = (one for one in store.faces.of(Owner.local()) if one.generator == generator.digest)
        about: dict[str, Any] = {"generator": face.generator, "method": face.method, "learned": face.learned}
        store.faces.add(
            face.owner, photo_sha256=face.photo_sha256, face=face.face, box=face.box, quad=face.quad, latent=latent,
            thumbnail=b"", **about,
        )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("beside", [False, pytest.param(True, marks=pytest.mark.long)])
def test_an_edit_moves_the_picture_along_the_direction_and_leaves_faces_of_the_default_generator(
    own: Settings, small: Generator, astronaut_path: Path, tmp_path: Path, beside: bool
) -> None:
    """An imported generator of no faces edits its own picture, and says so; a face kept for the default one is still there.

    `beside`: whether there is such a face, and an animation is made. That the two are apart in a worker is asked in test_worker.
    """
    usual = ["edit", str(astronaut_path), "--json", "--force", "--steps", "3", "--smile", "1", "-o", str(tmp_path)]
    first = json.loads(run(own, *usual, "--crop").stdout)["faces"][0] if beside else None
    fitted = run(own, "directions", "fit", "--generator", "small", "--showing", "0-49", "--neutral", "50-99", "--method", "smile")
    assert "100 seeds, 50 happy, 50 neutral: as you named them" in fitted.output
    done = run(own, *usual, "--smile", "2", "--neutral", "--method", "w", "--generator", "small")
    assert done.exit_code == 0
    face = json.loads(done.stdout)["faces"][0]
    assert "shows no face" in face["note"]
    latent = from_npz(Path(face["latent"]), small)
    ws = torch.from_numpy(latent.ws)
    moved = apply(load_direction("smile", own, small), ws.expand(3, -1, -1), torch.tensor([1.0, 2.0, 0.0]))
    wanted = Renderer(small).images(moved, latent.noise)
    for one, picture in zip(face["variants"], wanted, strict=True):
        assert one["told"] is None
        assert np.array_equal(np.asarray(Image.open(one["file"])), picture)
    assert np.abs(wanted[1].astype(int) - wanted[2]).mean() > np.abs(wanted[0].astype(int) - wanted[2]).mean() > 0
    sweep = ("--animate",) if beside else ()
    again = run(own, *usual, "--smile", "2", "--neutral", *sweep, "--method", "w", "--generator", "small")
    said = ("looking for faces", "drawing face 1", *("frames of the sweep" for _ in sweep))
    assert [one for one in said if one not in again.stderr] == []
    kept = json.loads(again.stdout)["faces"][0]
    assert kept["stored"]
    for one, picture in zip(kept["variants"], wanted, strict=True):
        assert np.array_equal(np.asarray(Image.open(one["file"])), picture), "the noise was not kept with the face"
    as_kept_before(own, small, to_npz(latent.ws))
    old = json.loads(run(own, *usual, "--smile", "2", "--neutral", "--method", "w", "--generator", "small").stdout)["faces"][0]
    assert old["stored"]
    for one, picture in zip(old["variants"], Renderer(small).images(moved), strict=True):
        assert np.array_equal(np.asarray(Image.open(one["file"])), picture), "a face kept earlier has no noise of its own"
    if first is not None:
        second = json.loads(run(own, *usual, "--crop").stdout)["faces"][0]
        assert second["stored"]
        assert second["note"] is None
        assert second["variants"][0]["smile_after"] == first["variants"][0]["smile_after"]


def test_a_generator_of_one_style_gets_a_direction_that_moves_its_picture(own: Settings, tmp_path: Path) -> None:
    """A smile is given to the styles of 8 to 32 pixels, of which Progressive GAN has none: its only style takes all of it."""
    import_generator(own, write_case("progan-genforce", tmp_path), "grown")
    run(own, "directions", "fit", "--showing", "0-49", "--neutral", "50-99", "--method", "smile", "--generator", "grown")
    grown = load_generator(own.model_copy(update={"generator": "grown"}))
    direction = load_direction("smile", own.model_copy(update={"generator": "grown"}), grown)
    assert direction.styles.shape == (1,)
    ws = grown.broadcast(seed_w(grown, [1]))
    before, after = Renderer(grown, "exact").images(torch.cat([ws, apply(direction, ws, 1.0)])).astype(int)
    assert np.abs(after - before).mean() > 0.5


def test_a_curvature_of_few_faces_is_learned_as_far_as_they_tell(own: Settings, small: Generator, tmp_path: Path) -> None:
    done = run(own, "train", "curvature", "--faces", "16", "--folder", str(tmp_path), "--generator", "small")
    assert done.exit_code == 0
    learned = Curvature.load(with_styles(small), made_folder(own, small) / FOLDER / CURVATURE)
    moved = learned(torch.ones(1, small.num_ws, small.w_dim))
    assert moved.isfinite().all()
    assert learned.directions.abs().sum(dim=0).count_nonzero() == min(32, learned.directions.shape[1])


def test_a_report_of_no_directions_names_the_command_that_makes_one(own: Settings, tmp_path: Path) -> None:
    import_generator(own, write_case("stylegan2-skip", tmp_path), "new")
    with pytest.raises(PartMissing, match=r"no direction yet.*egao directions fit --generator new"):
        run(own, "directions", "report", "-o", str(tmp_path), "--generator", "new")


def test_a_report_on_what_draws_no_faces_says_no_number(own: Settings, small: Generator) -> None:
    """A classifier always names an emotion, so that there are faces to move; the landmarker finds none of them."""
    unit = np.ones(small.w_dim, np.float32)
    direction = Direction("up", unit, np.ones(small.num_ws, np.float32), small.digest, LEARNED)
    with FaceFinder(own) as finder:
        bench = Bench(small, Renderer(small), EmotionClassifier(own), finder, default())
        made = report([direction], bench, range(8), TRUNCATION)
    assert made["neutral"]["count"] + made["showing"]["count"] > 0
    json.dumps(made, allow_nan=False)
    told = StringIO()
    for table in tables(made):
        Console(file=told, width=160).print(table)
    assert "nan" not in told.getvalue()


@pytest.mark.long
def test_what_draws_no_faces_is_not_evaluated_in_silence(own: Settings, tmp_path: Path) -> None:
    run(own, "directions", "fit", "--showing", "0-49", "--neutral", "50-99", "--method", "smile", "--generator", "small")
    with pytest.raises(BadOption, match="no face of them can be edited; 1 of 1: no face is found in its picture"):
        run(own, "evaluate", "--seeds", "5000", "--strengths", "1", "-o", str(tmp_path), "--generator", "small")


def test_pictures_too_small_for_a_preview_head_are_told(own: Settings, tmp_path: Path) -> None:
    with pytest.raises(GeneratorLacks, match="has no pictures of 256 pixels"):
        run(own, "train", "preview-head", "--faces", "16", "--folder", str(tmp_path), "--generator", "small")


@pytest.mark.long
@pytest.mark.parametrize("case", ["stylegan2-kernel5", "progan-genforce", "stylegan3-t"])
def test_drawing_and_projecting_are_measured_with_any_generator(
    own: Settings, astronaut_path: Path, tmp_path: Path, case: str
) -> None:
    import_generator(own, write_case(case, tmp_path), case)
    for part in (("train", "starts", "--seeds", "0-9"), ("train", "curvature", "--faces", "16", "--folder", str(tmp_path)),
                 ("directions", "fit", "--method", "smile", "--showing", "0-39", "--neutral", "40-79")):  # fmt: skip
        run(own, *part, "--generator", case)
    out = ("-o", str(tmp_path), "--generator", case)
    drawn = run(own, "bench", "render", "--rounds", "1", *out)
    assert "of eager f32" in drawn.output, "no published runtime draws it"
    run(own, "bench", "project", str(astronaut_path), "--w-steps", "4", *out)
    (tmp_path / "bench.json").read_text()
