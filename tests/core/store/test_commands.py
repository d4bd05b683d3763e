"""The store from the command line: `egao faces`, `egao keys`, `egao db`."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from core.store import Owner, Store
from tests.core.store.kit import ALICE, SERVER, keep_face, rows, settings_at

HERE = Owner(SERVER, ALICE)


class Said(NamedTuple):
    status: int
    out: str
    err: str


@pytest.fixture
def egao(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    """The `egao` command on a home folder of its own."""
    from core.cli import main  # late: it brings every verb

    monkeypatch.chdir(tmp_path)  # away from anybody's .env
    monkeypatch.setenv("EGAO_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "200")

    def run(*words: str | Path) -> Said:
        monkeypatch.setattr(sys, "argv", ["egao", *map(str, words)])
        status = 0
        try:
            main()
        except SystemExit as end:
            status = int(end.code or 0)
        return Said(status, *capsys.readouterr())

    return run


def test_faces_are_listed_shown_and_erased_from_the_command_line(tmp_path: Path, egao: Callable[..., Said]) -> None:
    home, out = tmp_path / "home", tmp_path / "out"
    with Store.open(settings_at(home)) as store:
        mine = [keep_face(store, Owner.local(), photo=letter * 64, latent=b"npz", thumbnail=b"\x89PNG") for letter in "ab"]
        theirs = keep_face(store, HERE)
    listed = json.loads(egao("faces", "list", "--json").out)
    assert [face["id"] for face in listed] == [mine[1].id, mine[0].id]
    assert "bbbbbbbbbbbb" in egao("faces", "list").out
    shown = egao("faces", "show", mine[0].id, "-o", out)
    assert json.loads(shown.out)["photo_sha256"] == "a" * 64
    assert {path.name: path.read_bytes() for path in out.iterdir()} == {"face0001.npz": b"npz", "face0001.png": b"\x89PNG"}
    for words in (("show", theirs.id), ("delete", theirs.id), ("show", "99")):
        refused = egao("faces", *words)
        assert (refused.status, refused.out) == (1, "")
        assert "There is no stored face" in refused.err
    assert "1 erased" in egao("faces", "delete", mine[0].id).out
    assert egao("faces", "delete").status == 2
    assert "1 erased" in egao("faces", "delete", "--all").out
    assert "no face is kept" in egao("faces", "list").out
    with Store.open(settings_at(home)) as store:
        assert store.faces.of(HERE) == [theirs]


def test_the_store_is_backed_up_rotated_checked_and_restored_from_the_command_line(
    tmp_path: Path, egao: Callable[..., Said], monkeypatch: pytest.MonkeyPatch
) -> None:
    home, copy = tmp_path / "home", tmp_path / "copy.db"
    with Store.open(settings_at(home)) as store:
        face = keep_face(store, Owner.local())
        sealed = rows(store, "faces")[0]["latent"]
    first = (home / "key").read_text()
    assert "checked" in egao("db", "backup", copy).out
    assert "encrypted anew" in egao("keys", "rotate").out
    assert (home / "key").read_text() != first
    assert "is sound" in egao("db", "check").out
    refused = egao("db", "restore", copy)
    assert (refused.status, "another key" in refused.err) == (1, True), "it is of the key before"
    (home / "key").write_text(first)
    assert egao("db", "restore", copy).status == 0
    with Store.open(settings_at(home)) as store:
        assert store.faces.get(Owner.local(), face.id) == face
        assert rows(store, "faces")[0]["latent"] == sealed
        with store.database.writing() as db:
            db.execute("update faces set latent = zeroblob(100)")
    broken = egao("db", "check")
    assert (broken.status, "faces.latent:1" in broken.out) == (1, True)
    fresh = egao("keys", "new").out.strip()
    assert len(fresh) == 44
    monkeypatch.setenv("EGAO_KEY", "short")
    assert "44 characters" in egao("faces", "list").err
