"""`egao models import`: names, refusals, and payloads that must not run."""

from __future__ import annotations

import io
import json
import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from typer.testing import CliRunner

from core.cli import app
from core.errors import BadSetting, EgaoError, ModelRefused, NoSuchGenerator
from core.generator import load_generator
from core.generator.importing import import_generator
from core.generator.latent import w_statistics
from core.generator.reading import read_published
from core.generator.registry import load_file
from core.settings import Settings
from core.weights.installed import installed
from tests.core.generator.published_kit import FOLDER, Kept, names_of_published_code, write_case


@pytest.fixture
def own(tmp_path: Path) -> Settings:
    return Settings.load({"EGAO_HOME": str(tmp_path / "home"), "EGAO_CACHE": str(tmp_path / "cache")})


@pytest.fixture
def mark(tmp_path: Path) -> Path:
    return tmp_path / "mark"


def test_an_imported_generator_is_chosen_by_its_name(own: Settings, tmp_path: Path) -> None:
    file = write_case("stylegan2-skip", tmp_path)
    made = import_generator(own, file, "small")
    again = import_generator(own, file, "small")
    assert made.digest == again.digest
    other = import_generator(own, write_case("stylegan3-t", tmp_path))
    assert [entry.name for entry in installed(own)][1:] == ["small", "stylegan3-t"]
    generator = load_generator(own.model_copy(update={"generator": "small"}))
    assert (generator.digest, generator.resolution) == (made.digest, 16)
    assert load_generator(own.model_copy(update={"generator": other.name})).digest == other.digest
    with pytest.raises(NoSuchGenerator, match="small"):
        load_generator(own.model_copy(update={"generator": "large"}))


def test_a_name_is_a_name_and_no_path_and_never_taken_away(own: Settings, tmp_path: Path) -> None:
    file = write_case("stylegan2-skip", tmp_path)
    for name in ("../x", "/etc/x", "a/b", "..", "X", "mobilestylegan-ffhq", "-x"):
        with pytest.raises(BadSetting):
            import_generator(own, file, name)
    import_generator(own, file, "mine")
    with pytest.raises(BadSetting, match="another generator"):
        import_generator(own, write_case("stylegan2-orig", tmp_path), "mine")
    assert load_generator(own.model_copy(update={"generator": "mine"})).resolution == 16


