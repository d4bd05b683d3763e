"""The books of a crowd: every request and what became of it. Finds what was lost, answered twice, or shown to another.

Every picture names the photo that it was made of, and a photo its member (`tests.bot.workbench.mark_in`), so a picture in
the wrong hands is seen however it got there. Messages are looked at as they are made and edited, not just in the end.
"""

from __future__ import annotations

import re
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tests.bot.workbench import mark_in, strength_in
from tests.discord.fake import Interaction, Member, Message
from tests.discord.fake.world import World
from tests.discord.stage import STRENGTH, is_result, strength_of

MOMENT = re.compile(r"<t:\d+:f>")  # when the face runs out: moves when a face is used again
LOOK = 3.0  # seconds after which an answer is also looked for where only its job's number tells whose it is
NOTICED = 2.0  # seconds in which a member expects to see something
ERASED = "The photo was deleted"  # is said of the work that was under way on it
HEARD = "You have agreed already"  # is said to a second press of a question: the answer is another message
FORGET = "/forget"  # what it asks for is no picture
NONCE = re.compile(r"egao(\d+)")


@dataclass(eq=False)
class Request:
    """Something that a member wants of the bot."""

    kind: str
    member: Member
    posted: Message | None = None  # the photo
    used: Interaction | None = None  # the command, or the press
    pressed: Message | None = None  # the result that a press is to change
    mark: str = ""  # of the photo; empty: of any photo of the member's
    strength: float | None = None  # that the answer has to show
    before: str = ""  # what the pressed message said
    withdrawn: bool = False  # the member deleted the photo or had everything forgotten: no answer is owed
    choice: str = ""  # which face was chosen, if there were several
    asides: list[Interaction] = field(default_factory=list)  # by which the member answered the bot's questions
    at: float = field(default_factory=time.monotonic)
    nudged: float = 0.0  # when a question of the bot's was last answered
    settled: float = 0.0
    done: bool = False  # it was answered, whatever the message says after later presses

    @property
    def owed(self) -> int:
        """How many answers are to come: one, also to a photo of several."""
        return 1

    @property
    def once(self) -> str:
        """What the job's row calls it."""
        return f"m{self.posted.id}" if self.posted else f"i{self.used.id}" if self.used else ""

    def __repr__(self) -> str:
        return f"<{self.kind} {self.once} of {self.member.user.name}>"


