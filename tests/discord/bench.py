"""The numbers of the bot, against a Discord on loopback: `make bench-bot`, or `python -m tests.discord.bench -o bench.json`.

The real process with the real weights; faces are generated ones that are kept already, so that what is measured is the
bot and the drawing, not the projection. They are part of larger photos, which the bot reads again from the fake's CDN.
Times are by the fake's clock, from what a member did to what they saw.

A `/smile` is held against what nothing can spare of it: one picture drawn, laid into the photo where there is one, and
encoded, in a worker of its own that is set up like the bot's. Three ways, by turns: a face whose photo is gone ("crop"),
one whose photo the worker still holds ("photo"), and one whose photo it has to read and place anew ("photo_afresh").
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import torch

from bot.requests.drawing import CROP_SIDE, GALLERY_KIND, GALLERY_SIDE
from core.executor import Executor, Render
from core.settings import Settings
from core.store import Owner
from tests.discord.fake import Channel, Interaction, Member, Message, replies_to
from tests.discord.stage import WORKING, Stage, is_result, open_channel, staged, until_shown
from tests.discord.stored import Known, editor_in, home_settings, keep, known_face, within

SEED, SERVERS, PORT = 600, 5, 18573
PARTS = ("first_reply", "smile", "crowd")
UPLOADERS, MEMBERS = 20, 50
PHOTO, FACE = (1600, 1200), 800  # pixels of the photos, and of the face's square in them
AFRESH = 4  # photos by turns: more than a worker holds
PAUSE = 0.2  # seconds before the next command: the bot first notes down that it answered
YARDSTICK = "tests.discord.yardstick:create"
LIMITS = {
    "cooldown_seconds": "0",
    "daily_quota": "1000",
    "work_seconds": "3600",
    "queue_share": "100",
    "longest_wait_seconds": "3600",
}
LAG_BINS = "egao_loop_lag_seconds_bucket"


class Bench:
    """One run: five servers, fifty members, and the process."""

    def __init__(self, stage: Stage, known: Known, jobs: int, singles: int) -> None:
        self.stage, self.known, self.jobs, self.singles = stage, known, jobs, singles
        self.people: list[tuple[Member, Channel]] = []
        self.faces: dict[Member, list[int]] = {}
        self.photos: dict[Member, bytes] = {}  # of their first face
        self.bare: dict[Member, list[int]] = {}  # faces of the last member whose photo is gone

    async def settle(self, settings: Any) -> None:
        """Servers, channels, members and their faces."""
        guilds = [self.stage.guild, *(self.stage.discord.guild(f"Studio {n}") for n in range(2, SERVERS + 1))]
        channels = [self.stage.photos, *(guild.channel("photos") for guild in guilds[1:])]
        bosses = [self.stage.boss, *(guild.admin("Boss") for guild in guilds[1:])]
        await asyncio.sleep(0.5)  # the bot hears of the new servers
        for boss, channel in zip(bosses, channels, strict=True):
            await open_channel(boss, channel, **LIMITS)
        for number in range(MEMBERS):
            place = number % SERVERS
            self.people.append((guilds[place].member(f"Member {number}"), channels[place]))
        each = max(1, self.jobs // MEMBERS)
        albums = [guild.channel("album") for guild in guilds]
        members = [member for member, _ in self.people]
        album = {member: albums[number % SERVERS] for number, member in enumerate(members)}
        self.faces = await keep(settings, self.known, members, max(AFRESH, each), album)
        self.bare = await keep(settings, self.known, members[-1:])
        for member in members:
            self.photos[member] = next(m.attachments[0].data for m in album[member].messages if m.author is member.user)

    async def first_replies(self) -> dict[str, float]:
        """Twenty members, four in each server, upload in the same moment."""
        posted = [(member.upload(channel, self.photos[member]), channel) for member, channel in self.people[:UPLOADERS]]
        replies = [await channel.wait_message(replies_to(one), WORKING) for one, channel in posted]
        seconds = [r.revisions[0].at - p.revisions[0].at for r, (p, _) in zip(replies, posted, strict=True)]
        for reply in replies:
            await until_shown(self.stage.discord, reply, 2 * WORKING)
        answers = [reply.revisions[-1].at - p.revisions[0].at for reply, (p, _) in zip(replies, posted, strict=True)]
        return {"uploads": len(seconds), **spread(seconds), "until_pictures_p50": statistics.median(answers)}

    async def smile_against_render(self, settings: Settings) -> dict[str, float]:
        """`/smile` on a kept face and what it can't do without, by turns, so that all see the same load."""
        member, channel = self.people[-1]
        kept = {"crop": self.bare[member][:1], "photo": self.faces[member][:1], "photo_afresh": self.faces[member][:AFRESH]}
        commands: dict[str, list[float]] = {way: [] for way in kept}
        bases: dict[str, list[float]] = {"crop": [], "photo": []}
        async with Executor(settings, YARDSTICK, devices=["cpu"], split=False) as yardstick:
            for number in range(self.singles + 2):
                strength = round(0.5 + 0.1 * number, 2)
                for way, faces in kept.items():
                    if way == "photo":  # into the worker's memory
                        await self._smile(member, channel, strength, faces[0])
                    commands[way].append(await self._smile(member, channel, strength, faces[number % len(faces)]))
                for way, photo in (("crop", b""), ("photo", self.known.photo)):
                    bases[way].append(await self._base(yardstick, strength, photo))
        found: dict[str, float] = {"commands": self.singles}
        for way, seconds in commands.items():
            base = statistics.median(bases[way.split("_")[0]][2:])  # the first two of each warm up
            median = statistics.median(seconds[2:])
            found |= {f"{way}_p50": median, f"{way}_base_p50": base, f"{way}_ratio": median / base}
        return found

    async def _base(self, yardstick: Executor, strength: float, photo: bytes) -> float:
        request = Render(
            self.known.latent, (strength,), size=GALLERY_SIDE if photo else CROP_SIDE, kind=GALLERY_KIND, photo=photo,
            learned=self.known.learned,
        )  # fmt: skip
        (seconds,) = (await yardstick.submit(request, Owner.local())).scores
        return seconds

    async def _smile(self, member: Member, channel: Channel, strength: float, face: int) -> float:
        used = member.slash("smile", channel, strength=strength, face=f"#{face}")
        began = used.sent_monotonic
        await used.wait_message(is_result, WORKING)
        await asyncio.sleep(PAUSE)
        return _shown(used)[0].revisions[-1].at - began

    async def crowd(self) -> dict[str, Any]:
        """All members ask at once for each of their faces: none lost, none twice, and how unevenly they wait."""
        began = time.monotonic()
        used = [
            (member, member.slash("smile", channel, strength=round(0.5 + 0.02 * number, 2), face=f"#{face}"))
            for number in range(max(map(len, self.faces.values())))
            for member, channel in self.people
            for face in self.faces[member][: self.jobs // MEMBERS or 1][number : number + 1]
        ]
        await self.stage.discord.world.until(lambda: all(_settled(one) for _, one in used), 20 * WORKING, "answers to all")
        took = time.monotonic() - began
        shown = [(member, _shown(one), one) for member, one in used]
        waits: dict[Member, list[float]] = {}
        for member, messages, one in shown:
            waits.setdefault(member, []).extend(m.revisions[-1].at - one.sent_monotonic for m in messages[:1])
        everyone = [wait for each in waits.values() for wait in each]
        members = [statistics.mean(each) for each in waits.values() if each]
        return {
            "jobs": len(used), "members": len(waits), "servers": SERVERS, "seconds": took,
            "lost": sum(not messages for _, messages, _ in shown),
            "failed_deadline": sum(one.failed for _, one in used),
            "twice": sum(len(messages) > 1 or _tellings(messages) > 1 for _, messages, _ in shown),
            **spread(everyone, "wait_"),
            "wait_max_over_median": max(everyone) / statistics.median(everyone),
            "member_mean_max_over_median": max(members) / statistics.median(members),
        }  # fmt: skip


def _settled(used: Interaction) -> bool:
    return (
        bool(used.messages)
        and not any(m.loading for m in used.messages)
        and (bool(_shown(used)) or not any(m.labels for m in used.messages))
    )


def _shown(used: Interaction) -> list[Message]:
    return [message for message in used.messages if is_result(message)]


def _tellings(messages: Sequence[Message]) -> int:
    return sum("Strength" in revision.text for message in messages for revision in message.revisions)


def spread(values: Sequence[float], prefix: str = "") -> dict[str, float]:
    """p50, p95 and the maximum, in seconds."""
    ordered = sorted(values)
    p95 = ordered[min(len(ordered) - 1, round(0.95 * (len(ordered) - 1)))]
    return {f"{prefix}p50": statistics.median(ordered), f"{prefix}p95": p95, f"{prefix}max": ordered[-1]}


async def loop_lag() -> dict[str, float]:
    """What the bot itself measured of its event loop, since it started."""
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{PORT}/metrics") as response:
        lines = (await response.text()).splitlines()
    values = {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines if not line.startswith("#")}
    total, within = values["egao_loop_lag_seconds_count"], values[f'{LAG_BINS}{{le="0.05"}}']
    return {"worst": values["egao_loop_lag_worst_seconds"], "looks": total, "over_50_ms": total - within}


async def measure(jobs: int, singles: int, only: Sequence[str] = PARTS) -> dict[str, Any]:
    """All numbers, or those of some parts, with the load of the machine before and after."""
    report: dict[str, Any] = {"cores": len(os.sched_getaffinity(0)), "load_before": os.getloadavg()}
    with tempfile.TemporaryDirectory() as folder:
        settings = home_settings(Path(folder))
        editor = editor_in(settings)
        known = within(editor, await asyncio.to_thread(known_face, editor, SEED), PHOTO, FACE)
        editor.models.finder.close()
        environ = {"EGAO_CACHE": str(settings.cache), "EGAO_HTTP_PORT": str(PORT), "EGAO_PROGRESS_SECONDS": "3"}
        environ["EGAO_COMPILE"] = "kept"  # as the yardstick draws
        environ["EGAO_SERVER_SECONDS"] = "36000"  # few servers stand for many
        async with staged(Path(folder), **environ) as stage:
            bench = Bench(stage, known, jobs, singles)
            await bench.settle(settings)
            report["loop_lag_at_start"] = await loop_lag()
            for name, part in (
                ("first_reply", bench.first_replies), ("smile", partial(bench.smile_against_render, settings)),
                ("crowd", bench.crowd),
            ):  # fmt: skip
                if name not in only:
                    continue
                report[name] = {**await part(), "load": os.getloadavg()[0]}
                say(f"{name}: {json.dumps(report[name])}")
            report["loop_lag"] = await loop_lag()
            report["unknown_routes"] = len(stage.discord.rest.unknown)
            report["status_429"] = sum(request.status == 429 for request in stage.discord.requests)
    return {**report, "load_after": os.getloadavg(), "threads": torch.get_num_threads()}


def say(line: str) -> None:
    sys.stderr.write(line + "\n")


def table(report: dict[str, Any]) -> str:
    """The report for people."""
    lines = []
    for name, value in report.items():
        for key, number in value.items() if isinstance(value, dict) else (("", value),):
            text = f"{number:.3f}" if isinstance(number, float) else str(number)
            lines.append(f"{name:<20}{key:<30}{text}")
    return "\n".join(lines)


def tell(report: dict[str, Any], output: Path | None) -> None:
    """Print a report for people, and write it as JSON where a file is named."""
    if output:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(json.dumps(report, indent=2) + "\n")
    say(table(report))


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the bot against a Discord on loopback.")
    parser.add_argument("-o", "--output", type=Path, help="write the numbers here as JSON")
    parser.add_argument("--jobs", type=int, default=200, help="in the crowd's queue")
    parser.add_argument("--singles", type=int, default=10, help="commands that are compared with a render each")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, help="these parts")
    chosen = parser.parse_args()
    report = asyncio.run(measure(chosen.jobs, chosen.singles, chosen.only))
    tell(report, chosen.output)


if __name__ == "__main__":
    main()
