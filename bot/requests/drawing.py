"""Makes the answers with pictures of a kept face, in its photo: gallery, download, animation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from bot.requests.ask import USUAL
from bot.requests.run import Follow, Run
from bot.transport.photo_source import PhotoReader
from bot.transport.reasons import log_reason
from bot.ui.pages import Attached, Page, Shown, picture, result, suffix
from core.errors import EgaoError
from core.executor import Animate, Executor, FullSize, Render
from core.expressions import NEUTRAL, Strength, named
from core.store import FaceAndLatent, Store

REQUEST_BYTES: Final = 25 * 2**20  # all files of one message
GALLERY_KIND: Final = "jpeg"
GALLERY_SIDE: Final = 2048  # pixels of the photo's longer side: more is for the download
CROP_SIDE: Final = 1024
ANIMATION_SIDE: Final = 512


class Pictures:
    """Makes the pages (Discord messages) with pictures; the executor draws them."""

    def __init__(self, store: Store, executor: Executor, photos: PhotoReader) -> None:
        self._store, self._executor, self._photos = store, executor, photos

    async def page(self, run: Run, face: FaceAndLatent) -> Page:
        """Make the page that was asked for. Raises EgaoError."""
        if run.ask.kind == "animate":
            return await self._animate(run, face)
        if run.ask.kind == "download":
            return await self._download(run, face)
        return await self._gallery(run, face)

    async def _gallery(self, run: Run, face: FaceAndLatent) -> Page:
        """Make the page with the gallery.

        For a new photo it has the original, neutral and the usual strength; for a kept face the original and the strength
        asked for. Raises the last error if no picture may be shown.
        """
        photo = await self._photo(run, face)
        asked: tuple[Strength, ...] = (NEUTRAL, USUAL) if run.ask.strength is None else (run.ask.strength,)
        asked = tuple(within(run, face, one) for one in asked)
        shown = {one.filename for one in await run.answer.files_now()} if run.ask.keep else set()
        files = [Attached(name) for name in shown if name.startswith("original.")]
        wanted = [one for one in asked if one != 0]
        if photo is not None and not files:
            made = await self._render(run, face, [0.0, *wanted], photo)
            files, made = [Attached(f"original.{suffix(made[0].data)}", made[0].data)], made[1:]
        else:
            files = files or [await self._crop(run, face)]
            made = await self._render(run, face, wanted, photo) if wanted else []
        good, troubles = [one for one in made if one.trouble is None], [one.trouble for one in made if one.trouble is not None]
        if troubles and not good:
            raise troubles[-1]
        for one in troubles:
            log_reason(f"request R{run.job_id}", run.answer.message_id, one, "leaves out")
        if good and run.ask.strength not in (None, NEUTRAL):
            files += [Attached(name) for name in shown if name.startswith("neutral.")]
        named_as = zip(("neutral", "edited")[-len(made) :], made, strict=False)
        files += [Attached(f"{name}.{suffix(one.data)}", one.data) for name, one in named_as if one.trouble is None]
        say, notes = run.ask.say, [*run.notes, *(run.ask.say.error(one) for one in troubles)]
        if photo is None:
            notes.append(say("result.crop"))
        shown_as = Shown(
            *_shown(run, face),
            good[-1].strength if good else 0.0,
            tuple(files),
            public=not run.ask.private,
            spoiler=run.spoiler,
            alt=run.alt,
            expires=face.face.expires,
            notes=tuple(notes),
        )
        return result(say, shown_as)

    async def _photo(self, run: Run, face: FaceAndLatent) -> bytes | None:
        if run.photo is None:
            run.photo = await self._photos.of_face(face.face)
        return run.photo

    async def _render(self, run: Run, face: FaceAndLatent, asked: Sequence[Strength], photo: bytes | None) -> list[_Made]:
        """Draw a picture for each strength; in the photo, or the face alone without one."""
        most = min(run.ask.limit, REQUEST_BYTES // (len(asked) + 1))
        side = GALLERY_SIDE if photo else CROP_SIDE
        request = Render(strengths=tuple(asked), size=side, kind=GALLERY_KIND, max_bytes=most, **_known(run, face, photo))
        done = await self._executor.submit(request, run.owner)
        strengths = list(done.strengths)
        if done.learned != face.face.learned:  # of a face that was kept before such things were, or of another direction
            kept = await self._store.run(self._store.faces.note, run.owner, face.face.id, done.learned)
            face = run.face = face._replace(face=kept)
        limit = run.settings.strength_max
        if NEUTRAL in asked and abs(strengths[list(asked).index(NEUTRAL)]) > limit:  # neutral may exceed the server's limit
            return await self._render(run, face, [-limit if one == NEUTRAL else one for one in asked], photo)
        made = enumerate(zip(done.pictures, strengths, strict=True))
        return [_Made(data, strength, done.trouble(index)) for index, (data, strength) in made]

    async def _crop(self, run: Run, face: FaceAndLatent) -> Attached:
        """Return the photo's aligned face, from the store, as the file "original"."""
        data = await self._store.run(self._store.faces.thumbnail, run.owner, face.face.id)
        return Attached(f"original.{suffix(data)}", data)

    async def _download(self, run: Run, face: FaceAndLatent) -> Page:
        """Make the page with one strength in full size, as PNG if the limit of the file allows."""
        say = run.ask.say
        photo = await self._photo(run, face)
        asked = within(run, face, USUAL if run.ask.strength is None else run.ask.strength)
        most = min(run.ask.limit, REQUEST_BYTES)
        request = FullSize(strength=asked, kind="png", max_bytes=most, **_known(run, face, photo))
        done = await self._executor.submit(request, run.owner)
        data = done.pictures[0]
        part = Attached(f"egao.{suffix(data)}", data)
        strength = done.strengths[0] if done.strengths else 0.0
        edited = strength != 0 or photo is None  # without the photo even 0 is drawn
        shown_as = say.strength_of(run.ask.expression, strength)
        alt = say("alt.edited", strength=shown_as) if edited else say("alt.original")
        notes = [*run.notes, *([say.leaves_out(done.left_out)] if done.left_out else ())]
        text = say("result.download", strength=shown_as)
        shown = Shown(*_shown(run, face), strength, (part,), public=False, spoiler=run.hidden, alt=run.alt)
        return picture(say, shown, alt, "\n-# ".join((text, *notes)), edited=edited)

    async def _animate(self, run: Run, face: FaceAndLatent) -> Page:
        """Make the page with an animation from neutral to the strength and back."""
        say, asked = run.ask.say, run.ask.strength
        photo = await self._photo(run, face)
        start = within(run, face, NEUTRAL)
        if isinstance(start, str):
            start = (await self._render(run, face, [NEUTRAL], photo))[0].strength
        stop = within(run, face, USUAL if asked is None or asked == NEUTRAL else asked)
        assert not isinstance(stop, str)
        if stop <= start:
            stop = USUAL
        most = min(run.ask.limit, REQUEST_BYTES)
        request = Animate(start=start, stop=stop, size=ANIMATION_SIDE, kind="webp", max_bytes=most, **_known(run, face, photo))
        async with Follow(run, self._store) as follow:
            done = await self._executor.submit(request, run.owner, follow)
        part = Attached(f"animated.{suffix(done.picture)}", done.picture)
        strength = say.strength_of(run.ask.expression, stop)
        shown = Shown(*_shown(run, face), stop, (part,), public=not run.ask.private, spoiler=run.spoiler, alt=run.alt)
        alt, text = say("alt.animation", strength=strength), say("result.animation", strength=strength)
        return picture(say, shown, alt, "\n-# ".join((text, *run.notes)))


class _Made(NamedTuple):
    """One drawn picture of a face, or the error that says why it must not be shown."""

    data: bytes
    strength: float  # that it was drawn at
    trouble: EgaoError | None  # why it must not be shown


def within(run: Run, face: FaceAndLatent, strength: Strength) -> Strength:
    """Limit a strength to the server's limit. "neutral" becomes a number if it is known for this face."""
    if strength == NEUTRAL:
        known = face.face.learned.neutral(named(run.ask.expression).plain.at(NEUTRAL).name)
        if known is None:
            return NEUTRAL
        strength = known
    high = run.settings.strength_max
    return max(-high, min(high, float(strength)))


def _shown(run: Run, face: FaceAndLatent) -> tuple[int, int, str]:
    """Return the ids of the face and its member, and the expression's name, for a page."""
    return face.face.id, face.face.owner.member_id or 0, named(run.ask.expression).name


def _known(run: Run, face: FaceAndLatent, photo: bytes | None) -> dict[str, Any]:
    """Collect the parts of a request to draw the face."""
    about = {"face": face.face.face, "learned": face.face.learned, "expression": run.ask.expression}
    own = {"latent": face.latent, "generator": face.face.generator}
    return {**own, "photo": photo or b"", "alone": run.settings.alone, **about}
