"""Several faces together: everybody in one photo, or in the photos of one message; one request, one answer.

Each face is kept by itself, and costs what it would cost alone. `GroupPictures` makes the answer of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from bot.requests.keeping import Keeper
from bot.requests.run import Run
from bot.transport.photo_source import PhotoRef
from bot.transport.reasons import log_reason
from core.errors import EgaoError, FaceLost, LooksExplicit, LooksYoung, NoSuchStoredFace, PhotoError, PhotoRefused
from core.executor import FoundFace
from core.executor.kinds.together import MOST
from core.store import FaceAndLatent, Store

SPARED: Final = (PhotoError, FaceLost)  # of one face or one photo of an album: the others are done all the same

Looked = tuple[int, PhotoRef, FoundFace]  # number of the photo in the message, from 0


def shown(runs: Iterable[Run], group_id: int) -> dict[int, float]:
    """Tell how strong each face is in answers of a group that are out, but not noted yet; {} if all is noted."""
    out = [run for run in runs if run.spent and run.ask.kind in ("group", "regroup") and group_id in (run.job_id, run.ask.group)]
    return {face_id: strength for run in out for face_id, strength in run.strengths.items()}


class GroupWork:
    """Finds, charges and keeps the faces of requests for several."""

    def __init__(self, store: Store, keeper: Keeper) -> None:
        self._store, self._keeper = store, keeper

    async def gather(self, run: Run) -> None:
        """Keep the faces of new photos, or read those that are kept, into `run.group`. Raises EgaoError."""
        if run.ask.group is not None:
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
        strengths = tuple((now.get(face_id, face_id), one) for face_id, one in run.ask.strengths)
        run.ask = replace(run.ask, strengths=strengths, aim=now.get(run.ask.aim, run.ask.aim))

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
