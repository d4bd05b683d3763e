"""A model file from outside is data: whatever a payload tries, it is refused with a sentence and never run."""

from __future__ import annotations

import functools
import io
import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import h5py
import numpy as np
import pytest
import torch

from core.directions.direction import load_direction, read_direction
from core.emotion import EmotionClassifier, convert_hdf5
from core.errors import EgaoError, InternalError, LatentUnreadable, ModelUnreadable, StoreError, WeightsCorrupt
from core.faces import FaceFinder
from core.fast.preview import Preview
from core.fast.trained import load_trained
from core.gates import Gates
from core.generator import Generator, load_generator
from core.latents import LARGEST, from_npz
from core.projection.features import Features
from core.projection.projector import read_tensors
from core.projection.start import load_table
from core.pull.convert import convert
from core.settings import Settings
from core.store import Store, database_file
from core.weights.manifest import load_manifest
from tests.bot.hostile_kit import LIES, RUNS, XMLS, field, onnx_with_data_in


@pytest.fixture
def mark(tmp_path: Path) -> Path:
    return tmp_path / "mark"


def cache_with(settings: Settings, folder: Path, name: str, content: bytes) -> Settings:
    """Settings whose cache holds this content, cut or filled to the size of the weight `name`, in its place."""
    weight = load_manifest().weight(name)
    (folder / "weights").mkdir(parents=True, exist_ok=True)
    for file in (settings.cache / "weights").iterdir():
        if not (folder / "weights" / file.name).exists() and file.name != weight.file:
            (folder / "weights" / file.name).symlink_to(file)
    size = weight.contents[0][1]
    (folder / "weights" / weight.file).write_bytes(content[:size].ljust(size, b"\0"))
    return settings.model_copy(update={"cache": folder})


Reader = Callable[[bytes, Path, Settings, Generator], object]


def from_file(read: Callable[[Path, Generator], object], name: str) -> Reader:
    def reader(content: bytes, folder: Path, settings: Settings, generator: Generator) -> object:
        file = folder / name
        file.write_bytes(content)
        return read(file, generator)

    return reader


def from_cache(read: Callable[[Settings], object], name: str) -> Reader:
    def reader(content: bytes, folder: Path, settings: Settings, generator: Generator) -> object:
        return read(cache_with(settings, folder / "cache", name, content))

    return reader


def converter(name: str, *members: str) -> Reader:
    def reader(content: bytes, folder: Path, settings: Settings, generator: Generator) -> object:
        for member in members:
            (folder / member).write_bytes(content)
        convert(name, folder, folder / "out.safetensors")
        return None

    return reader


def restored(content: bytes, folder: Path, settings: Settings, generator: Generator) -> object:
    file = folder / "backup"
    file.write_bytes(content)
    return Store.restore(Settings.load({"EGAO_HOME": str(folder / "home")}), file)


@functools.cache  # nothing that is refused gets into it
def shape_of(generator: Generator) -> Preview:
    return Preview.shaped_for(generator)  # type: ignore[arg-type]


def trained_part(file: Path, generator: Generator) -> object:
    return load_trained(shape_of(generator), file, generator)  # type: ignore[arg-type]


READERS: dict[str, Reader] = {
    "a latent": lambda content, folder, settings, generator: from_npz(content, generator),
    "a latent's file": from_file(from_npz, "face.npz"),
    "a checkpoint": lambda content, folder, settings, generator: read_tensors(content),
    "a direction": from_file(lambda file, generator: read_direction(file), "smile.safetensors"),
    "a table of starts": from_file(lambda file, generator: load_table(generator, file), "starts.safetensors"),
    "a trained part": from_file(trained_part, "head.safetensors"),
    "features": from_file(lambda file, generator: Features.from_file(file), "features.safetensors"),
    "the generator": from_cache(load_generator, "generator"),
    "the emotions": from_cache(EmotionClassifier, "emotion"),
    "a gate": from_cache(Gates, "age"),
    "the landmarks": from_cache(FaceFinder, "landmarks"),
    "published features": converter("features", "net.pth"),
    "published emotions": converter("emotion", "emotion_model.hdf5"),
    "a published generator": converter(
        "generator", "MappingNetwork.xml", "MappingNetwork.bin", "SynthesisNetwork.xml", "SynthesisNetwork.bin"
    ),
    "a backup": restored,
}  # fmt: skip


@pytest.mark.parametrize("reader", READERS)
def test_no_payload_is_run_and_each_is_refused(
    reader: str, mark: Path, tmp_path: Path, settings: Settings, generator: Generator
) -> None:
    for name, content in {**{name: make(mark) for name, make in RUNS.items()}, **LIES}.items():
        if reader == "a checkpoint" and name == "other tensors":
            continue  # it is well formed; `resume` compares whose it is
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        folder.mkdir()
        with pytest.raises(EgaoError) as caught:
            READERS[reader](content, folder, settings, generator)
        assert not isinstance(caught.value, InternalError), name
        assert "\n" not in str(caught.value), name
        assert not mark.exists(), name


def test_the_payloads_would_run_elsewhere(mark: Path) -> None:
    for name, make in RUNS.items():
        content = io.BytesIO(make(mark))
        if name.startswith("torch"):
            if name != "torch's tar":  # newer versions of torch can't read it at all
                torch.load(content, weights_only=False)
                assert mark.exists(), name
        elif "array" in name:
            loaded = np.load(content, allow_pickle=True)
            _ = loaded["w"] if "archive" in name else loaded
            assert mark.exists(), name
        mark.unlink(missing_ok=True)


