"""The nodes of a cluster as sites for the executor's workers: which there are, and what starts a worker on each."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any, Final

from core.cluster.identity import Identity
from core.cluster.link import NodeLink
from core.cluster.sealing import Side
from core.cluster.secret import Secret, read_secret
from core.cluster.surroundings import surroundings
from core.executor.fleet import Site
from core.executor.protocol.messages import Setup
from core.settings import Settings

log = logging.getLogger(__name__)
_BEGIN: Final = 60.0  # seconds that a node has for a keeper's first word: Ray starts a Python process for it
_PAUSES: Final = (0.2, 1.0, 3.0, 10.0)  # seconds between two bridges; the last again and again
_NEWS: Final = 1 << 20  # bytes of a list of nodes: some 5,000
_MOST_DEVICES: Final = 16  # of one node
_ADDRESS: Final = re.compile(r"[0-9A-Za-z.:-]{1,64}")
_NODE: Final = re.compile(r"[0-9a-f]{8,64}")


@dataclass(frozen=True)
class Node:
    """A node as it describes itself. Checked for its form; what it says of itself is its own word."""

    id: str
    address: str
    identity: Identity
    devices: tuple[str, ...]

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Node | None:
        """Read what the bridge tells of a node; None for what is no node of egao's."""
        labels = told["labels"]
        devices = tuple(_devices(str(labels.get("egao-devices", ""))))
        if not _NODE.fullmatch(str(told["id"])) or not _ADDRESS.fullmatch(str(told["address"])):
            return None
        return cls(told["id"], told["address"], Identity.of_labels(labels), devices)


def _devices(label: str) -> Iterator[str]:
    """List the devices that a label names: "cuda-2" is two GPUs, "cpu-4" four groups of cores."""
    kind, _, count = label.partition("-")
    if kind in ("cpu", "cuda") and count.isdecimal() and len(count) < 3:
        yield from (kind if kind == "cpu" else f"cuda:{number}" for number in range(min(int(count), _MOST_DEVICES)))


class NodeLauncher:
    """Starts workers on one device of one node."""

    def __init__(self, cluster: Cluster, node: Node, device: str) -> None:
        self._cluster, self._node, self._device = cluster, node, device

    async def launch(self, name: str, setup: Setup, environment: Mapping[str, str]) -> NodeLink:
        """Have a worker started and send it its setup; the node makes its environment itself. Raises OSError."""
        side, sock = self._cluster.connect(self._node, self._device)
        link = NodeLink(name, side, sock, _BEGIN)
        link.send(setup)
        return link

    async def close(self) -> None:
        """Do nothing: the bridge is the cluster's."""


class Cluster:
    """A fleet of nodes, through a bridge that is started again whenever it ends."""

    def __init__(self, settings: Settings, expected: Identity) -> None:
        """`expected` is what nodes must be like to get work. Raises BadSetting where there is no secret."""
        self._settings, self._expected = settings, expected
        self._secret: Secret = read_secret(settings)
        self._bridge: socket.socket | None = None
        self._popen: subprocess.Popen[bytes] | None = None
        self._task: asyncio.Task[None] | None = None
        self._first = asyncio.Event()  # the nodes were told once
        self._sites: dict[str, Site] = {}
        self._changed: Callable[[Sequence[Site]], None] = lambda sites: None
        self._refused: set[str] = set()

    async def open(self, changed: Callable[[Sequence[Site]], None]) -> None:
        """Call `changed` with the sites there are, and whenever that changes. Returns after the first time."""
        self._changed = changed
        self._task = asyncio.create_task(self._keep())
        await self._first.wait()

    async def close(self) -> None:
        """End the bridge, and with it every worker that is left."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def connect(self, node: Node, device: str) -> tuple[Side, socket.socket]:
        """Order a worker of the bridge; return the bot's side and end of the link to it. Raises OSError."""
        if self._bridge is None:
            raise ConnectionError("the cluster is out of reach")
        side = Side(self._secret.frames, bot=True)
        order = {"node": node.id, "device": device, "workers": len(node.devices), "public": side.public.hex()}
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                socket.send_fds(self._bridge, [json.dumps(order).encode()], [theirs.fileno()])
            except OSError:
                ours.close()
                raise
        ours.setblocking(False)
        return side, ours

    async def _keep(self) -> None:
        """Keep a bridge running."""
        tries = 0
        while True:
            began = monotonic()
            ending = await self._live()
            tries = 0 if monotonic() - began > _PAUSES[-1] * 2 else tries + 1
            pause = _PAUSES[min(tries, len(_PAUSES) - 1)]
            log.warning("the cluster %s is out of reach, trying again in %.1f s\n%s", self._settings.cluster, pause, ending)
            self._first.set()  # a bot starts without its nodes too: requests wait for them
            await asyncio.sleep(pause)

    async def _live(self) -> str:
        """See one bridge from its start to its end; returns the last that it printed."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._popen = popen = await asyncio.to_thread(self._start, theirs)
        ours.setblocking(False)
        self._bridge = ours
        output = asyncio.create_task(asyncio.to_thread(_last_lines, popen))
        try:
            while news := await asyncio.get_running_loop().sock_recv(ours, _NEWS):
                self._take(json.loads(news))
        except OSError:
            pass
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:  # it may have been taken over
            log.warning("the bridge to the cluster said what is no list of nodes: %s", type(error).__name__)
        finally:
            self._bridge = None
            ours.close()
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(popen.pid, signal.SIGKILL)
            await asyncio.shield(asyncio.to_thread(popen.wait))
            last = await asyncio.shield(output)
        return last

    def _start(self, theirs: socket.socket) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "core.cluster.bridge", str(theirs.fileno()), self._settings.cluster],
            pass_fds=(theirs.fileno(),),
            env=surroundings(self._settings, self._secret, "bridge"),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def _take(self, told: Sequence[Mapping[str, Any]]) -> None:
        """Take the list of nodes: those that are like this bot become sites, the others are refused with a sentence."""
        nodes = {node.id: node for one in told if (node := Node.of(one)) is not None}
        found: dict[str, Site] = {}
        for node in (node for node in nodes.values() if node.devices):
            if (why := self._expected.refusal(node.identity)) is not None:
                if node.id not in self._refused:
                    log.warning("the node %s gets no work: %s", node.address, why)
                    self._refused.add(node.id)
                continue
            places = tuple((device, NodeLauncher(self, node, device)) for device in node.devices)
            found[node.id] = self._sites.get(node.id) or Site(node.address, places)
        for gone in self._sites.keys() - found.keys():
            log.warning("the node %s has left", self._sites[gone].name)
        for new in found.keys() - self._sites.keys():
            log.info("the node %s has joined, with %s", found[new].name, ", ".join(device for device, _ in found[new].places))
        self._sites = found
        self._changed(list(found.values()))
        self._first.set()


def _last_lines(popen: subprocess.Popen[bytes]) -> str:
    """Read a bridge's output to its end; return the last of it."""
    assert popen.stdout is not None
    last = b""
    with popen.stdout:
        while piece := os.read(popen.stdout.fileno(), 1 << 16):
            last = (last + piece)[-2000:]
    return last.decode(errors="replace").strip()
