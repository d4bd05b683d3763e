"""Several faces together: everybody in one photo, or in the photos of one message; one request, one answer.

Each face is kept by itself, and costs what it would cost alone. In the answer, the faces of one photo stand in one picture.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Final

from bot.requests.ask import USUAL
from bot.requests.drawing import GALLERY_KIND, GALLERY_SIDE, REQUEST_BYTES, within
from bot.requests.keeping import Keeper
from bot.requests.run import Follow, Run
from bot.transport.photo_source import PhotoReader, PhotoRef
from bot.transport.reasons import log_reason
from bot.ui.group_pages import GroupShown, OneShown, PhotoShown, group_result
from bot.ui.pages import Attached, Page, suffix
from core.errors import (
    EgaoError,
    FaceLost,
    LooksExplicit,
    LooksYoung,
    NoSuchStoredFace,
    PhotoError,
    PhotoGone,
    PhotoOwnerUnasked,
    PhotoRefused,
)
from core.executor import DrawnTogether, Executor, FoundFace, OneOf, Together
from core.executor.kinds.together import MOST
from core.expressions import NEUTRAL, Strength, named
from core.store import FaceAndLatent, Store

SPARED: Final = (PhotoError, FaceLost)  # of one face or one photo of an album: the others are done all the same

Looked = tuple[int, PhotoRef, FoundFace]  # number of the photo in the message, from 0


class GroupWork:
    """Does requests for several faces."""

    def __init__(self, store: Store, executor: Executor, photos: PhotoReader, keeper: Keeper) -> None:
        self._store, self._executor, self._photos, self._keeper = store, executor, photos, keeper

    async def gather(self, run: Run) -> None:
        """Keep the faces of new photos, or read those that are kept, into `run.group`. Raises EgaoError."""
        if run.ask.kind == "regroup":
            assert run.ask.group is not None
            await self._take(run, await self._store.run(self._kept, run))
            return
        looked = await self._look(run)
        await self._store.run(self._charge, run, len(looked))
        await self._keep(run, looked)

    def _kept(self, run: Run) -> list[FaceAndLatent]:
        """Read the faces of a group; what was erased since it was asked for is left out. On a thread of the store's."""
        members = self._store.groups.of(run.owner, run.ask.group or 0)
        return [self._store.faces.with_latent(run.owner, one.face.id) for one in members]

    async def _take(self, run: Run, kept: Sequence[FaceAndLatent]) -> None:
        """Take kept faces into `run.group`, as the server's generator draws them. Without their photo there is no picture."""
        run.group = [await self._keeper.fitted(run, one, drawn=False) for one in kept]
        now = {old.face.id: new.face.id for old, new in zip(kept, run.group, strict=True)}
        run.ask = replace(run.ask, strengths=tuple((now.get(face_id, face_id), one) for face_id, one in run.ask.strengths))

    async def _look(self, run: Run) -> list[Looked]:
        """Find the faces of each photo. A photo that can't be used is noted, and the others go on."""
        found: list[Looked] = []
        for index, ref in enumerate(run.ask.photos):
            try:
                if run.photo is None or len(run.ask.photos) > 1:
                    await self._keeper.fetch(run, ref)
                faces = (await self._keeper.look(run)).faces
            except PhotoError as error:
                if len(run.ask.photos) == 1:
                    raise
                _leave_out(run, index, None, error)
            else:
                found += [(index, ref, face) for face in faces if not run.ask.faces or face.index in run.ask.faces]
        if not found:
            raise _last(run)
        return found[:MOST]

    def _charge(self, run: Run, count: int) -> None:
        """Count each face as a use; those of a choice were counted with it. Raises QuotaTooSmall. On a store's thread."""
        limits, owner = self._store.limits, run.owner
        if run.ask.faces:
            return
        with self._store.database.writing():
            taken = limits.taken(run.job_id)  # the request's own; after a restart, all of them
            limits.require(owner, run.settings, count, max(0, count - taken))
            for _ in range(count - taken):
                limits.take(owner, run.settings, run.job_id, pause=False)

    async def _keep(self, run: Run, looked: Sequence[Looked]) -> None:
        """Keep one face after the other. One that can't be is noted, and the others go on."""
        run.group = []
        for number, (index, ref, face) in enumerate(looked):
            run.part = number + 1, len(looked)
            if index != (looked[number - 1][0] if number else None) and (len(run.ask.photos) > 1 or run.photo is None):
                await self._keeper.fetch(run, ref)
            try:
                run.group.append(await self._one(run, index, ref, face))
            except SPARED as error:
                _leave_out(run, index, face.index, error)
        run.part = None
        if not run.group:
            raise _last(run)

    async def _one(self, run: Run, index: int, ref: PhotoRef, face: FoundFace) -> FaceAndLatent:
        """Keep one face; what was not kept before is noted as of this group, so that a cancelled request can undo it."""
        known = await self._keeper.known(run, ref, face)
        if known is None:
            known = await self._keeper.project(run, ref, face, mark=b"%d/%d:" % (index, face.index))
            run.resume = None  # it was of this face
            await self._store.run(self._store.groups.set, run.owner, run.job_id, [(known.face.id, 0.0)])
        return known

    async def page(self, run: Run) -> Page:
        """Make the answer. A face that is erased meanwhile is not in it.

        Raises PhotoGone, NoSuchStoredFace if all faces are erased, and the last face's error if none can be shown.
        """
        run.doing = "work.drawing"
        while run.group:
            page = await self._page(run)
            gone = await self._store.run(self._touch, run)
            if not gone:
                return page
            run.group = [one for one in run.group if one.face.id not in gone]
        raise NoSuchStoredFace(face=run.job_id)

    def _touch(self, run: Run) -> set[int]:
        """Note that the faces were used; which are not there any more. On a thread of the store's."""
        gone = set()
        for one in run.group:
            try:
                self._store.faces.touch(run.owner, one.face.id)
            except NoSuchStoredFace:
                gone.add(one.face.id)
        return gone

    async def _page(self, run: Run) -> Page:
        photos = [list(faces) for _, faces in groupby(run.group, key=lambda one: one.face.photo_sha256)]
        most = min(run.ask.limit, REQUEST_BYTES // (len(photos) + 1))
        shown, troubles = [], []
        for number, faces in enumerate(photos):
            await self._fetch(run, faces[0])
            drawn, ones = await self._drawn(run, faces, number, most)
            troubles += [one.trouble for one in ones if one.trouble is not None]
            name = "edited" if len(photos) == 1 else f"edited-{number + 1}"
            place = faces[0].face.source
            hidden = run.settings.spoiler or (place is not None and place.spoiler)
            part = Attached(f"{name}.{suffix(drawn.picture)}", drawn.picture)
            shown.append(PhotoShown(part, tuple(ones), hidden, "" if place is None else place.alt))
        if troubles and all(one.trouble is not None for photo in shown for one in photo.faces):
            raise troubles[-1]
        before = [await self._before(run, photos[0], most)] if len(photos) == 1 else []
        return group_result(run.ask.say, self._shown(run, shown, before))

    def _shown(self, run: Run, photos: Sequence[PhotoShown], before: Sequence[Attached]) -> GroupShown:
        kept = [one.face for one in run.group]
        return GroupShown(
            run.job_id if run.ask.group is None else run.ask.group,
            run.owner.member_id or 0,
            named(run.ask.expression).name,
            tuple(photos),
            tuple(before),
            aim=run.ask.aim if run.ask.aim in {one.id for one in kept} else 0,
            public=not run.ask.private,
            expires=min((one.expires for one in kept if one.expires is not None), default=None),
            left_out=tuple(run.left_out),
            notes=tuple(run.notes),
            lost=len({face_id for face_id, _ in run.ask.strengths} - {one.id for one in kept}),
        )

    async def _fetch(self, run: Run, face: FaceAndLatent) -> None:
        """Have the photo of a face in memory. Raises PhotoGone: without it there is no picture of several."""
        if run.photo is not None and run.photo_sha256 == face.face.photo_sha256:
            return
        self._keeper.let_go(run)
        run.photo, run.photo_sha256 = await self._photos.of_face(face.face), face.face.photo_sha256
        if run.photo is None:
            raise PhotoGone

    def _asked(self, run: Run, faces: Iterable[FaceAndLatent]) -> list[Strength]:
        """Choose the strength of each face: within the server's limits, and 0 for one that may not be used now."""
        usual, each = USUAL if run.ask.strength is None else run.ask.strength, dict(run.ask.strengths)
        return [0.0 if one.face.id in run.barred else within(run, one, each.get(one.face.id, usual)) for one in faces]

    async def _drawn(self, run: Run, faces: list[FaceAndLatent], number: int, most: int) -> tuple[DrawnTogether, list[OneShown]]:
        """Draw the faces of photo `number` of the message, from 0, in one picture of at most `most` bytes.

        Returns it, and of each face its strength or why it was left as it is in the photo.
        """
        asked, limit = self._asked(run, faces), run.settings.strength_max
        drawn = await self._draw(run, faces, asked, most)
        far = [want == NEUTRAL and abs(one.strength) > limit for want, one in zip(asked, drawn.faces, strict=True)]
        if any(far):  # neutral may lie beyond what this server allows
            asked = [-limit if one else want for one, want in zip(far, asked, strict=True)]
            drawn = await self._draw(run, faces, asked, most)
        shown = []
        for face, one in zip(faces, drawn.faces, strict=True):
            trouble = PhotoOwnerUnasked() if face.face.id in run.barred else one.trouble
            if trouble is not None:
                log_reason(f"request R{run.job_id}", run.answer.message_id, trouble, f"leaves out face {face.face.face + 1}:")
            strength = run.strengths[face.face.id] = 0.0 if trouble is not None else one.strength
            shown.append(OneShown(face.face.id, number, face.face.face, strength, trouble))
        return drawn, shown

    async def _draw(self, run: Run, faces: list[FaceAndLatent], asked: Sequence[Strength], most: int) -> DrawnTogether:
        assert run.photo is not None
        ones = tuple(OneOf(face.latent, face.face.face, want, face.face.learned) for face, want in zip(faces, asked, strict=True))
        request = Together(
            run.photo, ones, run.ask.expression, GALLERY_SIDE, GALLERY_KIND, most, run.settings.alone, faces[0].face.generator
        )
        if run.ask.kind == "group":
            async with Follow(run, self._store) as follow:
                drawn = await self._executor.submit(request, run.owner, follow)
        else:  # the picture that is shown stays until the new one is there
            drawn = await self._executor.submit(request, run.owner)
        for index, (face, one) in enumerate(zip(faces, drawn.faces, strict=True)):
            if one.learned != face.face.learned:
                with contextlib.suppress(NoSuchStoredFace):  # erased meanwhile, as `_touch` will find
                    noted = await self._store.run(self._store.faces.note, run.owner, face.face.id, one.learned)
                    faces[index] = face._replace(face=noted)
        run.group = [next((new for new in faces if new.face.id == one.face.id), one) for one in run.group]
        return drawn

    async def _before(self, run: Run, faces: list[FaceAndLatent], most: int) -> Attached:
        """Show the photo as it was; the message that is changed may have that already."""
        shown = {one.filename for one in await run.answer.files_now()} if run.ask.keep else set()
        for name in shown:
            if name.startswith("original."):
                return Attached(name)
        drawn = await self._draw(run, faces[:1], [0.0], most)
        return Attached(f"original.{suffix(drawn.picture)}", drawn.picture)


def _leave_out(run: Run, photo: int, face: int | None, error: EgaoError) -> None:
    """Note why a photo of the message, or a face of it (both from 0), is not in the answer, and log it.

    Of one that the checks refuse no more is said than that: which check it was would say something about a face.
    """
    known = PhotoRefused() if isinstance(error, LooksExplicit | LooksYoung) else error
    run.left_out.append((photo, face, known))
    which = f"photo {photo + 1}" if face is None else f"photo {photo + 1}, face {face + 1}"
    log_reason(f"request R{run.job_id}", run.answer.message_id, known, f"leaves out {which}:")


def _last(run: Run) -> EgaoError:
    """Choose the error of a request of which nothing is left to be shown."""
    return run.left_out[-1][2] if run.left_out else NoSuchStoredFace(face=run.job_id)
