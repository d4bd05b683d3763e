"""Who may have what done, checked again for every request: blocked, consent, roles, whose photo, how strong."""

from __future__ import annotations

from collections.abc import Collection

import discord

from bot.text.privacy import CONSENT_VERSION
from bot.transport.identity import Person
from core.errors import AdminsOnly, NotYourPhoto, PhotoOwnerUnasked, RoleNeeded, ServerOnly, StrengthOverLimit
from core.store import GuildSettings, Owner, Store


class Gate:
    """Raises the AccessError that keeps somebody out, or returns the rules that hold where they ask."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def admit(self, owner: Owner, person: Person, authors: Collection[int] = ()) -> GuildSettings:
        """Let a request in. `authors` posted the photo that it is about, or that its kept face was made of.

        Raises Blocked, ConsentNeeded, RoleNeeded, NotYourPhoto or PhotoOwnerUnasked.
        """
        settings = await self._store.run(self._store.guilds.get, owner.guild_id)
        await self._store.run(self._store.members.require, owner, CONSENT_VERSION)
        if settings.roles and not _has_role(person, settings.roles):
            raise RoleNeeded
        await self.check_authors(owner, authors)
        return settings

    async def check_authors(self, owner: Owner, authors: Collection[int]) -> None:
        """Whether a photo of these authors may be used by `owner` just now. Raises NotYourPhoto or PhotoOwnerUnasked."""
        settings = await self._store.run(self._store.guilds.get, owner.guild_id)
        for author_id in authors:
            if author_id != owner.member_id:
                await self._check_author(author_id, owner, settings)

    async def _check_author(self, author_id: int, owner: Owner, settings: GuildSettings) -> None:
        if settings.whose_photos == "own":
            raise NotYourPhoto
        if await self._store.run(self._store.members.is_blocked, owner.guild_id, author_id):
            raise PhotoOwnerUnasked
        agreed = await self._store.run(self._store.members.has_consented, author_id, CONSENT_VERSION)
        if settings.whose_photos == "consented" and not agreed:
            raise PhotoOwnerUnasked


def check_strength(strength: float, settings: GuildSettings) -> float:
    """The strength, rounded to the hundredths that buttons carry. Raises StrengthOverLimit."""
    high = settings.strength_max
    if not -high <= strength <= high:  # also refuses NaN
        raise StrengthOverLimit(low=-high, high=high)
    return round(strength, 2)


def clamp_strength(strength: float, settings: GuildSettings) -> float:
    """The strength, or the limit that is nearest to it: for buttons, which go as far as they may."""
    return round(max(-settings.strength_max, min(settings.strength_max, strength)), 2)


def require_admin(interaction: discord.Interaction[discord.Client]) -> int:
    """The server's id, if whoever asks may manage it. Raises ServerOnly or AdminsOnly.

    Discord hides the commands from others by `default_permissions`, which a server can override: so it's checked here.
    """
    if interaction.guild_id is None:
        raise ServerOnly
    if not interaction.permissions.manage_guild:
        raise AdminsOnly
    return interaction.guild_id


def _has_role(person: Person, roles: tuple[int, ...]) -> bool:
    if not isinstance(person, discord.Member):
        return False
    manages = person.guild_permissions.manage_guild
    return manages or any(role.id in roles for role in person.roles)
