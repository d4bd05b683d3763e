"""What a request takes: the photo fetched, the face found and projected and kept, the answer made of it.

Everything heavy is asked of the executor, everything kept of the store; this module only puts the two together.
"""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import Final

from bot.requests.drawing import Pictures, note
from bot.requests.run import Choice, Follow, Run
from bot.transport.photo_source import PhotoReader, PhotoRef, digest
from bot.ui.pages import Page
from core.errors import NoSuchFace
from core.executor import Executor, FindFaces, FoundFace, Project
from core.settings import Settings
from core.store import Store, StoredFace

METHOD: Final = "default"


class Work:
    """Does requests. `generator` is the digest that kept latents belong to."""

    def __init__(self, settings: Settings, store: Store, executor: Executor, photos: PhotoReader, generator: str) -> None:
        self._settings, self._store, self._executor, self._generator = settings, store, executor, generator
        self._photos = photos
        self._pictures = Pictures(store, executor, self._photos)

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
        page = await self._pictures.page(run, run.stored)
        await self._store.run(self._store.faces.touch, run.owner, run.stored.id)
        return page

    async def _take_in(self, run: Run, ref: PhotoRef) -> Choice | None:
        """Fetch the photo and keep its face; which one may have to be asked first."""
        data = run.photo = await self._photos.fetch(ref)
        name = await asyncio.to_thread(digest, data)
        async with Follow(run, self._store) as follow:
            found = (await self._executor.submit(FindFaces(data), run.owner, follow)).faces
        number = run.ask.face
        if number is None and len(found) > 1:
            return Choice(found)
        number = number or 0
        face = next((one for one in found if one.index == number), None)
        if face is None:
            raise NoSuchFace(face=number + 1, count=len(found))
        run.stored = await self._known(run, ref, name, number) or await self._project(run, ref, data, name, face)
        return None

    async def _known(self, run: Run, ref: PhotoRef, name: str, number: int) -> StoredFace | None:
        """The face, if this very photo was given before."""
        faces = self._store.faces
        known = await self._store.run(faces.find, run.owner, name, number, generator=self._generator, method=METHOD)
        if known is None:
            return None
        await note(self._store, run.owner, known, photo=asdict(ref))
        return await self._store.run(
            faces.renew, run.owner, known.id, source_message_id=ref.message_id, source_channel_id=ref.channel_id
        )

    async def _project(self, run: Run, ref: PhotoRef, data: bytes, name: str, face: FoundFace) -> StoredFace:
        wait = float(run.settings.longest_wait_seconds)
        steps = self._settings.projection_steps or None
        request = Project(data, face.index, METHOD, steps, run.resume, face.found)
        async with Follow(run, self._store) as follow:
            done = await self._executor.submit(request, run.owner, follow, longest_wait=wait)
        return await self._store.run(
            self._store.faces.add,
            run.owner,
            photo_sha256=name,
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
            extras={"photo": asdict(ref), "scale": done.scale, "neutral": done.neutral, "found": done.found},
        )
