"""Messages and attachments as the platform keeps them, and what a person sees of them."""

from __future__ import annotations

import hashlib
import io
import mimetypes
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from PIL import Image

from tests.discord.fake import components as parts
from tests.discord.fake.clock import iso

if TYPE_CHECKING:
    from tests.discord.fake.guilds import Channel, User
    from tests.discord.fake.interactions import Interaction

EPHEMERAL, LOADING, SILENT, COMPONENTS_V2 = 1 << 6, 1 << 7, 1 << 12, 1 << 15
MENTION = re.compile(r"<@!?(\d+)>")


@dataclass(frozen=True)
class Upload:
    """A file that a member gives. `claims` replaces fields of the attachment's payload, so that it can lie.

    `Upload(png, "a.png", {"size": 1000})` says a thousand bytes; `{"flags": 16}` marks explicit content.
    """

    data: bytes
    filename: str = "photo.png"
    claims: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, given: bytes | Upload) -> Upload:
        return given if isinstance(given, Upload) else cls(given)


class Attachment:
    """A file of a message, kept by the CDN."""

    def __init__(
        self, channel: Channel, data: bytes, filename: str, *, description: str | None = None, ephemeral: bool = False
    ) -> None:
        self.channel, self.data, self.description, self.ephemeral = channel, data, description, ephemeral
        self.id = channel.world.clock.snowflake()
        self.filename = re.sub(r"[^\w.\-]", "_", PurePath(filename.replace("\\", "/")).name) or "file"
        self.size, self.sha256 = len(data), hashlib.sha256(data).hexdigest()
        self.content_type = mimetypes.guess_type(self.filename)[0]
        self.width, self.height = _dimensions(data)
        self.claims: dict[str, Any] = {}
        channel.world.cdn.keep(self)

    @property
    def spoiler(self) -> bool:
        return self.filename.startswith("SPOILER_")

    def __repr__(self) -> str:
        return f"<{self.filename} {self.size} bytes {self.width}x{self.height}>"

    def payload(self) -> dict[str, Any]:
        url = self.channel.world.cdn.url(self)
        found: dict[str, Any] = {
            "id": str(self.id),
            "filename": self.filename,
            "size": self.size,
            "url": url,
            "proxy_url": url,
            "ephemeral": self.ephemeral,
            "flags": 1 << 3 if self.spoiler else 0,
        }
        if self.content_type:
            found["content_type"] = self.content_type
        if self.description:
            found["description"] = self.description
        if self.width:
            found |= {"width": self.width, "height": self.height}
        return {**found, **self.claims}


def _dimensions(data: bytes) -> tuple[int | None, int | None]:
    try:
        with Image.open(io.BytesIO(data)) as image:
            return image.size
    except Exception:  # whatever a hostile file makes Pillow say, the platform just shows no size
        return None, None


@dataclass(frozen=True)
class Revision:
    """How a message stood after it was made or edited; `at` is `time.monotonic()`."""

    at: float
    text: str
    pictures: int
    loading: bool


