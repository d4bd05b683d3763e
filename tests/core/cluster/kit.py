"""What the cluster's tests share: real nodes of Ray on this machine, with TLS, tokens and sealed records as anywhere."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from core.cluster.fleet import Cluster
from core.cluster.identity import Identity
from core.cluster.node import Ports, command
from core.cluster.secret import make_secret, read_secret, secret_file
from core.cluster.surroundings import own_addresses, surroundings
from core.executor.fleet import Site
from core.executor.protocol.link import Link
from core.executor.protocol.messages import Setup
from core.settings import Settings

SAME = Identity("0", "stand-in")  # the tests' workbench has no weights
needs_ray = pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed: pip install egao[cluster]")


def settings_in(home: Path, address: str = "", cache: Path | None = None) -> Settings:
    """Settings of a machine with the secret of a cluster, made if there is none; without a `cache`, with no weights."""
    settings = Settings.load({"EGAO_HOME": str(home), "EGAO_CACHE": str(cache or home / "cache"), "EGAO_CLUSTER": address})
    if not secret_file(settings).exists():
        make_secret(settings)
    return settings


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def address_here() -> str:
    """This machine's address: Ray takes a loopback one for it anyway."""
    return next((one for one in own_addresses() if not one.startswith("127.")), "127.0.0.1")


@contextlib.contextmanager
def running_node(
    home: Path,
    temp: Path,
    *,
    head: str = "",
    port: int = 0,
    workers: str = "cpu-1",
    identity: Identity = SAME,
    wall: str = "on",
    own: str = "",
    inside: Sequence[str] = (),
    cache: Path | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run Ray as `egao worker` does, in a session of its own that is ended as a whole.

    `inside` is what a command is put behind that is to run elsewhere, in another network namespace, at the address `own`.
    """
    settings = settings_in(home, cache=cache)
    own = own or address_here()
    line = command(identity, own, head=head, workers=workers, ports=Ports(port, 0, 0, 0, 0, 0), folder=str(temp))
    inherited = {**os.environ, "EGAO_WALL": wall}
    around = surroundings(settings, read_secret(settings), f"node-{free_port()}", inherited, also=(own,))
    with (home / "node.log").open("ab") as output:
        node = subprocess.Popen(
            [*inside, *line], env=around, stdout=output, stderr=output, stdin=subprocess.DEVNULL, start_new_session=True
        )
    try:
        yield node
    finally:
        end(node)


def end(node: subprocess.Popen[bytes]) -> None:
    """Kill a node's processes, all at once. Nothing is done where that was done before."""
    if node.returncode is not None:
        return
    found = descendants(node.pid)
    for pid in (node.pid, *found):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    node.wait()


def descendants(pid: int) -> list[int]:
    """Every process below one."""
    below: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError, IndexError):
            below.setdefault(int((entry / "stat").read_text().rpartition(")")[2].split()[1]), []).append(int(entry.name))
    found, left = [], [pid]
    while left:
        children = below.get(left.pop(), [])
        found += children
        left += children
    return found


class NodeLaunchers:
    """Starts every worker on the first node that a cluster has."""

    def __init__(self, settings: Settings, expected: Identity = SAME) -> None:
        self.cluster = Cluster(settings, expected)
        self._sites: Sequence[Site] = ()
        self._opened = False
        self._lock = asyncio.Lock()

    async def launch(self, name: str, setup: Setup, environment: Mapping[str, str]) -> Link:
        async with self._lock:
            if not self._opened:
                self._opened = True
                await self.cluster.open(self._take)
        _, launcher = self._sites[0].places[0]
        return await launcher.launch(name, setup, environment)

    def _take(self, sites: Sequence[Site]) -> None:
        self._sites = sites

    async def close(self) -> None:
        await self.cluster.close()


@contextlib.contextmanager
def running_head(home: Path, temp: Path, workers: str = "cpu-1", wall: str = "on", own: str = "") -> Iterator[Settings]:
    """Run a head that works itself; yields settings for its bot."""
    port = free_port()
    own = own or address_here()
    with running_node(home, temp, port=port, workers=workers, wall=wall, own=own):
        wait_for_head(home, own, port)
        yield settings_in(home, f"{own}:{port}")


def wait_for_head(home: Path, own: str, port: int) -> None:
    """Wait until a head that was started listens."""
    deadline = time.monotonic() + 60
    while True:
        with contextlib.suppress(OSError), socket.create_connection((own, port), 1):
            return
        assert time.monotonic() < deadline, (home / "node.log").read_text()[-2000:]
        time.sleep(0.2)
