"""The page in a real Chromium: by mouse and by keyboard, wide and narrow, and what a screen reader is told."""

from __future__ import annotations

import gc
import io
import weakref
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from core.edit import Editor, PhotoEditor
from core.play import PlayServer, Studio, quick
from tests.core.play.browser import Browser, Tab, chromium, needs_chromium
from tests.core.play.kit import bare, until

pytestmark = [needs_chromium, pytest.mark.slow]


@pytest.fixture
async def browser(tmp_path: Path) -> AsyncIterator[Browser]:
    async with chromium(tmp_path / "profile") as made:
        yield made


@pytest.fixture
async def server(editor: Editor, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[PlayServer]:
    """The real server, that learns a face in few steps."""
    monkeypatch.setattr(quick, "STRENGTHS", (-2.0, 2.0))
    async with PlayServer(Studio(PhotoEditor(editor), steps=1)) as made:
        yield made


@pytest.fixture
def file(astronaut: NDArray[np.uint8], tmp_path: Path) -> Path:
    """The sample's face, small."""
    Image.fromarray(astronaut[:256, 96:352]).save(tmp_path / "me.png")
    return tmp_path / "me.png"


async def seen(tab: Tab) -> NDArray[np.int16]:
    """What the stage shows."""
    shot = Image.open(io.BytesIO(await tab.picture())).convert("RGB")
    x, y, right, bottom = await tab.js(
        "(() => { const r = document.querySelector('#stage').getBoundingClientRect(); return [r.x, r.y, r.right, r.bottom]; })()"
    )
    return np.asarray(shot.crop((round(x), round(y), round(right), round(bottom)))).astype(np.int16)


async def test_a_photo_is_dropped_edited_compared_downloaded_and_deleted(
    browser: Browser, server: PlayServer, file: Path, tmp_path: Path
) -> None:
    async with browser.tab() as tab:
        await tab.open(server.address)
        await tab.drop(file, "#start .drop")
        await tab.until("!document.querySelector('#strength').disabled")
        photo = await seen(tab)
        x, y = await tab.place("#strength")
        await tab.mouse("Pressed", x, y)
        for step in range(1, 9):
            await tab.mouse("Moved", x - 14 * step, y)
        await tab.until("performance.getEntriesByName('quick').length && document.querySelector('#edited').checkVisibility()")
        assert np.abs(await seen(tab) - photo).max() > 40, "the face follows while the button is held"
        assert await tab.js("document.querySelector('#download').getAttribute('aria-disabled')") == "true"
        await tab.mouse("Released", x - 112, y)
        await tab.until("document.querySelector('#download').href")
        assert "Full quality" in await tab.text("#says")
        after = await seen(tab)
        await tab.click("input[value=before]")
        assert np.abs(await seen(tab) - photo)[60:].max() < 12, "the photo as it was"
        await tab.click("input[value=split]")
        both = await seen(tab)
        middle = round(float(await tab.js("document.querySelector('#split').value")) / 100 * both.shape[1])
        assert np.abs(both - photo)[60:, : middle - 40].max() < 12
        assert np.abs(both - after)[60:, middle + 40 :].max() < 12
        await tab.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path / "got"))
        await tab.click("#download")
        await until(lambda: any(one.suffix == ".png" for one in (tmp_path / "got").glob("*")))
        (got,) = (tmp_path / "got").glob("*.png")
        assert got.name.startswith("me-smile-")
        with Image.open(got) as picture:
            assert picture.size == (256, 256)
        (held,) = (weakref.ref(one) for one in server.tabs._held.values() if one is not None)
        await tab.click("#delete")
        await tab.until("document.querySelector('#start').checkVisibility()")
        gc.collect()
        assert held() is None
        assert await tab.js("[...document.images].every((one) => !one.src.startsWith('blob:'))"), "nor does the page hold it"
        assert {urlsplit(one).netloc for one in tab.asked if not one.startswith("blob:")} == {f"127.0.0.1:{server.guard.port}"}
        assert await tab.js("document.cookie.length + localStorage.length + sessionStorage.length") == 0
        assert not tab.complaints
    await until(lambda: len(server.tabs) == 0)


async def test_a_photo_is_chosen_by_keyboard_on_a_phone_wide_page(browser: Browser, editor: Editor) -> None:
    async with bare(editor.models.settings) as server, browser.tab() as tab:
        await tab.open(server.address, 390, 844)
        await tab.tab_to("#choose")
        await tab.tab_to("#sample")
        await fits(tab)
        assert not tab.complaints


