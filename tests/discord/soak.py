"""`make soak`: half an hour of members and troubles in front of a Discord on loopback; nothing lost, doubled or misdirected.

One of the members means harm (`tests.discord.villain`) all the while.
The bot is the real process; its workers draw grey squares in milliseconds instead of faces (`tests.bot.workbench`), with
the photo's mark in each, unless `--real` brings the real weights. The memory is taken from the tenth minute on: restarts
of the whole bot come before that.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.discord.fake import Delivery
from tests.discord.process import alive
from tests.discord.stage import WORKING
from tests.discord.trial import Trial, inspect, nothing_left, trial
from tests.discord.villain import Villain

SERVERS, MEMBERS, REQUESTS, MINUTES = 20, 200, 3000, 30.0
WARM = 1 / 3  # of the time: then memory is taken for the first time
HARM = 3.0  # seconds between two attacks of the member who means harm
EVERY = 2.0  # seconds between two looks at the memory
LOAD = 24  # requests open at once, beyond which members wait
TRIED_AWAY = 0.05  # share of the moments to ask at which somebody asks though the bot shows as offline
FAILED = r"/(messages|callback)|^/webhooks"


@dataclass
class Soak:
    """One run."""

    made: Trial
    seconds: float
    requests: int
    troubles: Counter[str] = field(default_factory=Counter)
    memory: list[tuple[float, int, int]] = field(default_factory=list)  # seconds, bytes of the bot, of its workers
    began: float = field(default_factory=time.monotonic)
    villain: Villain = field(init=False)

    def __post_init__(self) -> None:
        """One of the members means harm."""
        self.villain = Villain(self.made.crowd)

    @property
    def at(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self.began

    async def run(self) -> dict[str, Any]:
        """Load and troubles for the time given, then the reckoning."""
        tasks = [asyncio.create_task(one) for one in (self._trouble(), self._watch_memory(), self.villain.run(HARM))]
        try:
            await self._load()
        finally:
            for task in tasks:
                task.cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
        for result in results:
            if not isinstance(result, asyncio.CancelledError):
                raise AssertionError("a part of the soak ended early") from result
        return await self._reckon()

    async def _load(self) -> None:
        """Requests at an even pace; one that is not let in because too many are open is made up for later.

        While the bot is seen to be away few members try: an outage as long as the soak would leave nothing to watch.
        """
        crowd = self.made.crowd
        while self.at < self.seconds or len(crowd.ledger.requests) < self.requests:
            due = self.requests * min(1.0, self.at / self.seconds)
            tried = self.made.discord.gateway.connected or crowd.dice.random() < TRIED_AWAY
            if tried and len(crowd.ledger.requests) < due and crowd.ledger.pending() < LOAD:
                crowd.act()
            crowd.answer()
            await asyncio.sleep(min(0.1, self.seconds / self.requests / 4))

    # -- troubles

    async def _trouble(self) -> None:
        """One after the other, each before any comes again, as the seed has it; a restart only before memory is watched."""
        dice, usual = self.made.crowd.dice, self.seconds / 60
        left: list[str] = []
        while True:
            await asyncio.sleep(dice.uniform(0.3, 1.7) * usual)
            early = self.at < self.seconds * WARM * 0.9
            left = [name for name in left if early or name not in RESTARTS]
            left = left or dice.sample([*TROUBLES, *(RESTARTS if early else ())], k=len(TROUBLES) + early * len(RESTARTS))
            name = left.pop()
            self.troubles[name] += 1
            await {**TROUBLES, **RESTARTS}[name](self)

    async def _failing(self, seconds: float, **how: Any) -> None:
        fault = self.made.discord.faults.error(FAILED, times=None, **how)
        await asyncio.sleep(seconds)
        self.made.discord.faults.remove(fault)

    async def limited(self) -> None:
        """429 for a while."""
        fault = self.made.discord.faults.rate_limit(FAILED, times=None, chance=0.3, retry_after=0.5)
        await asyncio.sleep(4)
        self.made.discord.faults.remove(fault)

    async def down(self) -> None:
        """500 for a while."""
        await self._failing(4, chance=0.3)

    async def spoilt(self) -> None:
        """Done, but answered with 502."""
        await self._failing(4, status=502, chance=0.2, applied=True)

    async def cut(self) -> None:
        """Connections that break."""
        fault = self.made.discord.faults.reset(FAILED, times=None, chance=0.2)
        await asyncio.sleep(4)
        self.made.discord.faults.remove(fault)

    async def slow(self) -> None:
        """REST takes a second."""
        fault = self.made.discord.faults.delay(FAILED, seconds=1.0)
        await asyncio.sleep(4)
        self.made.discord.faults.remove(fault)

    async def dropped(self) -> None:
        """The gateway's connection breaks."""
        await self.made.discord.gateway.drop()

    async def reconnect(self) -> None:
        """The gateway asks to connect anew."""
        self.made.discord.gateway.ask_reconnect()

    async def invalid(self) -> None:
        """The session is lost."""
        self.made.discord.gateway.invalidate()

    async def gone(self) -> None:
        """No gateway for some seconds."""
        self.made.discord.gateway.refusing = True
        await self.made.discord.gateway.drop()
        await asyncio.sleep(5)
        self.made.discord.gateway.refusing = False

    async def worker_killed(self) -> None:
        """One of the two."""
        if workers := [pid for pid in self.made.bot.children() if alive(pid)]:
            os.kill(self.made.crowd.dice.choice(workers), signal.SIGKILL)

    async def slow_cdn(self) -> None:
        """Photos drip in, and some never arrive whole."""
        cdn = self.made.discord.cdn
        cdn.default = Delivery(delay=0.3, drip=(100, 0.2))
        await asyncio.sleep(4)
        cdn.default = Delivery(cut_after=100)
        await asyncio.sleep(1)
        cdn.default = Delivery()

    async def stopped(self) -> None:
        """SIGTERM, and a new start."""
        assert await self.made.bot.stop(60) == 0, self.made.bot.tail()
        await self.made.start()

    async def killed(self) -> None:
        """SIGKILL, and a new start."""
        await self.made.bot.kill()
        await self.made.start()

    # -- numbers

    async def _watch_memory(self) -> None:
        while True:
            await asyncio.sleep(EVERY)
            if self.made.bot.running:
                workers = [resident(pid) for pid in self.made.bot.children()]
                self.memory.append((self.at, resident(self.made.bot.pid), sum(workers)))

    def growth(self) -> dict[str, float]:
        """Resident memory after the tenth of thirty minutes against the last, each the median over a fifteenth of the time.

        Counted in looks: on a busy machine the bot may take longer than that to come back from its last restart.
        """
        looks = max(1, round(self.seconds / 15 / EVERY))
        warm = [one for one in self.memory if self.seconds * WARM <= one[0] <= self.seconds]
        first, last = warm[:looks], warm[-looks:]
        bot, workers = ([statistics.median(one[n] for one in part) for part in (first, last)] for n in (1, 2))
        total = [bot[n] + workers[n] for n in (0, 1)]
        return {
            "bot_mib_first": bot[0] / 2**20, "bot_mib_last": bot[1] / 2**20, "bot_growth": bot[1] / bot[0] - 1,
            "workers_mib_first": workers[0] / 2**20, "workers_mib_last": workers[1] / 2**20,
            "all_growth": total[1] / total[0] - 1,
        }  # fmt: skip

    async def _reckon(self) -> dict[str, Any]:
        made = self.made
        made.discord.faults.clear()
        made.discord.gateway.refusing = False
        lasted, growth = self.at, self.growth()
        await self.villain.leave(WORKING)
        await made.crowd.settle(WORKING)
        await nothing_left(made.settings, WORKING, made.crowd.ledger.asking())
        assert await made.bot.stop(60) == 0, made.bot.tail()
        ledger = made.crowd.ledger
        verdict = ledger.verdict(await asyncio.to_thread(inspect, made.settings, ledger.asking()))
        waits = sorted(one.settled - one.at for one in made.crowd.ledger.requests if one.settled and not one.withdrawn)
        return {
            "minutes": lasted / 60, "servers": len({one.channel.guild for one in made.crowd.people}),
            "members": len(made.crowd.people) + 1, "sent": verdict.sent, "accepted": verdict.accepted,
            "told_why_not": verdict.told, "withdrawn": verdict.withdrawn, "came_while_away": verdict.unseen,
            "lost": len(verdict.lost), "answered_twice": len(verdict.twice), "wrong_recipient": len(verdict.wrong),
            "pictures_checked": verdict.pictures, "same_answer_again": verdict.repeated,
            "wait_p50": waits[len(waits) // 2], "wait_p95": waits[len(waits) * 95 // 100],
            "kinds": dict(verdict.kinds), "reasons": dict(verdict.reasons), "troubles": dict(self.troubles),
            "one_member_means_harm": dict(self.villain.did),
            "rest_requests": len(made.discord.requests), "unknown_routes": len(made.discord.rest.unknown), **growth,
            "failures": [*verdict.lost, *verdict.twice, *verdict.wrong][:20],
        }  # fmt: skip


Trouble = Callable[[Soak], Awaitable[None]]
TROUBLES: dict[str, Trouble] = {
    "429": Soak.limited, "500": Soak.down, "502 though done": Soak.spoilt, "connection reset": Soak.cut, "slow REST": Soak.slow,
    "gateway dropped": Soak.dropped, "gateway reconnect": Soak.reconnect, "session lost": Soak.invalid, "gateway gone": Soak.gone,
    "worker killed": Soak.worker_killed, "slow CDN": Soak.slow_cdn,
}  # fmt: skip
RESTARTS: dict[str, Trouble] = {"SIGTERM": Soak.stopped, "SIGKILL": Soak.killed}


def resident(pid: int) -> int:
    """Bytes of memory that a process has in use; 0 for one that is gone."""
    try:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


async def soak(home: Path, minutes: float, requests: int, *, seed: int = 0, real: bool = False) -> dict[str, Any]:
    """Run it. Returns the numbers."""
    options: dict[str, Any] = {"servers": SERVERS, "members": MEMBERS, "seed": seed, "rate_limits": True, "real": real}
    async with trial(home, **options) as made:
        report = await Soak(made, minutes * 60, requests).run()
    workers = "the real weights" if real else "a workbench without weights (tests.bot.workbench)"
    return {"workers": workers, "recipient_checked_by": "names" if real else "marks in the pictures, and names", **report}


def table(report: dict[str, Any]) -> str:
    """The report for people."""
    lines = []
    for name, value in report.items():
        for key, number in value.items() if isinstance(value, dict) else (("", value),):
            text = f"{number:.3f}" if isinstance(number, float) else str(number)
            lines.append(f"{name:<22}{key:<60}{text}" if key else f"{name:<22}{text}")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description="Members and troubles for half an hour.")
    parser.add_argument("-o", "--output", type=Path, help="write the numbers here as JSON")
    parser.add_argument("--minutes", type=float, default=MINUTES)
    parser.add_argument("--requests", type=int, default=REQUESTS)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--real", action="store_true", help="with the real weights")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        report = asyncio.run(soak(Path(folder), chosen.minutes, chosen.requests, seed=chosen.seed, real=chosen.real))
    if chosen.output:
        chosen.output.parent.mkdir(parents=True, exist_ok=True)
        chosen.output.write_text(json.dumps(report, indent=2) + "\n")
    sys.stdout.write(table(report) + "\n")
    bad = report["lost"] or report["answered_twice"] or report["wrong_recipient"] or report["all_growth"] >= 0.05
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