class Ledger:
    """Watches one world. `marked`: the pictures carry marks."""

    def __init__(self, world: World, *, marked: bool = True) -> None:
        self.world, self.marked = world, marked
        self.requests: list[Request] = []
        self.open: list[Request] = []
        self.wrong: list[str] = []  # pictures in the wrong hands
        self.took_back: set[int] = set()  # members who deleted a photo or had everything erased
        self.unruly: set[int] = set()  # members whose requests are in no book: only whose hands their pictures are in is watched
        self.twice: list[str] = []  # answers that were given again, and another
        self.repeated = 0  # answers that were given again as they were: a member sees no difference
        self._answers: defaultdict[int, list[Message]] = defaultdict(list)  # by the message answered
        self._nonces: defaultdict[int, list[Message]] = defaultdict(list)  # by job
        self._unnamed: list[tuple[Message, int]] = []  # messages that name nobody, with the owners of their pictures
        self._last: dict[int, str] = {}  # message -> its last word
        self._marks: dict[str, tuple[str, float]] = {}  # of pictures, by their digest
        self.look_up: Callable[[], dict[str, int]] = dict  # the requests that the store has a row of: `once` -> number
        self._jobs: dict[str, int] = {}
        self._looked = 0.0
        world.watchers.append(self._watch)

    def note(self, request: Request) -> Request:
        self.requests.append(request)
        self.open.append(request)
        return request

    def pending(self) -> int:
        """How many requests the bot seems to know of; a member who sees nothing happen does not wait for long."""
        return sum(bool(self.seen(one)) or time.monotonic() - one.at < NOTICED for one in self.open)

    def seen(self, request: Request) -> bool:
        """Whether the bot has shown in any way that it knows of a request."""
        return bool(self.answers(request) if request.used is None else request.used.answer is not None)

    # -- as it happens

    def _watch(self, message: Message) -> None:
        if message.author is not self.world.bot:
            return
        if len(message.revisions) == 1:
            if message.reference is not None:
                self._answers[message.reference.id].append(message)
            if message.nonce is not None and (found := NONCE.fullmatch(message.nonce)):
                self._nonces[int(found[1])].append(message)
        self._check_hands(message)
        self._check_word(message)

    def _check_hands(self, message: Message) -> None:
        """Whose pictures are these, and who gets them?"""
        shown = is_result(message)
        pictures = [one for one in message.attachments if not one.filename.endswith(".zip")]
        for one in pictures if self.marked else ():
            if one.sha256 not in self._marks:
                self._marks[one.sha256] = (mark_in(one.data), strength_in(one.data))
            mark, strength = self._marks[one.sha256]
            owner = int(mark.partition(":")[0] or 0)
            hands = addressees(message)
            if not hands and message.nonce:
                self._unnamed.append((message, owner))
            elif hands != {owner}:
                self.wrong.append(f"a picture of {mark} for {hands}: {message.describe()}")
            photo = message.reference.content if message.reference else ""
            if photo and not mark.startswith(f"{photo}/"):
                self.wrong.append(f"a picture of {mark} in answer to {photo}")
            if shown and one.filename.startswith("edited.") and abs(strength - strength_of(message)) > 0.11:
                self.wrong.append(f"a picture of strength {strength}: {message.describe()}")

    def _check_word(self, message: Message) -> None:
        """A last word stays, unless a press asks for another."""
        if (hands := addressees(message)) and hands <= self.unruly:
            return
        word = last_word(message)
        before = self._last.get(message.id)
        if before is not None and word == before:
            self.repeated += 1
        elif before is not None and not any(one.pressed is message for one in self.open) and not self._taken_back(message):
            self.twice.append(f"{before!r} became {word or message.text!r}")
        if word:
            self._last[message.id] = word

    def _taken_back(self, message: Message) -> bool:
        """Whether the member wants none of it any more, and so may be told that after all."""
        things = [thing for one in self.requests if one.withdrawn for thing in (one.posted, one.used) if thing is not None]
        return (message.reference in things or message.interaction in things) or (
            ERASED in message.text and not addressees(message).isdisjoint(self.took_back)
        )

    def word(self, message: Message) -> str:
        """The last word of a message so far."""
        return self._last.get(message.id, "")

    # -- at the end

    def answers(self, request: Request, job: int | None = None) -> list[Message]:
        """The living messages that are about a request, in the order in which they came."""
        found: dict[int, Message] = {}
        if request.posted is not None:
            found |= {one.id: one for one in self._answers[request.posted.id]}
        for used in (request.used, *request.asides):
            found |= {one.id: one for one in used.messages} if used is not None else {}
        if job is not None:
            found |= {one.id: one for one in self._nonces[job]}
        return [found[key] for key in sorted(found) if not found[key].deleted]

    def answering(self, posted: Message) -> list[Message]:
        """The living messages of the bot's that answer a message."""
        return [one for one in self._answers[posted.id] if not one.deleted]

    def asking(self) -> set[int]:
        """The messages in which the bot waits for a word of its member, by id."""
        return {one.id for of in self._answers.values() for one in of if asks(one) and not one.deleted}

    def settle(self, back: float = 0.0, unheard: Sequence[tuple[float, float]] = ()) -> None:
        """Take the requests that have their answer off the list of open ones.

        So are those that nothing will be heard of: it is not a matter of time, but of what happened since (`_over`).
        """
        over = {request: self._over(request, back, unheard) for request in self.open}
        aged = time.monotonic() - self._looked > LOOK and any(time.monotonic() - one.at > LOOK for one in self.open)
        if aged or max(over.values(), default=0.0) > self._looked:
            self._looked, self._jobs = time.monotonic(), self.look_up()
        for request in list(self.open):
            late = bool(over[request]) and not self.seen(request) and request.once not in self._jobs
            if request.withdrawn or late or self.answered(request, self._jobs.get(request.once)):
                request.settled = time.monotonic()
                request.done = not request.withdrawn and not late
                if request.done:
                    self._check_strength(request, self._jobs.get(request.once))
                self.open.remove(request)

    def _over(self, request: Request, back: float, unheard: Sequence[tuple[float, float]]) -> float:
        """Since when a request is known to have come to nothing, if it has no row in the store; 0 if that isn't known.

        Either a new process of the bot's has been listening since `back`: what was sent before is known to it from the
        store alone. Or it was sent while no session took it down. Or Discord says of a command that the bot did not
        respond, and the bot has tried: it makes the row before.
        """
        if request.at < back:
            return back
        if end := next((end for begin, end in unheard if begin <= request.at < end), 0.0):
            return end
        return request.used.tried if request.used is not None and request.used.failed else 0.0

    def _check_strength(self, request: Request, job: int | None) -> None:
        """The answer shows what was asked for; later presses change that."""
        found = [request.pressed] if request.pressed is not None else self.answers(request, job)
        results = [one for one in found if is_result(one)]
        if request.strength is not None and any(strength_of(one) != request.strength for one in results):
            told = request.pressed is not None and any(map(last_word, self._beside(request, job)))
            if not told:
                self.wrong.append(f"{request} asked for {request.strength}: {[one.describe() for one in results]}")

    def _beside(self, request: Request, job: int | None) -> list[Message]:
        return [one for one in self.answers(request, job) if one is not request.pressed]

    def answered(self, request: Request, job: int | None = None) -> bool:
        """Whether the member has their answer, or was told why there is none."""
        if request.pressed is not None:
            said = self._beside(request, job)
            now = last_word(request.pressed)
            return request.pressed.deleted or any(map(last_word, said)) or bool(now and now != request.before)
        seen = self.answers(request, job)
        if any(map(asks, seen)):
            return False
        return len(self._last_words(request, seen)) >= request.owed

    @staticmethod
    def _last_words(request: Request, seen: list[Message]) -> list[Message]:
        """The messages with a last word; not what is said to a question of the bot's that was answered once too often."""
        last = [one for one in seen if last_word(one)]
        if any(one.interaction not in request.asides for one in last):
            last = [one for one in last if one.pictures or one.interaction not in request.asides]
        return last

    def verdict(self, jobs: dict[str, int]) -> Verdict:
        """What became of all requests. `jobs`: the rows that the store has, `once` -> number."""
        by_once = {request.once: request.member.id for request in self.requests}
        verdict = Verdict(sent=len(self.requests), wrong=list(self.wrong), twice=list(self.twice), repeated=self.repeated)
        members = {f"egao{job}": by_once[once] for once, job in jobs.items() if once in by_once}
        for message, owner in self._unnamed:
            if members.get(message.nonce or "", owner) != owner:
                verdict.wrong.append(f"a picture of {owner} for {members[message.nonce or '']}")
        for request in self.requests:
            job = jobs.get(request.once)
            seen = self.answers(request, job)
            if request.withdrawn:
                verdict.withdrawn += 1
            elif not (job is not None or seen or (request.used and request.used.answer is not None)):
                verdict.unseen += 1  # the bot was away: the event never reached it
            elif not (request.done or self.answered(request, job)):
                verdict.lost.append(f"{request} (job {job}): {[one.describe() for one in seen]}")
            else:
                self._judge(request, self._last_words(request, seen), verdict)
        verdict.pictures = len(self._marks)
        return verdict

    def _judge(self, request: Request, last: list[Message], verdict: Verdict) -> None:
        verdict.accepted += 1
        told = [one for one in last if not one.pictures and request.kind != FORGET]
        results = [one for one in last if one.pictures]
        verdict.kinds[request.kind] += 1
        verdict.told += bool(told and not results)
        for one in told:
            said = [line for line in one.text.split("(Reference")[0].strip().splitlines() if not line.startswith("-# ")]
            verdict.reasons[said[-1][:90]] += 1
        if request.pressed is None and len(last) > request.owed:
            verdict.twice.append(f"{request}: {[one.describe() for one in last]}")


