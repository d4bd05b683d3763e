"""The steps of a request: fetch the photo, find the face, project and keep it, make the answer.

The executor does all heavy work and the store keeps all data; this module only connects the two.
"""

from __future__ import annotations

from bot.requests.drawing import Pictures
from bot.requests.generators import Generators
from bot.requests.group import GroupWork
from bot.requests.group_pictures import GroupPictures
from bot.requests.keeping import Keeper
from bot.requests.run import Choice, Run
from bot.transport.photo_source import PhotoReader, PhotoRef
from bot.ui.pages import Page
from core.errors import FaceBarred, NoSuchFace
from core.executor import Executor
from core.settings import Settings
from core.store import Store


class Work:
    """Does requests."""

    def __init__(self, settings: Settings, store: Store, executor: Executor, photos: PhotoReader, generators: Generators) -> None:
        self._store = store
        self.spending = executor.spending
        self._keeper = Keeper(store, executor, photos, generators, settings.projection_steps or None)
        self._pictures = Pictures(store, executor, photos)
        self._groups = GroupWork(store, self._keeper)
        self._group_pictures = GroupPictures(store, executor, photos, self._keeper)

    async def do(self, run: Run) -> Page | Choice:
        """Do a request: the page to answer with, or a Choice that the member must make. Raises EgaoError, AnswerGone.

        The photo is dropped from memory at the end.
        """
        try:
            if run.ask.kind == "group" or run.ask.group is not None:
                await self._groups.gather(run)
            elif run.ask.photo is not None:
                choice = await self._take_in(run, run.ask.photo)
                if choice is not None:
                    return choice
            else:
                assert run.ask.face_id is not None
                kept = await self._store.run(self._store.faces.with_latent, run.owner, run.ask.face_id)
                run.face = await self._keeper.fitted(run, kept)
            return await self._draw(run)
        finally:
            self._keeper.let_go(run)

    async def draw(self, run: Run) -> Page:
        """Make the answer again from the kept face, with a smaller `ask.limit`. The photo is fetched again."""
        try:
            return await self._draw(run)
        finally:
            self._keeper.let_go(run)

    async def look_again(self, run: Run) -> Choice:
        """Find what there is to choose from in the photo of a request that an earlier process asked about. Raises PhotoError."""
        assert run.ask.photo is not None
        try:
            await self._keeper.fetch(run, run.ask.photo)
            looked = await self._keeper.look(run)
            return Choice(looked.faces, looked.barred)
        finally:
            self._keeper.let_go(run)

    async def undo(self, run: Run) -> None:
        """Erase the faces that a cancelled request for several faces had kept so far. Does nothing for other kinds."""
        if run.ask.kind == "group":
            await self._store.run(self._store.groups.erase, run.owner, run.job_id)

    async def _draw(self, run: Run) -> Page:
        if run.group:
            return await self._group_pictures.page(run)
        assert run.face is not None
        page = await self._pictures.page(run, run.face)
        await self._store.run(self._store.faces.touch, run.owner, run.face.face.id)  # raises if it was erased meanwhile
        return page

    async def _take_in(self, run: Run, ref: PhotoRef) -> Choice | None:
        """Fetch the photo and keep its face in `run`; or return the choice if it shows several."""
        await self._keeper.fetch(run, ref)
        looked = await self._keeper.look(run)
        found, number = looked.faces, run.ask.face
        if number is None and len(found) > 1:
            return Choice(found, looked.barred)
        number = found[0].index if number is None else number
        face = next((one for one in found if one.index == number), None)
        if face is None:
            count = len(found) + looked.barred
            raise FaceBarred(face=number + 1) if 0 <= number < count else NoSuchFace(face=number + 1, count=count)
        run.face = await self._keeper.keep(run, ref, face)
        return None
