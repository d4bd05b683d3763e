"""The manifest, the cache folder and the conversions, on the real weights."""

from __future__ import annotations

import errno
import json
import resource
import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest
import typer
from pydantic import ValidationError
from safetensors.numpy import load_file, save_file
from typer.testing import CliRunner

from core.cli import models
from core.errors import WeightsCorrupt, WeightsMissing
from core.pull import pull
from core.pull.convert import convert
from core.pull.pull import extract
from core.settings import Settings
from core.weights.cache import State, check, sha256_of, state, weight_path, weights_folder
from core.weights.manifest import Member, load_manifest
from tests.core.weights.small_index import entry, manifest_file, wheel

CORE = {"generator", "features", "landmarks", "person", "emotion", "explicit", "age"}
EVAL = {"generator-ir", "emotion-tflite", "identity", "identity-landmarks"}
DATA_FORMATS = {".safetensors", ".task", ".tflite", ".onnx", ".dat", ".xml", ".bin"}


@pytest.fixture
def empty(tmp_path: Path) -> Settings:
    """Settings whose cache folder does not exist."""
    return Settings.load({"EGAO_CACHE": str(tmp_path / "cache"), "EGAO_HOME": str(tmp_path / "home")})


@pytest.fixture
def app() -> typer.Typer:
    verb = typer.Typer()
    models.register(verb)
    return verb


def test_the_manifest_has_what_an_edit_and_the_measurements_need() -> None:
    manifest = load_manifest()
    assert {weight.name for weight in manifest.of_groups(("core",))} == CORE
    assert {weight.name for weight in manifest.of_groups(("core", "eval"))} == CORE | EVAL
    assert all(weight.licence and weight.purpose for weight in manifest.weights)


def test_every_weight_on_this_machine_is_the_manifests(settings: Settings) -> None:
    for weight in load_manifest().weights:
        check(settings, weight)
        assert state(settings, weight) is State.PRESENT
        assert weight_path(settings, weight.name).exists()


def test_nothing_in_the_cache_needs_unpickling(settings: Settings) -> None:
    names = [path for weight in load_manifest().weights for path, _, _ in weight.contents]
    assert {Path(name).suffix for name in names} <= DATA_FORMATS


def test_a_filled_cache_needs_no_pip(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_process(*command: object, **_: object) -> None:
        raise AssertionError(f"a filled cache ran {command}")

    monkeypatch.setattr(subprocess, "run", no_process)
    assert pull(settings, load_manifest(), ("core", "eval")) == []


def test_the_generator_converts_to_the_same_bytes_again(settings: Settings, tmp_path: Path) -> None:
    out = tmp_path / "again.safetensors"
    convert("generator", weight_path(settings, "generator-ir"), out)
    assert sha256_of(out) == load_manifest().weight("generator").sha256


def test_a_conversion_without_room_says_so_as_the_system_does(settings: Settings, tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, hard))
    try:
        with pytest.raises(OSError, match="File too large") as caught:
            convert("generator", weight_path(settings, "generator-ir"), tmp_path / "out.safetensors")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert caught.value.errno == errno.EFBIG


def test_metadata_is_sorted_whatever_the_library_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    metadata = {f"key{number}": str(number) for number in range(8)}  # 40,320 orders
    tensors = {"b": np.arange(3, dtype=np.float32), "a": np.eye(2, dtype=np.float32)}
    monkeypatch.setitem(convert.__globals__["_CONVERTERS"], "test", lambda _, out: save_file(tensors, out, metadata))
    written = []
    for number in range(3):
        out = tmp_path / f"{number}.safetensors"
        convert("test", tmp_path, out)
        written.append(out.read_bytes())
    assert len(set(written)) == 1
    (length,) = struct.unpack("<Q", written[0][:8])
    assert json.loads(written[0][8 : 8 + length])["__metadata__"] == metadata
    back = load_file(tmp_path / "0.safetensors")
    assert all(np.array_equal(back[name], tensors[name]) for name in tensors)


def test_a_weight_that_was_never_pulled_says_how_to_get_it(empty: Settings) -> None:
    with pytest.raises(WeightsMissing, match="egao models pull"):
        weight_path(empty, "landmarks")


