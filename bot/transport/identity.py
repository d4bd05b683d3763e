"""Who acts, and whose things they reach."""

from __future__ import annotations

import discord

from core.store import Owner

Person = discord.User | discord.Member


def owner_of(guild_id: int | None, member_id: int) -> Owner:
    """Tell whose things a person reaches where they are: a server (None: direct messages) and their own id."""
    return Owner(guild_id, member_id) if guild_id is not None else Owner.direct(member_id)
