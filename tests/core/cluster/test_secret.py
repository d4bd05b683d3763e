"""The secret of a cluster: made once, for this user alone, and the source of certificates that fit each other."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from pathlib import Path

import pytest

from core.cluster.identity import Identity
from core.cluster.keeper import own_setup
from core.cluster.secret import Secret, make_secret, read_secret, secret_file
from core.cluster.surroundings import surroundings
from core.errors import BadSetting
from core.executor.protocol.messages import Setup
from core.settings import Settings
from tests.core.cluster.kit import settings_in

SECRET, OTHER = Secret(b"s" * 32), Secret(b"o" * 32)


def test_it_is_made_once_and_read(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    assert secret_file(settings).stat().st_mode & 0o777 == 0o600
    assert read_secret(settings) == read_secret(settings)
    with pytest.raises(BadSetting, match="there already"):
        make_secret(settings)


def test_what_is_wrong_with_it_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadSetting, match="--new-secret"):
        read_secret(Settings.load({"EGAO_HOME": str(tmp_path)}))
    settings = settings_in(tmp_path)
    secret_file(settings).chmod(0o640)
    with pytest.raises(BadSetting, match="chmod 600"):
        read_secret(settings)
    secret_file(settings).chmod(0o600)
    secret_file(settings).write_bytes(b"short")
    with pytest.raises(BadSetting, match="5 bytes"):
        read_secret(settings)


def test_it_shows_in_no_repr_and_each_use_has_a_key_of_its_own() -> None:
    assert "ssss" not in repr(SECRET)
    derived = {SECRET.token, SECRET.frames.hex(), SECRET.derive("authority").hex(), OTHER.token}
    assert len(derived) == 4


def context(folder: Path, secret: Secret, name: str, purpose: ssl.Purpose) -> ssl.SSLContext:
    """What a machine with this secret speaks TLS by, made as Ray's surroundings are."""
    home = folder / name
    around = surroundings(Settings.load({"EGAO_HOME": str(home)}), secret, "node", {}, also=("10.1.2.3",))
    made = ssl.create_default_context(purpose, cafile=around["RAY_TLS_CA_CERT"])
    made.load_cert_chain(around["RAY_TLS_SERVER_CERT"], around["RAY_TLS_SERVER_KEY"])
    made.verify_mode = ssl.CERT_REQUIRED
    return made


@pytest.mark.parametrize(
    ("client", "address", "fits"), [(SECRET, "10.1.2.3", True), (SECRET, "10.9.9.9", False), (OTHER, "10.1.2.3", False)]
)
def test_certificates_of_one_secret_fit_each_other_and_no_others(
    tmp_path: Path, client: Secret, address: str, fits: bool
) -> None:
    ours, theirs = socket.socketpair()
    server = context(tmp_path, SECRET, "server", ssl.Purpose.CLIENT_AUTH)

    def serve() -> None:
        with ours, contextlib.suppress(ssl.SSLError), server.wrap_socket(ours, server_side=True) as talking:
            talking.sendall(b"hello")

    thread = threading.Thread(target=serve)
    thread.start()
    asking = context(tmp_path, client, "client", ssl.Purpose.SERVER_AUTH)
    refused = contextlib.nullcontext() if fits else pytest.raises(ssl.SSLError)
    with theirs, refused, asking.wrap_socket(theirs, server_hostname=address) as talking:
        assert talking.recv(5) == b"hello"
    thread.join()


def test_no_secret_is_in_the_surroundings(tmp_path: Path) -> None:
    around = surroundings(
        settings_in(tmp_path), SECRET, "node", {"DISCORD_TOKEN": "t", "RAY_AUTH_MODE": "disabled", "PATH": "/bin"}
    )
    assert (around["RAY_AUTH_MODE"], around["RAY_USE_TLS"], around["PATH"]) == ("token", "1", "/bin")
    assert "DISCORD_TOKEN" not in around
    assert not any(SECRET.token in value for value in around.values())
    assert all(file.stat().st_mode & 0o077 == 0 for file in (tmp_path / "cluster/node").iterdir())


def test_an_unlike_node_is_refused_with_a_reason() -> None:
    own = Identity("0.2.0", "aa")
    assert own.refusal(own) is None
    assert "egao 0.1.0, not 0.2.0" in str(own.refusal(Identity("0.1.0", "aa")))
    assert "other weights" in str(own.refusal(Identity("0.2.0", "bb")))
    assert Identity.of_labels(own.labels()) == own
    assert Identity.of_labels({"egao-version": 7, "egao-weights": "x\n"}) == Identity("?", "?")


def test_where_files_lie_and_what_a_worker_may_touch_is_the_nodes_to_say(tmp_path: Path) -> None:
    bots = Settings.load({"EGAO_HOME": "/bot", "EGAO_WALL": "off", "EGAO_GATE_YOUNG": "0.1", "EGAO_MAX_BYTES": "1000"})
    node = settings_in(tmp_path, "10.0.0.1:6379")
    made = own_setup(Setup("core.workbench:create", (), bots, nice=5), node, "cpu", 2)
    assert (made.settings.home, made.settings.wall, made.settings.cluster) == (tmp_path, "on", "")
    assert (made.settings.gate_young, made.settings.max_bytes, made.nice) == (0.1, 1000, 5)
