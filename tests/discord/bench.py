"""The numbers of the bot, against a Discord on loopback: `make bench-bot`, or `python -m tests.discord.bench -o bench.json`.

The real process with the real weights; faces are generated ones that are kept already, so that what is measured is the
bot and the drawing, not the projection. Times are by the fake's clock, from what a member did to what they saw.
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
from pathlib import Path
from typing import Any

import aiohttp
import torch

from core.edit import Editor
from core.latents import from_npz
from core.pictures import encode
from tests.discord.fake import Channel, Interaction, Member, Message, replies_to
from tests.discord.stage import WORKING, Stage, is_result, open_channel, staged, until_shown
from tests.discord.stored import Known, editor_in, home_settings, keep, known_face

SEED, SERVERS, PORT = 600, 5, 18573
UPLOADERS, MEMBERS = 20, 50
LIMITS = {"cooldown_seconds": "0", "daily_quota": "1000", "queue_share": "100", "longest_wait_seconds": "3600"}
LAG_BINS = "egao_loop_lag_seconds_bucket"


class Bench:
    """One run: five servers, fifty members, and the process."""

    def __init__(self, stage: Stage, editor: Editor, known: Known, jobs: int, singles: int) -> None:
        self.stage, self.editor, self.known, self.jobs, self.singles = stage, editor, known, jobs, singles
        self.people: list[tuple[Member, Channel]] = []
        self.faces: dict[Member, list[int]] = {}

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
        self.faces = await keep(settings, self.known, [member for member, _ in self.people], each)

    async def first_replies(self) -> dict[str, float]:
        """Twenty members, four in each server, upload in the same moment."""
        posted = [(member.upload(channel, self.known.photo), channel) for member, channel in self.people[:UPLOADERS]]
        replies = [await channel.wait_message(replies_to(one), WORKING) for one, channel in posted]
        seconds = [r.revisions[0].at - p.revisions[0].at for r, (p, _) in zip(replies, posted, strict=True)]
        for reply in replies:
            await until_shown(self.stage.discord, reply, 2 * WORKING)
        answers = [reply.revisions[-1].at - p.revisions[0].at for reply, (p, _) in zip(replies, posted, strict=True)]
        return {"uploads": len(seconds), **spread(seconds), "until_pictures_p50": statistics.median(answers)}

    async def smile_against_render(self) -> dict[str, float]:
        """`/smile` on a kept face and one render with one encoding, by turns, so that both see the same load."""
        ws = from_npz(self.known.latent, self.editor.models.generator)
        member, channel = self.people[-1]
        commands, renders = [], []
        for number in range(self.singles + 1):
            strength = 0.5 + 0.1 * number
            commands.append(await self._smile(member, channel, strength, self.faces[member][0]))
            renders.append(await asyncio.to_thread(_render_and_encode, self.editor, ws, strength))
        commands, renders = commands[1:], renders[1:]  # the first of each warms up
        ratios = [c / r for c, r in zip(commands, renders, strict=True)]
        return {
            "commands": len(commands), "smile_p50": statistics.median(commands), "render_p50": statistics.median(renders),
            "ratio_of_medians": statistics.median(commands) / statistics.median(renders),
            "ratio_p50": statistics.median(ratios), "ratio_worst": max(ratios),
        }  # fmt: skip

    async def _smile(self, member: Member, channel: Channel, strength: float, face: int) -> float:
        used = member.slash("smile", channel, strength=strength, face=f"#{face}")
        began = used.sent_monotonic
        await used.wait_message(is_result, WORKING)
        return _shown(used)[0].revisions[-1].at - began

    async def crowd(self) -> dict[str, Any]:
        """All members ask at once for each of their faces: none lost, none twice, and how unevenly they wait."""
        began = time.monotonic()
        used = [
            (member, member.slash("smile", channel, strength=round(0.5 + 0.02 * number, 2), face=f"#{face}"))
            for number in range(max(map(len, self.faces.values())))
            for member, channel in self.people
            for face in self.faces[member][number : number + 1]
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


def _render_and_encode(editor: Editor, ws: Any, strength: float) -> float:
    began = time.perf_counter()
    encode(editor.draw(ws, [strength])[0], "jpeg")
    return time.perf_counter() - began


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


async def measure(jobs: int, singles: int) -> dict[str, Any]:
    """All numbers, with the load of the machine before and after."""
    report: dict[str, Any] = {"cores": len(os.sched_getaffinity(0)), "load_before": os.getloadavg()}
    with tempfile.TemporaryDirectory() as folder:
        settings = home_settings(Path(folder))
        editor = editor_in(settings)
        known = await asyncio.to_thread(known_face, editor, SEED)
        environ = {"EGAO_CACHE": str(settings.cache), "EGAO_HTTP_PORT": str(PORT), "EGAO_PROGRESS_SECONDS": "3"}
        async with staged(Path(folder), **environ) as stage:
            bench = Bench(stage, editor, known, jobs, singles)
            await bench.settle(settings)
            report["loop_lag_at_start"] = await loop_lag()
            for name, part in (
                ("first_reply", bench.first_replies), ("smile", bench.smile_against_render), ("crowd", bench.crowd)
            ):  # fmt: skip
                report[name] = {**await part(), "load": os.getloadavg()[0]}
                say(f"{name}: {json.dumps(report[name])}")
            report["loop_lag"] = await loop_lag()
            report["unknown_routes"] = len(stage.discord.rest.unknown)
            report["status_429"] = sum(request.status == 429 for request in stage.discord.requests)
        editor.models.finder.close()
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


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the bot against a Discord on loopback.")
    parser.add_argument("-o", "--output", type=Path, help="write the numbers here as JSON")
    parser.add_argument("--jobs", type=int, default=200, help="in the crowd's queue")
    parser.add_argument("--singles", type=int, default=10, help="commands that are compared with a render each")
    chosen = parser.parse_args()
    report = asyncio.run(measure(chosen.jobs, chosen.singles))
    if chosen.output:
        chosen.output.parent.mkdir(parents=True, exist_ok=True)
        chosen.output.write_text(json.dumps(report, indent=2) + "\n")
    say(table(report))


if __name__ == "__main__":
    main()
