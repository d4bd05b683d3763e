"""Fetches photos, finds the faces in them, and keeps faces: what a new photo takes, of whatever kind the request is."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from dataclasses import replace

from bot.requests.generators import Generators
from bot.requests.quarantine import Quarantine
from bot.requests.run import Follow, Run
from bot.transport.photo_source import PhotoReader, PhotoRef, digest
from core.errors import GeneratorChanged, JobTimedOut, PhotoError, WorkerDied
from core.executor import Executor, FindFaces, FoundFace, FoundFaces, Project, Projected, Render
from core.learned import NOTHING, Learned
from core.methods import DEFAULT_METHOD, method_key
from core.store import FaceAndLatent, Store, StoredFace


class Keeper:
    """One per bot. `steps` of a projection, None for the method's own."""

    def __init__(self, store: Store, executor: Executor, photos: PhotoReader, generators: Generators, steps: int | None) -> None:
        self._store, self._executor, self._photos = store, executor, photos
        self._generators, self._method = generators, method_key(DEFAULT_METHOD, steps)
        self._steps = steps
        self._quarantine = Quarantine()

    async def fetch(self, run: Run, ref: PhotoRef) -> bytes:
        """Fetch a photo, which the request then has in memory in the place of an earlier one. Raises PhotoError."""
        self.let_go(run)
        data = run.photo = await self._photos.fetch(ref)
        run.photo_sha256 = await asyncio.to_thread(digest, data)
        self._quarantine.check(run.photo_sha256)
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
        find, generator = self._store.faces.given_again, self._generators.of_server(run.settings)
        sha256, method = run.photo_sha256, self._method
        return await self._store.run(find, run.owner, sha256, face.index, ref, generator=generator, method=method)

    async def project(self, run: Run, ref: PhotoRef, face: FoundFace, mark: bytes = b"") -> FaceAndLatent:
        """Project a face and keep it.

        `mark`: what the checkpoints of this face begin with, where the request has several. Raises PhotoError, JobError.
        """
        assert run.photo is not None
        resume = run.resume[len(mark) :] if run.resume is not None and run.resume.startswith(mark) else None
        generator = self._generators.of_server(run.settings)
        request = Project(run.photo, face.index, DEFAULT_METHOD, self._steps, resume, face.learned, run.settings.alone, generator)
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
            generator=generator,
            method=self._method,
        )
        return FaceAndLatent(kept, done.latent)

    async def fitted(self, run: Run, face: FaceAndLatent, *, drawn: bool = True) -> FaceAndLatent:
        """Return a kept face as the server's generator draws it: projected anew, and noted, if it was kept for another one.

        It is projected from its photo or, if that is gone and `drawn` allows it, from the picture that its own generator draws.
        Raises GeneratorChanged, PhotoError, JobError.
        """
        faces, generator, method = self._store.faces, self._generators.of_server(run.settings), self._method
        if face.face.generator == generator:
            return face
        sha256, number = face.face.photo_sha256, face.face.face
        known = await self._store.run(faces.find, run.owner, sha256, number, generator=generator, method=method)
        if known is not None:  # the photo was given again since
            return await self._store.run(faces.with_latent, run.owner, known.id)
        photo = await self._photo_of(run, face.face)
        if photo is not None:
            done = await self._project(run, photo, number, Learned(face.face.learned.found))
            run.refitted = "photo"
        elif drawn and face.face.generator in self._generators.here:
            done = replace(await self._from_drawn(run, face), learned=NOTHING)  # what was learned is of another picture
            run.refitted = "drawn"
        else:
            raise GeneratorChanged
        return await self._store.run(
            faces.refit, run.owner, face.face.id,
            latent=done.latent, learned=done.learned, generator=generator, method=method, job=run.job_id,
        )  # fmt: skip

    async def _photo_of(self, run: Run, face: StoredFace) -> bytes | None:
        """Have the photo of a kept face in memory; None if it is gone. Raises PhotoUnreachable where it may come back."""
        if run.photo is None or run.photo_sha256 != face.photo_sha256:
            self.let_go(run)
            if (data := await self._photos.of_face(face, wait=True)) is None:
                return None
            run.photo, run.photo_sha256 = data, face.photo_sha256
            self._quarantine.check(run.photo_sha256)
        return run.photo

    async def _from_drawn(self, run: Run, face: FaceAndLatent) -> Projected:
        """Project a face from the picture that its own generator draws of it. Raises GeneratorChanged if that shows no face."""
        request = Render(face.latent, (0.0,), size=None, learned=face.face.learned, generator=face.face.generator)
        picture = (await self._executor.submit(request, run.owner)).pictures[0]
        try:
            return await self._project(run, picture, 0)
        except PhotoError:
            raise GeneratorChanged from None

    async def _project(self, run: Run, photo: bytes, number: int, learned: Learned = NOTHING) -> Projected:
        """Project a face anew, without a sign of it: the picture that is shown stays until the new one is there."""
        generator, alone = self._generators.of_server(run.settings), run.settings.alone
        request = Project(photo, number, DEFAULT_METHOD, self._steps, None, learned, alone, generator)
        with self._noting(run):
            wait = float(run.settings.longest_wait_seconds)
            return await self._executor.submit(request, run.owner, longest_wait=wait)

    @contextlib.contextmanager
    def _noting(self, run: Run) -> Iterator[None]:
        """Remember a photo that takes a worker down."""
        try:
            yield
        except (JobTimedOut, WorkerDied) as error:
            run.spent = self._quarantine.note(run.photo_sha256, error)
            raise
