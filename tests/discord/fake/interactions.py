"""Interactions: commands, presses, modals; their tokens, their three seconds and their quarter of an hour."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tests.discord.fake import components as parts
from tests.discord.fake import errors, posting
from tests.discord.fake.errors import NotPossible
from tests.discord.fake.messages import EPHEMERAL, LOADING, Message

if TYPE_CHECKING:
    from tests.discord.fake.guilds import Channel
    from tests.discord.fake.members import Member
    from tests.discord.fake.rest import Request

COMMAND, COMPONENT, AUTOCOMPLETE, MODAL_SUBMIT = 2, 3, 4, 5  # interaction types
MOST_FOLLOWUPS = 5  # of an app that only the member has added
MESSAGE, DEFER, DEFER_UPDATE, UPDATE, CHOICES, MODAL = 4, 5, 6, 7, 8, 9  # answer types


class Modal:
    """A form that the bot showed to one member."""

    def __init__(self, interaction: Interaction, data: dict[str, Any]) -> None:
        parts.check_modal(data)
        self.interaction, self.data, self.title = interaction, data, data["title"]

    @property
    def fields(self) -> list[parts.Part]:
        """The inputs; each gains `label` from the label around it."""
        found = []
        for part in parts.walk(self.data["components"]):
            if part["type"] == parts.LABEL:
                part["component"]["label"] = part["label"]
            elif part["type"] in parts.INPUTS:
                found.append(part)
        return found


class Interaction:
    """One thing that a member did, from the platform's side."""

    def __init__(self, member: Member, channel: Channel, kind: int, data: dict[str, Any], message: Message | None) -> None:
        self.member, self.user, self.channel, self.world = member, member.user, channel, channel.world
        self.kind, self.data, self.message = kind, data, message
        self.id = self.world.clock.snowflake()
        self.token = secrets.token_urlsafe(48)
        self.sent, self.sent_monotonic = self.world.clock.now(), time.monotonic()
        self.answer: int | None = None  # the type of the first answer
        self.answered_after: float | None = None  # seconds
        self.tried = 0.0  # when the bot last tried to answer (time.monotonic()), whatever came of it; 0: never
        self.original: Message | None = None
        self.followups: list[Message] = []
        self.modal: Modal | None = None
        self.choices: list[dict[str, Any]] | None = None
        self.size_limit = channel.guild.upload_limit if channel.guild else self.world.rules.upload_limit

    def __repr__(self) -> str:
        return f"<interaction {self.kind} of {self.user.name}: {self.data.get('name') or self.data.get('custom_id')}>"

    # --- what the member sees -----------------------------------------------------------------

    @property
    def failed(self) -> bool:
        """Shown as "The application did not respond"."""
        return self.answer is None and self.world.clock.now() - self.sent > self.world.rules.answer_within

    @property
    def messages(self) -> list[Message]:
        """The answer and its follow-ups that still stand."""
        return [m for m in (self.original, *self.followups) if m is not None and not m.deleted]

    async def wait_answer(self, within: float = 5.0) -> Interaction:
        """Until the bot has answered in any way; AssertionError if it didn't in time."""
        await self.world.until(lambda: self.answer is not None, within, f"answer to {self}")
        return self

    async def wait_message(self, accept: Callable[[Message], bool] = lambda _: True, within: float = 5.0) -> Message:
        """The first message of this interaction, past "thinking", that `accept` takes."""

        def found() -> Message | None:
            return next((m for m in self.messages if not m.loading and accept(m)), None)

        def show() -> str:
            return "\n" + "\n".join(f"  {m.describe()}" for m in self.messages) + f"\n  (answer type {self.answer})"

        return await self.world.until(found, within, f"such message of {self}", show)

    async def wait_modal(self, within: float = 3.0) -> Modal:
        return await self.world.until(lambda: self.modal, within, f"modal of {self}")

    # --- how the platform writes it -----------------------------------------------------------

    def metadata(self) -> dict[str, Any]:
        found: dict[str, Any] = {
            "id": str(self.id),
            "type": COMMAND if self.kind == AUTOCOMPLETE else self.kind,
            "user": self.user.payload(),
            "authorizing_integration_owners": self._owners(),
        }
        if self.kind == COMPONENT and self.message:
            found["interacted_message_id"] = str(self.message.id)
        if self.kind == MODAL_SUBMIT:
            inner = {**found, "type": COMPONENT if self.message else COMMAND}
            if self.message:
                inner["interacted_message_id"] = str(self.message.id)
            found["triggering_interaction_metadata"] = inner
        return found

    def _owners(self) -> dict[str, str]:
        guild = self.channel.guild
        if guild is not None and not guild.added:
            return {"1": str(self.user.id)}
        return {"0": str(guild.id)} if guild else {"0": "0"}

    def payload(self) -> dict[str, Any]:
        guild = self.channel.guild
        found: dict[str, Any] = {
            "id": str(self.id),
            "application_id": str(self.world.application_id),
            "type": self.kind,
            "data": self.data,
            "token": self.token,
            "version": 1,
            "channel_id": str(self.channel.id),
            "channel": self.channel.payload(self.member if guild else None),
            "locale": self.user.locale,
            "app_permissions": str(self.channel.permissions_of(guild.me if guild else None)),
            "entitlements": [],
            "authorizing_integration_owners": self._owners(),
            "context": 0 if guild else 1,
            "attachment_size_limit": self.size_limit,
        }
        if guild:
            member = {**self.member.payload(), "permissions": str(self.channel.permissions_of(self.member))}
            found |= {"guild_id": str(guild.id), "guild_locale": guild.locale, "member": member}
            found["guild"] = {"id": str(guild.id), "locale": guild.locale, "features": []}
        else:
            found["user"] = self.user.payload()
        if self.message:
            found["message"] = self.message.payload()
        return found

    # --- what the bot does with it ------------------------------------------------------------

    def callback(self, body: dict[str, Any], request: Request) -> dict[str, Any]:
        """The first answer. Raises ApiError past the deadline, the second time, or for a wrong kind."""
        if self.world.clock.now() - self.sent > self.world.rules.answer_within:
            raise errors.unknown_interaction()
        if self.answer is not None:
            raise errors.already_acknowledged()
        kind, data = int(body["type"]), body.get("data") or {}
        self._check_kind(kind)
        message = self._take(kind, data, request)
        self.answer, self.answered_after = kind, time.monotonic() - self.sent_monotonic
        self.world.changed()
        about: dict[str, Any] = {"id": str(self.id), "type": self.kind}
        if message:
            about |= {"response_message_id": str(message.id), "response_message_loading": message.loading}
            about["response_message_ephemeral"] = message.ephemeral
        resource: dict[str, Any] = {"type": kind}
        if message and kind in (MESSAGE, UPDATE):
            resource["message"] = message.payload()
        return {"interaction": about, "resource": resource}

    def _check_kind(self, kind: int) -> None:
        allowed = {COMMAND: {MESSAGE, DEFER, MODAL}, AUTOCOMPLETE: {CHOICES}}.get(self.kind)
        if allowed is None:
            allowed = {MESSAGE, DEFER, DEFER_UPDATE, UPDATE} if self.message else {MESSAGE, DEFER}
            allowed |= {MODAL} if self.kind == COMPONENT else set()
        if kind not in allowed:
            raise errors.bad_form("type", "BASE_TYPE_CHOICES", f"answer type {kind} to interaction type {self.kind}")

    def _take(self, kind: int, data: dict[str, Any], request: Request) -> Message | None:
        if kind == MODAL:
            self.modal = Modal(self, data)
        elif kind == CHOICES:
            self.choices = data["choices"]
        elif kind == DEFER:
            self.original = self._new(int(data.get("flags") or 0), loading=True)
            self.original.committed(new=True)
        elif kind == MESSAGE:
            made = self._new(int(data.get("flags") or 0))
            posting.fill(made, data, request, limit=self.size_limit, new=True)
            self.original = made
            made.committed(new=True)
        else:
            self.original = self.message
            if kind == UPDATE and self.message:
                posting.fill(self.message, data, request, limit=self.size_limit, new=False)
                self.message.committed(new=False)
        return self.original

    def _new(self, flags: int, *, loading: bool = False) -> Message:
        slash = self.kind == COMMAND and self.data.get("type", 1) == 1
        kind = 20 if slash else 23 if self.kind == COMMAND else 0
        if "0" not in self._owners() and not self.channel.allows(self.member, "use_external_apps"):
            flags |= EPHEMERAL
        made = Message(self.channel, self.world.bot, kind=kind, flags=LOADING if loading else 0)
        made.interaction = self
        return posting.begin(made, self.user if flags & EPHEMERAL else None)

    def check_token(self) -> None:
        """Raises ApiError once the token has run out, or before the interaction was answered at all."""
        if self.world.clock.now() - self.sent > self.world.rules.token_life:
            raise errors.bad_webhook_token()
        if self.answer is None or self.answer in (CHOICES, MODAL):
            raise errors.unknown_webhook()

    def message_of(self, key: str) -> Message:
        """`@original`, or a follow-up by id."""
        found = self.original if key == "@original" else None
        found = found or next((m for m in (self.original, *self.followups) if m and str(m.id) == key), None)
        if found is None or found.deleted:
            raise errors.unknown_message()
        return found

    def follow_up(self, body: dict[str, Any], request: Request) -> Message:
        """A further message; right after a deferral it fills the one that is "thinking", as Discord does."""
        if self.original and self.original.loading and not self.original.deleted:
            posting.fill(self.original, body, request, limit=self.size_limit, new=True)
            self.original.committed(new=False)
            return self.original
        if "0" not in self._owners() and len(self.followups) >= MOST_FOLLOWUPS:
            raise errors.too_many_followups()
        made = self._new(int(body.get("flags") or 0))
        posting.fill(made, body, request, limit=self.size_limit, new=True)
        self.followups.append(made)
        made.committed(new=True)
        return made


def start(member: Member, channel: Channel, kind: int, data: dict[str, Any], message: Message | None = None) -> Interaction:
    """Register an interaction and send it to the bot."""
    if message is not None and message.deleted:
        raise NotPossible("the message is deleted")
    made = Interaction(member, channel, kind, data, message)
    made.world.interactions[made.token] = made
    there = channel.guild if channel.guild is not None and channel.guild.added else None
    made.world.gateway.dispatch("INTERACTION_CREATE", made.payload(), guild=there, intent=0)
    return made
