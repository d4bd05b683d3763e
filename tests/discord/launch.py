"""Runs a bot's own entry point against a fake Discord: `FAKE_DISCORD_URL=... python -m tests.discord.launch bot`.

Everything but discord.py's addresses is the real thing: same module, same `__main__`, same settings.
"""

from __future__ import annotations

import os
import runpy
import sys


def main() -> None:
    url = os.environ["FAKE_DISCORD_URL"]
    module = sys.argv[1] if len(sys.argv) > 1 else "bot"
    from tests.discord import patch

    patch.apply(url)
    sys.argv = [module, *sys.argv[2:]]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
