"""What a member waits for, in the chat: `egao bench chat PHOTO`, or `python -m tests.discord.chat PHOTO -o chat.json`.

The real process before a Discord on loopback, a photo that it never saw, and times by the fake's clock: from the upload to
the first reply, to the first picture, to the result; then `/smile` and a press of "Neutral". By turns with it the same work
alone: the requests that such a photo takes, in an executor that is set up like the bot's, without a bot. The ratio of the
two, of the first preview, the result, `/smile` and Neutral, is what the bot itself costs. Then many members at once: all
results, over the sum of the work.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bot.requests.ask import USUAL
from bot.requests.drawing import GALLERY_KIND, GALLERY_SIDE
from core.bench.hostile import fresh
from core.compiled.signing import PRIVATE, PUBLIC
from core.executor import Executor, FindFaces, Progress, Project, Render
from core.expressions import NEUTRAL, Strength
from core.settings import Settings
from core.store import Owner
from tests.discord.bench import LIMITS, say, spread, tell
from tests.discord.fake import Member, Message, replies_to
from tests.discord.stage import WORKING, Stage, agree, answered, open_channel, staged, until_shown

ALONE = "alone"
RATIOS = ("preview", "result", "smile", "neutral")  # what is measured with the bot and without
WORKBENCH = "core.workbench:create"


class Chat:
    """One server, and members who post the same picture as ever new photos."""

    def __init__(self, stage: Stage, photo: bytes) -> None:
        self.stage, self._photos, self._count = stage, fresh(photo), 0

    def newcomer(self) -> Member:
        """Let in a member whom the bot does not know."""
        self._count += 1
        return self.stage.guild.member(f"Member {self._count}")

    async def upload(self, member: Member, within: float = WORKING) -> tuple[dict[str, float], Message]:
        """Post a photo; the seconds until each thing that its member sees, and the result."""
        posted = member.upload(self.stage.photos, next(self._photos))
        reply = await self.stage.photos.wait_message(replies_to(posted), within)
        began = posted.revisions[0].at
        if "I agree" in reply.labels:  # of a newcomer the clock goes from here
            began = (await agree(member, reply)).sent_monotonic
        await until_shown(self.stage.discord, reply, within)
        shown = [revision for revision in reply.revisions if revision.at > began]
        first = next((revision.at for revision in shown if revision.pictures), shown[-1].at)
        return {"reply": shown[0].at - began, "preview": first - began, "result": shown[-1].at - began}, reply

    async def change(self, member: Member, reply: Message) -> dict[str, float]:
        """`/smile 1.5` on the face that is kept, and "Neutral" under its result."""
        smile = member.slash("smile", self.stage.photos, strength=1.5)
        await answered(smile)
        (result,) = smile.messages
        before = len(reply.revisions)
        pressed = member.press(reply, "Neutral")
        world = self.stage.discord.world
        await world.until(lambda: any("Strength" in one.text for one in reply.revisions[before:]), WORKING, "neutral")
        return {
            "smile": result.revisions[-1].at - smile.sent_monotonic,
            "neutral": reply.revisions[-1].at - pressed.sent_monotonic,
        }


async def alone(executor: Executor, photo: bytes) -> dict[str, float]:
    """Seconds of the work that a new photo takes, and of each picture afterwards, without a bot."""
    owner, began, previews = Owner.local(), time.monotonic(), list[float]()

    def follow(progress: Progress) -> None:
        if progress.preview is not None:
            previews.append(time.monotonic() - began)

    (face, *_) = (await executor.submit(FindFaces(photo), owner)).faces
    kept = await executor.submit(Project(photo, face.index, learned=face.learned), owner, follow)
    about: dict[str, Any] = {"latent": kept.latent, "size": GALLERY_SIDE, "kind": GALLERY_KIND, "photo": photo}
    first = Render(strengths=(0.0, NEUTRAL, USUAL), learned=kept.learned, **about)
    learned = (await executor.submit(first, owner)).learned
    seconds = {"preview": previews[0], "result": time.monotonic() - began, **kept.seconds}
    asked: dict[str, Strength] = {"smile": 1.5, "neutral": NEUTRAL}
    for name, strength in asked.items():
        begun = time.monotonic()
        await executor.submit(Render(strengths=(strength,), learned=learned, **about), owner)
        seconds[name] = time.monotonic() - begun
    return seconds


async def measure(photo: bytes, rounds: int, members: int, workbench: str = WORKBENCH) -> dict[str, Any]:
    """All numbers: medians of `rounds`, after one that warms up, and of one run of many `members` at once."""
    report: dict[str, Any] = {"cores": len(os.sched_getaffinity(0)), "load_before": os.getloadavg()}
    with tempfile.TemporaryDirectory() as home:
        for name in (PRIVATE, PUBLIC):  # else what this machine's user had compiled is not used in another home
            with contextlib.suppress(FileNotFoundError):
                shutil.copy(Settings.load().home / name, home)
        settings = Settings.load({"EGAO_HOME": home, "EGAO_DEVICE": "cpu", "EGAO_COMPILE": "kept"})
        environ = {"EGAO_CACHE": str(settings.cache.resolve()), "EGAO_COMPILE": "kept", "EGAO_PROGRESS_SECONDS": "1.5"}
        environ |= {"EGAO_SERVER_SECONDS": "36000"} | ({} if workbench == WORKBENCH else {"FAKE_WORKBENCH": workbench})
        async with staged(Path(home), **environ) as stage, Executor(settings, workbench, devices=["cpu"]) as executor:
            stage.discord.rules.answer_within = WORKING  # a late answer is a number here, no failure
            await open_channel(stage.boss, stage.photos, **LIMITS)
            chat, others = Chat(stage, photo), fresh(photo + b"alone")
            one = chat.newcomer()
            rows: list[tuple[dict[str, float], dict[str, float]]] = []
            for _ in range(rounds + 1):
                times, reply = await chat.upload(one)
                rows.append((times | await chat.change(one, reply), await alone(executor, next(others))))
                say(json.dumps(rows[-1]))
            report["chat"], report[ALONE] = (_medians(column) for column in zip(*rows[1:], strict=True))
            report["ratio"] = {name: report["chat"][name] / report[ALONE][name] for name in RATIOS}
            if members:
                report["many"] = await _many(chat, members, report[ALONE]["result"])
    return {**report, "load_after": os.getloadavg()}


async def _many(chat: Chat, members: int, work: float) -> dict[str, float]:
    """Have so many members post at once. `busy`: the sum of their work over the seconds until the last has the answer."""
    began, within = time.monotonic(), max(WORKING, 2 * members * work)
    done = await asyncio.gather(*(chat.upload(chat.newcomer(), within) for _ in range(members)))
    took = time.monotonic() - began
    each = spread([times["result"] for times, _ in done], "result_")
    return {"members": members, "seconds": took, "busy": members * work / took, "a_minute": 60 * members / took, **each}


def _medians(rows: Sequence[dict[str, float]]) -> dict[str, float]:
    return {name: statistics.median(row[name] for row in rows) for name in rows[0]}


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure what a member waits for in the chat.")
    parser.add_argument("photo", type=Path, help="a photo with one face")
    parser.add_argument("-o", "--output", type=Path, help="write the numbers here as JSON")
    parser.add_argument("--rounds", type=int, default=3, help="photos of one member, after one that warms up")
    parser.add_argument("--members", type=int, default=20, help="who post at once afterwards; 0 for none")
    chosen = parser.parse_args()
    report = asyncio.run(measure(chosen.photo.read_bytes(), chosen.rounds, chosen.members))
    tell(report, chosen.output)


if __name__ == "__main__":
    main()
