"""Runs a bot's own entry point against a fake Discord: `FAKE_DISCORD_URL=... python -m tests.discord.launch bot`.

Everything but discord.py's addresses is the real thing: same module, same `__main__`, same settings. For tests of what
goes wrong under load, FAKE_WORKBENCH ("module:function") brings workers without weights, FAKE_SILENCE (seconds) and
FAKE_MEMORY (bytes) a watchdog and a memory limit that are reached within a test, FAKE_BUSY (seconds) a store that waits
less long for others, FAKE_LOOK (seconds) a bot that looks sooner for what got out of hand, FAKE_IDENTIFY (seconds) shards that
begin their sessions sooner one after the other, FAKE_SPLIT ("no") one worker where there would be two.
"""

from __future__ import annotations

import functools
import os
import runpy
import sys


def main() -> None:
    url = os.environ["FAKE_DISCORD_URL"]
    module = sys.argv[1] if len(sys.argv) > 1 else "bot"
    from tests.discord import patch

    patch.apply(url)
    if workbench := os.environ.get("FAKE_WORKBENCH"):
        sys.exit(_quick(workbench))
    sys.argv = [module, *sys.argv[2:]]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def _quick(workbench: str) -> int:
    """The real bot with other workers."""
    from bot import app, client
    from bot.transport import identify
    from core.executor import Capacity, Executor, Patience
    from core.store import database

    patience = Patience(silence=float(os.environ.get("FAKE_SILENCE", Patience.silence)))
    memory = os.environ.get("FAKE_MEMORY")
    capacity = Capacity(memory=int(memory) if memory else None)
    split = False if os.environ.get("FAKE_SPLIT") == "no" else None
    vars(app).update(Executor=functools.partial(Executor, patience=patience, capacity=capacity, split=split))
    if busy := os.environ.get("FAKE_BUSY"):
        database.BUSY_SECONDS = float(busy)
    if look := os.environ.get("FAKE_LOOK"):
        client.LOOK_SECONDS = float(look)  # type: ignore[misc]
        client.EgaoBot.look_after.change_interval(seconds=float(look))
    if between := os.environ.get("FAKE_IDENTIFY"):
        identify.IDENTIFY_SECONDS = float(between)  # type: ignore[misc]
    return app.main(workbench=workbench)


if __name__ == "__main__":
    main()
