"""Making and editing a message out of what a request says, with the platform's own checks."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from tests.discord.fake import components as parts
from tests.discord.fake.errors import bad_form, empty_message, too_large
from tests.discord.fake.messages import COMPONENTS_V2, EPHEMERAL, LOADING, SILENT, Attachment, Message

if TYPE_CHECKING:
    from tests.discord.fake.guilds import User
    from tests.discord.fake.rest import Request

SETTABLE = 1 << 2 | SILENT | COMPONENTS_V2
MOST_CONTENT, MOST_FILES, MOST_EMBEDS, MOST_NONCE = 2000, 10, 10, 25


def fill(message: Message, body: dict[str, Any], request: Request, *, limit: int, new: bool) -> None:
    """Lay `body` over `message`: absent fields stay, `attachments` says which old files are kept.

    `limit`: bytes a file may have here. Raises ApiError and leaves the message as it was.
    """
    if any(len(data) > limit for _, data in request.files.values()):
        raise too_large()
    flags = message.flags | int(body.get("flags") or 0) & SETTABLE
    content = (body["content"] or "") if "content" in body else message.content
    embeds = (body["embeds"] or []) if "embeds" in body else message.embeds
    components = (body["components"] or []) if "components" in body else message.components
    _check(content, embeds, components, v2=bool(flags & COMPONENTS_V2))
    attachments = _attachments(message, body, request)
    if not flags & COMPONENTS_V2 and not (content or embeds or attachments):
        raise empty_message()
    if "components" in body:
        _resolve(components, attachments)
    for dropped in set(message.attachments) - set(attachments):
        message.world.cdn.drop(dropped)
    message.flags, message.content, message.embeds = flags & ~LOADING, content, embeds
    message.components, message.attachments = components, attachments
    if new:
        message.pinged = _pinged(message, body.get("allowed_mentions"))


def _check(content: str, embeds: list[Any], components: list[Any], *, v2: bool) -> None:
    if len(content) > MOST_CONTENT:
        raise bad_form("content", "BASE_TYPE_MAX_LENGTH", f"Must be {MOST_CONTENT} or fewer in length.")
    if len(embeds) > MOST_EMBEDS:
        raise bad_form("embeds", "BASE_TYPE_MAX_LENGTH", f"Must be {MOST_EMBEDS} or fewer in length.")
    if v2 and (content or embeds):
        field = "content" if content else "embeds"
        raise bad_form(field, "MESSAGE_CANNOT_USE_LEGACY_FIELDS_WITH_COMPONENTS_V2", "not with IS_COMPONENTS_V2")
    if v2 and not components:
        raise empty_message()
    parts.check(components, v2=v2)


def _attachments(message: Message, body: dict[str, Any], request: Request) -> list[Attachment]:
    """Old files that `attachments` keeps, then the new ones; all old ones where the field is absent."""
    listed = body.get("attachments")
    kept, notes = list(message.attachments), {}
    if listed is not None:
        ids = {str(entry["id"]) for entry in listed}
        kept = [attachment for attachment in message.attachments if str(attachment.id) in ids]
        notes = {str(entry["id"]): entry for entry in listed}
    if len(kept) + len(request.files) > MOST_FILES:
        raise bad_form("attachments", "BASE_TYPE_MAX_LENGTH", f"Must be {MOST_FILES} or fewer in length.")
    made = []
    for key, (filename, data) in request.files.items():
        note = notes.get(key, {})
        name, words = note.get("filename") or filename, note.get("description")
        made.append(Attachment(message.channel, data, name, description=words, ephemeral=message.ephemeral))
    return kept + made


def _resolve(components: list[parts.Part], attachments: list[Attachment]) -> None:
    """Turn `attachment://name` (or an attachment's own link) into what a client receives."""
    by_name = {attachment.filename: attachment for attachment in attachments}
    by_id = {str(attachment.id): attachment for attachment in attachments}
    for item in parts.media(components):
        url = item["url"]
        if url.startswith("attachment://"):
            target = by_name.get(url.removeprefix("attachment://"))
            if target is None:
                code = "UNFURLED_MEDIA_ITEM_REFERENCED_ATTACHMENT_NOT_FOUND"
                raise bad_form("components.media", code, f"The referenced attachment could not be found: {url}")
        else:
            target = next((by_id[key] for key in re.findall(r"\d{15,}", url) if key in by_id), None)
        if target:
            sent = target.payload()
            item |= {key: sent.get(key) for key in ("url", "proxy_url", "width", "height", "content_type")}
            item |= {"attachment_id": sent["id"], "loading_state": 2, "flags": 0}
        else:
            item |= {"proxy_url": url, "loading_state": 1}


def _pinged(message: Message, allowed: dict[str, Any] | None) -> set[int]:
    """Whom the message notifies, under `allowed_mentions` (absent: everyone it names)."""
    answered: Iterable[int] = {message.reference.author.id} if message.reference else ()
    if allowed is None:
        return message.mentioned | set(answered)
    named = message.mentioned
    if "users" not in allowed.get("parse", ()):
        named &= {int(key) for key in allowed.get("users", ())}
    return named | set(answered if allowed.get("replied_user") else ())


def begin(message: Message, viewer: User | None) -> Message:
    """Mark a message that is still to be filled as ephemeral for `viewer`, or public for None."""
    if viewer is not None:
        message.flags |= EPHEMERAL
        message.viewer = viewer
    return message
