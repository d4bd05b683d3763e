"""The real bot's process under load while its workers, its disk, its store or Discord fail: nothing is lost or doubled.

One process goes through all of it, in the order in which the tests stand.
"""

from __future__ import annotations

import os
import resource
import signal
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.discord.crowd import Person
from tests.discord.fake import Message
from tests.discord.fake.world import Rules
from tests.discord.ledger import Request, asks
from tests.discord.process import alive
from tests.discord.stage import WORKING, is_result
from tests.discord.trial import Trial, nothing_left, trial

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

SILENCE = 3.0  # seconds after which a worker counts as hung
BUSY = 1.0  # seconds that the store waits for others
ENOUGH = 120  # requests for a verdict: some are withdrawn, some refused
MEMORY = 300 * 2**20  # bytes that a worker may hold


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def made(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Trial]:
    home = tmp_path_factory.mktemp("bot")
    async with trial(
        home, seed=11, FAKE_SILENCE=str(SILENCE), FAKE_MEMORY=str(MEMORY), FAKE_BUSY=str(BUSY), FAKE_LOOK="1"
    ) as made:
        assert await made.until(lambda: len(made.crowd.ledger.requests) >= 10, WORKING)
        yield made
        assert await made.until(lambda: len(made.crowd.ledger.requests) >= ENOUGH, WORKING)
        verdict = await made.verdict()
        assert made.discord.rest.unknown == []
    verdict.check()
    assert verdict.accepted > 100


async def answers(made: Trial, posted: Message) -> list[Message]:
    """The answers to a photo, once all that is open is answered."""
    assert await made.crowd.settle(WORKING), made.crowd.ledger.open
    return [one for one in posted.channel.messages if one.reference is posted]


@pytest.mark.parametrize("kills", [2, pytest.param(5, marks=pytest.mark.long)])
async def test_workers_that_are_killed_lose_nothing(made: Trial, kills: int) -> None:
    for _ in range(kills):
        sent = len(made.crowd.ledger.requests)
        assert await made.until(lambda sent=sent: len(made.crowd.ledger.requests) >= sent + 3, WORKING)  # type: ignore[misc]
        workers = [pid for pid in made.bot.children() if alive(pid)]
        assert workers
        os.kill(made.crowd.dice.choice(workers), signal.SIGKILL)
        assert await made.until(lambda gone=workers: set(made.bot.children()) != set(gone), WORKING)  # type: ignore[misc]
    assert await made.crowd.settle(WORKING), made.crowd.ledger.open
    assert await made.until(lambda: len([pid for pid in made.bot.children() if alive(pid)]) == 2, WORKING), "both come back"
    assert resource.prlimit(made.bot.pid, resource.RLIMIT_CORE) == (0, 0), "a crash would write faces and keys to the disk"


@pytest.mark.parametrize(
    ("fail", "at", "words"),
    [
        ("crash", "find", "worker stopped"),
        pytest.param("crash", "project", "worker stopped", marks=pytest.mark.long),
        ("hang", "project", f"longer than {SILENCE:g} s"),
        ("hoard", "find", "went wrong"),
    ],
)
async def test_whose_photo_takes_the_worker_down_is_told_and_nobody_else(made: Trial, fail: str, at: str, words: str) -> None:
    before = len(made.crowd.ledger.requests)
    place = made.crowd.people[1]
    bad = made.crowd.upload(Person(place.member.guild.member("Zoe"), place.channel), fail=fail, at=at)
    assert bad.posted is not None
    assert await made.until(lambda: len(made.crowd.ledger.requests) >= before + 8, WORKING)
    (told,) = await answers(made, bad.posted)
    assert words in told.text
    others = [one for one in made.crowd.ledger.requests[before:] if one.posted is not None and one is not bad]
    assert not [one for one in others for shown in await answers(made, one.posted) if words in shown.text]  # type: ignore[arg-type]


async def test_a_full_disk_delays_what_was_accepted_and_the_rest_is_told(made: Trial) -> None:
    assert await made.until(lambda: made.crowd.ledger.pending() >= 5, WORKING)
    before = resource.prlimit(made.bot.pid, resource.RLIMIT_FSIZE, (4096, -1))  # Python ignores the signal: writes fail
    try:
        messages = [person.channel.messages for person in made.crowd.people]
        assert await made.until(lambda: any("operator" in one.text for of in messages for one in of), WORKING), "nobody was told"
    finally:
        resource.prlimit(made.bot.pid, resource.RLIMIT_FSIZE, before)
    assert await made.crowd.settle(WORKING), made.crowd.ledger.open
    assert made.bot.running


async def test_a_locked_store_is_waited_for(made: Trial) -> None:
    assert await made.until(lambda: made.crowd.ledger.pending() >= 5, WORKING)
    other = sqlite3.connect(made.settings.home / "egao.sqlite3", isolation_level=None)
    other.execute("begin immediate")
    try:
        await made.until(lambda: False, 3 * BUSY)
    finally:
        other.close()
    assert await made.crowd.settle(WORKING), made.crowd.ledger.open


