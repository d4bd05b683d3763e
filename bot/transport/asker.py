"""Who asks: in which language they are answered, by which rules, and what they said of themselves before."""

from __future__ import annotations

from dataclasses import dataclass

from bot.text.speaker import Speaker
from core.store import GuildSettings, Member


@dataclass(frozen=True)
class Asker:
    """A person where they are just now, as one look-up in the store found it."""

    guild_id: int | None  # None: a direct message
    say: Speaker
    settings: GuildSettings
    member: Member

    def wants_private(self, show: str | None = None) -> bool:
        """Tell whether they alone are to see the result: as they say now ("private", "public"), or said before.

        A direct message is theirs anyway.
        """
        return self.guild_id is not None and (show or self.member.visibility) == "private"
