"""A photo through the page's server and out again, with the real weights and few steps of projection."""

from __future__ import annotations

import asyncio
import gc
import io
import weakref
from collections.abc import AsyncIterator
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from core.edit import Editor, KnownFace, PhotoEditor
from core.errors import NoFace, PhotoError, UnreadablePhoto
from core.play import PlayServer, Studio, quick
from core.play.held import Held
from core.play.studio import Learned, Learning
from core.play.tabs import MOST_PHOTOS
from tests.core.play.kit import Counting, Page, choice, opened, until

pytestmark = pytest.mark.usefixtures("_drawn_once")

Known = tuple[Held, list[Learning | Learned]]


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """A face is drawn at two strengths for quick looks, which is enough where nobody measures them."""
    monkeypatch.setattr(quick, "STRENGTHS", (-2.0, 2.0))


@pytest.fixture
async def server(editor: Editor) -> AsyncIterator[PlayServer]:
    async with PlayServer(Counting(PhotoEditor(editor), steps=1)) as made:
        yield made


def png(pixels: NDArray[np.uint8]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


@pytest.fixture(scope="module")
def face(astronaut: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The sample's face, small."""
    return astronaut[:256, 96:352]


@pytest.fixture(scope="module")
def learned(editor: Editor, face: NDArray[np.uint8]) -> Known:
    """That photo with its face learned, which takes seconds, and all that was told meanwhile."""
    studio = Studio(PhotoEditor(editor), steps=1)
    held = list(studio.open(png(face), 'me.of/../course".png'))[-1]
    assert held is not None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(quick, "STRENGTHS", (-2.0, -1.0, 1.0))  # what is looked at lies between two of them
        return held, list(studio.learn(held, 0, ""))


async def given(page: Page, pixels: NDArray[np.uint8], learned: Known) -> None:
    """Give a page a photo of that very face, once or more: none of them has to be projected."""
    await page.ok("POST", "photo", data=png(pixels))
    for number in range(len(page.held.faces)):
        page.held.known[number] = KnownFace(learned[0].known[0].ws.copy(), replace(learned[0].known[0].learned, found=""))


def pixels_of(file: bytes) -> NDArray[np.int16]:
    return np.asarray(Image.open(io.BytesIO(file)).convert("RGB")).astype(np.int16)


@pytest.mark.slow
async def test_a_face_is_learned_looked_at_and_edited(server: PlayServer, face: NDArray[np.uint8], learned: Known) -> None:
    held, lines = learned
    shares = [one.share for one in lines if isinstance(one, Learning)]
    assert shares == sorted(shares)
    assert any(isinstance(one, Learning) and one.picture for one in lines), "it is seen coming nearer"
    assert isinstance(lines[-1], Learned)
    assert lines[-1].neutral < 0 < lines[-1].now, "she smiles"
    async with opened(server) as page:
        told = await page.ok("POST", "photo?name=me.png", data=png(face))
        assert (told["width"], told["height"], told["kind"], len(told["faces"])) == (256, 256, "png", 1)
        assert (await page.ask("POST", "quick", json={"choices": [choice(1.0)]}))[0] == 409, "not learned yet"
        server.tabs.put(page.tab, held)
        before = pixels_of(await page.ok("GET", "photo"))
        looked = {one: pixels_of(await page.ok("POST", "quick", json={"choices": [choice(one)]})) for one in (-1.5, -1.4, 0.0)}
        assert np.abs(looked[-1.5] - before).max() > 40
        assert np.abs(looked[-1.5] - looked[-1.4]).mean() < np.abs(looked[-1.5] - before).mean() / 2, "it follows"
        assert np.abs(looked[0.0] - before).mean() < 1
        made = await page.ok("POST", "picture", json={"choices": [choice("neutral")]})
        assert made["edited"]
        assert made["faces"][0]["after"] < made["faces"][0]["before"]
        file = await page.ok("GET", f"file/{made['version']}")
        assert b"compositeWithTrainedAlgorithmicMedia" in file, "it says that it is an AI edit"
        result = pixels_of(file)
        changed = (result != face).any(axis=2)
        assert 0.02 < changed.mean() < 0.5
        assert not changed[-30:].any(), "beyond the face not a bit changes"
        shown = pixels_of(await page.ok("GET", f"picture/{made['version']}"))
        assert np.abs(shown - result).mean() < 3
        assert np.abs(looked[-1.5] - shown).mean() < np.abs(before - shown).mean(), "the quick look told the truth"
        assert (await page.ask("GET", f"picture/{made['version'] + 1}"))[0] == 404
        jpeg = await page.ok("GET", f"file/{made['version']}?kind=jpeg")
        assert jpeg[:2] == b"\xff\xd8"
        assert (await page.ask("GET", f"file/{made['version']}?kind=exe"))[0] == 400


@pytest.mark.long
@pytest.mark.usefixtures("few")
async def test_faces_of_one_photo_are_edited_together(server: PlayServer, face: NDArray[np.uint8], learned: Known) -> None:
    both = np.ascontiguousarray(np.concatenate([face, face], axis=1))
    async with opened(server) as page:
        await given(page, both, learned)
        assert len(page.held.faces) == 2
        assert (await page.ok("GET", "faces/1"))[:2] == b"\xff\xd8"
        assert (await page.ask("GET", "faces/2"))[0] == 422
        for number in (0, 1):
            await page.learn(number)
        alone = await page.ok("POST", "picture", json={"choices": [choice("neutral", 1)]})
        alone_pixels = pixels_of(await page.ok("GET", f"file/{alone['version']}"))
        assert not (alone_pixels != both)[:, :256].any()
        together = await page.ok("POST", "picture", json={"choices": [choice("neutral", 0), choice("neutral", 1)]})
        pixels = pixels_of(await page.ok("GET", f"file/{together['version']}"))
        assert [one["face"] for one in together["faces"]] == [0, 1]
        assert (pixels != both)[:, :256].any()
        assert (pixels[:, 256:] == alone_pixels[:, 256:]).all(), "one face's edit is the same beside another's"
        looked = pixels_of(await page.ok("POST", "quick", json={"choices": [choice("neutral"), choice(-1.0, 1)], "face": 1}))
        small = np.asarray(Image.fromarray(both).resize(looked.shape[1::-1])).astype(np.int16)
        for half in (slice(0, looked.shape[1] // 2), slice(looked.shape[1] // 2, None)):
            assert np.abs(looked - small)[:, half].max() > 40


@pytest.mark.parametrize(
    ("file", "error"), [(b"no photo", UnreadablePhoto), (b"", UnreadablePhoto), (png(np.zeros((99, 99, 3), np.uint8)), NoFace)]
)
async def test_bad_input_gets_the_sentence_of_the_command_line(server: PlayServer, file: bytes, error: type[PhotoError]) -> None:
    with pytest.raises(error) as told:
        server._studio.editor.look(file)
    async with opened(server) as page:
        assert await page.ask("POST", "photo", data=file) == (422, {"error": error.__name__, "sentence": str(told.value)})
        assert (await page.ask("GET", "photo"))[0] == 404, "nothing of it is held"


@pytest.mark.long  # that another page's photo is not one's own is asked in the test of deleting, too
@pytest.mark.usefixtures("few")
async def test_two_pages_at_once_have_a_photo_each(server: PlayServer, face: NDArray[np.uint8], learned: Known) -> None:
    async with opened(server) as one, opened(server) as other:
        await given(one, face, learned)
        async with one.learning() as learning:
            assert (await other.ask("POST", "quick", json={"choices": []}))[0] == 404, "the other's photo is not its own"
            marked = face.copy()
            marked[-30:] = 200
            await given(other, marked, learned)
            lines = (await asyncio.gather(learning.content.read(), other.learn()))[0].splitlines()
        assert b"neutral" in lines[-1]
        for page, expected in ((one, face), (other, marked)):
            made = await page.ok("POST", "picture", json={"choices": [choice(-1.0)]})
            file = pixels_of(await page.ok("GET", f"file/{made['version']}"))
            assert (file[-30:] == expected[-30:]).all()
            assert (file != expected).any()


@pytest.mark.slow
async def test_what_a_page_breaks_off_is_not_done(editor: Editor, face: NDArray[np.uint8], learned: Known) -> None:
    studio = Counting(PhotoEditor(editor))
    async with PlayServer(studio) as server, opened(server) as page:
        await page.ok("POST", "photo", data=png(face))
        async with page.learning() as answer:
            await answer.content.readline()
            answer.close()
        held = page.held
        for _ in range(12):  # each would let one part by
            await server.worker.call(lambda: None)
        assert studio.parts < 8, "of about thirty"
        assert not held.known
        assert (await page.ask("GET", "photo"))[0] == 200, "the photo is still there to go on with"
        await given(page, face, learned)
        making = asyncio.create_task(page.ask("POST", "picture", json={"choices": [choice(-1.0)]}))
        await until(lambda: studio.made > 0)
        making.cancel()
        for _ in range(8):  # a picture has fewer parts than that
            await server.worker.call(lambda: None)
        assert page.held.version == 0, "no picture was made for nobody"


@pytest.mark.slow
@pytest.mark.usefixtures("few")
async def test_delete_leaves_nothing(server: PlayServer, face: NDArray[np.uint8], learned: Known) -> None:
    async with opened(server) as page, opened(server) as other:
        await given(page, face, learned)
        await page.learn()
        await page.ok("POST", "picture", json={"choices": [choice(-1.0)]})
        for path in ("photo", "picture/1", "file/1"):
            assert (await other.ask("GET", path))[0] == 404, "the other's photo is not its own"
        held = page.held
        traces = [weakref.ref(one) for one in (held, held.photo, held.result, held.known[0], held.known[0].ws)]
        del held
        await page.ok("DELETE", "photo")
        for method, path in (("GET", "photo"), ("GET", "picture/1"), ("GET", "file/1"), ("GET", "faces/0"), ("POST", "learn"),
                             ("POST", "quick"), ("POST", "picture")):  # fmt: skip
            status, said = await page.ask(method, path, json={"choices": []})
            assert (status, said["error"]) == (404, "NotHeld")
        await server.worker.call(lambda: None)
        gc.collect()
        assert [one() for one in traces] == [None] * len(traces), "neither photo nor face is in memory"


@pytest.mark.long
async def test_deleting_stops_the_learning_and_a_closed_page_is_forgotten(editor: Editor, face: NDArray[np.uint8]) -> None:
    async with PlayServer(Counting(PhotoEditor(editor))) as server:
        async with opened(server) as page:
            await page.ok("POST", "photo", data=png(face))
            async with page.learning() as answer:
                await answer.content.readline()
                await page.ok("DELETE", "photo")
                assert b'"NotHeld"' in (await answer.content.read()).splitlines()[-1]
            await page.ok("POST", "photo", data=png(face))
            trace = weakref.ref(page.held)
            assert server.tabs.photos == 1
        await until(lambda: len(server.tabs) == 0)
        gc.collect()
        assert trace() is None


async def test_of_many_photos_the_one_not_used_for_longest_goes(server: PlayServer, face: NDArray[np.uint8]) -> None:
    opening = [opened(server) for _ in range(MOST_PHOTOS + 1)]
    pages = [await one.__aenter__() for one in opening]
    for page in pages:
        await page.ok("POST", "photo", data=png(face))
        await pages[0].ok("GET", "photo")
    assert server.tabs.photos == MOST_PHOTOS
    assert [(await page.ask("GET", "photo"))[0] for page in pages] == [200, 404] + [200] * (MOST_PHOTOS - 1)
    for one in opening:
        await one.__aexit__(None, None, None)
