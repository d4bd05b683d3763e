"""What is kept of compiled code: what it belongs to, how it is published, what the doctor tells of it. Any file will do."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import shutil
from pathlib import Path

import pytest
import torch

from core import doctor
from core.compiled import kept, making, signing
from core.compiled.kept import CodeCache, Kept, Unfit, key_of, library_of, make_folder, publish, read
from core.compiled.layout import layout_of
from core.settings import Settings
from tests.core.compiled.kit import HOME, code_cache, tiny

NO_GAIN = Kept("", "", "", 1.1, 50.0, 1.0, "it is no gain")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With what passes for code of the tiny generator."""
    made = tmp_path / "compiled"
    make_folder(made)
    put(made, b"code", key_of("tiny"))
    return made


def put(folder: Path, code: bytes, key: str) -> Kept:
    """Publish this code under a key."""
    (folder / "made").write_bytes(code)
    (folder / "made").chmod(0o755)
    told = Kept(f"{key}-{len(code)}.so", hashlib.sha256(code).hexdigest(), "of the weights", 0.8, 48.0, 30.0)
    return publish(code_cache(folder), key, told, folder / "made")


def test_a_key_is_of_all_that_the_code_depends_on(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = [key_of("a"), key_of("b")]
    for name in ("_processor", "_sources"):
        with monkeypatch.context() as patch:
            patch.setattr(kept, name, lambda: "another")
            keys.append(key_of("a"))
    with monkeypatch.context() as patch:
        patch.setenv("ATEN_CPU_CAPABILITY", "avx2")
        keys.append(key_of("a"))
    with monkeypatch.context() as patch:
        patch.setattr(kept, "version", lambda package: "2.99")
        keys.append(key_of("a"))
    assert len(set(keys)) == len(keys)
    assert key_of("a") == keys[0]


def test_other_weights_have_another_layout() -> None:
    layouts = [layout_of(tiny()), layout_of(tiny(channels=(8, 8, 16))), layout_of(tiny().to(torch.bfloat16))]  # type: ignore[attr-defined]
    assert len(set(layouts)) == 3
    plain = tiny()
    plain.stem.weight.data = plain.stem.weight.data.contiguous()  # type: ignore[attr-defined]
    assert layout_of(plain) not in layouts
    longer = tiny()
    longer.stem.bias.data = torch.zeros(9)  # type: ignore[attr-defined]
    assert layout_of(longer) not in layouts


def test_what_is_published_is_read_back_closed_to_others_and_alone(folder: Path) -> None:
    newer = put(folder, b"newer code", key_of("tiny"))
    assert read(code_cache(folder), key_of("tiny")) == newer
    assert library_of(folder, newer).read_bytes() == b"newer code"
    assert {file.stat().st_mode & 0o777 for file in folder.iterdir()} == {0o600}
    assert len(list(folder.iterdir())) == 2, "the older code is gone"
    publish(code_cache(folder), key_of("another"), NO_GAIN, None)
    assert [file.name for file in folder.iterdir()] == [f"{key_of('another')}.json"], "what is of another key too"
    assert read(code_cache(folder), key_of("tiny")) is None
    assert read(code_cache(folder), key_of("another")) == NO_GAIN


def test_a_folder_of_another_user_is_not_taken(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: own + 1)
    with pytest.raises(PermissionError):
        make_folder(folder)


def test_code_that_gains_nothing_or_draws_otherwise_is_not_used() -> None:
    assert making.verdict(0.8, 46.0) == ""
    assert "0.99 of the time" in making.verdict(0.99, 46.0)
    assert "30 dB" in making.verdict(0.8, 30.0)


def test_the_doctor_tells(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings.load({"EGAO_CACHE": str(folder.parent), "EGAO_HOME": str(HOME)})
    monkeypatch.setattr(doctor, "key_of", lambda digest: key_of("tiny"))
    found = [doctor._compiled(settings)]
    next(folder.glob("*.so")).write_bytes(b"c0de")
    found.append(doctor._compiled(settings))
    shutil.rmtree(folder)
    found += [doctor._compiled(settings), doctor._compiled(settings.model_copy(update={"compile": "off"}))]
    assert [one.state for one in found] == ["ok", "note", "ok", "ok"]
    assert "dB" in found[0].text
    assert all("egao models compile" in one.text for one in found[1:3])
    assert "EGAO_COMPILE" in found[3].text


def test_code_that_another_machine_signed_or_nobody_is_not_opened(folder: Path, tmp_path: Path) -> None:
    """As it is with a folder that came in an archive: owner, mode and hash are right, since they are the unpacker's."""
    key = key_of("tiny")
    ours, theirs = code_cache(folder), CodeCache(folder, tmp_path / "their home")
    assert read(ours, key) is not None
    made = read(ours, key)
    assert made is not None
    (folder / "new").write_bytes(b"their code")
    told = Kept("x.so", hashlib.sha256(b"their code").hexdigest(), made.layout, 0.8, 48.0, 30.0)
    publish(theirs, key, told, folder / "new")
    with pytest.raises(Unfit, match="not signed by this machine's key"):
        read(ours, key)
    for signature in ("", "00" * 64, "no hex"):
        (folder / f"{key}.json").write_text(dataclasses.replace(told, signature=signature).dump())
        with pytest.raises(Unfit, match="not signed by this machine's key"):
            read(ours, key)


def test_a_signature_is_of_one_key_and_of_everything_that_is_told(folder: Path) -> None:
    key, ours = key_of("tiny"), code_cache(folder)
    made = read(ours, key)
    assert made is not None
    for other in (dataclasses.replace(made, sha256="0" * 64), dataclasses.replace(made, layout="x")):
        (folder / f"{key}.json").write_text(other.dump())
        with pytest.raises(Unfit, match="not signed"):
            read(ours, key)
    (folder / f"{key_of('other')}.json").write_text(made.dump())
    with pytest.raises(Unfit, match="not signed"):
        read(ours, key_of("other"))


def test_the_secret_is_for_its_user_alone_and_an_exposed_one_signs_nothing(tmp_path: Path) -> None:
    signing.make_keys(tmp_path)
    secret, public = tmp_path / signing.PRIVATE, tmp_path / signing.PUBLIC
    assert (secret.stat().st_mode & 0o777, public.stat().st_mode & 0o777) == (0o600, 0o644)
    signature = signing.sign(tmp_path, b"text")
    assert signing.signed(tmp_path, b"text", signature)
    assert not signing.signed(tmp_path, b"other", signature)
    public.write_bytes(bytes(32))
    assert not signing.signed(tmp_path, b"text", signature)
    assert signing.sign(tmp_path, b"text") == signature  # and the public half is right again
    assert signing.signed(tmp_path, b"text", signature)
    secret.chmod(0o644)
    with pytest.raises(PermissionError):
        signing.sign(tmp_path, b"text")
