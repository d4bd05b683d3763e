"""Decides whether a member may ask for something, anew for every request: blocks, consent, roles, whose photo, strength."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import discord

from bot.requests.ask import Ask
from bot.text.privacy import CONSENT_VERSION
from bot.transport.identity import Person, actor_of, home_of
from core.errors import (
    AccessError,
    AdminsOnly,
    NotYourPhoto,
    NotYours,
    OwnPicture,
    PhotoOwnerUnasked,
    RoleNeeded,
    ServerOnly,
    StrengthOverLimit,
)
from core.store import GuildSettings, Owner, Store


class Gate:
    """The check of requests against the rules of the server that they come from."""

    def __init__(self, bot: discord.Client, store: Store) -> None:
        self._bot, self._store = bot, store

    async def admit(self, owner: Owner, person: Person, ask: Ask) -> GuildSettings:
        """Check a request and return the server's settings.

        Raises OwnPicture, Blocked, ConsentNeeded, RoleNeeded, NotYourPhoto or PhotoOwnerUnasked.
        """
        return await self._store.run(self._admit, owner, person, ask)

    async def check_authors(self, owner: Owner, ask: Ask) -> frozenset[int]:
        """Check again that the photo's author lets `owner` use it. Raises NotYourPhoto or PhotoOwnerUnasked.

        Several kept faces are checked one by one. Returns the ids of those that may not be used, if others may.
        """
        return await self._store.run(self._check_again, owner, ask)

    # What follows runs on a thread of the store's: several look-ups, and one wait.

    def _admit(self, owner: Owner, person: Person, ask: Ask) -> GuildSettings:
        """Do `admit`, and raise as it does."""
        authors = self._authors(owner, ask)
        if self._bot.user is not None and self._bot.user.id in authors:
            raise OwnPicture
        settings = self._store.guilds.get(owner.guild_id)
        self._store.members.require(owner, CONSENT_VERSION)
        if settings.roles and not _has_role(person, settings.roles):
            raise RoleNeeded
        if ask.group is None:
            self._check(owner, authors, settings)
        else:
            self._barred(owner, ask, settings)
        return settings

    def _check_again(self, owner: Owner, ask: Ask) -> frozenset[int]:
        settings = self._store.guilds.get(owner.guild_id)
        if ask.group is not None:
            return self._barred(owner, ask, settings)
        self._check(owner, self._authors(owner, ask), settings)
        return frozenset()

    def _barred(self, owner: Owner, ask: Ask, settings: GuildSettings) -> frozenset[int]:
        """Find the faces of a group whose photo's author does not let `owner` use them. Raises as `_check` where that is all."""
        barred: dict[int, AccessError] = {}
        for face_id, _ in ask.strengths:
            try:
                self._check(owner, self._store.faces.authors(owner, face_id), settings)
            except (NotYourPhoto, PhotoOwnerUnasked) as error:
                barred[face_id] = error
        if barred and len(barred) == len(ask.strengths):
            raise next(iter(barred.values()))
        return frozenset(barred)

    def _authors(self, owner: Owner, ask: Ask) -> set[int]:
        """List who posted the photo of the request, or the photo of its kept face."""
        if ask.photo is not None:
            return set() if ask.photo.author_id is None else {ask.photo.author_id}
        faces = [face_id for face_id, _ in ask.strengths] or [ask.face_id or 0]
        return {author for face_id in faces for author in self._store.faces.authors(owner, face_id)}

    def _check(self, owner: Owner, authors: Collection[int], settings: GuildSettings) -> None:
        """Check that each author of the photo lets `owner` use it. Raises NotYourPhoto or PhotoOwnerUnasked."""
        members = self._store.members
        for author_id in authors:
            if author_id == owner.member_id:
                continue
            if settings.whose_photos == "own":
                raise NotYourPhoto
            agreed = settings.whose_photos != "consented" or members.has_consented(author_id, CONSENT_VERSION)
            if not agreed or members.is_blocked(owner.guild_id, author_id):
                raise PhotoOwnerUnasked


async def require_own_message(store: Store, interaction: discord.Interaction[Any]) -> None:
    """Check that the message with the pressed control doesn't answer somebody else. Raises NotYours."""
    if interaction.message is None:
        return
    owners = await store.run(store.answered_in, interaction.message.id)
    if owners and actor_of(interaction) not in owners:
        raise NotYours


def check_strength(strength: float, settings: GuildSettings) -> float:
    """Check a strength against the server's limit and round it to hundredths. Raises StrengthOverLimit, also for NaN."""
    high = settings.strength_max
    if not -high <= strength <= high:  # also refuses NaN
        raise StrengthOverLimit(low=-high, high=high)
    return round(strength, 2)


def clamp_strength(strength: float, settings: GuildSettings) -> float:
    """Limit a strength to the server's limit and round it to hundredths."""
    return round(max(-settings.strength_max, min(settings.strength_max, strength)), 2)


def require_admin(interaction: discord.Interaction[discord.Client]) -> int:
    """Check that the person may manage the server, and return the server's id. Raises ServerOnly or AdminsOnly.

    Discord hides the commands from others by `default_permissions`, but a server can override that.
    """
    guild_id = home_of(interaction)
    if guild_id is None:
        raise ServerOnly
    if not interaction.permissions.manage_guild:
        raise AdminsOnly
    return guild_id


def _has_role(person: Person, roles: tuple[int, ...]) -> bool:
    if not isinstance(person, discord.Member):
        return False
    manages = person.guild_permissions.manage_guild
    return manages or any(role.id in roles for role in person.roles)
