"""The steps of a request: fetch the photo, find the face, project and keep it, make the answer.

The executor does all heavy work and the store keeps all data; this module only connects the two.
"""

from __future__ import annotations

import asyncio

from bot.requests.drawing import Pictures
from bot.requests.hard import HardPhotos
from bot.requests.run import Choice, Follow, Run
from bot.transport.photo_source import PhotoReader, PhotoRef, digest
from bot.ui.pages import Page
from core.errors import FaceBarred, JobTimedOut, NoSuchFace, WorkerDied
from core.executor import Executor, FindFaces, FoundFace, Project
from core.methods import DEFAULT_METHOD, method_key
from core.settings import Settings
from core.store import FaceAndLatent, Store


class Work:
    """Does requests. `generator` is the digest that kept latents belong to."""

    def __init__(self, settings: Settings, store: Store, executor: Executor, photos: PhotoReader, generator: str) -> None:
        self._store, self._executor, self._generator = store, executor, generator
        self.spending = executor.spending
        self._steps = settings.projection_steps or None
        self._method = method_key(DEFAULT_METHOD, self._steps)
        self._photos = photos
        self._hard = HardPhotos()
        self._pictures = Pictures(store, executor, self._photos)

    async def do(self, run: Run) -> Page | Choice:
        """Do a request: the page to answer with, or a Choice that the member must make. Raises EgaoError, AnswerGone.

        The photo is dropped from memory at the end.
        """
        try:
            if run.ask.photo is not None:
                choice = await self._take_in(run, run.ask.photo)
                if choice is not None:
                    return choice
            else:
                assert run.ask.face_id is not None
                run.face = await self._store.run(self._store.faces.with_latent, run.owner, run.ask.face_id)
            return await self._draw(run)
        finally:
            self._let_go(run)

    async def draw(self, run: Run) -> Page:
        """Make the answer again from the kept face, with a smaller `ask.limit`. The photo is fetched again."""
        try:
            return await self._draw(run)
        finally:
            self._let_go(run)

    def _let_go(self, run: Run) -> None:
        """Drop the photo here and in the workers, since a choice or an answer may wait for long."""
        if run.photo is not None:
            self._executor.forget(run.photo)
            run.photo = None

    async def _draw(self, run: Run) -> Page:
        assert run.face is not None
        page = await self._pictures.page(run, run.face)
        await self._store.run(self._store.faces.touch, run.owner, run.face.face.id)  # raises if it was erased meanwhile
        return page

    async def _take_in(self, run: Run, ref: PhotoRef) -> Choice | None:
        """Fetch the photo and keep its face in `run`; or return the choice if it shows several."""
        data = run.photo = await self._photos.fetch(ref)
        name = await asyncio.to_thread(digest, data)
        self._hard.check(name)
        try:
            return await self._face_in(run, ref, data, name)
        except (JobTimedOut, WorkerDied) as error:
            run.spent = self._hard.note(name, error)
            raise

    async def _face_in(self, run: Run, ref: PhotoRef, data: bytes, name: str) -> Choice | None:
        """Find the faces, and keep the one that is meant in `run`; or return the choice."""
        async with Follow(run, self._store) as follow:
            looked = await self._executor.submit(FindFaces(data, run.settings.alone), run.owner, follow)
        found, number = looked.faces, run.ask.face
        if number is None and len(found) > 1:
            return Choice(found, looked.barred)
        number = found[0].index if number is None else number
        face = next((one for one in found if one.index == number), None)
        if face is None:
            count = len(found) + looked.barred
            raise FaceBarred(face=number + 1) if 0 <= number < count else NoSuchFace(face=number + 1, count=count)
        run.face = await self._known(run, ref, name, number) or await self._project(run, ref, data, name, face)
        return None

    async def _known(self, run: Run, ref: PhotoRef, name: str, number: int) -> FaceAndLatent | None:
        """Find the kept face of this very photo; None if it was not given before."""
        key = {"generator": self._generator, "method": self._method}
        return await self._store.run(self._store.faces.given_again, run.owner, name, number, ref, **key)

    async def _project(self, run: Run, ref: PhotoRef, data: bytes, name: str, face: FoundFace) -> FaceAndLatent:
        wait = float(run.settings.longest_wait_seconds)
        request = Project(data, face.index, DEFAULT_METHOD, self._steps, run.resume, face.learned, run.settings.alone)
        async with Follow(run, self._store) as follow:
            done = await self._executor.submit(request, run.owner, follow, longest_wait=wait)
        kept = await self._store.run(
            self._store.faces.add,
            run.owner,
            photo_sha256=name,
            face=face.index,
            box=face.box,
            quad=(),  # the worker finds the crop again from the photo; nothing here needs it
            latent=done.latent,
            thumbnail=done.original or done.thumbnail,
            generator=self._generator,
            method=self._method,
            source=ref,
            learned=done.learned,
            job=run.job_id,
        )
        return FaceAndLatent(kept, done.latent)
