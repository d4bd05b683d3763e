"""The routes that a bot uses, over the world."""

from __future__ import annotations

from typing import Any

from tests.discord.fake import commands, errors, posting
from tests.discord.fake.guilds import Channel, Guild
from tests.discord.fake.interactions import Interaction
from tests.discord.fake.messages import Message
from tests.discord.fake.rest import Request, Rest
from tests.discord.fake.world import World


def install(rest: Rest, world: World) -> None:
    """Register every route."""
    for part in (Account(world), Channels(world), Interactions(world), Commands(world)):
        part.install(rest)


class Account:
    """The bot itself, users and servers."""

    def __init__(self, world: World) -> None:
        self.world = world

    def install(self, rest: Rest) -> None:
        rest.route("GET", "/users/@me", lambda request: self.world.bot.payload())
        rest.route("GET", "/oauth2/applications/@me", lambda request: self.world.application())
        rest.route("GET", "/applications/@me", lambda request: self.world.application())
        rest.route("GET", "/gateway", lambda request: {"url": self.world.gateway.url})
        rest.route("GET", "/gateway/bot", self.gateway)
        rest.route("POST", "/users/@me/channels", self.open_dm)
        rest.route("GET", "/users/{user}", self.user)
        rest.route("DELETE", "/users/@me/guilds/{guild}", self.leave)
        rest.route("GET", "/guilds/{guild}", lambda request, guild: self._guild(guild).payload(everyone=False))
        rest.route("GET", "/guilds/{guild}/channels", lambda request, guild: [c.payload() for c in self._guild(guild).channels])
        rest.route("GET", "/guilds/{guild}/members/{user}", self.member)
        rest.route("GET", "/guilds/{guild}/bans/{user}", self.ban)

    def _guild(self, key: str) -> Guild:
        guild = self.world.guilds.get(int(key))
        if guild is None:
            raise errors.unknown_guild()
        return guild

    def gateway(self, request: Request) -> dict[str, Any]:
        begun, at_once = self.world.gateway.count("identify"), self.world.rules.max_concurrency
        limits = {"total": 1000, "remaining": 1000 - begun, "reset_after": 14400000, "max_concurrency": at_once}
        return {"url": self.world.gateway.url, "shards": self.world.gateway.shards, "session_start_limit": limits}

    def user(self, request: Request, user: str) -> dict[str, Any]:
        found = self.world.users.get(int(user))
        if found is None:
            raise errors.unknown_user()
        return found.payload()

    def open_dm(self, request: Request) -> dict[str, Any]:
        found = self.world.users.get(int(request.body["recipient_id"]))
        if found is None:
            raise errors.unknown_user()
        return found.dm.payload()

    def member(self, request: Request, guild: str, user: str) -> dict[str, Any]:
        found = self._guild(guild).members.get(int(user))
        if found is None:
            raise errors.unknown_member()
        return found.payload()

    def ban(self, request: Request, guild: str, user: str) -> dict[str, Any]:
        if int(user) not in self._guild(guild).banned:
            raise errors.ApiError(404, 10026, "Unknown Ban")
        return {"reason": None, "user": self.world.users[int(user)].payload()}

    def leave(self, request: Request, guild: str) -> None:
        self._guild(guild).remove_bot()


