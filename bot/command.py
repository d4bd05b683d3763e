"""`egao bot`, found by the command line through its entry point."""

from __future__ import annotations

import sys

from bot.app import main


def command() -> None:
    """Run the Discord bot until it is stopped. Reads DISCORD_TOKEN and the other settings from .env."""
    sys.exit(main())
