"""Everything the platform knows, in one place, and the way to wait for it to change."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from tests.discord.fake.clock import Clock

if TYPE_CHECKING:
    from tests.discord.fake.cdn import Cdn
    from tests.discord.fake.gateway import Gateway
    from tests.discord.fake.guilds import Channel, Guild, User
    from tests.discord.fake.interactions import Interaction
    from tests.discord.fake.messages import Message

T = TypeVar("T")

# Gateway intents, by the bit that a session names when it identifies.
GUILDS, MEMBERS, MODERATION = 1 << 0, 1 << 1, 1 << 2
GUILD_MESSAGES, DIRECT_MESSAGES, MESSAGE_CONTENT = 1 << 9, 1 << 12, 1 << 15
MIB = 2**20


@dataclass
class Rules:
    """The platform's limits. Tests may change any of them while the server runs."""

    answer_within: float = 3.0  # seconds from dispatch to the first answer of an interaction
    token_life: float = 15 * 60.0  # seconds an interaction's token works
    link_life: float = 24 * 3600.0  # seconds a signed attachment link works
    upload_limit: int = 10 * MIB  # bytes per file where no boost raises it
    request_limit: int = 25 * MIB  # bytes of a whole request
    message_content: bool = True  # the privileged intent, as ticked in the developer portal
    members_intent: bool = True
    rate_limits: bool = True  # answer with Discord's usual buckets and enforce them
    max_concurrency: int = 1  # sessions that may begin within `identify_every`: shard n counts with those of n modulo this
    identify_every: float = 0.0  # seconds; Discord's are 5. Faster, a session is refused
    nonce_window: float = 300.0  # seconds in which an enforced nonce gives back the first message


class World:
    """Users, servers, channels, messages and interactions by id; commands by server."""

    cdn: Cdn
    gateway: Gateway

    def __init__(self, token: str, rules: Rules | None = None) -> None:
        from tests.discord.fake.guilds import User

        self.token, self.rules, self.clock = token, rules or Rules(), Clock()
        self.users: dict[int, User] = {}
        self.guilds: dict[int, Guild] = {}
        self.channels: dict[int, Channel] = {}
        self.messages: dict[int, Message] = {}
        self.interactions: dict[str, Interaction] = {}  # by token
        self.commands: dict[int | None, list[dict[str, Any]]] = {}  # None holds the global ones
        self.bot = User(self, "egao", bot=True)
        self.owner = User(self, "owner")
        self.application_id = self.bot.id
        self.watchers: list[Callable[[Message], None]] = []  # told of every message as it is made or edited
        self._waiters: set[asyncio.Event] = set()

    def changed(self) -> None:
        """Wake whoever waits; called after every change that a member could see."""
        for event in self._waiters:
            event.set()

    async def until(self, check: Callable[[], T | None], within: float, what: str, show: Callable[[], str] = lambda: "") -> T:
        """The first truthy value of `check`, tried after every change; AssertionError after `within` seconds."""
        event = asyncio.Event()
        self._waiters.add(event)
        try:
            async with asyncio.timeout(within):
                while not (found := check()):
                    await event.wait()
                    event.clear()
                return found
        except TimeoutError:
            raise AssertionError(f"no {what} within {within:g} s{show()}") from None
        finally:
            self._waiters.discard(event)

    def message_event(self, event: str, message: Message, data: dict[str, Any]) -> None:
        """Tell the bot of a message, keeping its content back where the intent is missing."""
        channel = message.channel
        if channel.guild is not None and not channel.guild.added:
            return
        plain = channel.guild is None or message.author is self.bot or self.bot.id in message.mentioned
        hidden = data if plain else {**data, "content": "", "embeds": [], "attachments": [], "components": []}
        intent = DIRECT_MESSAGES if channel.guild is None else GUILD_MESSAGES
        self.gateway.dispatch(event, data, guild=channel.guild, intent=intent, without_content=hidden)

    def application(self) -> dict[str, Any]:
        flags = (1 << 19 if self.rules.message_content else 0) | (1 << 15 if self.rules.members_intent else 0)
        return {
            "id": str(self.application_id),
            "name": "egao",
            "icon": None,
            "description": "",
            "bot_public": True,
            "bot_require_code_grant": False,
            "verify_key": "0" * 64,
            "flags": flags,
            "owner": self.owner.payload(),
            "team": None,
            "interactions_endpoint_url": None,
            "approximate_guild_count": len(self.guilds),
            "integration_types_config": {"0": {}, "1": {}},
        }
