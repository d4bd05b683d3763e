"""Application commands: what a bot may register, and what a client makes of a member's input."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from tests.discord.fake.errors import NotPossible, bad_form
from tests.discord.fake.messages import Attachment, Upload

if TYPE_CHECKING:
    from tests.discord.fake.guilds import Channel
    from tests.discord.fake.members import Member
    from tests.discord.fake.world import World

CHAT, USER, MESSAGE = 1, 2, 3
SUBCOMMAND, GROUP, STRING, INTEGER, BOOLEAN, USER_OPTION, CHANNEL, ROLE, _, NUMBER, ATTACHMENT = range(1, 12)
NAME = re.compile(r"^[-_'\w]{1,32}$")
LOCALES = re.compile(
    r"^(id|da|de|en-(GB|US)|es-(ES|419)|fr|hr|it|lt|hu|nl|no|pl|pt-BR|ro|fi|sv-SE|vi|tr|cs|el|bg|ru|uk|hi|th|ja|ko|zh-(CN|TW))$"
)

Command = dict[str, Any]


def register(world: World, scope: int | None, given: list[Command]) -> list[Command]:
    """Replace all commands of a server (None: the global ones); returns them as Discord echoes them."""
    for kind, most in ((CHAT, 100), (USER, 15), (MESSAGE, 15)):
        if sum(command.get("type", CHAT) == kind for command in given) > most:
            raise bad_form("commands", "APPLICATION_COMMAND_TOO_MANY", f"at most {most} of type {kind}")
    before = {(c["type"], c["name"]): c["id"] for c in world.commands.get(scope, [])}
    made = []
    for command in given:
        kind = command.get("type", CHAT)
        _check(command, kind)
        fixed = {"type": kind, "application_id": str(world.application_id), "version": str(world.clock.snowflake())}
        fixed["id"] = before.get((kind, command["name"])) or str(world.clock.snowflake())
        words = command.get("description", "") if kind == CHAT else ""
        made.append({"default_member_permissions": None, "nsfw": False, **command, **fixed, "description": words})
        if scope is not None:
            made[-1]["guild_id"] = str(scope)
    world.commands[scope] = made
    world.changed()
    return made


def _check(command: Command, kind: int) -> None:
    name = command["name"]
    if kind == CHAT and (not NAME.match(name) or name != name.lower()):
        raise bad_form("name", "APPLICATION_COMMAND_INVALID_NAME", f"Command name is invalid: {name}")
    if not 1 <= len(name) <= 32:
        raise bad_form("name", "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 32 in length.")
    if kind == CHAT:
        _check_words(command)
    for local, words in (command.get("name_localizations") or {}).items():
        if not LOCALES.match(local) or not 1 <= len(words) <= 32 or (kind == CHAT and not NAME.match(words)):
            raise bad_form("name_localizations", "APPLICATION_COMMAND_INVALID_NAME", f"{local}: {words}")


def _check_words(holder: Command) -> None:
    for words in (holder.get("description"), *(holder.get("description_localizations") or {}).values()):
        if not isinstance(words, str) or not 1 <= len(words) <= 100:
            raise bad_form("description", "BASE_TYPE_BAD_LENGTH", f"Must be 1-100 in length: {words}")
    options = holder.get("options") or []
    if len(options) > 25:
        raise bad_form("options", "BASE_TYPE_BAD_LENGTH", "Must be 25 or fewer in length.")
    required = [bool(option.get("required")) for option in options]
    if required != sorted(required, reverse=True):
        raise bad_form("options", "APPLICATION_COMMAND_OPTIONS_REQUIRED_INVALID", "Required options come first")
    for option in options:
        if not NAME.match(option["name"]):
            raise bad_form("options.name", "APPLICATION_COMMAND_INVALID_NAME", f"Invalid: {option['name']}")
        _check_words(option)


def find(world: World, guild_id: int | None, name: str, kind: int) -> Command:
    """The command as offered in this server; NotPossible if the bot registered none of that name."""
    local = world.commands.get(guild_id, []) if guild_id else []
    offered = [*local, *world.commands.get(None, [])]
    for command in offered:
        if command["name"] == name and command["type"] == kind:
            return command
    raise NotPossible(f"no command {name!r}; there are {sorted(c['name'] for c in offered)}")


def offered_to(command: Command, member: Member, channel: Channel) -> bool:
    """Whether the client shows the command to this member here."""
    contexts = command.get("contexts")
    if channel.guild is None:
        return 1 in contexts if contexts is not None else command.get("dm_permission", True) is not False
    needed = command.get("default_member_permissions")
    here = channel.permissions_of(member)
    shown = contexts is None or 0 in contexts
    if not channel.guild.added and 1 not in (command.get("integration_types") or [0]):
        return False
    may = needed is None or int(needed) & here == int(needed)
    return shown and may and channel.allows(member, "use_application_commands")


def fill(
    command: Command, path: list[str], given: dict[str, Any], channel: Channel, *, checked: bool
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """`options` and `resolved` of an interaction. With `checked`, ranges and choices hold as in the client."""
    options = command.get("options") or []
    if path:
        inner = next((o for o in options if o["name"] == path[0] and o["type"] in (SUBCOMMAND, GROUP)), None)
        if inner is None:
            raise NotPossible(f"no subcommand {path[0]!r} of {command['name']!r}")
        filled, resolved = fill(inner, path[1:], given, channel, checked=checked)
        return [{"name": inner["name"], "type": inner["type"], "options": filled}], resolved
    by_name = {option["name"]: option for option in options}
    if checked and (unknown := set(given) - set(by_name)):
        raise NotPossible(f"no options {sorted(unknown)}; there are {sorted(by_name)}")
    if checked and (missing := {o["name"] for o in options if o.get("required")} - set(given)):
        raise NotPossible(f"required options {sorted(missing)}")
    resolved = {}
    filled = []
    for name, value in given.items():
        option = by_name.get(name) or {"name": name, "type": STRING}
        if checked:
            value = _within(option, value)
        filled.append({"name": name, "type": option["type"], "value": _encode(option, value, channel, resolved)})
    return filled, resolved


def _within(option: Command, value: Any) -> Any:
    for choice in option.get("choices") or ():
        if value in (choice["name"], choice["value"]):
            return choice["value"]
    if option.get("choices"):
        raise NotPossible(f"{option['name']}: {value!r} is none of the choices")
    low, high = option.get("min_value"), option.get("max_value")
    if (low is not None and value < low) or (high is not None and value > high):
        raise NotPossible(f"{option['name']}: {value} is outside {low}..{high}")
    if isinstance(value, str):
        least, most = option.get("min_length") or 0, option.get("max_length") or 6000
        if not least <= len(value) <= most:
            raise NotPossible(f"{option['name']}: needs {least}..{most} characters")
    return value


def _encode(option: Command, value: Any, channel: Channel, resolved: dict[str, Any]) -> Any:
    kind = option["type"]
    if kind == ATTACHMENT:
        return attach(value, channel, resolved)
    if kind == USER_OPTION:
        resolved.setdefault("users", {})[str(value.user.id)] = value.user.payload()
        if channel.guild:
            resolved.setdefault("members", {})[str(value.user.id)] = value.payload(with_user=False)
        return str(value.user.id)
    if kind in (CHANNEL, ROLE):
        resolved.setdefault("channels" if kind == CHANNEL else "roles", {})[str(value.id)] = {
            **value.payload(),
            **({"permissions": "0"} if kind == CHANNEL else {}),
        }
        return str(value.id)
    return {INTEGER: int, NUMBER: float, BOOLEAN: bool, STRING: str}.get(kind, str)(value)


def attach(value: bytes | Upload, channel: Channel, resolved: dict[str, Any]) -> str:
    """Upload a file for an interaction; such files are ephemeral. Returns its id."""
    upload = Upload.of(value)
    made = Attachment(channel, upload.data, upload.filename, ephemeral=True)
    made.claims = upload.claims
    resolved.setdefault("attachments", {})[str(made.id)] = made.payload()
    return str(made.id)
