"""One member of a crowd who means harm: sheets of faces, the largest files, every button at once, forged ones, exports.

What becomes of it is not booked: such a member may be refused as often as they like. But their pictures are watched as
everybody's are, and those of the others must come through beside them.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
from collections import Counter
from collections.abc import Callable
from typing import Any, Final

from tests.bot.workbench import photo
from tests.discord.crowd import Crowd
from tests.discord.fake import Interaction, Message, NotPossible
from tests.discord.stage import TICKED, is_result

LARGE: Final = 24 * 2**20  # bytes behind a photo: just under what is let in
FACES: Final = 40  # of a sheet
AT_ONCE: Final = 5  # commands of a kind, sent together
WORDS: Final = "\u202e笑\ud83d\ude00\u0301" * 300 + "@everyone <@&1> {0.__class__} %s"  # for whatever takes words
FORGED: Final = (
    "egao:plus:99999999999999999999:1:100",
    "egao:erase:1",
    "egao:pick:-1",
    "egao:set:spoiler:on",
    "egao:" + "x" * 90,
    "x",
)


class Villain:
    """Takes the place of one of the crowd's members."""

    def __init__(self, crowd: Crowd) -> None:
        self.crowd, self.dice = crowd, crowd.dice
        self.person = crowd.people.pop(1)  # who has agreed
        crowd.ledger.unruly.add(self.person.member.id)
        self.did: Counter[str] = Counter()
        self.forms: list[Interaction] = []  # presses that were answered with the form of the consent, or will be

    async def run(self, pause: float) -> None:
        """Attack, every so many seconds in another way, until cancelled. In turns, so that any two minutes ask for the same."""
        for attack in itertools.cycle(ATTACKS):
            await asyncio.sleep(pause)
            self.did[attack.__name__] += 1
            attack(self)
            self._answer()

    async def leave(self, within: float) -> None:
        """Have everything erased, open choices too: what is left undone after that is not theirs."""
        end = time.monotonic() + within
        while time.monotonic() < end:
            with contextlib.suppress(NotPossible, AssertionError):
                asked = await self.person.member.slash("forget", self.person.channel).wait_message(within=20)
                await self.person.member.press(asked, "Erase everything").wait_answer(20)
                return
            await asyncio.sleep(1)

    def _try(self, act: Callable[..., Any], *given: Any, **named: Any) -> None:
        try:
            act(*given, **named)
        except NotPossible:  # what even a forged client could not send, and buttons that are gone by now
            self.did["not possible"] += 1

    def _open(self, question: Message) -> None:
        self.forms = [*self.forms[-8:], self.person.member.press(question, "I agree")]

    def _photo(self, faces: int = 1, more: int = 0) -> tuple[bytes, str]:
        self.person.count += 1
        mark = f"{self.person.member.id}:{self.person.count}"
        return photo(faces, mark=mark) + bytes(more), mark

    def _answer(self) -> None:
        """Agree, and take all of the faces, wherever the bot asks."""
        for message in [one for posted in self.person.photos[-8:] for one in self.crowd.ledger.answering(posted)]:
            if "I agree" in message.labels:
                form = next((one.modal for one in self.forms if one.message is message and one.modal is not None), None)
                if form is None:
                    self._try(self._open, message)
                else:
                    self._try(self.person.member.submit_modal, form, ticked=TICKED)
            for menu in message.selects[:1]:
                self._try(self.person.member.select, message, "all", menu=menu["custom_id"])

    # -- the attacks

    def sheets(self) -> None:
        """Photos of very many faces, one after the other."""
        for _ in range(AT_ONCE):
            data, mark = self._photo(FACES)
            self.person.photos.append(self.person.member.upload(self.person.channel, data, content=mark))

    def large_files(self) -> None:
        """Photos as large as may be."""
        for _ in range(AT_ONCE):
            data, mark = self._photo(more=LARGE)
            self.person.photos.append(self.person.member.upload(self.person.channel, data, content=mark))

    def every_button(self) -> None:
        """All that is under the last results, and all of it twice."""
        for message in [one for one in self.person.results if is_result(one) and not one.deleted]:
            for label in [*message.labels, *message.labels]:
                self._try(self.person.member.press, message, label)

    def buttons_of_others(self) -> None:
        """What others' results offer, and what no message does."""
        others = [one for person in self.crowd.people for one in person.results if one.viewer is None and not one.deleted]
        for message in self.dice.sample(others, min(AT_ONCE, len(others))):
            for label in message.labels:
                self._try(self.person.member.press, message, label)
            for identity in FORGED:
                self._try(self.person.member.press, message, identity, unchecked=True)

    def commands(self) -> None:
        """All of them at once, with what no number is, and words for a number."""
        member, channel = self.person.member, self.person.channel
        for _ in range(AT_ONCE):
            for name in ("export", "faces", "queue", "privacy", "help", "neutral", "animate"):
                self._try(member.slash, name, channel)
            for strength in (1e308, -9.0, 0.1, 3.0):
                self._try(member.slash, "smile", channel, unchecked=True, strength=strength, face=WORDS)
            self._try(member.autocomplete, "smile", channel, "face", WORDS, strength=1.0)

    def second_thoughts(self) -> None:
        """Delete each photo that was just posted, while it is worked on."""
        for message in [one for one in self.person.photos[-AT_ONCE:] if not one.deleted]:
            self._try(self.person.member.delete, message)


ATTACKS: Final[tuple[Callable[[Villain], None], ...]] = (
    Villain.sheets, Villain.large_files, Villain.every_button, Villain.every_button, Villain.buttons_of_others, Villain.commands,
    Villain.second_thoughts,
)  # fmt: skip
