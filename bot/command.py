"""The command `egao bot`, which the command line finds through its entry point, and the bot's checks of `egao doctor`."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from core.doctor import Finding
from core.settings import Settings


def command() -> None:
    """Run the Discord bot until it is stopped. Reads DISCORD_TOKEN and the other settings from .env."""
    from bot.app import main  # here: the doctor looks at this module without Discord's library

    sys.exit(main())


def checks(settings: Settings, online: bool) -> Iterator[Finding]:
    """Check the token; with `online`, also what Discord says about it, the intents, and the permissions in each known server."""
    from bot.doctor import checks as of_the_bot

    yield from of_the_bot(settings, online)
