"""The person who acts, and the owner of what they may reach."""

from __future__ import annotations

import discord

from core.store import Owner

Person = discord.User | discord.Member


def owner_of(guild_id: int | None, member_id: int) -> Owner:
    """Return the owner for a person: a member in a server, or (None) in direct messages."""
    return Owner(guild_id, member_id) if guild_id is not None else Owner.direct(member_id)
