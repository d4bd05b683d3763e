"""A member of a server and everything they can do to a bot. Acting returns at once; nothing here waits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tests.discord.fake import commands, interactions, permissions
from tests.discord.fake import components as parts
from tests.discord.fake.errors import NotPossible
from tests.discord.fake.interactions import Interaction, Modal
from tests.discord.fake.messages import Attachment, Message, Upload

FORWARD = 1 << 14  # the flag of a message that has a snapshot

if TYPE_CHECKING:
    from tests.discord.fake.guilds import Channel, Guild, Role, User


class Member:
    def __init__(self, guild: Guild, user: User, roles: Sequence[Role] = ()) -> None:
        self.guild, self.user, self.roles, self.world = guild, user, list(roles), guild.world
        guild.members[user.id] = self

    def __repr__(self) -> str:
        return f"<{self.user.name} of {self.guild.name}>"

    @property
    def id(self) -> int:
        return self.user.id

    @property
    def dm(self) -> Channel:
        """The direct channel with the bot."""
        return self.user.dm

    @property
    def base_permissions(self) -> int:
        """Server-wide, before a channel's overwrites."""
        if self.user is self.guild.owner:
            return permissions.ALL
        total = self.guild.everyone.permissions
        for role in self.roles:
            total |= role.permissions
        return total

    def payload(self, *, with_user: bool = True) -> dict[str, Any]:
        found: dict[str, Any] = {
            "roles": [str(role.id) for role in self.roles],
            "nick": None,
            "avatar": None,
            "joined_at": "2024-01-01T00:00:00+00:00",
            "premium_since": None,
            "deaf": False,
            "mute": False,
            "pending": False,
            "flags": 0,
        }
        return {**found, "user": self.user.payload()} if with_user else found

    # --- messages -----------------------------------------------------------------------------

    def say(self, channel: Channel, content: str = "", *files: bytes | Upload, reply_to: Message | None = None) -> Message:
        """Post a message with any files."""
        message = Message(channel, self.user, kind=19 if reply_to else 0)
        message.content, message.reference = content, reply_to
        for upload in map(Upload.of, files):
            message.attachments.append(made := Attachment(channel, upload.data, upload.filename))
            made.claims = upload.claims
        message.committed(new=True)
        return message

    def upload(self, channel: Channel, *files: bytes | Upload, content: str = "") -> Message:
        """Drop pictures into a channel; plain bytes are called photo.png."""
        return self.say(channel, content, *files)

    def forward(self, message: Message, channel: Channel) -> Message:
        """Forward a message, which one sees, to a channel."""
        self._must(self._sees(message) and not message.deleted, "does not see that message")
        made = Message(channel, self.user, flags=FORWARD)
        made.forwarded = message
        made.committed(new=True)
        return made

    def edit(self, message: Message, content: str) -> None:
        """Rewrite one's own message."""
        self._must(message.author is self.user, "not the author")
        message.content = content
        message.committed(new=False)

    def delete(self, message: Message) -> None:
        """Delete one's own message, or another's with the right to."""
        self._must(message.author is self.user or message.channel.allows(self, "manage_messages"), "may not delete it")
        message.remove()

    # --- interactions -------------------------------------------------------------------------

    def slash(self, command: str, channel: Channel, /, *, unchecked: bool = False, **options: Any) -> Interaction:
        """Use a slash command: `ann.slash("smile", photos, strength=1.5, photo=png)`.

        `command` may name a subcommand ("egao settings"). Options are checked against what the bot registered, as
        the client does; `unchecked` sends them anyway, as a forged client could.
        """
        name, *path = command.split()
        found = commands.find(self.world, self._guild_id(channel), name, commands.CHAT)
        self._must(unchecked or commands.offered_to(found, self, channel), f"/{name} is not offered")
        filled, resolved = commands.fill(found, path, options, channel, checked=not unchecked)
        data = {"id": found["id"], "name": name, "type": commands.CHAT, "options": filled}
        data |= {"resolved": resolved} if resolved else {}
        return interactions.start(self, channel, interactions.COMMAND, data)

    def autocomplete(self, command: str, channel: Channel, option: str, typed: str = "", **others: Any) -> Interaction:
        """Type into an option; the answer's `choices` are what the client lists."""
        name, *path = command.split()
        found = commands.find(self.world, self._guild_id(channel), name, commands.CHAT)
        filled, _ = commands.fill(found, path, {**others, option: typed}, channel, checked=False)
        leaf = filled
        while leaf and "options" in leaf[0]:
            leaf = leaf[0]["options"]
        next(part for part in leaf if part["name"] == option)["focused"] = True
        data = {"id": found["id"], "name": name, "type": commands.CHAT, "options": filled}
        return interactions.start(self, channel, interactions.AUTOCOMPLETE, data)

    def context_menu(self, command: str, target: Message | Member, channel: Channel | None = None) -> Interaction:
        """Apps > command, on a message, or on a member in `channel`."""
        on_message = isinstance(target, Message)
        where = target.channel if isinstance(target, Message) else channel
        assert where is not None
        kind = commands.MESSAGE if on_message else commands.USER
        found = commands.find(self.world, self._guild_id(where), command, kind)
        self._must(commands.offered_to(found, self, where), f"{command!r} is not offered")
        if isinstance(target, Message):
            self._must(self._sees(target) and not target.deleted, "does not see that message")
            resolved: dict[str, Any] = {"messages": {str(target.id): target.payload()}}
        else:
            resolved = {"users": {str(target.id): target.user.payload()}}
            resolved["members"] = {str(target.id): target.payload(with_user=False)}
        data = {"id": found["id"], "name": command, "type": kind, "target_id": str(target.id), "resolved": resolved}
        return interactions.start(self, where, interactions.COMMAND, data)

    def press(self, message: Message, button: str, *, unchecked: bool = False) -> Interaction:
        """Press a button, found by custom_id, label or emoji, or by a part of a label that only one has.

        `unchecked` sends the custom_id as it is given, as a forged client could.
        """
        if unchecked:
            data = {"custom_id": button, "component_type": parts.BUTTON}
            return interactions.start(self, message.channel, interactions.COMPONENT, data, message)
        found = self._control(message, message.buttons, button)
        data = {"custom_id": found["custom_id"], "component_type": parts.BUTTON, "id": found.get("id")}
        return interactions.start(self, message.channel, interactions.COMPONENT, data, message)

    def select(self, message: Message, *values: str, menu: str | None = None) -> Interaction:
        """Choose from a select, by value or by label; `menu` names it where a message has several."""
        found = self._control(message, message.selects, menu)
        chosen = [_option(found, value) for value in values]
        least, most = found.get("min_values", 1), found.get("max_values", 1)
        self._must(least <= len(chosen) <= most, f"choose {least}..{most}")
        data = {"custom_id": found["custom_id"], "component_type": found["type"], "values": chosen}
        return interactions.start(self, message.channel, interactions.COMPONENT, data, message)

    def submit_modal(self, modal: Modal, *values: Any, **named: Any) -> Interaction:
        """Send a form. Values go to the inputs in order, or by custom_id; files as bytes, a list for several."""
        self._must(modal.interaction.user is self.user, "that form was shown to someone else")
        resolved: dict[str, Any] = {}
        given = dict(zip((field["custom_id"] for field in modal.fields), values, strict=False)) | named
        filled = [_filled(part, given, modal.interaction.channel, resolved) for part in modal.data["components"]]
        data = {"custom_id": modal.data["custom_id"], "components": filled}
        origin = modal.interaction
        data |= {"resolved": resolved} if resolved else {}
        return interactions.start(self, origin.channel, interactions.MODAL_SUBMIT, data, origin.message)

    # --- membership ---------------------------------------------------------------------------

    def leave(self) -> None:
        del self.guild.members[self.user.id]
        self._tell("GUILD_MEMBER_REMOVE", intent=1 << 1)

    def be_banned(self) -> None:
        """Banned by the server's owner: gone from the server, and the bot hears of both."""
        self.guild.banned.add(self.user.id)
        self._tell("GUILD_BAN_ADD", intent=1 << 2)
        self.leave()

    def _tell(self, event: str, intent: int) -> None:
        data = {"guild_id": str(self.guild.id), "user": self.user.payload()}
        self.world.gateway.dispatch(event, data, guild=self.guild, intent=intent)

    # --- what the client would refuse ---------------------------------------------------------

    def _guild_id(self, channel: Channel) -> int | None:
        return channel.guild.id if channel.guild else None

    def _must(self, fine: bool, why: str) -> None:
        if not fine:
            raise NotPossible(f"{self}: {why}")

    def _sees(self, message: Message) -> bool:
        return message.viewer in (None, self.user) and message.channel.allows(self, "view_channel")

    def _control(self, message: Message, controls: list[parts.Part], name: str | None) -> parts.Part:
        self._must(self._sees(message) and not message.deleted, f"does not see {message}")
        if name is None and len(controls) == 1:
            found = controls
        else:
            found = [c for c in controls if name in (c.get("custom_id"), parts.label(c))]
            found = found or [c for c in controls if name and name.casefold() in parts.label(c).casefold()]
        self._must(len(found) == 1, f"{len(found)} controls called {name!r} on {message}")
        self._must(not found[0].get("disabled"), f"{name!r} is disabled")
        self._must("custom_id" in found[0], f"{name!r} is a link")
        return found[0]


