"""The permissions that the bot needs in a server, and the link that invites it with exactly these."""

from __future__ import annotations

from typing import Final

import discord

# Each with its use; a test takes them away one by one. Answers to commands and buttons need none of them.
NEEDED: Final = {
    "view_channel": "hears of photos in a channel",
    "send_messages": "answers there",
    "send_messages_in_threads": "answers in threads and in the posts of a forum",
    "attach_files": "the pictures",
    "read_message_history": "answers to the message with the photo, and reads that message again for the next edit",
}
SCOPES: Final = ("bot", "applications.commands")


def invite_link(application_id: int) -> str:
    """Return the address of Discord's page for adding the bot to a server."""
    permissions = discord.Permissions(**dict.fromkeys(NEEDED, True))
    return discord.utils.oauth_url(application_id, permissions=permissions, scopes=SCOPES)