def test_a_name_that_is_not_in_the_manifest_is_missing(settings: Settings) -> None:
    with pytest.raises(WeightsMissing, match="ffhq"):
        weight_path(settings, "ffhq")


def test_a_truncated_file_is_noticed_without_reading_it(empty: Settings) -> None:
    weights_folder(empty).mkdir(parents=True)
    (weights_folder(empty) / "face_landmarker.task").write_bytes(b"half")
    with pytest.raises(WeightsCorrupt, match="--force"):
        weight_path(empty, "landmarks")


def test_a_changed_byte_is_noticed_by_check(empty: Settings, settings: Settings) -> None:
    content = bytearray(weight_path(settings, "person").read_bytes())
    content[1000] ^= 1
    weights_folder(empty).mkdir(parents=True)
    (weights_folder(empty) / "selfie_segmenter.tflite").write_bytes(content)
    weight = load_manifest().weight("person")
    assert state(empty, weight) is State.PRESENT
    with pytest.raises(WeightsCorrupt):
        check(empty, weight)


def test_a_folder_of_members_is_missing_while_one_of_them_is(empty: Settings, settings: Settings) -> None:
    folder = weights_folder(empty) / "generator-ir"
    folder.mkdir(parents=True)
    sources = sorted(weight_path(settings, "generator-ir").iterdir())
    for source in sources[:-1]:
        (folder / source.name).symlink_to(source)
    assert state(empty, load_manifest().weight("generator-ir")) is State.MISSING


def test_no_more_is_unpacked_than_expected_and_nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred megabytes of zeros in a hundred kilobytes: one byte past the expected size is enough to know."""
    archive, out = tmp_path / "bomb.whl", tmp_path / "out"
    archive.write_bytes(wheel("bomb", {"zeros": bytes(100_000_000)}))
    written: list[int] = []
    real = Path.unlink

    def unlink(path: Path, missing_ok: bool = False) -> None:
        written.append(path.stat().st_size)
        real(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", unlink)
    with pytest.raises(WeightsCorrupt):
        extract(archive, Member(path="zeros", bytes=1000, sha256="0" * 64), out)
    assert written == [1001]
    assert not out.exists()


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ('file = "a.bin"', 'file = "../a.bin"'),
        ('file = "a.bin"', 'file = "/etc/a.bin"'),
        ('file = "a.bin"', 'file = ".incoming-a"'),
        ('file = "a.bin"', 'file = "a.bin"\nurl = "elsewhere"'),
        ('file = "a.bin"', 'file = "a.bin"\nconvert = "features"'),
        ('file = "a.bin"', 'file = "a.bin"\nconvert = "pickle"'),
        ('group = "core"', 'group = "extra"'),
        ('sha256 = "', 'sha256 = "zz'),
        ('package = "tiny-weights"', 'package = "--index-url=x"'),
        ('version = "1.0"', 'version = ">=1"'),
    ],
)
def test_a_manifest_that_could_do_harm_is_refused(tmp_path: Path, right: str, wrong: str) -> None:
    text = entry("tiny-weights", "tiny_weights-1.0-py3-none-any.whl", b"x", {"a": ("d/a", b"x")})
    load_manifest(manifest_file(tmp_path, text))
    assert right in text
    with pytest.raises(ValidationError):
        load_manifest(manifest_file(tmp_path, text.replace(right, wrong, 1)))


def test_list_names_every_weight_and_where_it_is(app: typer.Typer, empty: Settings) -> None:
    environment = {"EGAO_CACHE": str(empty.cache), "COLUMNS": "240"}
    result = CliRunner().invoke(app, ["models", "list"], env=environment)
    assert result.exit_code == 0
    assert all(name in result.output for name in CORE | EVAL)
    assert "missing" in result.output
    assert "present" not in result.output


def test_verify_fails_when_something_is_missing(app: typer.Typer, empty: Settings, settings: Settings) -> None:
    missing = CliRunner().invoke(app, ["models", "verify"], env={"EGAO_CACHE": str(empty.cache)})
    assert isinstance(missing.exception, WeightsMissing)
    there = CliRunner().invoke(app, ["models", "verify", "--group", "eval"], env={"EGAO_CACHE": str(settings.cache)})
    assert there.exit_code == 0
    assert there.output.count(": right") == len(load_manifest().weights)
