"""The classes of generators that were trained with labels: --class draws another one, and keeps what belongs to it apart."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner, Result

from core.cli import app
from core.cli.shared.generator import generator_of
from core.errors import BadOption, PartMissing, WeightsUnfit
from core.generator import Generator, load_generator, seed_w, seed_z
from core.generator.importing import import_generator
from core.generator.protocol import LabelledGenerator
from core.rendering import Renderer
from core.seeds import TRUNCATION, SeedTable, key_of, load_labels
from core.seeds.measure import Measured
from core.seeds.table import FILE
from core.settings import Settings
from core.weights.parts import find_made
from tests.core.generator.published_kit import write_case

LABELLED = {"two": "stylegan2-resnet-labels", "three": "stylegan3-r-labels", "fields": "stylegan2-tensorflow-resnet-labels"}


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory, settings: Settings) -> Settings:
    """A home with a small generator of each form that has labels, and one without."""
    folder = tmp_path_factory.mktemp("classes")
    own = settings.model_copy(update={"home": folder / "home"})
    for name, case in {**LABELLED, "plain": "stylegan2-kernel5", "z": "progan-genforce"}.items():
        import_generator(own, write_case(case, folder), name)
    return own


def run(own: Settings, *call: object) -> Result:
    environment = {"EGAO_HOME": str(own.home), "EGAO_CACHE": str(own.cache), "EGAO_DEVICE": "cpu", "COLUMNS": "160"}
    return CliRunner(env=environment).invoke(app, [*map(str, call)], catch_exceptions=False)


def generator(own: Settings, name: str) -> Generator:
    return load_generator(own.model_copy(update={"generator": name}))


def w_of(generator: Generator, seed: int, label: int) -> torch.Tensor:
    """Map a seed with the label given outright, at a truncation of 0.7."""
    labels = torch.zeros(1, generator.label_dim)  # type: ignore[attr-defined]
    labels[0, label] = 1
    w = generator.mapping(torch.from_numpy(seed_z([seed], generator.z_dim)), labels)  # type: ignore[call-arg]
    return generator.w_average() + 0.7 * (w - generator.w_average())


def drawn(generator: Generator, seed: int, label: int) -> np.ndarray:
    return np.asarray(Renderer(generator, "exact").images(generator.broadcast(w_of(generator, seed, label)))[0])


@pytest.mark.parametrize("name", LABELLED)
def test_every_form_with_labels_maps_to_the_class_that_is_named(own: Settings, name: str) -> None:
    mine = generator(own, name)
    chosen = own.model_copy(update={"generator": name})
    first, second = (seed_w(generator_of(chosen, label), [5]) for label in (0, 1))
    assert torch.equal(first, seed_w(mine, [5])), "the first class is drawn where none is named"
    assert torch.equal(second, w_of(mine, 5, 1))
    assert not torch.equal(second, first)


def test_seeds_are_drawn_in_the_class_that_is_named(own: Settings, tmp_path: Path) -> None:
    run(own, "generate", "--seeds", 5, "--class", 1, "-o", tmp_path, "--generator", "two")
    picture, mine = np.asarray(Image.open(tmp_path / "seed0005.png")), generator(own, "two")
    assert np.array_equal(picture, drawn(mine, 5, 1))
    assert not np.array_equal(picture, drawn(mine, 5, 0))


def test_mixtures_films_and_sweeps_are_of_the_class(own: Settings, tmp_path: Path) -> None:
    mine, class_1 = generator(own, "two"), ("--class", 1, "-o", tmp_path, "--generator", "two")
    run(own, "style-mix", "--rows", 1, "--columns", 2, "--sides", "4-", *class_1)
    assert np.array_equal(np.asarray(Image.open(tmp_path / "1-2.png")), drawn(mine, 2, 1)), "all styles are the column's"
    firsts = {}
    for space in ("z", "w"):
        for label in (0, 1):
            run(own, "interpolate", "--seeds", "1,2", "--frames", 2, "--space", space, "--class", label, *class_1[2:])
            with Image.open(tmp_path / "interpolation.webp") as film:
                firsts[space, label] = np.asarray(film.convert("RGB")).tobytes()
    assert firsts["z", 1] == firsts["w", 1], "both begin with the first seed"
    assert firsts["z", 0] == firsts["w", 0] != firsts["z", 1]
    sweeps = []
    for label in (0, 1):
        run(own, "generate", "--seeds", 1, "--sweep", "0.7", "--class", label, *class_1[2:])
        sweeps.append((tmp_path / "truncation.png").read_bytes())
    assert sweeps[0] != sweeps[1]


def test_path_lengths_are_of_the_class(own: Settings) -> None:
    call = ("measure", "ppl", "--samples", 2, "--whole", "--generator", "two")
    lengths = [json.loads(run(own, *call, *label).output)["ppl"] for label in ((), ("--class", 0), ("--class", 1))]
    assert lengths[0] == lengths[1] != lengths[2]


def test_a_class_that_is_not_there_is_refused(own: Settings, tmp_path: Path) -> None:
    for name in ("plain", "z", "mobilestylegan-ffhq"):
        with pytest.raises(BadOption, match=f"--class .*generator {name} was trained without labels"):
            run(own, "generate", "--seeds", 1, "--class", 0, "-o", tmp_path, "--generator", name)
    last = generator(own, "two").label_dim - 1  # type: ignore[attr-defined]
    with pytest.raises(BadOption, match=f"no class {last + 1}; those of the generator two are 0 to {last}"):
        run(own, "style-mix", "--rows", 1, "--columns", 2, "--class", last + 1, "-o", tmp_path, "--generator", "two")
    with pytest.raises(BadOption, match="of seeds"):
        run(own, "generate", "--latent", tmp_path / "x.npz", "--class", 1, "-o", tmp_path, "--generator", "two")
    assert run(own, "generate", "--seeds", 1, "--class", -1, "--generator", "two").exit_code == 2


def judged(seed: int) -> Measured:
    """Make what the judges would say of a seed that shows no face."""
    unknown = float("nan")
    return Measured(seed, np.eye(7, dtype=np.float32)[0], (unknown, unknown, unknown), np.full(6, unknown), None, {})


def test_judged_seeds_of_a_class_are_kept_apart(own: Settings) -> None:
    mine = generator(own, "two")
    assert isinstance(mine, LabelledGenerator)
    with SeedTable.open(own) as table:
        first = table.set_id("two", key_of(mine), TRUNCATION)
        table.add(first, [judged(seed) for seed in range(4)], np.zeros((4, 8), np.float32))
        with pytest.raises(PartMissing, match="egao seeds build --class 1 --generator two"):
            run(own, "seeds", "list", "--class", 1, "--generator", "two")
        mine.label = 1
        table.add(table.set_id("two", key_of(mine), TRUNCATION), [judged(5)], np.zeros((1, 8), np.float32))
    assert (
        "1 of 1 seeds are there already" in run(own, "seeds", "build", "--seeds", "5", "--class", 1, "--generator", "two").output
    )
    counted = {(): "4 seeds, 0-3", ("--class", 1): "1 seeds, 5-5"}
    for label, told in counted.items():
        assert told in run(own, "seeds", "list", *label, "--generator", "two").output
        run(own, "seeds", "export", "--seeds", "0-9", *label, "--generator", "two")
    (own.home / FILE).unlink()
    for label, told in counted.items():
        assert told in run(own, "seeds", "list", *label, "--generator", "two").output, "each class has a file of its own"
    seeds = load_labels(own, mine)
    assert torch.equal(torch.from_numpy(seeds.w), w_of(mine, 5, 1)), "w of the file's seeds are those of its class"
    folder = find_made(own, mine.digest)
    assert folder is not None
    (folder / "seeds/labels-1.npz").replace(folder / "seeds/labels.npz")
    with pytest.raises(WeightsUnfit, match=r"labels\.npz"):
        run(own, "seeds", "list", "--generator", "two")
