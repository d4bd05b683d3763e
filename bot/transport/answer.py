"""The message with a job's answer, and how to change it however old the request is.

An interaction's token edits its message for 15 minutes. After that, or without a token, the bot's own token edits the message
by its ids. A reply that only the member sees can't be edited that way: then the picture goes to their direct messages or, if
these are closed, a line in the channel tells the member.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

import discord
from discord.utils import utcnow

from bot.text.speaker import Speaker
from bot.ui.pages import Page, notice

log = logging.getLogger(__name__)

TOKEN_LIFE: Final = timedelta(minutes=14, seconds=30)  # 15 by Discord; a slow edit must still arrive within them
UNKNOWN_MESSAGE: Final = 10008
TOO_LARGE: Final = 40005
THREAD_CLOSED: Final = 50083  # nothing in it can be edited until somebody opens it again
TOKEN_GONE: Final = (10015, 50027)  # unknown webhook, invalid webhook token


class AnswerGone(Exception):
    """The message for the answer was deleted: nobody waits for it any more."""


@dataclass
class Answer:
    """The message of one job. `message_id` is None for an interaction that shows "thinking", or if nothing was posted yet."""

    bot: discord.Client
    say: Speaker
    member_id: int
    channel_id: int | None
    message_id: int | None = None
    token: str | None = None
    token_expires: datetime | None = None
    private: bool = False
    away: bool = False  # the bot's own token reaches nothing there: see `is_away`
    reply_to: int | None = None  # the message that held the photo
    nonce: str | None = None  # a post that is tried again after a crash is the same post
    unsure: bool = False  # whether such a post was made before is not known: Discord failed, or this process is a new one
    current: Sequence[discord.Attachment] = field(default=())  # files of the message as it is now

    @property
    def by_token(self) -> bool:
        """Whether the interaction's token still works."""
        return self.token is not None and self.token_expires is not None and utcnow() < self.token_expires

    @property
    def _once(self) -> dict[str, Any]:
        return {} if self.nonce is None else {"nonce": self.nonce}

    async def show(self, page: Page, *, final: bool = True) -> None:
        """Make the message look like `page`. Raises AnswerGone, or discord.HTTPException.

        If not `final`, it is only shown where it can be replaced later: a direct message is only sent with the answer.
        """
        if self.by_token:
            try:
                await self._edit_by_token(page)
            except discord.HTTPException as error:
                if error.code == UNKNOWN_MESSAGE and not self.unsure:  # else it may just be none of this interaction's
                    raise AnswerGone from None
                if error.code not in (*TOKEN_GONE, UNKNOWN_MESSAGE) and error.status != 401:
                    raise
                self.token = None
            else:
                return
        if self.private or self.away:
            if final:
                await self._send_direct(page)
        elif self.message_id is None:
            await self._post(page)
        else:
            await self._edit(page)

    async def _edit_by_token(self, page: Page) -> None:
        assert self.token is not None
        identity: Any = self.message_id if self.message_id is not None else "@original"
        message = await self._webhook(self.token).edit_message(
            identity, view=page.view, attachments=self._files(page), allowed_mentions=discord.AllowedMentions.none()
        )
        self._remember(message)

    async def _edit(self, page: Page) -> None:
        """Edit the message with the bot's own token. Raises AnswerGone if it was deleted."""
        assert self.message_id is not None
        message = self._channel().get_partial_message(self.message_id)
        try:
            edited = await message.edit(view=page.view, attachments=self._files(page))
        except discord.NotFound:
            raise AnswerGone from None
        except discord.HTTPException as error:  # the bot lost the channel, or somebody closed the thread; the member is there
            if not isinstance(error, discord.Forbidden) and error.code != THREAD_CLOSED:
                raise
            await self._send_direct(page)
            return
        self._remember(edited)

    async def _post(self, page: Page) -> None:
        """Post the answer as a new message, in reply to the photo if that is still there."""
        options: dict[str, Any] = {"view": page.view, "files": page.files(), "mention_author": False, **self._once}
        if self.reply_to is not None and self.channel_id is not None:
            options["reference"] = discord.MessageReference(
                message_id=self.reply_to, channel_id=self.channel_id, fail_if_not_exists=False
            )
        self._remember(await self._channel().send(**options))
        if self.unsure and self.nonce is not None:  # if it was, Discord gave that one back, as it looked then
            self.unsure = False
            await self._edit(page)

    async def _send_direct(self, page: Page) -> None:
        """Send the page as a direct message or, if these are closed, say in the channel that it is ready.

        Raises AnswerGone where egao is a guest and can say nothing.
        """
        try:
            user = self.bot.get_user(self.member_id) or await self.bot.fetch_user(self.member_id)
            await user.send(view=page.view, files=page.files(), **self._once)
        except discord.Forbidden:
            if self.away:
                raise AnswerGone from None
            text = self.say("trouble.finished", member=f"<@{self.member_id}>")
            await self._channel().send(view=notice(text).view, **self._once)

    async def files_now(self) -> Sequence[discord.Attachment]:
        """List the files of the message as it is now; after a restart they are read from Discord. Raises AnswerGone."""
        if not self.current and self.message_id is not None and (self.by_token or not self.away):
            try:
                self.current = (await self._fetch(self.message_id)).attachments
            except discord.NotFound:
                raise AnswerGone from None
        return self.current

    async def _fetch(self, message_id: int) -> discord.Message:
        if self.by_token and self.token is not None:
            try:
                return await self._webhook(self.token).fetch_message(message_id)
            except discord.HTTPException as error:
                if error.code not in TOKEN_GONE:
                    raise
                self.token = None  # the interaction was never answered, so its token opens nothing
        return await self._channel().get_partial_message(message_id).fetch()

    def _webhook(self, token: str) -> discord.Webhook:
        return discord.Webhook.partial(self.bot.application_id or 0, token, client=self.bot)

    def _files(self, page: Page) -> list[discord.Attachment | discord.File]:
        kept: list[discord.Attachment | discord.File] = [a for a in self.current if a.filename in page.kept]
        return kept + page.files()

    def _remember(self, message: discord.Message) -> None:
        self.message_id = message.id
        self.current = message.attachments

    def _channel(self) -> discord.PartialMessageable:
        """Return the channel of the answer. Raises AnswerGone if it is not known."""
        if self.channel_id is None:
            raise AnswerGone
        channel: discord.PartialMessageable = self.bot.get_partial_messageable(self.channel_id)
        return channel


def expiry(interaction: discord.Interaction[Any]) -> datetime:
    """Return until when the token of an interaction is used."""
    return interaction.created_at + TOKEN_LIFE
