"""The person who asks: their language, the rules for them, and their preferences."""

from __future__ import annotations

from dataclasses import dataclass

from bot.text.speaker import Speaker
from core.store import GuildSettings, Member


@dataclass(frozen=True)
class Asker:
    """A person in a server or in direct messages, looked up in the store."""

    guild_id: int | None  # None: a direct message
    say: Speaker
    settings: GuildSettings
    member: Member
    away: bool = False  # they brought egao along, see `is_away`
    hidden: bool = False  # nobody else may see the answer: see `must_hide`

    def wants_private(self, show: str | None = None) -> bool:
        """Tell whether only they should see the result: by `show` ("private", "public") if given, else by their preference.

        False in direct messages, which only they see anyway. Where egao is a guest, True unless `show` says otherwise.
        """
        if self.away:
            return self.hidden or show != "public"
        return self.guild_id is not None and (show or self.member.visibility) == "private"