def test_the_command_imports_and_generate_draws_with_it(own: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EGAO_HOME", str(own.home))
    monkeypatch.setenv("EGAO_CACHE", str(own.cache))
    run, file = CliRunner(), write_case("stylegan2-resnet-labels", tmp_path)
    told = run.invoke(app, ["models", "import", str(file), "--name", "mine"], catch_exceptions=False).output
    assert "StyleGAN2 (PyTorch), 16 pixels" in told
    assert "not for commercial use: data/WEIGHTS.md" in told
    run.invoke(app, ["generate", "--generator", "mine", "--seeds", "1-2", "-o", str(tmp_path / "out")], catch_exceptions=False)
    assert len(list((tmp_path / "out").iterdir())) == 2
    assert "generator mine" in run.invoke(app, ["models", "list"], catch_exceptions=False).output


class Runs:
    """Pickles as a call."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> tuple[Any, ...]:
        return self.call


def payloads(mark: Path) -> dict[str, Any]:
    """Trees whose reading by pickle would make `mark`."""
    run = Runs(os.system, f"touch {mark}")
    inside = pickle.dumps(run)
    return {
        "a call": run,
        "a call deep inside": {"G_ema": Kept("Generator", {"_modules": {"mapping": Kept("MappingNetwork", {"x": [run]})}})},
        "a storage that unpickles": {"G_ema": Runs(torch.storage._load_from_bytes, inside)},
        "an evaluation": Runs(eval, f"__import__('os').system('touch {mark}')"),
        "an attribute": Runs(getattr, "", "format"),
        "another file": Runs(io.open, str(mark), "w"),
        "an import": Runs(__import__, "os"),
    }


@pytest.mark.parametrize("container", ["pickle", "zip", "zip, beside", "zip, inside", "legacy"])
def test_what_hides_beside_a_whole_generator_is_refused(container: str, mark: Path, own: Settings, tmp_path: Path) -> None:
    file = write_case("stylegan2-skip" if container == "pickle" else "stylegan2-rosinality", tmp_path)
    if container == "legacy":
        torch.save(torch.load(file, weights_only=False), file, _use_new_zipfile_serialization=False)
    import_generator(own, file, "good")
    payload = pickle.dumps(payloads(mark)["a call"])
    if container == "zip, beside":
        with zipfile.ZipFile(file, "a") as archive:
            archive.writestr(f"{archive.namelist()[0].split('/')[0]}/code/more.pkl", payload)
    elif container == "zip, inside":
        with zipfile.ZipFile(file) as archive:
            members = [(name, archive.read(name)) for name in archive.namelist()]
        with zipfile.ZipFile(file, "w") as archive:
            for name, content in members:
                archive.writestr(name, content + payload if name.endswith("/data.pkl") else content)
    else:
        file.write_bytes(file.read_bytes() + payload)
    with pytest.raises(ModelRefused, match=r"code/more\.pkl" if container == "zip, beside" else "behind its end"):
        import_generator(own, file, "bad")
    assert not mark.exists()


@pytest.mark.parametrize("what", payloads(Path("x")))
@pytest.mark.parametrize("container", ["pickle", "zip", "legacy"])
def test_no_payload_runs_and_each_is_refused(what: str, container: str, mark: Path, own: Settings, tmp_path: Path) -> None:
    file = tmp_path / "model.pkl"
    with names_of_published_code():
        if container == "pickle":
            file.write_bytes(pickle.dumps(payloads(mark)[what]))
        else:
            torch.save(payloads(mark)[what], file, _use_new_zipfile_serialization=container == "zip")
    with pytest.raises(ModelRefused, match="nothing in it was run") as caught:
        import_generator(own, file)
    assert "\n" not in str(caught.value)
    assert not mark.exists()
    assert not list(own.home.rglob("*.safetensors"))


def test_a_payload_would_run_elsewhere(mark: Path) -> None:
    pickle.loads(pickle.dumps(payloads(mark)["a call"]))
    assert mark.exists()


def opcodes(*parts: bytes) -> bytes:
    return b"\x80\x02" + b"".join(parts) + b"."


LIES: dict[str, bytes] = {
    "nothing": b"",
    "no pickle": b"\x89PNG\r\n" + bytes(64),
    "cut off": pickle.dumps({"a": list(range(100))})[:-20],
    "a persistent id": opcodes(b"Pstorage\n"),
    "changes what reads it": opcodes(b"ctorch._utils\n_rebuild_tensor_v2\n", b"}X\x01\x00\x00\x00xK\x01sb"),
    "a set attribute of a class": opcodes(b"cdnnlib.util\nEasyDict\n", b"N}X\x05\x00\x00\x00itemsK\x01s\x86b"),
    "a large array": opcodes(b"cnumpy\nndarray\n", b"J\xff\xff\xff\x7f\x85R"),
    "an extension": opcodes(b"\x82\x01"),
    "numbers alone": pickle.dumps([1, 2, 3]),
    "another network": pickle.dumps({"G_ema": {"weights": 1}}),
}


@pytest.mark.parametrize("lie", LIES)
def test_what_is_no_generator_is_refused(lie: str, own: Settings, tmp_path: Path) -> None:
    file = tmp_path / "model.pkl"
    file.write_bytes(LIES[lie])
    with pytest.raises(ModelRefused) as caught:
        import_generator(own, file)
    assert "\n" not in str(caught.value)


def test_a_tensor_is_never_larger_than_its_numbers(tmp_path: Path) -> None:
    class Expanded:
        def __reduce__(self) -> tuple[Any, ...]:
            storage = torch.zeros(4)._typed_storage()  # type: ignore[no-untyped-call]
            return torch._utils._rebuild_tensor_v2, (storage, 0, (1 << 20, 1 << 20), (0, 0), False, {})

    (tmp_path / "a.pkl").write_bytes(pickle.dumps(Expanded()))
    torch.save(Expanded(), tmp_path / "b.pt")
    for name in ("a.pkl", "b.pt"):
        with pytest.raises(ModelRefused, match="is said to be of shape"):
            read_published(tmp_path / name)


def test_a_storage_is_never_larger_than_the_file(tmp_path: Path) -> None:
    torch.save({"w": torch.zeros(4)}, tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    content = (tmp_path / "old.pt").read_bytes()
    (tmp_path / "lie.pt").write_bytes(content.replace((4).to_bytes(8, "little"), (1 << 40).to_bytes(8, "little")))
    with pytest.raises(ModelRefused):
        read_published(tmp_path / "lie.pt")


def test_a_zip_bomb_is_not_unpacked(tmp_path: Path) -> None:
    torch.save({"w": torch.zeros(1 << 20)}, tmp_path / "good.pt")
    with zipfile.ZipFile(tmp_path / "good.pt") as good, zipfile.ZipFile(tmp_path / "bomb.pt", "w", zipfile.ZIP_DEFLATED) as bomb:
        for name in good.namelist():
            bomb.writestr(name, good.read(name))
    assert (tmp_path / "bomb.pt").stat().st_size < 100_000
    with pytest.raises(ModelRefused, match="compressed"):
        read_published(tmp_path / "bomb.pt")


def test_lists_that_double_at_each_level_take_no_memory(tmp_path: Path) -> None:
    row: list[Any] = [0]
    for _ in range(40):
        row = [row, row]
    (tmp_path / "laughs.pkl").write_bytes(pickle.dumps(row))
    assert isinstance(read_published(tmp_path / "laughs.pkl"), list)


def changed_case(case: str, changes: dict[tuple[str, ...], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The published file of a case, with entries of its description replaced."""
    about = json.loads((FOLDER / f"{case}.json").read_text())
    for path, value in changes.items():
        place = about
        for name in path[:-1]:
            place = place[name]
        place[path[-1]] = value
    (tmp_path / "published").mkdir()
    (tmp_path / "published" / f"{case}.json").write_text(json.dumps(about))
    monkeypatch.setattr("tests.core.generator.published_kit.FOLDER", tmp_path / "published")
    return write_case(case, tmp_path)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("tree", "modules", "synthesis", "modules", "b4", "modules", "conv1", "options", "activation"), "swish"),
        (("tree", "modules", "synthesis", "modules", "b16", "modules", "torgb", "parameters", "weight"), [1, 8, 1, 1]),
        (("tree", "modules", "synthesis", "modules", "b8", "modules", "conv1", "parameters", "weight"), [8, 4, 3, 3]),
        (("tree", "modules", "mapping", "buffers", "w_avg"), [4]),
        (("tree", "modules", "mapping", "modules"), {}),
    ],
)
def test_a_generator_of_other_parts_is_refused_with_a_sentence(
    path: tuple[str, ...], value: Any, own: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(EgaoError) as caught:
        import_generator(own, changed_case("stylegan2-skip", {path: value}, tmp_path, monkeypatch))
    assert isinstance(caught.value, ModelRefused)
    assert not list(own.home.rglob("*.safetensors"))


def test_a_generator_whose_training_tracked_no_mean_is_imported_with_a_measured_one(
    own: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = load_file(import_generator(own, write_case("stylegan2-skip", tmp_path), "usual").file)
    untracked = changed_case("stylegan2-skip", {("tree", "modules", "mapping", "buffers"): {}}, tmp_path, monkeypatch)
    measured = load_file(import_generator(own, untracked, "untracked").file)
    assert torch.equal(measured.w_average(), w_statistics(usual)[0])
    ws = usual.broadcast(usual.w_average()[None])
    assert torch.equal(measured.synthesis(ws), usual.synthesis(ws))


def test_a_generator_of_tensorflow_that_was_trained_without_noise_draws_without(
    own: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    noisy: Any = load_file(import_generator(own, write_case("stylegan2-tensorflow", tmp_path), "noisy").file)
    about = json.loads((FOLDER / "stylegan2-tensorflow.json").read_text())
    silent = {name: shape for name, shape in about["synthesis"].items() if "noise" not in name}
    changes = {("synthesis",): silent, ("options", "use_noise"): False}
    file = changed_case("stylegan2-tensorflow", changes, tmp_path, monkeypatch)
    quiet: Any = load_file(import_generator(own, file, "quiet").file)
    ws = noisy.broadcast(noisy.w_average()[None])
    with torch.inference_mode():
        assert torch.equal(quiet.synthesis(ws), noisy.synthesis(ws, noise_mode="none"))
        assert not torch.allclose(quiet.synthesis(ws), noisy.synthesis(ws), atol=1e-2)
