"""The bot's end of a bridge: whatever a bridge says or does, the next one is started."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from core.cluster import fleet
from core.cluster.fleet import Cluster
from core.cluster.identity import Identity
from tests.core.cluster.kit import settings_in
from tests.core.executor.kit import until


class Babbling(Cluster):
    """A fleet whose first two bridges say one thing and end; the third says nothing."""

    said = b""
    starts = 0

    def _start(self, theirs: socket.socket) -> subprocess.Popen[bytes]:
        self.starts += 1
        act = "send(bytes.fromhex(sys.argv[2]))" if self.starts < 3 else "recv(1)"
        words = f"import socket, sys; socket.socket(fileno=int(sys.argv[1])).{act}"
        return subprocess.Popen(
            [sys.executable, "-c", words, str(theirs.fileno()), self.said.hex()],
            pass_fds=(theirs.fileno(),), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip


@pytest.mark.parametrize(
    "said", [b"no list", b"[1]", b"[{}]", b"7", b'[{"id": "a", "address": "b", "labels": null}]', b"\xff", b"[" * 10_000]
)
async def test_a_bridge_that_says_nonsense_is_followed_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: bytes
) -> None:
    monkeypatch.setattr(fleet, "_PAUSES", (0.01,))
    cluster = Babbling(settings_in(tmp_path), Identity("1", "w"))
    cluster.said = said
    try:
        async with asyncio.timeout(20):
            await cluster.open(lambda sites: None)
        await until(lambda: cluster.starts == 3 and cluster._bridge is not None)
    finally:
        await cluster.close()
