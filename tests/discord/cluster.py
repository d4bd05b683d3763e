"""The judged trial of a cluster: the bot before a Discord on loopback, its workers on nodes that are killed, cut off and paused.

Run as root: python -m tests.discord.cluster --requests 500 -o FILE. Three machines, each a network namespace with a node of
Ray, and a head beside the bot; workers without weights, which put the photo's mark in each picture (`tests.bot.workbench`). The
bot and the head are restarted too, one machine joins in the middle. Reports what was lost, doubled or misdirected, and where
what members sent stood in clear: on the wire, or in a file of a node.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from core.cluster.identity import Identity
from core.cluster.secret import secret_file
from core.settings import Settings
from tests.core.cluster.kit import free_port, settings_in, wait_for_head
from tests.core.cluster.machines import Machine, in_clear
from tests.core.cluster.net import Net, Wiretap
from tests.discord.trial import Trial, trial

CONTROL: Final = b"a-postcard-to-be-seen"  # sent in clear, so that a listener who hears nothing is found out
SHARE: Final = 32  # requests to a trouble
LOAD: Final = 12  # requests open at once, beyond which members wait
NODES: Final = 3
FIRST: Final = 2  # of them are there from the beginning
LASTS: Final = 10.0  # seconds that a node is away: longer than the bot waits for its word


@dataclass
class Ordeal:
    """One run."""

    made: Trial
    net: Net
    head: Machine
    machines: list[Machine]
    address: tuple[str, int]  # of the head
    troubles: Counter[str] = field(default_factory=Counter)
    came_back: int = 0  # nodes that had ended by themselves
    clear: list[str] = field(default_factory=list)  # files with what members sent
    rounds: int = 0  # of troubles, that are over
    at: float = field(default_factory=time.monotonic)

    async def run(self, requests: int) -> dict[str, Any]:
        """Have so many requests answered, with a trouble in the middle of every `SHARE` of them."""
        tasks = [asyncio.create_task(self._trouble()), asyncio.create_task(self._keep())]
        try:
            await self._load(requests)
        finally:
            for task in tasks:
                task.cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
        for result in results:
            if not isinstance(result, asyncio.CancelledError):
                raise AssertionError("a part of the ordeal ended early") from result
        self._look()
        return await self._reckon()

    async def _load(self, requests: int) -> None:
        """Ask for a share of the requests, and for the next when the trouble that comes in its middle is over."""
        crowd, ledger = self.made.crowd, self.made.crowd.ledger
        while sum(one.done for one in ledger.requests) < requests:
            due = len(ledger.requests) < (self.rounds + 1) * SHARE
            if due and self.made.discord.gateway.connected and ledger.pending() < LOAD:
                crowd.act()
            crowd.answer()
            await asyncio.sleep(0.02)

    async def _keep(self) -> None:
        """Start what has ended by itself, as the units do: a node whose head is gone ends."""
        while True:
            await asyncio.sleep(2)
            for machine in self.machines:
                self.came_back += await asyncio.to_thread(machine.keep)

    async def _trouble(self) -> None:
        """One after the other, each before any comes again, in an order that the seed has; first a machine joins."""
        ledger, left = self.made.crowd.ledger, ["a node joins"]
        while True:
            while len(ledger.requests) < self.rounds * SHARE + SHARE // 2:  # noqa: ASYNC110 - the crowd is polled
                await asyncio.sleep(0.05)
            left = left or self.made.crowd.dice.sample(list(TROUBLES), k=len(TROUBLES))
            name = left.pop()
            sys.stderr.write(f"{time.monotonic() - self.at:.0f} s: {name}; {len(ledger.requests)} requests\n")
            await {**TROUBLES, **ONCE}[name](self)
            self.troubles[name] += 1
            self.rounds += 1

    def _one(self) -> int:
        return self.made.crowd.dice.randrange(len(self.machines))

    async def added(self) -> None:
        """Join the machines that were not there from the beginning."""
        for machine in self.machines[FIRST:]:
            await asyncio.to_thread(machine.start)

    async def killed(self) -> None:
        """End a node at once; it joins anew later."""
        machine = self.machines[self._one()]
        await asyncio.to_thread(machine.kill)
        self._look()
        await asyncio.sleep(LASTS)
        await asyncio.to_thread(machine.start)

    async def cut(self) -> None:
        """Pull a node's cable, and put it in again."""
        number = self._one()
        self.net.cut(number)
        await asyncio.sleep(LASTS)
        self.net.mend(number)

    async def paused(self) -> None:
        """Stop every process of a node, and have them go on when others have its work."""
        machine = self.machines[self._one()]
        machine.pause(True)
        await asyncio.sleep(LASTS)
        machine.pause(False)

    async def bot_killed(self) -> None:
        """SIGKILL of the bot while nodes work for it, its bridge being left, and a new start."""
        await self.made.bot.kill()
        await self.made.start()

    async def bot_stopped(self) -> None:
        """SIGTERM, and a new start."""
        assert await self.made.bot.stop(60) == 0, self.made.bot.tail()
        await self.made.start()

    async def head_killed(self) -> None:
        """End the head at once, and start it anew at its address."""
        await asyncio.to_thread(self.head.kill)
        await asyncio.sleep(1)
        await asyncio.to_thread(self.head.start)
        await asyncio.to_thread(wait_for_head, self.head.home, *self.address)

    def _look(self) -> None:
        """Look for what members sent in the files of the nodes, as they are now."""
        self.clear += in_clear([self.head, *self.machines], self.marks())

    def marks(self) -> tuple[bytes, ...]:
        """What is in every photo, latent or picture of a member: the photo's mark, which begins with its member's number."""
        numbers = [str(person.member.id) for person in self.made.crowd.people]
        begin = os.path.commonprefix(numbers)  # noqa: RUF071 - of numbers, not of paths
        return begin.encode(), b'"mark": "', b"\x89PNG\r\n"

    async def _reckon(self) -> dict[str, Any]:
        lasted = time.monotonic() - self.at
        verdict = await self.made.verdict()
        failures = {"lost": verdict.lost, "doubled": verdict.twice, "misdirected": verdict.wrong}
        waits = sorted(one.settled - one.at for one in self.made.crowd.ledger.requests if one.settled and not one.withdrawn)
        return {
            "sent": verdict.sent, "accepted": verdict.accepted, "withdrawn": verdict.withdrawn, "told why not": verdict.told,
            "came while the bot was away": verdict.unseen, "pictures checked": verdict.pictures,
            **{name: len(found) for name, found in failures.items()},
            "reasons": dict(verdict.reasons), "kinds": dict(verdict.kinds), "troubles": dict(self.troubles),
            "nodes that ended by themselves": self.came_back, "seconds": round(lasted),
            "answered within, median and 95 %": [round(waits[len(waits) * share // 100], 1) for share in (50, 95)],
            "files in clear": self.clear[:20], "failures": {name: found[:10] for name, found in failures.items()},
        }  # fmt: skip


Trouble = Callable[[Ordeal], Awaitable[None]]
TROUBLES: Final[dict[str, Trouble]] = {
    "the head killed": Ordeal.head_killed, "the bot killed": Ordeal.bot_killed, "a node cut off": Ordeal.cut,
    "a node killed": Ordeal.killed, "the bot stopped": Ordeal.bot_stopped, "a node paused": Ordeal.paused,
}  # fmt: skip
ONCE: Final[dict[str, Trouble]] = {"a node joins": Ordeal.added}


@asynccontextmanager
async def ordeal(folder: Path, seed: int = 0) -> AsyncIterator[tuple[Ordeal, Wiretap]]:
    """Start a cluster on this machine and yield it with its wiretap: a network, the head, two of three nodes, the bot.

    `folder` needs a short path, for Unix sockets lie in it. `seed` sets the trial's random choices.
    """
    with contextlib.ExitStack() as stack:
        net = stack.enter_context(Net(NODES))
        home, port = folder / "bot", free_port()
        home.mkdir(mode=0o700)
        settings = settings_in(home, f"{net.here}:{port}")
        how: dict[str, Any] = {"identity": Identity.of(Settings.load())}
        head = Machine(folder / "head", secret_file(settings), port=port, workers="", own=net.here, **how)
        machines = [
            Machine(
                folder / f"m{number}", secret_file(settings), head=settings.cluster, own=net.address(number),
                inside=net.inside(number), **how,
            )
            for number in range(net.count)
        ]  # fmt: skip
        for machine in (head, *machines):
            stack.callback(machine.close)
        head.start()
        wait_for_head(head.home, net.here, port)
        for machine in machines[:FIRST]:
            machine.start()
        async with trial(home, seed=seed, EGAO_CLUSTER=settings.cluster) as made:
            found = Ordeal(made, net, head, machines, (net.here, port))
            yield found, stack.enter_context(Wiretap(net.bridge, (*found.marks(), CONTROL)))


async def run(folder: Path, requests: int, seed: int = 0) -> dict[str, Any]:
    """Run it, and return its report."""
    async with ordeal(folder, seed) as (ours, tap):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as postcard:
            postcard.sendto(CONTROL, (ours.net.address(0), 9))
        report = await ours.run(requests)
        clear = {mark.decode(errors="replace"): tap.found[mark] for mark in ours.marks()}
        wire = {"bytes": tap.bytes, "in clear": clear, "control": tap.found[CONTROL]}
        return {**report, "on the wire": wire, "log": ours.made.bot.log}


def main() -> int:
    parser = argparse.ArgumentParser(description="A bot whose workers' machines are in trouble.")
    parser.add_argument("--requests", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("-o", "--output", type=Path, help="write the numbers here as JSON")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="eg") as folder:  # a short name: sockets are in it
        report = asyncio.run(run(Path(folder), chosen.requests, chosen.seed))
    log = report.pop("log")
    text = json.dumps(report, indent=1, ensure_ascii=False)
    if chosen.output:
        chosen.output.write_text(text + "\n")
        chosen.output.with_suffix(".log").write_text(log)
    sys.stdout.write(text + "\n")
    return 1 if any(report[name] for name in ("lost", "doubled", "misdirected", "files in clear")) else 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that nodes and namespaces are taken away
    sys.exit(main())
