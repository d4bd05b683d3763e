"""Makes the answers with several faces: everybody in one picture, in full size, or moving.

The faces of one photo stand in one picture; an answer about an album has one picture for each photo.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Final

from bot.requests.ask import USUAL
from bot.requests.drawing import GALLERY_KIND, GALLERY_SIDE, REQUEST_BYTES, within
from bot.requests.keeping import Keeper
from bot.requests.run import Follow, Run
from bot.transport.photo_source import PhotoReader
from bot.transport.reasons import log_reason
from bot.ui.group_pages import EVERYBODY, GroupShown, OneShown, PhotoShown, group_copy, group_result
from bot.ui.pages import Attached, Page, suffix
from core.errors import NoSuchStoredFace, PhotoGone, PhotoOwnerUnasked
from core.executor import DrawnOne, DrawnTogether, Executor, FullTogether, MovedTogether, MoveTogether, OneOf, Together
from core.executor.kinds.move_together import pace
from core.expressions import NEUTRAL, Strength, named
from core.store import FaceAndLatent, Store

NAMES: Final = {"download": "egao", "animate": "animated"}  # of the files; of an answer that can be changed, "edited"

Drawn = DrawnTogether | MovedTogether


class GroupPictures:
    """Makes the pages (Discord messages) of requests for several faces; the executor draws them."""

    def __init__(self, store: Store, executor: Executor, photos: PhotoReader, keeper: Keeper) -> None:
        self._store, self._executor, self._photos, self._keeper = store, executor, photos, keeper

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
        copy, aimed = run.ask.kind in NAMES, _aimed(run)
        if not aimed:
            raise NoSuchStoredFace(face=run.ask.aim)
        every = [list(faces) for _, faces in groupby(run.group, key=lambda one: one.face.photo_sha256)]
        wanted = [(n, faces) for n, faces in enumerate(every) if not copy or any(one.face.id in aimed for one in faces)]
        most = min(run.ask.limit, REQUEST_BYTES // (len(wanted) + (0 if copy else 1)))
        shown = [await self._picture(run, faces, number, most, alone=len(every) == 1) for number, faces in wanted]
        faces = [one for photo in shown for one in photo.faces if run.ask.kind != "animate" or one.face_id in aimed]
        troubles = [one.trouble for one in faces if one.trouble is not None]
        moving = [one.face_id for one in faces if one.strength] if run.ask.kind == "animate" else []
        if troubles and (len(troubles) == len(faces) or (run.ask.kind == "animate" and not moving)):
            raise troubles[-1]
        if copy:
            return group_copy(run.ask.say, self._shown(run, shown, []), moving)
        before = [await self._before(run, every[0], most)] if len(every) == 1 else []
        return group_result(run.ask.say, self._shown(run, shown, before))

    async def _picture(self, run: Run, faces: list[FaceAndLatent], number: int, most: int, *, alone: bool) -> PhotoShown:
        """Make the picture of one photo, which is `number` of the answer unless it is `alone`. Raises PhotoGone, EgaoError."""
        await self._fetch(run, faces[0])
        drawn, ones = await self._drawn(run, faces, number, most)
        name, place = NAMES.get(run.ask.kind, "edited"), faces[0].face.source
        by_rule = run.settings.spoiler and run.ask.kind != "download"  # a copy that only its member sees
        part = Attached(f"{name if alone else f'{name}-{number + 1}'}.{suffix(drawn.picture)}", drawn.picture)
        hidden = by_rule or (place is not None and place.spoiler)
        lacks = drawn.left_out if run.ask.kind == "download" and isinstance(drawn, DrawnTogether) else ()
        return PhotoShown(part, tuple(ones), hidden, "" if place is None else place.alt, lacks)

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
            lost=len({face_id for face_id, _ in run.ask.strengths} - {one.id for one in kept}),
            notes=tuple(run.notes),
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
        if run.ask.kind == "animate" and not any(_moves(run, one, each.get(one.face.id, 0.0)) for one in run.group):
            each |= dict.fromkeys(_aimed(run), USUAL)  # as in the photo, or neutral: the usual amount is to be seen
        return [0.0 if one.face.id in run.barred else within(run, one, each.get(one.face.id, usual)) for one in faces]

    async def _drawn(self, run: Run, faces: list[FaceAndLatent], number: int, most: int) -> tuple[Drawn, list[OneShown]]:
        """Draw the faces of photo `number` of the message, from 0, in one picture of at most `most` bytes.

        Returns it, and of each face its strength or why it was left as it is in the photo.
        """
        asked, limit = self._asked(run, faces), run.settings.strength_max
        drawn: Drawn = await self._draw(run, faces, asked, most)
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

    async def _draw(self, run: Run, faces: list[FaceAndLatent], asked: Sequence[Strength], most: int) -> Drawn:
        """Have the executor make the kind of picture that was asked for, and note what it has learned of the faces."""
        request = self._request(run, faces, asked, most)
        drawn: Drawn
        if run.ask.kind == "regroup":  # the picture that is shown stays until the new one is there
            drawn = await self._executor.submit(request, run.owner)
        else:
            async with Follow(run, self._store) as follow:
                drawn = await self._executor.submit(request, run.owner, follow)
        await self._note(run, faces, drawn.faces)
        return drawn

    def _request(
        self, run: Run, faces: Sequence[FaceAndLatent], asked: Sequence[Strength], most: int
    ) -> Together | FullTogether | MoveTogether:
        assert run.photo is not None
        ask, alone, drawn_by = run.ask, run.settings.alone, faces[0].face.generator
        ones = tuple(OneOf(face.latent, face.face.face, want, face.face.learned) for face, want in zip(faces, asked, strict=True))
        if ask.kind == "download":
            return FullTogether(run.photo, ones, ask.expression, max_bytes=most, alone=alone, generator=drawn_by)
        if ask.kind == "animate":
            still = tuple(place for place, one in enumerate(faces) if ask.aim not in (EVERYBODY, one.face.id))
            frames, fps = pace(len(ones) - len(still))
            low = -run.settings.strength_max
            return MoveTogether(
                run.photo, ones, still, low, ask.expression, frames, fps, max_bytes=most, alone=alone, generator=drawn_by
            )
        return Together(run.photo, ones, ask.expression, GALLERY_SIDE, GALLERY_KIND, most, alone, drawn_by)

    async def _note(self, run: Run, faces: list[FaceAndLatent], became: Sequence[DrawnOne]) -> None:
        """Keep what was learned of the faces while they were drawn."""
        for index, (face, one) in enumerate(zip(faces, became, strict=True)):
            if one.learned != face.face.learned:
                with contextlib.suppress(NoSuchStoredFace):  # erased meanwhile, as `_touch` will find
                    noted = await self._store.run(self._store.faces.note, run.owner, face.face.id, one.learned)
                    faces[index] = face._replace(face=noted)
        run.group = [next((new for new in faces if new.face.id == one.face.id), one) for one in run.group]

    async def _before(self, run: Run, faces: list[FaceAndLatent], most: int) -> Attached:
        """Show the photo as it was; the message that is changed may have that already."""
        shown = {one.filename for one in await run.answer.files_now()} if run.ask.keep else set()
        for name in shown:
            if name.startswith("original."):
                return Attached(name)
        drawn = await self._draw(run, faces[:1], [0.0], most)
        return Attached(f"original.{suffix(drawn.picture)}", drawn.picture)


def _moves(run: Run, one: FaceAndLatent, strength: Strength) -> bool:
    """Tell whether an animation from neutral to this strength would show the face moving, if it is about this face at all."""
    if one.face.id not in _aimed(run) or not strength:
        return False
    neutral = within(run, one, NEUTRAL)
    return isinstance(neutral, str) or isinstance(strength, str) or strength > neutral


def _aimed(run: Run) -> list[int]:
    """List the faces that the answer is about, by their numbers in the store: of a copy the chosen one, or everybody."""
    aim = run.ask.aim if run.ask.kind in NAMES else EVERYBODY
    return [one.face.id for one in run.group if aim in (EVERYBODY, one.face.id)]