@pytest.mark.long
async def test_everything_is_reached_by_keyboard_and_named_on_a_phone_wide_page(
    browser: Browser, server: PlayServer, file: Path
) -> None:
    async with browser.tab() as tab:
        await tab.open(server.address, 390, 844)
        await tab.choose(file)
        await tab.until("document.querySelector('#learning').checkVisibility()")
        assert await tab.js("document.activeElement.id") == "stop-learning", "what can be done now has the focus"
        await tab.key("Enter")
        await tab.until("document.activeElement.closest('#faces')")
        assert "Cancelled" in await tab.text("#says")
        await tab.key("Enter")
        await tab.until("document.activeElement.id === 'strength'")
        assert await tab.js("document.querySelector('#status').textContent") == "The face is learned. Change the strength."
        for _ in range(15):
            await tab.key("ArrowLeft")
        await tab.until("document.querySelector('#download').href")
        spoken = await tab.spoken()
        assert ("slider", "Strength of the smile") in spoken
        assert ("image", "The photo edited by AI: face 1, smile -1.5") in spoken
        assert {("radio", one) for one in ("Before", "Both", "After")} <= set(spoken)
        assert {("button", one) for one in ("Neutral", "Original", "Natural", "Strong", "New photo", "Delete")} <= set(spoken)
        assert {("link", "Download"), ("combobox", "Kind of file")} <= set(spoken)
        assert await tab.js("document.querySelector('#strength').getAttribute('aria-valuetext')") == "−1.5"
        await tab.size(320, 640)
        await fits(tab)
        await tab.tab_to("input[name=view]")
        await tab.key("ArrowLeft")
        assert await tab.js("document.querySelector('#stage').dataset.view") == "split"
        await tab.tab_to("#split")
        before = await tab.js("document.querySelector('#split').value")
        await tab.key("ArrowRight")
        assert float(await tab.js("document.querySelector('#split').value")) > float(before)
        for one in ("#strength", "#presets button", "#download", "#kind", "#another", "#delete"):
            await tab.tab_to(one)
        await tab.key("Enter")
        await tab.until("document.activeElement.id === 'choose'")
        assert not tab.complaints


async def fits(tab: Tab) -> None:
    """Nothing is cut off or too small for a thumb."""
    root = "document.documentElement"  # `innerWidth` would grow with what is too wide, on a phone
    assert await tab.js(f"{root}.scrollWidth <= {root}.clientWidth")
    small = await tab.js(
        "[...document.querySelectorAll('main button, main select, main a, main label span, #strength')]"
        ".filter((one) => one.checkVisibility() && !one.closest('#frames') && one.className !== 'unseen')"
        ".filter((one) => one.getBoundingClientRect().height < 43.5).map((one) => one.id || one.textContent)"
    )
    assert small == []


async def test_bad_input_and_the_end_of_egao_are_told(browser: Browser, editor: Editor, tmp_path: Path) -> None:
    (tmp_path / "no photo.jpg").write_bytes(b"no photo")
    async with browser.tab() as tab:
        async with bare(editor.models.settings) as server:
            await tab.open(server.address)
            await tab.choose(tmp_path / "no photo.jpg")
            await tab.until("document.querySelector('#alert').checkVisibility()")
            assert (await tab.text("#alert")).startswith("This file can't be read as a photo")
            assert await tab.text("#start h2"), "another one can be given"
            assert await tab.js("fetch('https://evil.example/').then(() => 'sent', () => 'kept')") == "kept"
            tab.complaints.clear()
        await tab.until("document.querySelector('#lost').checkVisibility()")
        assert (await tab.text("#lost")).startswith("egao does not answer any more.")
        assert await tab.js("document.querySelector('#choose').disabled")


async def test_the_page_speaks_the_browsers_language(browser: Browser, editor: Editor, tmp_path: Path) -> None:
    (tmp_path / "no photo.jpg").write_bytes(b"no photo")
    async with bare(editor.models.settings) as server, browser.tab() as tab:
        agent = await tab.js("navigator.userAgent")
        await tab.call("Network.setUserAgentOverride", userAgent=agent, acceptLanguage="de-AT,de")
        await tab.open(server.address)
        assert await tab.js("document.documentElement.lang") == "de"
        assert await tab.text("#start h2") == "Zieh ein Foto von einem Gesicht hierher"
        assert await tab.js("document.querySelector('#work').getAttribute('aria-label')") == "Foto bearbeiten"
        await tab.choose(tmp_path / "no photo.jpg")
        await tab.until("document.querySelector('#alert').checkVisibility()")
        assert (await tab.text("#alert")).startswith("Diese Datei lässt sich nicht als Foto lesen (sie hat keines dieser Formate")
        assert not [one for one in tab.complaints if "422" not in one]


async def test_another_page_can_neither_frame_it_nor_ask_it(browser: Browser, editor: Editor) -> None:
    async with bare(editor.models.settings) as server, bare(editor.models.settings) as foreign, browser.tab() as tab:
        # a page of another origin on this machine, that even knows the whole address
        await tab.open(foreign.address)
        asked = f"fetch('{server.address}', {{ mode: 'no-cors' }}).then((a) => a.type, (e) => 'refused')"
        assert await tab.js(asked) == "refused"
        await tab.call("Page.setBypassCSP", enabled=True)
        await tab.call("Page.reload")
        await tab.until("document.readyState === 'complete' && document.querySelector('#choose')")
        tabs = len(server.tabs)
        for mode, method in (("no-cors", "GET"), ("cors", "GET"), ("cors", "DELETE"), ("no-cors", "POST")):
            asked = (
                f"fetch('{server.address}tab/x/photo', {{ mode: '{mode}', method: '{method}' }})"
                ".then(async (a) => a.type + (await a.text()).length, (e) => 'refused')"
            )
            assert await tab.js(asked) in ("refused", "opaque0"), (mode, method)
        await tab.js(
            f"(window.s = new WebSocket('{server.address.replace('http', 'ws')}tab')).onclose = () => (window.shut = true), 1"
        )
        await tab.until("window.shut")
        assert len(server.tabs) == tabs, "no socket was opened"
