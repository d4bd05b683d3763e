"""The real bot with its workers on nodes of Ray, before a Discord on loopback.

Each node is in a network namespace of its own, as on another machine. The weights are real where one node works; where nodes are
killed, cut off and paused, a workbench without weights puts the photo's mark in each picture.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import pytest_asyncio

from core.cluster.identity import Identity
from core.settings import Settings
from tests.core.cluster.kit import needs_ray, running_head, running_node, settings_in
from tests.core.cluster.net import Net, why_not
from tests.discord import cluster
from tests.discord.process import BotProcess
from tests.discord.stage import WORKING, Stage, answered, opened, picture, strength_of

pytestmark = [needs_ray, pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

STEPS = 2  # of a projection


@dataclass
class Made:
    """The bot, its Discord, and what starts nodes."""

    stage: Stage
    net: Net
    folder: Path
    head: Settings
    identity: Identity
    cache: Path
    stack: contextlib.ExitStack
    nodes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def add_node(self) -> None:
        """Start one more machine with its node, which has the weights."""
        number = len(self.nodes)
        home, temp = self.folder / f"home{number}", self.folder / f"ray{number}"
        home.mkdir(mode=0o700)
        shutil.copy(self.head.home / "cluster.key", home)
        place = {"own": self.net.address(number), "inside": self.net.inside(number), "cache": self.cache}
        node = running_node(home, temp, head=self.head.cluster, identity=self.identity, **place)  # type: ignore[arg-type]
        self.nodes.append(self.stack.enter_context(node))


@pytest.fixture(scope="module", autouse=True)
def _namespaces() -> None:
    if why := why_not():
        pytest.skip(why)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def made(settings: Settings) -> AsyncIterator[Made]:
    with tempfile.TemporaryDirectory(prefix="eg") as name, contextlib.ExitStack() as stack:  # a short name: sockets are in it
        folder, net = Path(name), stack.enter_context(Net(2))
        home = folder / "bot"
        home.mkdir(mode=0o700)
        settings_in(home)
        head = stack.enter_context(running_head(home, folder / "head", workers="", own=net.here))
        environ = {"EGAO_CACHE": str(settings.cache), "EGAO_PROJECTION_STEPS": str(STEPS), "EGAO_CLUSTER": head.cluster}
        async with opened(home, **environ) as stage:
            yield Made(stage, net, folder, head, Identity.of(settings), settings.cache, stack)


def workers_here(bot: BotProcess) -> list[int]:
    """Workers among the bot's own processes."""
    lines = {pid: Path(f"/proc/{pid}/cmdline") for pid in bot.children()}
    return [pid for pid, line in lines.items() if line.exists() and b"core.executor.worker" in line.read_bytes()]


async def test_before_there_is_a_node_a_photo_keeps_a_place_and_then_it_is_answered(made: Made, astronaut_png: bytes) -> None:
    stage, ann = made.stage, made.stage.guild.member("Ann")
    reply = await stage.drop(ann, astronaut_png)
    await stage.discord.world.until(lambda: "number 1 in the queue" in reply.text, WORKING, "place")
    made.add_node()
    result = await stage.result(reply)
    assert [one.filename.split(".")[0] for one in result.pictures] == ["original", "neutral", "edited"]
    assert workers_here(stage.bot) == [], "none works beside the bot"
    kept = picture(result, "edited").data
    smiling = await answered(ann.slash("smile", stage.photos, strength=2.0))
    assert strength_of(smiling) == 2.0
    assert picture(smiling, "edited").data != kept
    assert picture(smiling, "original").sha256 == picture(result, "original").sha256


@pytest.mark.long
async def test_whatever_happens_to_nodes_bot_and_head_every_request_is_answered_once_and_nothing_is_in_clear() -> None:
    with tempfile.TemporaryDirectory(prefix="eg") as folder:  # a short name: sockets are in it
        report = await cluster.run(Path(folder), requests=500)
    assert (report["lost"], report["doubled"], report["misdirected"]) == (0, 0, 0), report["failures"]
    assert report["accepted"] >= 500
    assert report["told why not"] <= report["accepted"] / 20, report["reasons"]
    assert report["pictures checked"] >= 500
    assert set(report["troubles"]) == {*cluster.TROUBLES, *cluster.ONCE}
    assert report["files in clear"] == []
    wire = report["on the wire"]
    assert set(wire["in clear"].values()) == {0}, wire
    assert wire["control"] >= 1, "the listener hears"
    assert wire["bytes"] > 10 << 20
