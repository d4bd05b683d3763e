"""Users, servers, roles and channels: what they hold and how Discord writes them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from tests.discord.fake import permissions
from tests.discord.fake.clock import iso
from tests.discord.fake.world import GUILDS, MIB, World

if TYPE_CHECKING:
    from tests.discord.fake.members import Member
    from tests.discord.fake.messages import Message

BOOST_LIMITS = {0: None, 1: None, 2: 50 * MIB, 3: 100 * MIB}  # bytes a file; None: the platform's own limit


class User:
    def __init__(self, world: World, name: str, *, locale: str = "en-US", bot: bool = False) -> None:
        self.world, self.name, self.locale, self.bot = world, name, locale, bot
        self.id = world.clock.snowflake()
        self.accepts_dms = True
        self._dm: Channel | None = None
        world.users[self.id] = self

    @property
    def mention(self) -> str:
        return f"<@{self.id}>"

    @property
    def dm(self) -> Channel:
        """The direct channel between this user and the bot; opened on first use."""
        if self._dm is None:
            self._dm = Channel(self.world, "", recipient=self)
        return self._dm

    def payload(self) -> dict[str, Any]:
        return {
            "id": str(self.id),
            "username": self.name,
            "global_name": None if self.bot else self.name,
            "discriminator": "0",
            "avatar": None,
            "bot": self.bot,
            "public_flags": 0,
        }


class Role:
    def __init__(self, guild: Guild, name: str, granted: int) -> None:
        self.guild, self.name, self.permissions = guild, name, granted
        self.id = guild.id if name == "@everyone" else guild.world.clock.snowflake()

    def payload(self) -> dict[str, Any]:
        plain = {"color": 0, "hoist": False, "managed": False, "mentionable": False, "flags": 0}
        colors = {"primary_color": 0, "secondary_color": None, "tertiary_color": None}
        position = self.guild.roles.index(self)
        own = {"id": str(self.id), "name": self.name, "permissions": str(self.permissions), "position": position}
        return {**plain, **own, "colors": colors}


class Channel:
    """A text channel of a server, or a direct channel with one user."""

    def __init__(self, world: World, name: str, *, guild: Guild | None = None, recipient: User | None = None) -> None:
        self.world, self.name, self.guild, self.recipient = world, name, guild, recipient
        self.id = world.clock.snowflake()
        self.overwrites: dict[int, tuple[int, int]] = {}  # by role or user id: (allow, deny)
        self.messages: list[Message] = []
        self.nsfw = False
        self.typing_until = 0.0
        world.channels[self.id] = self

    def __repr__(self) -> str:
        return f"<#{self.name or 'dm'}>"

    def payload(self, viewer: Member | None = None) -> dict[str, Any]:
        last = str(self.messages[-1].id) if self.messages else None
        if self.guild is None:
            assert self.recipient
            recipients = [self.recipient.payload()]
            return {"id": str(self.id), "type": 1, "last_message_id": last, "recipients": recipients, "flags": 0}
        overwrites = [
            {"id": str(key), "type": 0 if self.guild.role_of(key) else 1, "allow": str(allow), "deny": str(deny)}
            for key, (allow, deny) in self.overwrites.items()
        ]
        found = {
            "id": str(self.id),
            "type": 0,
            "guild_id": str(self.guild.id),
            "name": self.name,
            "position": self.guild.channels.index(self),
            "permission_overwrites": overwrites,
            "nsfw": self.nsfw,
            "rate_limit_per_user": 0,
            "topic": None,
            "parent_id": None,
            "last_message_id": last,
            "flags": 0,
        }
        return {**found, "permissions": str(self.permissions_of(viewer))} if viewer else found

    def permissions_of(self, member: Member | None) -> int:
        """What `member` may do here; everything, in a direct channel."""
        if self.guild is None or member is None:
            return permissions.ALL
        keys = [self.guild.id, *(role.id for role in member.roles), member.user.id]
        return permissions.resolve(member.base_permissions, [self.overwrites[k] for k in keys if k in self.overwrites])

    def allows(self, member: Member | None, name: str) -> bool:
        return bool(self.permissions_of(member) & permissions.BITS[name])

    def deny(self, who: Member | Role, *names: str) -> None:
        """Take permissions away here, as an overwrite; the bot hears of it."""
        allow, deny = self.overwrites.get(who.id, (0, 0))
        self.overwrites[who.id] = (allow, deny | permissions.bits(names))
        self.world.gateway.dispatch("CHANNEL_UPDATE", self.payload(), guild=self.guild, intent=GUILDS)

    def delete(self) -> None:
        assert self.guild
        payload = self.payload()
        self.guild.channels.remove(self)
        del self.world.channels[self.id]
        self.world.gateway.dispatch("CHANNEL_DELETE", payload, guild=self.guild, intent=GUILDS)

    async def wait_message(
        self, accept: Callable[[Message], bool] = lambda _: True, within: float = 5.0, *, seen_by: Member | None = None
    ) -> Message:
        """The first living message of the bot here that `accept` takes, as it stands now or after any edit.

        Ephemeral ones count for their own member only. AssertionError, with the conversation, after `within` seconds.
        """

        def found() -> Message | None:
            eyes = (None, seen_by.user if seen_by else None)
            for message in self.messages:
                fits = message.author is self.world.bot and not message.deleted and message.viewer in eyes
                if fits and accept(message):
                    return message
            return None

        return await self.world.until(found, within, f"such message in {self}", lambda: "\n" + self.transcript())

    def transcript(self, last: int = 20) -> str:
        """The conversation as text, for the report of a failed test."""
        return "\n".join(f"  {message.describe()}" for message in self.messages[-last:]) or "  (no messages)"


class Guild:
    """A server. Once it is announced the bot is in it, with what members may do by default."""

    def __init__(self, world: World, name: str, *, locale: str = "en-US", boost: int = 0) -> None:
        from tests.discord.fake.members import Member

        self.world, self.name, self.locale, self.boost = world, name, locale, boost
        self.id = world.clock.snowflake()
        self._announced = False
        self.owner = User(world, f"{name}-owner")
        self.roles: list[Role] = []
        self.everyone = self.role("@everyone", *permissions.MEMBER_DEFAULT)
        self.channels: list[Channel] = []
        self.members: dict[int, Member] = {}
        self.banned: set[int] = set()
        self.me = Member(self, world.bot)
        Member(self, self.owner)

    @property
    def added(self) -> bool:
        """Whether the bot is in it; members may bring it along to one where it is not."""
        return self.id in self.world.guilds

    @property
    def upload_limit(self) -> int:
        """Bytes a file may have here."""
        return BOOST_LIMITS[self.boost] or self.world.rules.upload_limit

    def role(self, name: str, *granted: str) -> Role:
        self.roles.append(role := Role(self, name, permissions.bits(granted)))
        self._tell("GUILD_ROLE_CREATE", {"guild_id": str(self.id), "role": role.payload()})
        return role

    def role_of(self, key: int) -> Role | None:
        return next((role for role in self.roles if role.id == key), None)

    def channel(self, name: str) -> Channel:
        self.channels.append(channel := Channel(self.world, name, guild=self))
        self._tell("CHANNEL_CREATE", channel.payload())
        return channel

    def member(self, who: str | User | Member, *, locale: str = "en-US", roles: Iterable[Role] = ()) -> Member:
        """A person who joins: a new one by name, or someone who is in another server already."""
        from tests.discord.fake.members import Member

        user = who.user if isinstance(who, Member) else who
        user = User(self.world, user, locale=locale) if isinstance(user, str) else user
        member = Member(self, user, list(roles))
        self._tell("GUILD_MEMBER_ADD", {**member.payload(), "guild_id": str(self.id)}, intent=1 << 1)
        return member

    def admin(self, name: str, **options: Any) -> Member:
        """A member whose role has the right to manage this server."""
        role = next((r for r in self.roles if r.name == "admins"), None) or self.role("admins", "manage_guild")
        return self.member(name, roles=[role], **options)

    def remove_bot(self) -> None:
        """The bot is kicked: it can reach nothing here any more."""
        self.world.guilds.pop(self.id)
        for channel in self.channels:
            self.world.channels.pop(channel.id, None)
        self.world.gateway.dispatch("GUILD_DELETE", {"id": str(self.id)}, guild=self, intent=GUILDS)
        self._announced = False

    def _tell(self, event: str, data: dict[str, Any], intent: int = GUILDS) -> None:
        if self._announced:
            self.world.gateway.dispatch(event, data, guild=self, intent=intent)

    def announce(self) -> None:
        """The bot joins while it is connected. A server made before any session simply is in READY."""
        self.world.guilds[self.id] = self
        self._announced = True
        self.world.gateway.dispatch("GUILD_CREATE", self.payload(everyone=False), guild=self, intent=GUILDS)

    def payload(self, *, everyone: bool) -> dict[str, Any]:
        """As in GUILD_CREATE; `everyone` lists all members, else only the bot, as without the members intent."""
        listed = self.members.values() if everyone else [self.me]
        empty = ("features", "emojis", "stickers", "threads", "presences", "voice_states", "stage_instances")
        return {
            **{name: [] for name in (*empty, "guild_scheduled_events", "soundboard_sounds")},
            "id": str(self.id),
            "name": self.name,
            "icon": None,
            "owner_id": str(self.owner.id),
            "preferred_locale": self.locale,
            "premium_tier": self.boost,
            "verification_level": 0,
            "default_message_notifications": 0,
            "explicit_content_filter": 0,
            "mfa_level": 0,
            "nsfw_level": 0,
            "afk_timeout": 300,
            "system_channel_flags": 0,
            "joined_at": iso(self.world.clock.now()),
            "large": False,
            "member_count": len(self.members),
            "roles": [role.payload() for role in self.roles],
            "channels": [channel.payload() for channel in self.channels],
            "members": [member.payload() for member in listed],
        }
