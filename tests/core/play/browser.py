"""A real Chromium without a window, spoken to as its developer tools do (https://chromedevtools.github.io/devtools-protocol)."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import itertools
import os
import shutil
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Self

import aiohttp
import pytest

# EGAO_CHROMIUM names one that is found under no usual name; "none" is for trying how the tests go without
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
FOUND = next(filter(None, map(shutil.which, [os.environ["EGAO_CHROMIUM"]] if "EGAO_CHROMIUM" in os.environ else NAMES)), None)
needs_chromium = pytest.mark.skipif(
    FOUND is None, reason="no Chromium is here: apt-get install chromium (or EGAO_CHROMIUM=/path) to test the page in one"
)
PATIENCE = 120.0  # seconds that a test waits for something on the page, however busy the machine


class Tab:
    """One page of the browser."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket, self._ids = socket, itertools.count(1)
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self.asked: list[str] = []  # every address that the page asked for
        self.complaints: list[str] = []  # what the browser's console says went wrong
        self._listening = asyncio.create_task(self._listen())

    async def _listen(self) -> None:
        async for message in self._socket:
            said = message.json()
            if "id" in said:
                self._answers.pop(said["id"]).set_result(said)
                continue
            event, about = said["method"], said["params"]
            if event == "Network.requestWillBeSent":
                self.asked.append(about["request"]["url"])
            elif event == "Network.webSocketCreated":
                self.asked.append(about["url"])
            elif event == "Runtime.exceptionThrown":
                self.complaints.append(str(about["exceptionDetails"]))
            elif event == "Log.entryAdded" and about["entry"]["level"] == "error":
                self.complaints.append(about["entry"]["text"])

    async def call(self, method: str, **options: Any) -> dict[str, Any]:
        """One command of the protocol."""
        number = next(self._ids)
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        await self._socket.send_json({"id": number, "method": method, "params": options})
        said = await asyncio.wait_for(answer, PATIENCE)
        assert "error" not in said, said
        result: dict[str, Any] = said["result"]
        return result

    async def open(self, address: str, width: int = 1280, height: int = 800, scale: float = 1, dark: bool = False) -> Self:
        """Go to an address in a window of this size."""
        for domain in ("Page", "Runtime", "Network", "Log", "DOM", "Accessibility"):
            await self.call(f"{domain}.enable")
        await self.size(width, height, scale)
        features = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        await self.call("Emulation.setEmulatedMedia", features=features)
        await self.call("Page.navigate", url=address)
        await self.until("document.readyState === 'complete' && !document.querySelector('#choose')?.disabled")
        return self

    async def size(self, width: int, height: int, scale: float = 1) -> None:
        await self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale, mobile=width < 500
        )

    async def js(self, expression: str) -> Any:
        """The value of an expression on the page."""
        said = await self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in said, said
        return said["result"].get("value")

    async def until(self, expression: str) -> None:
        """Wait until something is so on the page."""
        async with asyncio.timeout(PATIENCE):
            while not await self.js(f"Boolean({expression})"):  # noqa: ASYNC110 - the page has no event for it
                await asyncio.sleep(0.03)

    async def text(self, selector: str) -> str:
        """What an element says, "" where it is hidden."""
        found = f"document.querySelector({selector!r})"
        return str(await self.js(f"{found}.checkVisibility() ? {found}.innerText : ''"))

    async def key(self, name: str, text: str = "", shift: bool = False) -> None:
        """Press a key."""
        code = {"Tab": 9, "Enter": 13, "ArrowLeft": 37, "ArrowRight": 39, " ": 32, "End": 35, "Home": 36}[name]
        options: dict[str, Any] = {"key": name, "windowsVirtualKeyCode": code, "modifiers": 8 if shift else 0}
        options |= {"text": "\r"} if name == "Enter" else {"text": text} if text else {}
        await self.call("Input.dispatchKeyEvent", type="keyDown", **options)
        await self.call("Input.dispatchKeyEvent", type="keyUp", **options)

    async def tab_to(self, selector: str, most: int = 40) -> None:
        """Press Tab until an element has the focus."""
        for _ in range(most):
            if await self.js(f"document.activeElement.matches({selector!r})"):
                return
            await self.key("Tab")
        raise AssertionError(f"{selector} can't be reached by keyboard")

    async def place(self, selector: str, share: float = 0.5) -> tuple[float, float]:
        """The middle of an element, or so much of the way along it, in the window."""
        await self.js(f"document.querySelector({selector!r}).scrollIntoView({{block: 'nearest'}})")
        x, y, width, height = await self.js(
            f"(() => {{ const r = document.querySelector({selector!r}).getBoundingClientRect();"
            " return [r.x, r.y, r.width, r.height]; })()"
        )
        return x + width * share, y + height / 2

    async def mouse(self, kind: str, x: float, y: float) -> None:
        """Move, press or release the mouse."""
        held = {"button": "left", "buttons": 1, "clickCount": 1}
        await self.call("Input.dispatchMouseEvent", type=f"mouse{kind}", x=x, y=y, **held)

    async def click(self, selector: str) -> None:
        """Click in the middle of an element."""
        where = await self.place(selector)
        await self.mouse("Pressed", *where)
        await self.mouse("Released", *where)

    async def choose(self, file: Path) -> None:
        """Give a file to the page's button for files."""
        node = await self.call("Runtime.evaluate", expression="document.querySelector('#file')")
        await self.call("DOM.setFileInputFiles", files=[str(file)], objectId=node["result"]["objectId"])

    async def drop(self, file: Path, selector: str) -> None:
        """Drag a file from outside onto an element and let it go."""
        x, y = await self.place(selector)
        data = {"items": [], "files": [str(file)], "dragOperationsMask": 1}
        for kind in ("dragEnter", "dragOver", "dragOver", "drop"):
            await self.call("Input.dispatchDragEvent", type=kind, x=x, y=y, data=data)

    async def spoken(self) -> list[tuple[str, str]]:
        """What a screen reader is told: role and name of each thing that has one."""
        nodes = (await self.call("Accessibility.getFullAXTree"))["nodes"]
        told = [one for one in nodes if not one["ignored"] and one.get("name", {}).get("value")]
        return [(one["role"]["value"], one["name"]["value"]) for one in told]

    async def picture(self, whole: bool = False) -> bytes:
        """A picture of the window, or of the whole page: PNG."""
        data = (await self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole))["data"]
        return base64.b64decode(data)

    async def close(self) -> None:
        """Close the page as a person does."""
        with contextlib.suppress(ConnectionError):
            await self._socket.send_json({"id": 0, "method": "Page.close", "params": {}})
        self._answers[0] = asyncio.get_running_loop().create_future()
        await self._listening


