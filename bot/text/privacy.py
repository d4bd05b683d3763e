"""What `/privacy` says. Every number in it is the code's own."""

from __future__ import annotations

from typing import Final

from bot.text.speaker import Speaker

CONSENT_VERSION: Final = 1  # raise it when the notice promises something else: everyone is asked again
ADULT: Final = 18  # years; a test holds it to core.gates.ADULT, which needs a network's runtime to be imported


def privacy(say: Speaker, retention_hours: int, *, checks: bool, asks: bool) -> str:
    """Write the statement, with the numbers that hold where it is asked for.

    `checks`: photos are looked at by core.gates. `asks`: PluralKit is asked who sent what its webhooks posted.
    """
    told = say("privacy.checks", age=ADULT) if checks else ""
    told += say("privacy.pluralkit") if asks else ""
    kept = say.hours(retention_hours)
    return say("privacy.text", checks=told, retention=kept, version=CONSENT_VERSION, age=ADULT)
