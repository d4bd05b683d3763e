"""What each kind of request takes: the photo fetched, the face found and projected, the pictures drawn, the page made.

Everything heavy is asked of the executor, everything kept of the store; this module only puts the two together.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

import discord

from bot.answers import Answer
from bot.asks import NEUTRAL, SMILE, Ask, PhotoRef, Strength
from bot.follow import Follower
from bot.layouts import Attached, Page, Shown, picture, result, suffix
from core.errors import NoSuchFace, PhotoGone
from core.executor import Animate, Executor, FindFaces, FoundFace, Progress, Project, Render
from core.store import GuildSettings, Owner, Store, StoredFace

if TYPE_CHECKING:
    from bot.client import EgaoBot

METHOD: Final = "default"
CHECKPOINT_SECONDS: Final = 5.0  # a latent is 47 kB; sealing and writing it more often would buy nothing
REQUEST_BYTES: Final = 25 * 2**20  # all files of one message
GALLERY_KIND: Final = "jpeg"
ANIMATION_SIDE: Final = 512


class Photos(Protocol):
    """Where photos come from (`Downloader`)."""

    async def photo(self, url: str, declared: int | None = None) -> bytes: ...


@dataclass(eq=False)
class Run:
    """A request being worked on."""

    job_id: int
    owner: Owner
    ask: Ask
    answer: Answer
    settings: GuildSettings
    follower: Follower | None = None
    resume: bytes | None = None  # the last checkpoint of its projection
    saved: float = field(default_factory=time.monotonic)  # when that was last written down
    began: float = field(default_factory=time.monotonic)
    stored: StoredFace | None = None  # the face, once it is kept
    task: asyncio.Task[None] | None = None
    faces: int = 0  # how many its photo shows, once there is a choice
    ending: str | None = None  # why its task was cancelled: "member", "erased", "closing"


@dataclass(frozen=True)
class Choice:
    """Not done: the photo shows several faces and the member is to say which."""

    faces: tuple[FoundFace, ...]


class Work:
    """Does requests. `generator` is the digest that kept latents belong to."""

    def __init__(self, bot: EgaoBot, store: Store, executor: Executor, photos: Photos, generator: str) -> None:
        self._bot, self._store, self._executor, self._photos = bot, store, executor, photos
        self._generator = generator

    async def do(self, run: Run) -> Page | Choice:
        """Do the request. Raises EgaoError; AnswerGone when nobody waits any more."""
        if run.ask.photo is not None:
            choice = await self._take_in(run, run.ask.photo)
            if choice is not None:
                return choice
        else:
            assert run.ask.face_id is not None
            run.stored = await self._store.run(self._store.faces.get, run.owner, run.ask.face_id)
        return await self.draw(run)

    async def draw(self, run: Run) -> Page:
        """Make the answer from the kept face. May be called again, with a smaller `ask.limit`."""
        assert run.stored is not None
        if run.ask.kind == "animate":
            page = await self._animate(run, run.stored)
        elif run.ask.kind == "download":
            page = await self._download(run, run.stored)
        else:
            page = await self._gallery(run, run.stored)
        await self._store.run(self._store.faces.touch, run.owner, run.stored.id)
        return page

    # -- a new photo

    async def _take_in(self, run: Run, ref: PhotoRef) -> Choice | None:
        """Fetch the photo and keep its face; which one may have to be asked first."""
        data = await self._fetch(ref)
        digest = await asyncio.to_thread(lambda: hashlib.sha256(data).hexdigest())
        found = (await self._executor.submit(FindFaces(data), run.owner, self._follow(run))).faces
        number = run.ask.face
        if number is None and len(found) > 1:
            return Choice(found)
        number = number or 0
        face = next((one for one in found if one.index == number), None)
        if face is None:
            raise NoSuchFace(face=number + 1, count=len(found))
        run.stored = await self._known(run, ref, digest, number) or await self._project(run, ref, data, digest, face)
        return None

    async def _fetch(self, ref: PhotoRef) -> bytes:
        try:
            return await self._photos.photo(ref.url, ref.size)
        except PhotoGone:  # a signed link runs out; the message, if there is one, has a new link
            if ref.message_id is None or ref.channel_id is None:
                raise
        fresh = await self._again(ref.channel_id, ref.message_id, ref.attachment_id)
        return await self._photos.photo(fresh.url, fresh.size)

    async def _again(self, channel_id: int, message_id: int, attachment_id: int) -> discord.Attachment:
        try:
            message: discord.Message = await self._bot.get_partial_messageable(channel_id).fetch_message(message_id)
        except (discord.NotFound, discord.Forbidden):
            raise PhotoGone from None
        found = next((one for one in message.attachments if one.id == attachment_id), None)
        if found is None:
            raise PhotoGone
        return found

    async def _known(self, run: Run, ref: PhotoRef, digest: str, number: int) -> StoredFace | None:
        """The face, if this very photo was given before."""
        faces = self._store.faces
        known = await self._store.run(faces.find, run.owner, digest, number, generator=self._generator, method=METHOD)
        if known is None:
            return None
        return await self._store.run(
            faces.renew, run.owner, known.id, source_message_id=ref.message_id, source_channel_id=ref.channel_id
        )

    async def _project(self, run: Run, ref: PhotoRef, data: bytes, digest: str, face: FoundFace) -> StoredFace:
        wait = float(run.settings.longest_wait_seconds)
        steps = self._bot.settings.projection_steps or None
        request = Project(data, face.index, METHOD, steps, run.resume)
        done = await self._executor.submit(request, run.owner, self._follow(run), longest_wait=wait)
        return await self._store.run(
            self._store.faces.add,
            run.owner,
            photo_sha256=digest,
            face=face.index,
            box=face.box,
            quad=(),  # the worker finds the crop again from the photo; nothing here needs it
            latent=done.latent,
            thumbnail=done.original or done.thumbnail,
            generator=self._generator,
            method=METHOD,
            source_message_id=ref.message_id,
            source_channel_id=ref.channel_id,
            job=run.job_id,
        )

    def _follow(self, run: Run) -> Follow:
        return Follow(run, self._store)

    # -- pictures of a kept face

    async def _gallery(self, run: Run, stored: StoredFace) -> Page:
        """Original, neutral and smile of a new photo; original and the strength that was asked for otherwise."""
        asked: tuple[Strength, ...] = (NEUTRAL, SMILE) if run.ask.strength is None else (run.ask.strength,)
        asked = tuple(self._within(stored, one, run.settings) for one in asked)
        drawn, strengths = await self._render(run, stored, [one for one in asked if one != 0])
        files = [await self._original(run, stored)]
        if run.ask.keep and asked[-1] != 0 and run.ask.strength != NEUTRAL:
            now = await run.answer.files_now()
            files += [Attached(one.filename) for one in now if one.filename.startswith("neutral.")]
        if len(drawn) > 1:
            files.append(Attached(f"neutral.{suffix(drawn[0])}", drawn[0]))
        if drawn:
            files.append(Attached(f"edited.{suffix(drawn[-1])}", drawn[-1]))
        shown = Shown(
            stored.id,
            stored.owner.member_id or 0,
            strengths[-1] if strengths else 0.0,
            tuple(files),
            public=not run.ask.private,
            spoiler=run.settings.spoiler,
            expires=stored.expires,
            notes=(run.ask.say("photo.several", count=run.ask.pictures),) if run.ask.pictures > 1 else (),
        )
        return result(run.ask.say, shown)

    def _within(self, stored: StoredFace, strength: Strength, settings: GuildSettings) -> Strength:
        """The strength within the server's limit; "neutral" as a number once this face's is known."""
        if strength == NEUTRAL:
            known = (stored.extras or {}).get("neutral")
            if known is None:
                return NEUTRAL
            strength = float(known)
        return max(-settings.strength_max, min(settings.strength_max, float(strength)))

    async def _render(self, run: Run, stored: StoredFace, asked: list[Strength]) -> tuple[list[bytes], list[float]]:
        """The pictures and the strengths that they were drawn at."""
        if not asked:
            return [], []
        latent = await self._store.run(self._store.faces.latent, run.owner, stored.id)
        most = min(run.ask.limit, REQUEST_BYTES // (len(asked) + 1))
        request = Render(latent, tuple(asked), size=1024, kind=GALLERY_KIND, max_bytes=most)
        done = await self._executor.submit(request, run.owner)
        strengths = list(done.strengths) or [0.0 if isinstance(one, str) else one for one in asked]
        if NEUTRAL in asked:
            neutral = strengths[asked.index(NEUTRAL)]
            extras = {**(stored.extras or {}), "neutral": neutral}
            await self._store.run(self._store.faces.note, run.owner, stored.id, extras)
            if abs(neutral) > run.settings.strength_max:  # a target may lie beyond what this server allows
                limit = run.settings.strength_max
                return await self._render(run, stored, [-limit if one == NEUTRAL else one for one in asked])
        return list(done.pictures), strengths

    async def _original(self, run: Run, stored: StoredFace) -> Attached:
        """The aligned face of the photo: kept in the edited message if it is there, else from the store."""
        if run.ask.keep:
            for one in await run.answer.files_now():
                if one.filename.startswith("original."):
                    return Attached(one.filename)
        data = await self._store.run(self._store.faces.thumbnail, run.owner, stored.id)
        return Attached(f"original.{suffix(data)}", data)

    async def _download(self, run: Run, stored: StoredFace) -> Page:
        """One strength in full size and without loss, if the limit allows."""
        say = run.ask.say
        asked = self._within(stored, SMILE if run.ask.strength is None else run.ask.strength, run.settings)
        latent = await self._store.run(self._store.faces.latent, run.owner, stored.id)
        most = min(run.ask.limit, REQUEST_BYTES)
        done = await self._executor.submit(Render(latent, (asked,), kind="png", max_bytes=most), run.owner)
        data = done.pictures[0]
        part = Attached(f"egao.{suffix(data)}", data)
        strength = say.strength(done.strengths[0] if done.strengths else 0.0)
        alt, text = say("alt.smile", strength=strength), say("result.download", strength=strength)
        return picture(say, part, alt, text, None, spoiler=False)

    async def _animate(self, run: Run, stored: StoredFace) -> Page:
        """From neutral to the strength and back."""
        say, asked = run.ask.say, run.ask.strength
        start = self._within(stored, NEUTRAL, run.settings)
        if isinstance(start, str):
            start = (await self._render(run, stored, [NEUTRAL]))[1][0]
        stop = self._within(stored, SMILE if asked is None or asked == NEUTRAL else asked, run.settings)
        assert not isinstance(stop, str)
        if stop <= start:
            stop = SMILE
        latent = await self._store.run(self._store.faces.latent, run.owner, stored.id)
        most = min(run.ask.limit, REQUEST_BYTES)
        request = Animate(latent, start, stop, size=ANIMATION_SIDE, kind="webp", max_bytes=most)
        done = await self._executor.submit(request, run.owner, self._follow(run))
        part = Attached(f"animated.{suffix(done.picture)}", done.picture)
        strength = say.strength(stop)
        member = None if run.ask.private else stored.owner.member_id
        return picture(
            say,
            part,
            say("alt.animation", strength=strength),
            say("result.animation", strength=strength),
            member,
            spoiler=run.settings.spoiler,
        )


class Follow:
    """Takes a job's progress: shows it, and writes its checkpoints down for after a restart."""

    def __init__(self, run: Run, store: Store) -> None:
        self._run, self._store = run, store
        self._saving: asyncio.Task[None] | None = None

    def __call__(self, progress: Progress) -> None:
        run = self._run
        if run.follower is not None:
            run.follower(progress)
        if progress.checkpoint is None:
            return
        run.resume = progress.checkpoint
        if time.monotonic() - run.saved >= CHECKPOINT_SECONDS and (self._saving is None or self._saving.done()):
            run.saved = time.monotonic()
            self._saving = asyncio.create_task(self._save(progress.checkpoint))

    async def _save(self, blob: bytes) -> None:
        """A False means that the job was erased or cancelled: the work on it ends."""
        if not await self._store.run(self._store.jobs.checkpoint, self._run.job_id, blob):
            if self._run.task is not None and self._run.ending is None:
                self._run.ending = "erased"
                self._run.task.cancel()
            return
        await self._store.run(self._store.jobs.renew, self._run.job_id)
