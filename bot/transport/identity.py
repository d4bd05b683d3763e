"""The person who acts, and the owner of what they may reach."""

from __future__ import annotations

from typing import Any

import discord

from core.store import Owner

Person = discord.User | discord.Member


def is_away(interaction: discord.Interaction[Any]) -> bool:
    """Tell whether somebody brought egao along, as an app of their own, to a place where it is not itself.

    That is a server that did not add it, or a conversation of members: its own token reaches nothing there.
    """
    if interaction.guild_id is None:
        return interaction.context.private_channel
    return interaction.is_user_integration() and not interaction.is_guild_integration()


def home_of(interaction: discord.Interaction[Any]) -> int | None:
    """Tell in which server somebody's things are kept where they act, and whose rules hold; None: as in direct messages."""
    return None if is_away(interaction) else interaction.guild_id


def must_hide(interaction: discord.Interaction[Any]) -> bool:
    """Tell whether an answer can be seen by nobody else: a server may want that of apps that it did not add."""
    in_server = interaction.guild_id is not None
    return in_server and is_away(interaction) and not interaction.permissions.use_external_apps


def actor_of(interaction: discord.Interaction[Any]) -> Owner:
    """Tell whose things somebody reaches where they act."""
    return owner_of(home_of(interaction), interaction.user.id)


def owner_of(guild_id: int | None, member_id: int) -> Owner:
    """Return the owner for a person: a member in a server, or (None) in direct messages."""
    return Owner(guild_id, member_id) if guild_id is not None else Owner.direct(member_id)
