"""The permission bits that the fake judges by, and how roles and channel overwrites add up to them."""

from __future__ import annotations

from collections.abc import Iterable

BITS = {
    "kick_members": 1 << 1,
    "ban_members": 1 << 2,
    "administrator": 1 << 3,
    "manage_channels": 1 << 4,
    "manage_guild": 1 << 5,
    "add_reactions": 1 << 6,
    "view_channel": 1 << 10,
    "send_messages": 1 << 11,
    "manage_messages": 1 << 13,
    "embed_links": 1 << 14,
    "attach_files": 1 << 15,
    "read_message_history": 1 << 16,
    "use_external_emojis": 1 << 18,
    "manage_roles": 1 << 28,
    "use_application_commands": 1 << 31,
    "send_messages_in_threads": 1 << 38,
    "use_external_apps": 1 << 50,
}
ALL = (1 << 51) - 1
MEMBER_DEFAULT = (
    "view_channel",
    "send_messages",
    "embed_links",
    "attach_files",
    "read_message_history",
    "add_reactions",
    "use_application_commands",
    "send_messages_in_threads",
    "use_external_apps",
)


def bits(names: Iterable[str]) -> int:
    """The integer of these permissions; KeyError for a name the fake does not know."""
    total = 0
    for name in names:
        total |= BITS[name]
    return total


def resolve(base: int, overwrites: Iterable[tuple[int, int]]) -> int:
    """`base` with (allow, deny) pairs laid over it in order; an administrator is above overwrites."""
    if base & BITS["administrator"]:
        return ALL
    for allow, deny in overwrites:
        base = (base & ~deny) | allow
    return base
