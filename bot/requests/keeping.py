"""Fetches photos, finds the faces in them, and keeps faces: what a new photo takes, of whatever kind the request is."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator

from bot.requests.hard import HardPhotos
from bot.requests.run import Follow, Run
from bot.transport.photo_source import PhotoReader, PhotoRef, digest
from core.errors import JobTimedOut, WorkerDied
from core.executor import Executor, FindFaces, FoundFace, FoundFaces, Project
from core.methods import DEFAULT_METHOD, method_key
from core.store import FaceAndLatent, Store


class Keeper:
    """One per bot. `generator`: the digest that kept latents belong to; `steps` of a projection, None for the method's own."""

    def __init__(self, store: Store, executor: Executor, photos: PhotoReader, generator: str, steps: int | None) -> None:
        self._store, self._executor, self._photos = store, executor, photos
        self._generator, self._method = generator, method_key(DEFAULT_METHOD, steps)
        self._steps = steps
        self._hard = HardPhotos()

    async def fetch(self, run: Run, ref: PhotoRef) -> bytes:
        """Fetch a photo, which the request then has in memory in the place of an earlier one. Raises PhotoError."""
        self.let_go(run)
        data = run.photo = await self._photos.fetch(ref)
        run.photo_sha256 = await asyncio.to_thread(digest, data)
        self._hard.check(run.photo_sha256)
        return data

    def let_go(self, run: Run) -> None:
        """Drop the photo here and in the workers, since a choice or an answer may wait for long."""
        if run.photo is not None:
            self._executor.forget(run.photo)
            run.photo = None

    async def look(self, run: Run) -> FoundFaces:
        """Find the faces of the photo that was fetched. Raises PhotoError."""
        assert run.photo is not None
        with self._noting(run):
            async with Follow(run, self._store) as follow:
                return await self._executor.submit(FindFaces(run.photo, run.settings.alone), run.owner, follow)

    async def keep(self, run: Run, ref: PhotoRef, face: FoundFace) -> FaceAndLatent:
        """Keep a face of the photo that was fetched. Raises as `project` does."""
        return await self.known(run, ref, face) or await self.project(run, ref, face)

    async def known(self, run: Run, ref: PhotoRef, face: FoundFace) -> FaceAndLatent | None:
        """Find a face that is kept already, because this very photo was given before, and keep it on."""
        find, key = self._store.faces.given_again, {"generator": self._generator, "method": self._method}
        return await self._store.run(find, run.owner, run.photo_sha256, face.index, ref, **key)

    async def project(self, run: Run, ref: PhotoRef, face: FoundFace, mark: bytes = b"") -> FaceAndLatent:
        """Project a face and keep it.

        `mark`: what the checkpoints of this face begin with, where the request has several. Raises PhotoError, JobError.
        """
        assert run.photo is not None
        resume = run.resume[len(mark) :] if run.resume is not None and run.resume.startswith(mark) else None
        request = Project(run.photo, face.index, DEFAULT_METHOD, self._steps, resume, face.learned, run.settings.alone)
        with self._noting(run):
            async with Follow(run, self._store, mark) as follow:
                wait = float(run.settings.longest_wait_seconds)
                done = await self._executor.submit(request, run.owner, follow, longest_wait=wait)
        kept = await self._store.run(
            self._store.faces.add,
            run.owner,
            photo_sha256=run.photo_sha256,
            face=face.index,
            box=face.box,
            quad=(),  # the worker finds the crop again from the photo; nothing here needs it
            latent=done.latent,
            thumbnail=done.original or done.thumbnail,
            source=ref,
            learned=done.learned,
            job=run.job_id,
            generator=self._generator,
            method=self._method,
        )
        return FaceAndLatent(kept, done.latent)

    @contextlib.contextmanager
    def _noting(self, run: Run) -> Iterator[None]:
        """Remember a photo that takes a worker down."""
        try:
            yield
        except (JobTimedOut, WorkerDied) as error:
            run.spent = self._hard.note(run.photo_sha256, error)
            raise
