"""Members who keep a bot busy: photos, commands, presses, choices, second thoughts. Repeats with its seed."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.bot.workbench import photo
from tests.discord.fake import Channel, FakeDiscord, Guild, Member, Message, NotPossible
from tests.discord.fake.interactions import COMPONENT
from tests.discord.ledger import FORGET, Ledger, Request
from tests.discord.stage import TICKED, is_result, strength_of

AGAIN = 8.0  # seconds after which a member who was asked something answers once more
MOST_OPEN = 3  # of one member's requests


@dataclass(eq=False)
class Person:
    """A member and where they talk."""

    member: Member
    channel: Channel
    photos: list[Message] = field(default_factory=list)
    results: list[Message] = field(default_factory=list)  # that they may press
    count: int = 0  # of what they asked for, so that no two of their commands ask for the same


Act = Callable[["Crowd", Person], Request | None]


class Crowd:
    """The members of some servers. `photo_of(mark)` makes the photos that they post."""

    def __init__(
        self,
        discord: FakeDiscord,
        guilds: list[Guild],
        members: int,
        *,
        seed: int = 0,
        photo_of: Callable[[str], bytes] | None = None,
        marked: bool = True,
    ) -> None:
        self.discord, self.dice = discord, random.Random(seed)
        self.ledger = Ledger(discord.world, marked=marked)
        self._photo_of = photo_of or (lambda mark: photo(mark=mark, steps=3, seconds=0.05))
        channels = [guild.channel("photos") for guild in guilds]
        places = [(guilds[n % len(guilds)], channels[n % len(guilds)]) for n in range(members)]
        self.people = [Person(guild.member(f"Member {n}"), channel) for n, (guild, channel) in enumerate(places)]
        self.by_id = {person.member.id: person for person in self.people}
        self.acts: dict[Act, float] = dict(USUAL)
        self.began: Callable[[], float] = lambda: 0.0  # when the bot's present process was started (time.monotonic())
        self.discord.world.watchers.append(self._watch)

    def _watch(self, message: Message) -> None:
        """A result can be pressed by whoever asked for it."""
        if message.author is self.discord.world.bot and is_result(message):
            for key in message.mentioned:
                person = self.by_id.get(key)
                if person is not None and message not in person.results:
                    person.results = [*person.results[-4:], message]

    # -- what they do

    def act(self) -> Request | None:
        """Somebody does something; None if whoever it was thought better of it."""
        person = self.dice.choice(self.people)
        own = [one for one in self.ledger.open if one.member is person.member]
        if sum(map(self.ledger.seen, own)) >= MOST_OPEN or any(one.kind == "/forget" for one in own):
            return None
        (act,) = self.dice.choices(list(self.acts), list(self.acts.values()))
        try:
            return act(self, person)
        except NotPossible:  # a button that is gone by now, a command that is not offered yet
            return None

    def upload(self, person: Person, faces: int = 1, **orders: object) -> Request:
        """A photo, with its mark in the words beside it."""
        person.count += 1
        mark = f"{person.member.id}:{person.count}"
        special = faces > 1 or bool(orders)
        data = photo(faces, mark=mark, **orders) if special else self._photo_of(mark)  # type: ignore[arg-type]
        posted = person.member.upload(person.channel, data, content=mark)
        person.photos.append(posted)
        kind = "several faces" if faces > 1 else "photo"
        return self.ledger.note(Request(kind, person.member, posted=posted, mark=mark))

    def choose(self, person: Person) -> Request:
        """A photo of several people."""
        return self.upload(person, faces=3)

    def smile(self, person: Person) -> Request | None:
        """A command on the latest face, each time with another strength."""
        if not person.results:
            return None
        person.count += 1
        strength = round(0.05 + 0.01 * (person.count % 290), 2)
        show = self.dice.choice(["public", "private"])
        used = person.member.slash("smile", person.channel, strength=strength, show=show)
        return self.ledger.note(Request(f"/smile ({show})", person.member, used=used, strength=strength))

    def command(self, person: Person, show: str = "public", **orders: object) -> Request:
        """A command with a photo of its own, which stands in no message."""
        person.count += 1
        mark, strength = f"{person.member.id}:{person.count}", round(0.05 + 0.01 * (person.count % 290), 2)
        data = photo(mark=mark, **orders) if orders else self._photo_of(mark)  # type: ignore[arg-type]
        used = person.member.slash("smile", person.channel, strength=strength, photo=data, show=show)
        return self.ledger.note(Request("/smile photo", person.member, used=used, mark=mark, strength=strength))

    def press(self, person: Person) -> Request | None:
        """+ or − under one of the last results; one change at a time."""
        results = [one for one in person.results if not one.deleted and one.viewer is None and is_result(one)]
        if not results or any(one.member is person.member for one in self.ledger.open):
            return None
        target = self.dice.choice(results)
        up = strength_of(target) < 2.0
        before = self.ledger.word(target)
        used = person.member.press(target, "+ More" if up else "− Less")
        strength = round(strength_of(target) + (0.25 if up else -0.25), 2)
        return self.ledger.note(Request("press", person.member, used=used, pressed=target, strength=strength, before=before))

    def animate(self, person: Person) -> Request | None:
        """A moving picture of the latest face."""
        if not person.results:
            return None
        used = person.member.slash("animate", person.channel, show="public")
        return self.ledger.note(Request("/animate", person.member, used=used))

    def take_back(self, person: Person) -> None:
        """Delete a photo that was just posted, or one of before."""
        standing = [one for one in person.photos if not one.deleted]
        if standing:
            gone = standing[-1]
            self.ledger.took_back.add(person.member.id)
            self._withdraw(person, lambda one: one.posted is gone)
            person.results = [one for one in person.results if one.reference is not gone]
            person.member.delete(gone)

    def forget(self, person: Person) -> Request:
        """`/forget`; it is confirmed when the bot asks."""
        used = person.member.slash("forget", person.channel)
        return self.ledger.note(Request(FORGET, person.member, used=used))

    def _withdraw(self, person: Person, which: Callable[[Request], bool]) -> None:
        for one in self.ledger.open:
            if one.member is person.member and which(one):
                one.withdrawn = True

    # -- what they answer

    def answer(self) -> None:
        """Agree, choose and confirm where the bot asks; take off the list what was answered."""
        for request in list(self.ledger.open):
            if request.withdrawn or time.monotonic() - request.nudged < AGAIN:
                continue
            for message in self.ledger.answers(request):
                try:
                    self._answer(request, message)
                except NotPossible:
                    continue
        gateway, began = self.discord.gateway, self.began()
        back = next((at for at, word in gateway.log if word == "ready" and at > began), 0.0)
        self.ledger.settle(back, gateway.unheard)

    def _answer(self, request: Request, message: Message) -> None:
        member = request.member
        if "I agree" in message.labels:
            self._agree(request, message)
            return
        if message.selects:
            request.choice = request.choice or self.dice.choice(["0", "2", "all"])
            used = member.select(message, request.choice)
        elif "Erase everything" in message.labels:
            self.ledger.took_back.add(member.id)
            self._withdraw(self.by_id[member.id], lambda one: one is not request)
            self.by_id[member.id].results.clear()
            used = member.press(message, "Erase everything")
        else:
            return
        request.asides.append(used)
        request.nudged = time.monotonic()

    def _agree(self, request: Request, question: Message) -> None:
        """Press "I agree" and, once the form is there, send it; once more where nothing comes of it."""
        opened = next((one for one in reversed(request.asides) if one.message is question and one.kind == COMPONENT), None)
        if opened is not None and opened.modal is not None:
            request.asides.append(request.member.submit_modal(opened.modal, ticked=TICKED))
            request.nudged = time.monotonic()
        elif opened is None or time.monotonic() - opened.sent_monotonic > AGAIN:
            request.asides.append(request.member.press(question, "I agree"))

    # -- for how long

    async def keep_busy(self, until: Callable[[], bool], open_at_once: int, pause: float = 0.02) -> None:
        """Act whenever fewer requests than that are open, until told to stop."""
        while not until():
            if self.ledger.pending() < open_at_once:
                self.act()
            self.answer()
            await asyncio.sleep(pause)

    async def settle(self, within: float) -> bool:
        """Ask for nothing more and wait for the answers; whether all came in time."""
        end = time.monotonic() + within
        while self.ledger.open and time.monotonic() < end:
            self.answer()
            await asyncio.sleep(0.05)
        return not self.ledger.open


USUAL: dict[Act, float] = {
    Crowd.upload: 40, Crowd.smile: 22, Crowd.press: 18, Crowd.command: 8, Crowd.animate: 4,
    Crowd.choose: 4, Crowd.take_back: 3, Crowd.forget: 1,
}  # fmt: skip