def _option(menu: parts.Part, value: str) -> str:
    if menu["type"] != parts.STRING_SELECT:
        return value
    for option in menu["options"]:
        if value in (option["value"], option["label"]):
            return str(option["value"])
    raise NotPossible(f"no option {value!r} among {[o['label'] for o in menu['options']]}")


def _filled(part: parts.Part, given: dict[str, Any], channel: Channel, resolved: dict[str, Any]) -> dict[str, Any]:
    """One component of a sent form, with what was typed into it; what was left alone keeps its default."""
    kind = part["type"]
    found: dict[str, Any] = {"type": kind, "id": part.get("id")}
    if kind == parts.ROW:
        return {**found, "components": [_filled(inner, given, channel, resolved) for inner in part["components"]]}
    if kind == parts.LABEL:
        return {**found, "component": _filled(part["component"], given, channel, resolved)}
    if kind not in parts.INPUTS:
        return found
    found["custom_id"] = part["custom_id"]
    value = given.get(part["custom_id"])
    if value is None and part.get("required", True) and part.get("value") is None and kind == parts.TEXT_INPUT:
        raise NotPossible(f"{part['custom_id']} is required")
    if kind == parts.FILE_UPLOAD:
        files = [] if value is None else value if isinstance(value, list) else [value]
        return {**found, "values": [commands.attach(file, channel, resolved) for file in files]}
    if kind == parts.CHECKBOX:
        return {**found, "value": bool(value if value is not None else part.get("default"))}
    if kind in (*parts.SELECTS, parts.CHECKBOXES):
        preset = [o["value"] for o in part.get("options", ()) if o.get("default")]
        return {**found, "values": preset if value is None else [value] if isinstance(value, str) else value}
    initial = part.get("value") or ("" if kind == parts.TEXT_INPUT else None)
    return {**found, "value": initial if value is None else value}
