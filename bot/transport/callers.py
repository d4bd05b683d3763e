"""The sender of a request and the first reply to it: for a message with a photo, or for an interaction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Protocol

import aiohttp
import discord

from bot.text.speaker import Speaker
from bot.transport.answer import Answer, expiry
from bot.transport.error_replies import ANSWERED
from bot.transport.identity import Person, actor_of, is_away, owner_of
from bot.transport.retry import will_pass
from bot.ui.pages import Page
from core.store import Owner

EXPIRED = 10062  # "unknown interaction": more than three seconds went by
Manner = Literal["say", "think", "update", "replace"]


class Caller(Protocol):
    """What the service needs to know about the sender of a request."""

    say: Speaker
    private: bool

    @property
    def away(self) -> bool:
        """Whether egao is a guest there, see `is_away`."""
        ...

    @property
    def owner(self) -> Owner: ...
    @property
    def person(self) -> Person: ...
    @property
    def channel_id(self) -> int | None: ...
    @property
    def message_id(self) -> int | None:
        """The message that the answer will change; None if there is none yet."""
        ...

    @property
    def limit(self) -> int:
        """The largest file, in bytes, that may be posted here."""
        ...

    @property
    def once(self) -> str:
        """A text that is the same for two deliveries of the same event, so that they become one request."""
        ...

    @property
    def token(self) -> tuple[str, float] | None:
        """An interaction's token and its expiry (Unix seconds); None for a message."""
        ...

    async def reply(self, page: Page, nonce: str) -> Answer:
        """Post the first visible reply; the answer is edited into it later.

        Raises discord.HTTPException if the bot may not reply. If Discord only fails for now, the answer is posted when it is
        ready.
        """
        ...


@dataclass
class MessageCaller:
    """A caller who posted a message with a photo; the reply is a message that answers it.

    `sender`: the member for whom a webhook posted the message; None for one that its author posted.
    """

    bot: discord.Client
    message: discord.Message
    say: Speaker
    sender: discord.Member | None = None
    private: bool = False
    away: Literal[False] = False  # it hears of messages only where it is itself

    @property
    def owner(self) -> Owner:
        return owner_of(self.message.guild.id if self.message.guild else None, self.person.id)

    @property
    def person(self) -> Person:
        return self.message.author if self.sender is None else self.sender

    @property
    def channel_id(self) -> int:
        return self.message.channel.id

    @property
    def message_id(self) -> None:
        return None

    @property
    def limit(self) -> int:
        return self.message.guild.filesize_limit if self.message.guild else discord.utils.DEFAULT_FILE_SIZE_LIMIT_BYTES

    @property
    def once(self) -> str:
        return f"m{self.message.id}"

    @property
    def token(self) -> None:
        return None

    async def reply(self, page: Page, nonce: str) -> Answer:
        answer = Answer(self.bot, self.say, self.person.id, self.channel_id, reply_to=self.message.id, nonce=nonce)
        try:
            sent = await self.message.reply(view=page.view, files=page.files(), mention_author=False, nonce=nonce)
        except (discord.HTTPException, aiohttp.ClientError, OSError) as error:
            if not will_pass(error):
                raise
            answer.unsure = True
        else:
            answer.message_id, answer.current = sent.id, sent.attachments
        return answer


@dataclass
class InteractionCaller:
    """A caller who used a command, a context menu or a button.

    `manner` is the way of the first reply: "say" posts a message, "think" lets Discord show that the bot is thinking,
    "update" changes the message with the button later, "replace" changes it at once.
    """

    interaction: discord.Interaction[Any]
    say: Speaker
    private: bool
    manner: Manner
    event: str | None = None  # `once` of the request, if it continues an earlier one

    @property
    def away(self) -> bool:
        return is_away(self.interaction)

    @property
    def owner(self) -> Owner:
        return actor_of(self.interaction)

    @property
    def person(self) -> Person:
        return self.interaction.user

    @property
    def channel_id(self) -> int | None:
        return self.interaction.channel_id

    @property
    def message_id(self) -> int | None:
        message = self.interaction.message if self.manner in ("update", "replace") else None
        return message.id if message is not None else None

    @property
    def limit(self) -> int:
        return self.interaction.filesize_limit

    @property
    def once(self) -> str:
        return self.event or f"i{self.interaction.id}"

    @property
    def token(self) -> tuple[str, float]:
        return self.interaction.token, expiry(self.interaction).timestamp()

    async def reply(self, page: Page, nonce: str) -> Answer:
        answer = self._answer(nonce)
        try:
            await self._first(page, answer)
        except (discord.HTTPException, aiohttp.ClientError, OSError) as error:
            if not will_pass(error) and getattr(error, "code", 0) not in (EXPIRED, ANSWERED):
                raise
            # Of several tries one may have arrived: the token tells. If none has, the answer goes into the message that
            # it is to change, or comes as one.
            answer.unsure, answer.message_id = True, self.message_id
        return answer

    async def _first(self, page: Page, answer: Answer) -> None:
        response = self.interaction.response
        done: Any = None
        if self.manner == "say":
            done = await response.send_message(view=page.view, files=page.files(), ephemeral=self.private)
        elif self.manner == "think":
            done = await response.defer(thinking=True, ephemeral=self.private)
        elif self.manner == "update":
            await response.defer()
        else:
            await response.edit_message(view=page.view, attachments=page.files())
        if done is not None:
            answer.message_id = done.message_id
        elif self.interaction.message is not None:
            answer.message_id = self.interaction.message.id
            answer.current = self.interaction.message.attachments if self.manner == "update" else []

    def _answer(self, nonce: str) -> Answer:
        return Answer(
            self.interaction.client,
            self.say,
            self.interaction.user.id,
            self.channel_id,
            token=self.interaction.token,
            token_expires=expiry(self.interaction),
            private=self.private,
            away=self.away,
            nonce=nonce,
        )