@pytest.mark.parametrize("forgotten", [False, True])
async def test_while_the_gateway_is_gone_answers_still_arrive(made: Trial, forgotten: bool) -> None:
    gateway, crowd = made.discord.gateway, made.crowd

    def waiting() -> list[Request]:
        """What the bot works on. Not what it asked a word of its member for: that would have to come through the gateway."""
        known = [one for one in crowd.ledger.open if crowd.ledger.seen(one) and one.kind in ("photo", "/animate")]
        return [one for one in known if not any(map(asks, crowd.ledger.answers(one)))]

    assert await made.until(lambda: sum(one.kind == "photo" for one in waiting()) >= 3, WORKING)
    gateway.refusing = True
    await gateway.drop()
    left = waiting()
    word, count = ("identify", gateway.count("identify")) if forgotten else ("resumed", gateway.count("resumed"))
    if forgotten:
        gateway.forget()
    try:
        world, ledger = made.discord.world, crowd.ledger

        def without() -> list[Request]:
            return [one for one in left if not (ledger.answered(one) or one.withdrawn)]

        await world.until(
            lambda: not without(), WORKING, "answers", lambda: str([(one, ledger.answers(one)) for one in without()])
        )
        late = crowd.upload(crowd.people[2])  # while there is nobody to hear of it
    finally:
        gateway.refusing = False
    await gateway.wait_for(word, count + 1, WORKING)
    assert await crowd.settle(WORKING), crowd.ledger.open
    if not forgotten:
        assert crowd.ledger.answered(late), "a session that goes on hears of what happened meanwhile"


@pytest.mark.parametrize("seconds", [1.5, pytest.param(4.0, marks=pytest.mark.long)])
async def test_500s_and_429s_for_a_while_delay_answers_and_no_more(made: Trial, seconds: float) -> None:
    faults = made.discord.faults
    for path in ("/messages", "/callback"):
        faults.error(path, status=500, times=None, chance=0.15, applied=True)
        faults.error(path, status=503, times=None, chance=0.15)
        faults.rate_limit(path, retry_after=0.3, times=None, chance=0.2)
        faults.reset(path, times=None, chance=0.05)
    try:
        await made.until(lambda: False, seconds)
    finally:
        faults.clear()
    assert await made.crowd.settle(WORKING), made.crowd.ledger.open


async def test_after_a_quarter_of_an_hour_answers_find_another_way(made: Trial, tmp_path: Path) -> None:
    crowd = made.crowd
    # An answer that Discord took but called failed is given again. If its token ended in between, the member gets it as a direct
    # message too: better twice than never. Here a quarter of an hour would pass within the second before it is tried again.
    await nothing_left(made.settings, WORKING, crowd.ledger.asking())
    passed, made.discord.rules.answer_within = tmp_path / "passed", WORKING  # the replies are what the test begins with
    shows = ("public", "private")
    # who is asked for consent first has a younger token: its answer needs no other way
    agreed = [one for number, one in enumerate(crowd.people) if number % 6 and one.member.id not in crowd.ledger.took_back]
    slow = [crowd.command(person, show, until=str(passed)) for show in shows for person in agreed[:2]]
    await made.discord.world.until(lambda: all(one.used is not None and one.used.messages for one in slow), WORKING, "replies")
    made.discord.rules.answer_within = Rules.answer_within
    made.discord.clock.advance(16 * 60)
    passed.touch()
    assert await crowd.settle(WORKING), crowd.ledger.open
    public, private = slow[:2], slow[2:]
    assert all(is_result(one.used.messages[0]) for one in public if one.used is not None)
    for one in private:
        assert [m for m in one.member.dm.messages if is_result(m)], "only the member saw the reply, so only they see the answer"


async def test_stopped_at_its_work_and_started_while_the_gateway_refuses_it_comes_up_later(made: Trial, tmp_path: Path) -> None:
    """What it was at is answered after that, once: the verdict over all of these tests asks it."""
    ledger = made.crowd.ledger
    assert await made.until(lambda: any(one.kind == "photo" and ledger.seen(one) for one in ledger.open), WORKING)
    workers = made.bot.children()
    assert await made.bot.stop(60) == 0
    await made.discord.world.until(lambda: not any(map(alive, workers)), WORKING, "no worker outlives the bot")
    made.discord.gateway.refusing = True
    before = len(made.discord.find_requests("PUT", "/commands$"))
    try:
        await made.bot.start()
        await made.discord.world.until(
            lambda: len(made.discord.find_requests("PUT", "/commands$")) >= before + 2, WORKING, "2nd try"
        )
    finally:
        made.discord.gateway.refusing = False
    ready = made.discord.gateway.count("ready")
    await made.discord.gateway.wait_for("ready", ready + 1, WORKING)
