"""Trained parts lie under their generator, found by its digest; generators are chosen by name."""

from __future__ import annotations

import copy
import gc
import weakref
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from torch import nn

from core.errors import GeneratorLacks, ModelUnreadable, NoSuchGenerator, PartMissing
from core.fast.trained import ENCODER, trained_file
from core.generator import Generator, load_generator
from core.generator.protocol import FeatureGenerator, HalvingGenerator, StyledGenerator, with_styles
from core.generator.registry import FAMILIES, family
from core.generator.render import network_in
from core.settings import Settings
from core.weights.installed import DEFAULT, chosen, chosen_digest, installed
from core.weights.parts import LABELS, STARTS, find_part, made_folder, shipped_folder, write_about


@dataclass(frozen=True)
class Whose:
    name: str
    digest: str


@pytest.fixture
def own(settings: Settings, tmp_path: Path) -> Settings:
    return settings.model_copy(update={"home": tmp_path / "home"})


def test_all_that_ships_lies_under_the_default_generator(own: Settings, generator: Generator) -> None:
    shipped = shipped_folder(generator.digest)
    assert shipped is not None
    assert shipped.name == generator.name == DEFAULT
    for part in (LABELS, STARTS, "fast/encoder.safetensors", "directions/smile.safetensors"):
        assert find_part(own, generator, part) == shipped / part


def test_what_was_made_here_goes_before_what_ships(own: Settings, generator: Generator) -> None:
    made = made_folder(own, generator)
    assert made == made_folder(own, generator)
    (made / "seeds").mkdir()
    (made / LABELS).touch()
    assert find_part(own, generator, LABELS) == made / LABELS
    assert find_part(own, generator, STARTS) == shipped_folder(generator.digest) / STARTS  # type: ignore[operator]


def test_two_generators_of_one_name_keep_their_parts_apart(own: Settings) -> None:
    one, two = Whose("mine", "1" * 64), Whose("mine", "2" * 64)
    assert made_folder(own, one) != made_folder(own, two)
    assert find_part(own, two, LABELS) is None


def test_a_part_that_nobody_made_is_named_with_its_command(own: Settings, generator: Generator) -> None:
    other = copy.copy(generator)
    other.digest = "0" * 64
    with pytest.raises(PartMissing, match="egao train encoder"):
        trained_file(own, other, ENCODER)


def test_generators_are_chosen_by_name(own: Settings, generator: Generator) -> None:
    assert chosen(own).digest == generator.digest == chosen_digest(own)
    folder = own.home / "generators" / "mine"
    write_about(folder, {"name": "mine", "digest": "3" * 64})
    (folder / "generator.safetensors").touch()
    assert [entry.name for entry in installed(own)] == [DEFAULT, "mine"]
    assert chosen(own.model_copy(update={"generator": "mine"})).digest == "3" * 64
    with pytest.raises(NoSuchGenerator, match=f"{DEFAULT}, mine"):
        load_generator(own.model_copy(update={"generator": "yours"}))


def test_every_family_of_the_registry_loads_and_no_other() -> None:
    for name in FAMILIES:
        assert callable(family(name).load)
    with pytest.raises(ModelUnreadable, match="biggan"):
        family("biggan")


def test_capabilities_are_told_by_what_a_generator_has(generator: Generator) -> None:
    assert all(isinstance(generator, kind) for kind in (FeatureGenerator, HalvingGenerator, StyledGenerator))
    plain = Whose("plain", "")
    assert not isinstance(plain, StyledGenerator)
    with pytest.raises(GeneratorLacks, match="plain has no style weights"):
        with_styles(plain)  # type: ignore[arg-type]


def test_a_copy_in_another_precision_goes_with_its_generator(generator: Generator) -> None:
    mine = copy.copy(generator)
    assert isinstance(mine, nn.Module)
    copied = network_in(mine, torch.float64)
    assert network_in(mine, torch.float64) is copied
    assert not [key for key in mine.__dict__ if "egao" in key]
    gone = weakref.ref(copied)
    del mine, copied
    gc.collect()
    assert gone() is None
