"""Asks for consent before the first photo, and continues the request once the member agrees."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass
from typing import Any, Final

import discord

from bot.requests.ask import Ask, ask_about
from bot.requests.erasure import Scope
from bot.requests.service import Service
from bot.text.privacy import CONSENT_VERSION
from bot.text.speaker import Speaker
from bot.transport.answer import AnswerGone
from bot.transport.callers import Caller, InteractionCaller, MessageCaller
from bot.transport.error_replies import answer
from bot.transport.identity import actor_of, home_of
from bot.transport.photo_source import Gone, message_with_photo, photos_in, pictured
from bot.transport.pluralkit import Senders
from bot.transport.retry import insist
from bot.ui.components import PREFIX, button, row
from bot.ui.pages import Page, notice
from core.errors import ConsentNeeded
from core.store import Owner, Store

PATIENCE: Final = 14 * 60.0  # seconds that a command waits for its consent: as long as its photo's link surely works
MOST: Final = 1000  # requests waiting for a consent at once; the oldest gives way
EACH: Final = 8  # of one member, who can't push the others out


Key = tuple[int | None, int, str]  # server (each has its own rules), member, `once` of the request


@dataclass(frozen=True)
class Waiting:
    """A request that waits for its member's consent."""

    owner: Owner
    ask: Ask
    limited: bool
    event: str
    until: float


class Consent:
    """The requests of all members that wait for consent."""

    def __init__(self, bot: discord.Client, senders: Senders, store: Store, service: Service, gone: Gone) -> None:
        self._bot, self._senders, self._store, self._service, self._gone = bot, senders, store, service, gone
        self._waiting: dict[Key, Waiting] = {}
        self._agreeing: set[Key] = set()  # requests being accepted that have no row yet

    async def request(self, caller: Caller, ask: Ask, *, limited: bool = False) -> None:
        """Accept a request. If the member has not agreed yet, ask first and keep the request. Raises as `Service.accept` does."""
        try:
            await self._service.accept(caller, ask, limited=limited)
        except ConsentNeeded:
            key = (caller.owner.guild_id, caller.person.id, caller.once)
            self._keep(key, Waiting(caller.owner, ask, limited, caller.once, time.monotonic() + PATIENCE))
            await self._ask(caller)

    async def agreed(self, interaction: discord.Interaction[Any], say: Speaker, message_id: int, once: str = "") -> None:
        """Note the member's consent, and continue the request in the message that asked.

        `once` identifies the request; questions of earlier versions have none and are about the photo of a message. A second
        press, also after a restart, is told that the first one counted. Raises as `Service.accept` does.
        """
        store, member, now = self._store, interaction.user.id, time.monotonic()
        await store.run(store.members.consent, member, CONSENT_VERSION, str(interaction.locale))
        once = once or f"m{message_id}"
        key = (home_of(interaction), member, once)
        accepted = await store.run(store.jobs.accepted, once)
        if key in self._agreeing or accepted != "no":
            await _heard(interaction, notice(say("consent.heard")), ended=accepted == "told")
            return
        waiting = self._waiting.pop(key, None)
        if waiting is None or waiting.until < now:
            waiting = await self._read_again(interaction, say, message_id)
        if waiting is None:
            page = notice(say("consent.thanks.resend"))
            await interaction.response.edit_message(view=page.view, attachments=[])
            return
        private = interaction.message is not None and interaction.message.flags.ephemeral
        caller = InteractionCaller(interaction, say, private, "replace", waiting.event)
        self._agreeing.add(key)
        try:
            await self._service.accept(caller, waiting.ask, limited=waiting.limited)
        finally:
            self._agreeing.discard(key)

    def waiting(self, member_id: int) -> list[Waiting]:
        """List a member's requests that wait for consent."""
        return [waiting for (_, member, _), waiting in self._waiting.items() if member == member_id]

    def drop(self, scope: Scope) -> None:
        """Forget the waiting requests that an erasure covers (`Erasure` calls it): a later consent must not start them."""
        for key, waiting in list(self._waiting.items()):
            if scope.covers(waiting.owner, waiting.ask.photo):
                del self._waiting[key]

    def _keep(self, key: Key, waiting: Waiting) -> None:
        self._waiting.pop(key, None)
        own = [one for one in self._waiting if one[1] == key[1]]
        if len(own) >= EACH:
            del self._waiting[own[0]]
        self._waiting[key] = waiting
        if len(self._waiting) > MOST:
            del self._waiting[next(iter(self._waiting))]

    async def _ask(self, caller: Caller) -> None:
        store = self._store
        settings = await store.run(store.guilds.get, caller.owner.guild_id)
        source = _source(caller)
        page = question(caller.say, caller.person.id, source, settings.retention_hours, caller.once)
        if isinstance(caller, InteractionCaller):
            caller.private, caller.manner = caller.owner.guild_id is not None or caller.away, "say"
        asked = await caller.reply(page, f"ask{source}")
        if not asked.unsure:
            return
        # Discord failed, and there is no job that would answer later: the question itself has to arrive. One that only
        # the member may see can't be put elsewhere; where it never arrived, Discord says that the bot did not respond.
        with contextlib.suppress(AnswerGone):
            await insist(lambda: asked.show(page, final=False), f"question about message {source}")

    async def _read_again(self, interaction: discord.Interaction[Any], say: Speaker, message_id: int) -> Waiting | None:
        """Rebuild a request from the message with the photo, after a restart; None without such a message."""
        if not message_id or interaction.channel_id is None:
            return None
        message = await message_with_photo(self._bot, interaction.channel_id, message_id, self._gone)
        source = pictured(message) or message
        ask = ask_about(await photos_in(self._bot, self._senders, source), say.language, interaction.filesize_limit)
        return Waiting(actor_of(interaction), ask, True, f"m{message.id}", 0.0)


async def _heard(interaction: discord.Interaction[Any], page: Page, *, ended: bool) -> None:
    """Tell a member who pressed again that the first press counted.

    If the answer came elsewhere (`ended`), that text replaces the question, which would otherwise stay for ever. The message
    is read anew, since the answer may have replaced the question since the press.
    """
    if ended:
        await interaction.response.defer()
        if asks(await interaction.original_response()):
            await interaction.edit_original_response(view=page.view, attachments=[])
            return
    await answer(interaction, page)


def asks(message: discord.Message) -> bool:
    """Tell whether a message still is the question for consent."""
    parts = discord.ui.LayoutView.from_message(message).walk_children()
    return any(isinstance(one, discord.ui.Button) and (one.custom_id or "").startswith(f"{PREFIX}:agree:") for one in parts)


def _source(caller: Caller) -> int:
    """Return the id of the message with the photo; 0 if there is none."""
    return caller.message.id if isinstance(caller, MessageCaller) else 0


def question(say: Speaker, member_id: int, message_id: int, retention_hours: int, once: str) -> Page:
    """Make the question for consent with its two buttons, for one member. `once` identifies the request."""
    ids = (CONSENT_VERSION, member_id, message_id)
    return notice(
        say("consent.notice", retention=say.hours(retention_hours)),
        row(
            button(say("consent.agree"), "agree", *ids, once, style=discord.ButtonStyle.success),
            button(say("consent.decline"), "decline", *ids),
        ),
    )
