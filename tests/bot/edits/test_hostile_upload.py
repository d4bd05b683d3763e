"""A hundred files from strangers the whole way in: dropped in a channel, fetched from the CDN, read, each answered in words."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from PIL import Image

from tests.core.faces.hostile import BIG, chunk, files, png, saved
from tests.core.faces.test_hostile_photos import MAGIC
from tests.discord.crowd import Person
from tests.discord.fake import Message, Upload, replies_to
from tests.discord.ledger import last_word
from tests.discord.stage import WORKING
from tests.discord.trial import Trial, trial

pytestmark = pytest.mark.slow

SHORT, FULL = 30, 100  # files
AT_ONCE = 10
NAMES = (
    "photo.png",
    "photo.jpg",
    "photo.webp",
    "../../../etc/passwd.png",
    "a\\..\\b.jpg",
    "x.php.png",
    "%2e%2e%2f.webp",
    "‮gnp.jpg",
)
NO_PHOTO = re.compile(
    r"can't be read as a photo \(.+\)\. Send a JPEG, PNG, WebP, GIF, AVIF or HEIC picture\."
    r"|is too large \(.+\)\. Send a smaller copy\."
)
NO_FACE = "No face was found"


def hostile(count: int) -> Iterator[tuple[str, bytes]]:
    """Some of every kind of small file, and bombs that Discord would carry; none shows a face.

    Of few the bombs are of 3 million pixels and not of 50, which take seconds to decode: test_hostile_photos has such ones.
    """
    scene = Image.linear_gradient("L").resize((128, 96)).convert("RGB")
    every = dict(files(scene))
    other = {name: data for name, data in every.items() if name.startswith("only ")}
    wide, high = BIG if count == FULL else (BIG[0] // 4, BIG[1] // 4)
    bombs = {
        "large png": png(wide, high), "large png, 16 bit grey": png(wide, high, 16, 0),
        "jpeg of comments": saved(scene, "JPEG")[:2] + b"\xff\xfe\0\2" * 100_000 + saved(scene, "JPEG")[2:],
        "png of texts": png(64, 64, extra=chunk(b"tEXt", b"a\0") * 40_000),
    }  # fmt: skip
    chosen, names = bombs | other, [name for name in every if name not in other]
    step = len(names) / (count - len(chosen))
    yield from chosen.items()
    yield from ((name, every[name]) for name in (names[int(n * step)] for n in range(count - len(chosen))))


async def drop(made: Trial, person: Person, name: str, data: bytes) -> tuple[Message, str]:
    """Post it, and wait until the bot has said its last word about it."""
    number = sum(map(ord, name)) % len(NAMES)
    posted = person.member.upload(person.channel, Upload(data, NAMES[number]))
    reply = await person.channel.wait_message(replies_to(posted), WORKING)
    await made.discord.world.until(lambda: last_word(reply), WORKING, f"answer to {name}", person.channel.transcript)
    return reply, reply.text


def on_disk(home: Path) -> bytes:
    """All that the bot has written, but its log."""
    return b"".join(file.read_bytes() for file in home.rglob("*") if file.is_file() and file.suffix != ".log")


@pytest.mark.parametrize("count", [SHORT, pytest.param(FULL, marks=pytest.mark.long)])
async def test_hostile_files_each_get_a_clear_sentence(tmp_path: Path, count: int) -> None:
    given = await asyncio.to_thread(lambda: list(hostile(count)))
    assert len(given) == count
    said: Counter[str] = Counter()
    workbench = "tests.bot.hostile_workbench:create"
    split = "no" if count == SHORT else ""  # each worker takes seconds to start
    async with trial(
        tmp_path, servers=1, members=6, FAKE_WORKBENCH=workbench, FAKE_SPLIT=split, FAKE_SILENCE="10", EGAO_THREADS="1"
    ) as made:
        people: Sequence[Person] = made.crowd.people[1:]
        await drop(made, people[0], "warm-up", given[0][1])
        workers = made.bot.children()
        for wave in (given[start : start + AT_ONCE] for start in range(0, count, AT_ONCE)):
            tasks = [drop(made, people[n % len(people)], *one) for n, one in enumerate(wave)]
            for (name, data), (reply, words) in zip(wave, await asyncio.gather(*tasks), strict=True):
                no_photo = bool(NO_PHOTO.search(words))
                assert no_photo or NO_FACE in words, f"{name}: {words}"
                assert no_photo or data.startswith(MAGIC), f"{name} was taken for a photo"
                assert not reply.attachments
                said["no photo" if no_photo else "no face"] += 1
        assert made.bot.children() == workers, f"a worker died:\n{made.bot.tail()}"
        assert "Traceback" not in made.bot.log
        assert len(made.discord.cdn.fetches) >= count, "through the download"
        assert not made.discord.rest.unknown
        kept = on_disk(tmp_path)
        for name, data in given:
            assert len(set(data[-60:])) < 20 or data[-60:] not in kept, f"{name} is on disk"
    assert said["no photo"] >= count // 2, said
    assert said["no face"] >= count // 10, said