class Channels:
    """Channels and messages by the bot's own token, as far as its permissions reach."""

    def __init__(self, world: World) -> None:
        self.world = world

    def install(self, rest: Rest) -> None:
        one = "/channels/{channel}/messages/{message}"
        rest.route("GET", "/channels/{channel}", lambda request, channel: self._channel(channel).payload())
        rest.route("POST", "/channels/{channel}/typing", self.type)
        rest.route("GET", "/channels/{channel}/messages", self.history)
        rest.route("POST", "/channels/{channel}/messages", self.send)
        rest.route("GET", one, lambda request, channel, message: self._message(channel, message).payload())
        rest.route("PATCH", one, self.edit)
        rest.route("DELETE", one, self.delete)
        rest.route("PUT", one + "/reactions/{emoji}/@me", lambda request, channel, message, emoji: None)
        rest.route("DELETE", one + "/reactions/{emoji}/@me", lambda request, channel, message, emoji: None)

    def _channel(self, key: str, *needed: str) -> Channel:
        channel = self.world.channels.get(int(key))
        if channel is None:
            raise errors.unknown_channel()
        me = channel.guild.me if channel.guild else None
        if (channel.guild is not None and not channel.guild.added) or not channel.allows(me, "view_channel"):
            raise errors.missing_access()
        if not all(channel.allows(me, name) for name in needed):
            raise errors.missing_permissions()
        return channel

    def _message(self, channel: str, message: str) -> Message:
        """A message that the bot can reach by its own token: an ephemeral one it can't."""
        where = self._channel(channel)
        found = self.world.messages.get(int(message))
        if found is None or found.deleted or found.channel is not where or found.viewer is not None:
            raise errors.unknown_message()
        return found

    def type(self, request: Request, channel: str) -> None:
        self._channel(channel, "send_messages").typing_until = self.world.clock.now() + 10

    def history(self, request: Request, channel: str) -> list[dict[str, Any]]:
        where = self._channel(channel, "read_message_history")
        query = {key: int(value) for key, value in request.query.items()}
        low, high = query.get("after", 0), query.get("before", 1 << 63)
        shown = [m for m in where.messages if low < m.id < high and not m.deleted and m.viewer is None]
        limit = query.get("limit", 50)
        picked = shown[:limit] if "after" in query else shown[-limit:]
        return [message.payload() for message in reversed(picked)]

    def send(self, request: Request, channel: str) -> dict[str, Any]:
        body = request.body or {}
        needed = ["send_messages", *(["attach_files"] if request.files else [])]
        where = self._channel(channel, *needed)
        if where.recipient and not where.recipient.accepts_dms:
            raise errors.closed_dms()
        if len(str(body.get("nonce") or "")) > posting.MOST_NONCE:
            raise errors.bad_form("nonce", "BASE_TYPE_MAX_LENGTH", f"Must be {posting.MOST_NONCE} or fewer in length.")
        if body.get("enforce_nonce") and (same := self._same_nonce(where, str(body.get("nonce")))):
            return same.payload()
        message = Message(where, self.world.bot)
        message.nonce = str(body["nonce"]) if body.get("nonce") is not None else None
        if body.get("message_reference"):
            message.kind, message.reference = 19, self._answered(where, body["message_reference"])
        limit = where.guild.upload_limit if where.guild else self.world.rules.upload_limit
        posting.fill(message, body, request, limit=limit, new=True)
        message.committed(new=True)
        return message.payload()

    def _same_nonce(self, where: Channel, nonce: str) -> Message | None:
        newest = self.world.clock.now() - self.world.rules.nonce_window
        fresh = (m for m in reversed(where.messages) if m.created > newest and m.author is self.world.bot)
        return next((m for m in fresh if m.nonce == nonce), None)

    def _answered(self, where: Channel, reference: dict[str, Any]) -> Message | None:
        found = self.world.messages.get(int(reference["message_id"]))
        if found is not None and not found.deleted and found.channel is where:
            if where.guild and not where.allows(where.guild.me, "read_message_history"):
                raise errors.ApiError(403, 160002, "Cannot reply without permission to read message history")
            return found
        if reference.get("fail_if_not_exists", True):
            raise errors.bad_form("message_reference", "MESSAGE_REFERENCE_UNKNOWN_MESSAGE", "Unknown message")
        return None

    def edit(self, request: Request, channel: str, message: str) -> dict[str, Any]:
        found = self._message(channel, message)
        if found.author is not self.world.bot:
            raise errors.not_own_message()
        limit = found.channel.guild.upload_limit if found.channel.guild else self.world.rules.upload_limit
        posting.fill(found, request.body or {}, request, limit=limit, new=False)
        found.committed(new=False)
        return found.payload()

    def delete(self, request: Request, channel: str, message: str) -> None:
        found = self._message(channel, message)
        where = found.channel
        if found.author is not self.world.bot and not (where.guild and where.allows(where.guild.me, "manage_messages")):
            raise errors.missing_permissions()
        found.remove()


class Interactions:
    """Answers to interactions. Their token is in the path; they need no authorisation."""

    def __init__(self, world: World) -> None:
        self.world = world

    def install(self, rest: Rest) -> None:
        hook = "/webhooks/{application}/{token}"
        one = hook + "/messages/{message}"
        rest.route("POST", "/interactions/{interaction}/{token}/callback", self.callback, open_to_all=True)
        rest.route("POST", hook, self.follow_up, open_to_all=True)
        rest.route("GET", one, self.get, open_to_all=True)
        rest.route("PATCH", one, self.edit, open_to_all=True)
        rest.route("DELETE", one, self.delete, open_to_all=True)

    def callback(self, request: Request, interaction: str, token: str) -> dict[str, Any] | None:
        found = self.world.interactions.get(token)
        if found is None or str(found.id) != interaction:
            raise errors.unknown_interaction()
        answer = found.callback(request.body, request)
        return answer if request.query.get("with_response") in ("1", "true") else None

    def _open(self, application: str, token: str) -> Interaction:
        found = self.world.interactions.get(token)
        if application != str(self.world.application_id):
            raise errors.unknown_webhook()
        if found is None:
            raise errors.bad_webhook_token()
        found.check_token()
        return found

    def follow_up(self, request: Request, application: str, token: str) -> dict[str, Any]:
        return self._open(application, token).follow_up(request.body or {}, request).payload()

    def get(self, request: Request, application: str, token: str, message: str) -> dict[str, Any]:
        return self._open(application, token).message_of(message).payload()

    def edit(self, request: Request, application: str, token: str, message: str) -> dict[str, Any]:
        found = self._open(application, token)
        target = found.message_of(message)
        posting.fill(target, request.body or {}, request, limit=found.size_limit, new=False)
        target.committed(new=False)
        return target.payload()

    def delete(self, request: Request, application: str, token: str, message: str) -> None:
        self._open(application, token).message_of(message).remove()


class Commands:
    """The registry of application commands."""

    def __init__(self, world: World) -> None:
        self.world = world

    def install(self, rest: Rest) -> None:
        for path in ("/applications/{application}/commands", "/applications/{application}/guilds/{guild}/commands"):
            rest.route("GET", path, self._list)
            rest.route("PUT", path, self._put)

    def _list(self, request: Request, application: str, guild: str | None = None) -> list[dict[str, Any]]:
        return self.world.commands.get(int(guild) if guild else None, [])

    def _put(self, request: Request, application: str, guild: str | None = None) -> list[dict[str, Any]]:
        return commands.register(self.world, int(guild) if guild else None, request.body)