class Message:
    def __init__(self, channel: Channel, author: User, *, kind: int = 0, flags: int = 0) -> None:
        self.channel, self.author, self.kind, self.flags = channel, author, kind, flags
        self.world = channel.world
        self.id = self.world.clock.snowflake()
        self.created = self.world.clock.now()
        self.edited: float | None = None
        self.content, self.deleted = "", False
        self.embeds: list[dict[str, Any]] = []
        self.components: list[dict[str, Any]] = []
        self.attachments: list[Attachment] = []
        self.reference: Message | None = None
        self.forwarded: Message | None = None  # the message that it forwards
        self.interaction: Interaction | None = None
        self.viewer: User | None = None  # the only one who sees an ephemeral message
        self.nonce: str | None = None
        self.pinged: set[int] = set()  # users that were notified
        self.revisions: list[Revision] = []

    # --- what a person sees -------------------------------------------------------------------

    @property
    def ephemeral(self) -> bool:
        return bool(self.flags & EPHEMERAL)

    @property
    def loading(self) -> bool:
        """Shown as "the bot is thinking"."""
        return bool(self.flags & LOADING)

    @property
    def text(self) -> str:
        """Every word on the message except labels of controls: content, embeds, text components, alt texts."""
        return "\n".join([self.content, *parts.embed_texts(self.embeds), *parts.texts(self.components)]).strip()

    @property
    def pictures(self) -> list[Attachment]:
        """The attachments that are shown, in order. With Components V2 only those that a component names."""
        if not self.flags & COMPONENTS_V2:
            return list(self.attachments)
        by_id = {str(attachment.id): attachment for attachment in self.attachments}
        named = (media.get("attachment_id") for media in parts.media(self.components))
        return [by_id[key] for key in named if key in by_id]

    @property
    def buttons(self) -> list[dict[str, Any]]:
        return [part for part in parts.walk(self.components) if part["type"] == parts.BUTTON]

    @property
    def labels(self) -> list[str]:
        """What is written on the buttons: label, or the emoji where there is none."""
        return [parts.label(button) for button in self.buttons]

    @property
    def selects(self) -> list[dict[str, Any]]:
        return [part for part in parts.walk(self.components) if part["type"] in parts.SELECTS]

    @property
    def mentioned(self) -> set[int]:
        """Users named in the text; a person's answer also names whom it answers, as clients do by default."""
        found = {int(key) for key in MENTION.findall(self.text)}
        if self.reference and not self.author.bot:
            found.add(self.reference.author.id)
        return found

    def describe(self) -> str:
        """Write the message on one line, for the report of a failed test."""
        marks = "".join(f" [{m}]" for m in ("ephemeral", "loading", "deleted") if getattr(self, m))
        files = f" {self.attachments}" if self.attachments else ""
        controls = f" ({' | '.join(self.labels)})" if self.labels else ""
        return f"{self.author.name}{marks}: {self.text!r}{files}{controls}"

    __repr__ = describe

    # --- how the platform writes it -----------------------------------------------------------

    def payload(self, *, nested: bool = False) -> dict[str, Any]:
        member = self.channel.guild.members.get(self.author.id) if self.channel.guild else None
        found: dict[str, Any] = {
            "id": str(self.id),
            "channel_id": str(self.channel.id),
            "type": self.kind,
            "author": self.author.payload(),
            "content": self.content,
            "timestamp": iso(self.created),
            "edited_timestamp": iso(self.edited) if self.edited else None,
            "tts": False,
            "mention_everyone": False,
            "mentions": [self.world.users[u].payload() for u in sorted(self.mentioned) if u in self.world.users],
            "mention_roles": [],
            "attachments": [attachment.payload() for attachment in self.attachments],
            "embeds": self.embeds,
            "components": self.components,
            "pinned": False,
            "flags": self.flags,
        }
        if self.channel.guild:
            found["guild_id"] = str(self.channel.guild.id)
        if member:
            found["member"] = member.payload(with_user=False)
        if self.nonce is not None:
            found["nonce"] = self.nonce
        if self.interaction:
            found |= {"webhook_id": str(self.world.application_id), "application_id": str(self.world.application_id)}
            found["interaction_metadata"] = self.interaction.metadata()
        if self.reference and not nested:
            ids = {"message_id": str(self.reference.id), "channel_id": str(self.channel.id)}
            found["message_reference"] = {**ids, "type": 0}
            found["referenced_message"] = None if self.reference.deleted else self.reference.payload(nested=True)
        if self.forwarded:
            first = self.forwarded
            ids = {"message_id": str(first.id), "channel_id": str(first.channel.id)}
            ids |= {"guild_id": str(first.channel.guild.id)} if first.channel.guild else {}
            told = ("type", "content", "timestamp", "edited_timestamp", "flags", "mentions", "mention_roles", "attachments",
                    "embeds", "components")  # fmt: skip
            found["message_reference"] = {**ids, "type": 1}
            found["message_snapshots"] = [{"message": {key: first.payload()[key] for key in told}}]  # of its author nothing
        return found

    def committed(self, *, new: bool) -> None:
        """Keep a revision and tell everyone concerned; called by whatever has just changed the message."""
        self.revisions.append(Revision(time.monotonic(), self.text, len(self.pictures), self.loading))
        if new:
            self.world.messages[self.id] = self
            self.channel.messages.append(self)
        else:
            self.edited = self.world.clock.now()
        if self.viewer is None:  # the bot does not hear of ephemeral messages over the gateway
            self.world.message_event("MESSAGE_CREATE" if new else "MESSAGE_UPDATE", self, self.payload())
        for watch in self.world.watchers:
            watch(self)
        self.world.changed()

    def remove(self) -> None:
        """Delete it for everyone. Its files are gone from the CDN as well."""
        self.deleted = True
        for attachment in self.attachments:
            self.world.cdn.drop(attachment)
        data = {"id": str(self.id), "channel_id": str(self.channel.id)}
        if self.channel.guild:
            data["guild_id"] = str(self.channel.guild.id)
        if self.viewer is None:
            self.world.message_event("MESSAGE_DELETE", self, data)
        self.world.changed()


def replies_to(target: Message) -> Callable[[Message], bool]:
    """A predicate for `wait_message`: an answer to `target`."""
    return lambda message: message.reference is target