@dataclass
class Verdict:
    """How it went."""

    sent: int = 0
    accepted: int = 0
    told: int = 0  # of the accepted: why not, instead of a picture
    withdrawn: int = 0
    unseen: int = 0
    pictures: int = 0  # whose marks were read
    repeated: int = 0
    lost: list[str] = field(default_factory=list)
    twice: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    kinds: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)

    def check(self) -> None:
        """AssertionError if anything was lost, answered twice, or shown to another."""
        for name in ("lost", "twice", "wrong"):
            found = getattr(self, name)
            assert not found, f"{len(found)} {name}:\n" + "\n".join(found[:10])


def addressees(message: Message) -> set[int]:
    """For whom a message of the bot's is: who alone sees it, whom it answers, who used the command, whom it names."""
    if message.viewer is not None:
        return {message.viewer.id}
    if message.channel.recipient is not None:
        return {message.channel.recipient.id}
    found = {message.reference.author.id} if message.reference else set()
    found |= {message.interaction.user.id} if message.interaction else set()
    return found | message.mentioned


def asks(message: Message) -> bool:
    """Whether the bot waits for its member: to choose a face, to agree, to confirm."""
    chooses = bool(message.selects) and not is_result(message)  # under a picture of several a select is for later
    return bool(chooses or {"I agree", "Erase everything"} & set(message.labels))


def last_word(message: Message) -> str:
    """What a message says once nothing more is to come; empty before, and where it says that the answer is elsewhere."""
    if message.loading or asks(message) or "Cancel" in message.labels or HEARD in message.text:
        return ""
    text = MOMENT.sub("", message.text)
    return f"{text} {sorted(message.labels)}" if STRENGTH.search(text) else text or "empty"
