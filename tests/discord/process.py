"""A bot as a process of its own: started, watched, stopped and started again, against a fake Discord."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import Awaitable, Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from tests.discord.fake import FakeDiscord

ROOT = Path(__file__).resolve().parents[2]
PRIVATE = ("EGAO_", "DISCORD_")  # what a developer's own environment must not pass on


class BotProcess:
    """`python -m tests.discord.launch <module>` with `home` as its working directory.

        async with BotProcess(discord, "bot", home=tmp_path) as bot:   # started, and killed at the end
            await discord.wait_ready()
            await bot.stop()                                          # SIGTERM; the exit code

    Only processes that this object started are ever signalled, by their ids.
    """

    def __init__(
        self, discord: FakeDiscord, module: str = "bot", *, home: Path, environ: Mapping[str, str] | None = None
    ) -> None:
        self.discord, self.module, self.home = discord, module, home
        self.log_path = home / f"{module.rpartition('.')[2]}.log"
        self.environ_now = dict(environ or {})  # of the next start
        self.began = 0.0  # when the present process was started (time.monotonic())
        self._process: asyncio.subprocess.Process | None = None
        self._log: IO[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.returncode is None

    @property
    def log(self) -> str:
        """All that every run of it has written so far."""
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def environ(self) -> dict[str, str]:
        """What the process sees: this environment without a developer's own settings, and the fake's addresses."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith(PRIVATE)}
        own = {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", "DISCORD_TOKEN": self.discord.token}
        own |= {"FAKE_DISCORD_URL": self.discord.url, "EGAO_HOME": str(self.home)}
        own["EGAO_COMPILE"] = "off"  # a compiler in the background would be in the way of what is measured
        own["EGAO_CDN_HOSTS"] = self.discord.url.removeprefix("http://")
        return {**kept, **own, **self.environ_now}

    async def start(self) -> None:
        assert not self.running
        command = [sys.executable, "-m", "tests.discord.launch", self.module]
        self._log, self.began = self.log_path.open("ab"), time.monotonic()
        nothing, log = asyncio.subprocess.DEVNULL, self._log
        self._process = await asyncio.create_subprocess_exec(
            *command, cwd=self.home, env=self.environ(), stdin=nothing, stdout=log, stderr=log
        )

    async def stop(self, within: float = 20.0) -> int:
        """SIGTERM, and the exit code. AssertionError with the log if it has not left in time."""
        self._signal(signal.SIGTERM)
        return await self.wait(within)

    async def kill(self) -> None:
        """SIGKILL: no chance to clean up."""
        self._signal(signal.SIGKILL)
        await self.wait(5.0)

    async def wait(self, within: float = 20.0) -> int:
        """Until it has left by itself; its exit code."""
        assert self._process
        assert self._log
        try:
            code = await asyncio.wait_for(self._process.wait(), within)
        except TimeoutError:
            raise AssertionError(f"{self.module} still runs after {within:g} s\n{self.tail()}") from None
        self._log.close()
        return code

    async def alive_until(self, happens: Awaitable[object]) -> None:
        """Wait for something that it is to bring about, but no longer than it lives."""
        assert self._process
        hoped = asyncio.ensure_future(happens)
        ended = asyncio.create_task(self._process.wait())
        try:
            await asyncio.wait([hoped, ended], return_when=asyncio.FIRST_COMPLETED)
            if not hoped.done():
                raise AssertionError(f"{self.module} ended with {ended.result()}\n{self.tail()}")
            await hoped
        finally:
            for task in (hoped, ended):
                task.cancel()

    def _signal(self, number: signal.Signals) -> None:
        if self.running:
            os.kill(self.pid, number)

    def children(self) -> list[int]:
        """Processes that it has started and that still run, through any depth."""
        found, open_ = [], [self.pid]
        while open_:
            for path in Path(f"/proc/{open_.pop()}/task").glob("*/children"):
                with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it has ended meanwhile
                    found += (more := [int(pid) for pid in path.read_text().split()])
                    open_ += more
        return found

    def tail(self, lines: int = 40) -> str:
        return "\n".join(self.log.splitlines()[-lines:])

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self.running:
            left = self.children()
            await self.kill()
            for pid in left:
                if alive(pid):
                    os.kill(pid, signal.SIGKILL)
        if error is not None:
            error.add_note(f"--- the end of {self.log_path.name}:\n{self.tail()}")


def alive(pid: int) -> bool:
    """Whether a process runs and is not just waiting to be reaped."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"
