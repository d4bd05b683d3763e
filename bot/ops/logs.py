"""What is logged: ids, counts and states. discord.py's own lines contain links, which are removed here."""

from __future__ import annotations

import logging
import re
import sys
from typing import Final

import discord

from core.settings import Settings

HELP: Final = "https://discord.com/developers/applications"
# Links that may be shown: the developer portal, and the one that invites the bot. All others lead to somebody's photo.
_SHOWN: Final = "|".join(map(re.escape, (HELP, "https://discord.com/oauth2/authorize?client_id=")))
_LINK: Final = re.compile(rf"(?!{_SHOWN})\b(?:https?|wss?)://[^\s'\"<>]+")
# A webhook's path ends in the token of an interaction; an exception may show it without the host.
_TOKEN: Final = re.compile(r"(webhooks/\d+/|interactions/\d+/)[\w.-]+")


class Discreet(logging.Formatter):
    """A formatter that removes links (all but those of `_SHOWN`), interaction tokens and the bot's token from records.

    Tracebacks are part of a record.
    """

    def __init__(self, secret: str = "") -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")
        self._secret = secret

    def format(self, record: logging.LogRecord) -> str:
        text = _TOKEN.sub(r"\1[token]", _LINK.sub("[link]", super().format(record)))
        return text.replace(self._secret, "[token]") if self._secret else text


def begin(settings: Settings) -> None:
    """Begin to log to stderr. discord.py's debug lines contain payloads, so they are never logged."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Discreet(settings.discord_token.get_secret_value() if settings.discord_token is not None else ""))
    logging.basicConfig(level=settings.log_level.upper(), handlers=[handler])
    discord.VoiceClient.warn_nacl = discord.VoiceClient.warn_dave = False  # no voice here
    for name in ("discord", "aiohttp", "PIL"):
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLogger().level))