def keras(path: Path, fill: Callable[[Any], None]) -> Path:
    with h5py.File(path, "w") as file:
        fill(file)
    return path


def test_hdf5_reaches_no_other_file_and_no_layers_code(settings: Settings, tmp_path: Path, mark: Path) -> None:
    secret = keras(tmp_path / "secret.hdf5", lambda file: file.create_group("model_weights").create_group("conv2d_1"))
    raw = tmp_path / "raw"
    raw.write_bytes(bytes(4096))

    def links(file: Any) -> None:
        file["model_weights"] = h5py.ExternalLink(str(secret), "model_weights")

    def nested(file: Any) -> None:
        file.create_group("model_weights")["conv2d_1"] = h5py.ExternalLink(str(secret), "model_weights/conv2d_1")

    def soft(file: Any) -> None:
        file.create_group("elsewhere")
        file["model_weights"] = h5py.SoftLink("/elsewhere")

    def external(file: Any) -> None:
        group = file.create_group("model_weights/conv2d_1/conv2d_1")
        group.create_dataset("kernel:0", (3, 3, 1, 8), "f4", external=[(str(raw), 0, h5py.h5f.UNLIMITED)])

    def huge(file: Any) -> None:
        group = file.create_group("model_weights/conv2d_1/conv2d_1")
        group.create_dataset("kernel:0", (1 << 20, 1 << 20), "f4", chunks=(64, 64))  # sparse: a few bytes on disk

    for number, fill in enumerate((links, nested, soft, external, huge)):
        path = keras(tmp_path / f"{number}.hdf5", fill)
        (tmp_path / "emotion_model.hdf5").write_bytes(path.read_bytes())
        with pytest.raises(ModelUnreadable, match=r"link|kept elsewhere"):
            convert("emotion", tmp_path, tmp_path / "out.safetensors")

    published = tmp_path / "lambda.hdf5"
    keras(published, lambda file: file.attrs.update(model_config=json.dumps({"class_name": "Lambda", "code": f"touch {mark}"})))
    with pytest.raises(Exception, match="model_weights"):
        convert_hdf5(published, tmp_path / "out")
    assert not mark.exists()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.parametrize("attack", XMLS)
def test_xml_declares_nothing(tmp_path: Path, attack: str, encoding: str) -> None:
    for name in ("MappingNetwork", "SynthesisNetwork"):
        (tmp_path / f"{name}.xml").write_bytes(XMLS[attack].encode(encoding))
        (tmp_path / f"{name}.bin").write_bytes(bytes(64))
    with pytest.raises(EgaoError, match="document type"):
        convert("generator", tmp_path, tmp_path / "out.safetensors")


@pytest.mark.parametrize("place", ["secret.bin", "../secret.bin", "{}"])
def test_onnx_reads_no_other_file(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    for folder in (tmp_path, tmp_path / "cache", tmp_path / "cache" / "weights"):
        folder.mkdir(exist_ok=True)
        (folder / "secret.bin").write_bytes(np.full(64, 42, np.float32).tobytes())
    monkeypatch.chdir(tmp_path / "cache" / "weights")
    content = onnx_with_data_in(place.format(tmp_path / "secret.bin"))
    network = cv2.dnn.readNetFromONNX(np.frombuffer(content, dtype=np.uint8))
    network.setInput(np.zeros((1, 64), dtype=np.float32))
    assert network.forward().max() == 42, "the runtime itself would read it"
    size = load_manifest().weight("age").contents[0][1]
    padded = content + field(6, " " * (size - len(content) - 5))  # a comment, to the size that is expected
    with pytest.raises(WeightsCorrupt):
        Gates(cache_with(settings, tmp_path / "cache", "age", padded))


def test_a_backup_with_statements_of_its_own_is_refused(tmp_path: Path) -> None:
    settings = Settings.load({"EGAO_HOME": str(tmp_path / "home")})
    with Store.open(settings) as store:
        store.backup(tmp_path / "good")
    before = database_file(settings).read_bytes()
    for number, statement in enumerate((
        "create trigger keep after delete on faces begin insert into guilds values (old.member_id, '{}', 0); end",
        "create view spy as select * from members",
    )):  # fmt: skip
        bad = tmp_path / f"bad{number}"
        bad.write_bytes((tmp_path / "good").read_bytes())
        with sqlite3.connect(bad) as db:
            db.execute(statement)
        db.close()
        with pytest.raises(StoreError, match="statements of its own"):
            Store.restore(settings, bad)
        assert database_file(settings).read_bytes() == before
    Store.restore(settings, tmp_path / "good")


def test_a_latent_of_the_right_kind_is_taken(generator: Generator) -> None:
    out = io.BytesIO()
    np.savez(out, w=np.zeros((1, 1, 512), dtype=np.float16))
    assert from_npz(out.getvalue(), generator).ws.shape == (1, generator.num_ws, 512)
    out = io.BytesIO()
    np.savez_compressed(out, w=np.zeros((1, LARGEST // 2048, 512), dtype=np.float32))
    with pytest.raises(LatentUnreadable, match="too large"):
        from_npz(out.getvalue(), generator)


def test_a_directions_name_is_no_path(settings: Settings) -> None:
    for name in ("../smile", "/etc/passwd", "smile/../smile", ""):
        with pytest.raises(EgaoError):
            load_direction(name, settings)
