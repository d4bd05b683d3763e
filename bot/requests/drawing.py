"""The pictures of a kept face, in the photo that it came from: gallery, download, animation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from bot.requests.ask import NEUTRAL, SMILE, Strength
from bot.requests.run import Follow, Run
from bot.transport.photo_source import PhotoReader
from bot.ui.pages import Attached, Page, Shown, picture, result, suffix
from core.executor import Animate, Executor, Render
from core.store import GuildSettings, Owner, Store, StoredFace

REQUEST_BYTES: Final = 25 * 2**20  # all files of one message
GALLERY_KIND: Final = "jpeg"
GALLERY_SIDE: Final = 2048  # pixels of the photo's longer side: more is for the download
CROP_SIDE: Final = 1024
ANIMATION_SIDE: Final = 512


class Pictures:
    """Makes the pages that show a face. The pictures are drawn by the executor."""

    def __init__(self, store: Store, executor: Executor, photos: PhotoReader) -> None:
        self._store, self._executor, self._photos = store, executor, photos

    async def page(self, run: Run, stored: StoredFace) -> Page:
        """What was asked for. Raises EgaoError."""
        if run.ask.kind == "animate":
            return await self._animate(run, stored)
        if run.ask.kind == "download":
            return await self._download(run, stored)
        return await self._gallery(run, stored)

    async def _gallery(self, run: Run, stored: StoredFace) -> Page:
        """Original, neutral and smile of a new photo; original and the strength that was asked for otherwise."""
        photo = await self._photo(run, stored)
        asked: tuple[Strength, ...] = (NEUTRAL, SMILE) if run.ask.strength is None else (run.ask.strength,)
        asked = tuple(self._within(stored, one, run.settings) for one in asked)
        shown = {one.filename for one in await run.answer.files_now()} if run.ask.keep else set()
        files = [Attached(name) for name in shown if name.startswith("original.")]
        wanted = [one for one in asked if one != 0]
        if photo is not None and not files:
            drawn, strengths = await self._render(run, stored, [0.0, *wanted], photo)
            files, drawn, strengths = [Attached(f"original.{suffix(drawn[0])}", drawn[0])], drawn[1:], strengths[1:]
        else:
            files = files or [await self._crop(run, stored)]
            drawn, strengths = await self._render(run, stored, wanted, photo) if wanted else ([], [])
        if drawn and run.ask.strength not in (None, NEUTRAL):
            files += [Attached(name) for name in shown if name.startswith("neutral.")]
        if len(drawn) > 1:
            files.append(Attached(f"neutral.{suffix(drawn[0])}", drawn[0]))
        if drawn:
            files.append(Attached(f"edited.{suffix(drawn[-1])}", drawn[-1]))
        say, notes = run.ask.say, []
        if run.ask.pictures > 1:
            notes.append(say("photo.several", count=run.ask.pictures))
        if photo is None:
            notes.append(say("result.crop"))
        shown_as = Shown(
            stored.id,
            stored.owner.member_id or 0,
            strengths[-1] if strengths else 0.0,
            tuple(files),
            public=not run.ask.private,
            spoiler=run.settings.spoiler,
            expires=stored.expires,
            notes=tuple(notes),
        )
        return result(say, shown_as)

    def _within(self, stored: StoredFace, strength: Strength, settings: GuildSettings) -> Strength:
        """The strength within the server's limit; "neutral" as a number once this face's is known."""
        if strength == NEUTRAL:
            known = (stored.extras or {}).get("neutral")
            if known is None:
                return NEUTRAL
            strength = float(known)
        return max(-settings.strength_max, min(settings.strength_max, float(strength)))

    async def _photo(self, run: Run, stored: StoredFace) -> bytes | None:
        if run.photo is None:
            run.photo = await self._photos.of_face(stored)
        return run.photo

    async def _render(
        self, run: Run, stored: StoredFace, asked: Sequence[Strength], photo: bytes | None
    ) -> tuple[list[bytes], list[float]]:
        """The pictures and the strengths that they were drawn at."""
        face, most = await self._face(run, stored, photo), min(run.ask.limit, REQUEST_BYTES // (len(asked) + 1))
        side = GALLERY_SIDE if photo else CROP_SIDE
        request = Render(strengths=tuple(asked), size=side, kind=GALLERY_KIND, max_bytes=most, **face)
        done = await self._executor.submit(request, run.owner)
        strengths = list(done.strengths) or [0.0 if isinstance(one, str) else one for one in asked]
        told = {"scale": done.scale, "found": done.found}
        learned: dict[str, Any] = {name: value for name, value in told.items() if value and value != face[name]}
        if NEUTRAL in asked:
            learned["neutral"] = strengths[list(asked).index(NEUTRAL)]
        if learned:  # of a face that was kept before such things were, or whose direction has changed since
            stored = await note(self._store, run.owner, stored, **learned)
        limit = run.settings.strength_max
        if abs(learned.get("neutral", 0.0)) > limit:  # a target may lie beyond what this server allows
            return await self._render(run, stored, [-limit if one == NEUTRAL else one for one in asked], photo)
        return list(done.pictures), strengths

    async def _face(self, run: Run, stored: StoredFace, photo: bytes | None) -> dict[str, Any]:
        """What a request to draw the face has to say of it."""
        latent = await self._store.run(self._store.faces.latent, run.owner, stored.id)
        extras = stored.extras or {}
        known = {"scale": extras.get("scale", ""), "found": extras.get("found", "")}
        return {"latent": latent, "photo": photo or b"", "face": stored.face, **known}

    async def _crop(self, run: Run, stored: StoredFace) -> Attached:
        """The aligned face of the photo, from the store."""
        data = await self._store.run(self._store.faces.thumbnail, run.owner, stored.id)
        return Attached(f"original.{suffix(data)}", data)

    async def _download(self, run: Run, stored: StoredFace) -> Page:
        """One strength in full size and without loss, if the limit allows."""
        say = run.ask.say
        photo = await self._photo(run, stored)
        asked = self._within(stored, SMILE if run.ask.strength is None else run.ask.strength, run.settings)
        face, most = await self._face(run, stored, photo), min(run.ask.limit, REQUEST_BYTES)
        request = Render(strengths=(asked,), size=None, kind="png", max_bytes=most, **face)
        done = await self._executor.submit(request, run.owner)
        data = done.pictures[0]
        part = Attached(f"egao.{suffix(data)}", data)
        strength = done.strengths[0] if done.strengths else 0.0
        edited = strength != 0 or photo is None  # without the photo even 0 is drawn
        alt = say("alt.smile", strength=say.strength(strength)) if edited else say("alt.original")
        text = say("result.download", strength=say.strength(strength))
        shown = Shown(stored.id, stored.owner.member_id or 0, strength, (part,), public=False, spoiler=False)
        return picture(say, shown, alt, text, edited=edited)

    async def _animate(self, run: Run, stored: StoredFace) -> Page:
        """From neutral to the strength and back."""
        say, asked = run.ask.say, run.ask.strength
        photo = await self._photo(run, stored)
        start = self._within(stored, NEUTRAL, run.settings)
        if isinstance(start, str):
            start = (await self._render(run, stored, [NEUTRAL], photo))[1][0]
        stop = self._within(stored, SMILE if asked is None or asked == NEUTRAL else asked, run.settings)
        assert not isinstance(stop, str)
        if stop <= start:
            stop = SMILE
        face, most = await self._face(run, stored, photo), min(run.ask.limit, REQUEST_BYTES)
        request = Animate(start=start, stop=stop, size=ANIMATION_SIDE, kind="webp", max_bytes=most, **face)
        async with Follow(run, self._store) as follow:
            done = await self._executor.submit(request, run.owner, follow)
        part = Attached(f"animated.{suffix(done.picture)}", done.picture)
        strength, member = say.strength(stop), stored.owner.member_id or 0
        shown = Shown(stored.id, member, stop, (part,), public=not run.ask.private, spoiler=run.settings.spoiler)
        alt, text = say("alt.animation", strength=strength), say("result.animation", strength=strength)
        return picture(say, shown, alt, text)


async def note(store: Store, owner: Owner, stored: StoredFace, **facts: Any) -> StoredFace:
    """Keep what was learned of a face, beside what was known; the face as it is kept now."""
    extras = {**(stored.extras or {}), **facts}
    await store.run(store.faces.note, owner, stored.id, extras)
    return replace(stored, extras=extras)