class Browser:
    """Chromium, in a profile of its own, with no way out but to this machine."""

    def __init__(self, session: aiohttp.ClientSession, root: str) -> None:
        self._session, self._root = session, root

    @contextlib.asynccontextmanager
    async def tab(self) -> AsyncIterator[Tab]:
        """A new page, closed at the end."""
        async with self._session.put(f"{self._root}/json/new?about:blank") as answer:
            where = (await answer.json())["webSocketDebuggerUrl"]
        async with self._session.ws_connect(where, max_msg_size=0) as socket:
            tab = Tab(socket)
            try:
                yield tab
            finally:
                if not socket.closed:
                    await tab.close()


@contextlib.asynccontextmanager
async def chromium(profile: Path) -> AsyncIterator[Browser]:
    """Start Chromium, and end it with all its processes."""
    assert FOUND is not None
    command = [
        FOUND, "--headless=new", "--remote-debugging-port=0", f"--user-data-dir={profile}", "--no-first-run", "--no-sandbox",
        "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking", "--disable-component-update",
        "--disable-sync", "--disable-extensions", "--hide-scrollbars",
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", "about:blank",
    ]  # fmt: skip
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE, start_new_session=True
    )
    try:
        assert process.stderr is not None
        async with asyncio.timeout(PATIENCE):
            async for line in process.stderr:
                if b"DevTools listening on ws://" in line:
                    break
        root = "http://" + line.decode().split("ws://")[1].split("/")[0]
        draining = asyncio.create_task(process.stderr.read())
        async with aiohttp.ClientSession() as session:
            yield Browser(session, root)
        draining.cancel()
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
