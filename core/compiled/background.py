"""Has the generator compiled by a process of its own: by the bot at its start, or by `egao models compile`.

Imports no torch, because the bot's process uses it too. The process ends with its parent, and its failures have no effect but
that pictures are drawn as before.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import signal
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Final

from core.compiled.building import BUSY, Order, building_lock, sweep
from core.compiled.compiler import NO_COMPILER, compiler
from core.compiled.kept import CodeCache, Kept, Unfit, compiled_folder, key_of, read, usable
from core.errors import NotCompiled
from core.executor.devices import devices, worker_environment
from core.settings import Settings
from core.weights.installed import chosen_digest

log = logging.getLogger(__name__)

GENERATOR: Final = "core.generator:load_generator"
BEHIND: Final = 19  # the lowest share of the processor
_LAST_LINES: Final = 50
LONGEST: Final = 3600.0  # seconds: twenty-five times as long as it took beside a busy bot


async def keep_compiled(settings: Settings, generator: str = GENERATOR, digest: str = "") -> None:
    """Build the code once, at the lowest priority, if the settings want it and it is missing.

    Raises nothing; it logs one line.
    """
    try:
        if settings.compile != "auto" or await asyncio.to_thread(devices, settings) != ("cpu",):
            return
        if (there := await asyncio.to_thread(kept_for, settings, digest)) is not None:
            log.info("%s", there.told())
            return
        if compiler() is None:
            log.info("no C++ compiler is here: pictures are drawn without compiled code")
            return
        made = await build(settings, BEHIND, generator, digest)
        log.info("%s", made.told())
    except NotCompiled as error:
        log.warning("%s", error)
    except Exception:
        log.exception("pictures are drawn without compiled code")


def kept_for(settings: Settings, digest: str = "") -> Kept | None:
    """Find kept code that fits, or the note that it does not help; None if there is nothing, or it is broken."""
    with contextlib.suppress(Unfit):
        return usable(CodeCache.of(settings), key_of(digest or chosen_digest(settings)))
    return None


async def build(settings: Settings, nice: int, generator: str = GENERATOR, digest: str = "") -> Kept:
    """Build the code, even if it is there already, and wait for it. If cancelled, the process ends and its files are removed.

    Raises NotCompiled.
    """
    if compiler() is None:
        raise NotCompiled(reason=NO_COMPILER)
    places = str(settings.cache.resolve()), str(settings.home.resolve())
    order = Order(*places, settings.generator, settings.threads, generator, nice)
    status, said = await _run(order, settings)
    if status == BUSY:
        raise NotCompiled(reason="another process is at it")
    for line in said:
        log.debug("the compiling process printed: %s", line)
    if status != 0:
        raise NotCompiled(reason=said[-1][:300].rstrip(".") if said and status > 0 else f"it ended with status {status}")
    with contextlib.suppress(Unfit):
        if (made := read(CodeCache.of(settings), key_of(digest or chosen_digest(settings)))) is not None:
            return made
    raise NotCompiled(reason="what it made is of another generator, or can't be read")


async def _run(order: Order, settings: Settings) -> tuple[int, list[str]]:
    """Run the process and return its exit status and the last lines that it printed. It and its children have ended then.

    Raises NotCompiled if it takes longer than LONGEST.
    """
    environment = worker_environment(settings.model_copy(update={"threads": 1}), "cpu")
    command = (sys.executable, "-P", "-W", "ignore", "-m", "core.compiled.building", json.dumps(asdict(order)))
    theirs, ours = os.pipe()  # nothing is written: it closes when this process is gone, however it goes
    # into a file, not a pipe: a compiler that outlives the process would hold a pipe open
    with tempfile.TemporaryFile() as said, os.fdopen(ours, "wb"):
        with os.fdopen(theirs, "rb"):
            process = await asyncio.create_subprocess_exec(
                *command, env=environment, stdin=theirs, stdout=asyncio.subprocess.DEVNULL, stderr=said,
                start_new_session=True,  # a group to end as a whole
            )  # fmt: skip
        try:
            async with asyncio.timeout(LONGEST):
                status = await process.wait()
        except TimeoutError:
            raise NotCompiled(reason=f"it was not done after {LONGEST:.0f} s") from None
        finally:
            if process.returncode != 0:  # also where it has ended and left a compiler: the group keeps its number
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(process.pid, signal.SIGKILL)
                await asyncio.shield(process.wait())
                _tidy(compiled_folder(settings))
        said.seek(0)
        return status, [line for line in said.read().decode(errors="replace").splitlines() if line.strip()][-_LAST_LINES:]


def _tidy(folder: Path) -> None:
    """Remove the files of a killed build, unless another one is running."""
    with contextlib.suppress(OSError), building_lock(folder) as held:
        if held:
            sweep(folder)
