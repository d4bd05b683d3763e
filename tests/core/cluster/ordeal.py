"""An ordeal of a cluster: machines with a node each, requests with known answers, and nodes killed, cut off, paused and added.

Run as root: python -m tests.core.cluster.ordeal --requests 500 -o FILE. Each machine is a network namespace. Reports what was
lost, doubled or misdirected, and where what was asked stood in clear: on the wire, or in a file of a node.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import random
import socket
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from core.cluster.fleet import Cluster
from core.cluster.secret import secret_file
from core.errors import EgaoError
from core.executor import Capacity, Executor, FindFaces, Patience, Project, Render
from core.executor.kinds import Asks
from core.settings import Settings
from tests.core.cluster.kit import SAME, running_head, settings_in
from tests.core.cluster.machines import Machine, in_clear
from tests.core.cluster.net import Net, Wiretap
from tests.core.executor.kit import COSTS, CREATE, Someone

MARK: Final = b"a-face-in-clear"
CONTROL: Final = b"a-postcard-to-be-seen"  # sent in clear, so that a listener who hears nothing is found out
PATIENCE: Final = Patience(start=60, silence=60, cancel=10, stop=2, backoff=0.1, despair=600)
ROOMY: Final = Capacity(waiting=2000, per_guild=2000, per_member=2000)


def ask(number: int) -> tuple[Asks[Any], Callable[[Any], bool]]:
    """Make a request, and what tells its one right answer, which no other request near has."""
    words = b"%b-%06d " % (MARK, number)
    if number % 5 == 0:
        steps = 20 + number // 5  # in its answer
        return Project(words + b"0.01", steps=steps), lambda answer: answer.latent.split()[1] == b"%d" % steps
    if number % 5 < 3:
        return FindFaces(words * 400), lambda answer: answer.faces[0].thumbnail == (words * 400)[::-1]
    return Render(words, (1.0, 2.0)), lambda answer: answer.pictures == (words + b" 1", words + b" 2")


async def trouble(net: Net, machines: list[Machine], seconds: float, over: asyncio.Event, told: Counter[str]) -> None:
    """Do one thing after the other to one machine after the other, and let it come back."""
    chance = random.Random(7)  # the same order each time
    for number in range(10**6):
        await asyncio.sleep(seconds)
        if over.is_set():
            return
        which = number % len(machines)
        machine, what = machines[which], ("kill", "cut", "pause")[chance.randrange(3)]
        told[what] += 1
        sys.stderr.write(f"{time.monotonic():.0f} {what} machine {which}\n")
        if what == "kill":
            await asyncio.to_thread(machine.kill)
        elif what == "cut":
            net.cut(which)
        else:
            machine.pause(True)
        await asyncio.sleep(seconds * 2)
        net.mend(which)
        machine.pause(False)
        await asyncio.sleep(1)
        if not machine.running:
            told["added"] += 1
            await asyncio.to_thread(machine.kill)
            machine.start()


async def run(settings: Settings, net: Net, machines: list[Machine], requests: int, pause: float) -> dict[str, Any]:
    """Ask everything of the cluster while it is in trouble."""
    answers: Counter[int] = Counter()
    wrong: list[int] = []
    errors: Counter[str] = Counter()
    told: Counter[str] = Counter()
    over = asyncio.Event()
    began = time.monotonic()
    fleet = Cluster(settings, SAME)
    async with Executor(settings, CREATE, capacity=ROOMY, patience=PATIENCE, costs=COSTS, split=False, fleet=fleet) as executor:
        troubling = asyncio.create_task(trouble(net, machines, pause, over, told))

        async def one(number: int) -> None:
            await asyncio.sleep(number * 0.3)
            request, expected = ask(number)
            try:
                answer = await executor.submit(request, Someone(number % 7, number % 40))
            except EgaoError as error:
                errors[type(error).__name__] += 1
                return
            answers[number] += 1
            if not expected(answer):
                wrong.append(number)

        try:
            async with asyncio.timeout(420):
                await asyncio.gather(*(one(number) for number in range(requests)))
        finally:
            over.set()
            troubling.cancel()
            await asyncio.gather(troubling, return_exceptions=True)
            stats = executor.stats()
    lost = requests - len(answers)
    return {
        "requests": requests, "lost": lost, "doubled": stats.done - len(answers), "misdirected": len(wrong),
        "errors": dict(errors),
        "troubles": dict(told), "seconds": round(time.monotonic() - began, 1), "restarts of workers": stats.restarts,
    }  # fmt: skip


def main() -> None:
    """Run the ordeal and write its report."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--requests", type=int, default=500)
    parser.add_argument("--pause", type=float, default=6.0, help="seconds between two troubles")
    parser.add_argument("-o", "--out", type=Path)
    options = parser.parse_args()
    with contextlib.ExitStack() as stack:
        root = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="eg")))
        net = stack.enter_context(Net(3))
        home = root / "bot"
        home.mkdir(mode=0o700)
        settings_in(home)
        settings = stack.enter_context(running_head(home, root / "ray0", workers="", own=net.here))
        machines = [
            Machine(
                root / f"m{number}", secret_file(settings), head=settings.cluster, own=net.address(number),
                inside=net.inside(number),
            )
            for number in range(net.count)
        ]  # fmt: skip
        for machine in machines:
            stack.callback(machine.close)
            machine.start()
        tap = stack.enter_context(Wiretap(net.bridge, (MARK, CONTROL)))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as postcard:
            postcard.sendto(CONTROL, (net.address(0), 9))
        report = asyncio.run(run(settings, net, machines, options.requests, options.pause))
        report |= {
            "on the wire": {"bytes": tap.bytes, "in clear": tap.found[MARK], "control": tap.found[CONTROL]},
            "files in clear": in_clear(machines, (MARK,)),
        }
    text = json.dumps(report, indent=1)
    sys.stdout.write(text + "\n")
    if options.out:
        options.out.write_text(text + "\n")


if __name__ == "__main__":
    main()
