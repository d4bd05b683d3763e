"""Photos in messages: in a channel that the admins opened, with a mention of the bot, or in a direct message."""

from __future__ import annotations

import contextlib
import logging

import aiohttp
import discord
from discord.ext import commands

from bot.client import EgaoBot
from bot.requests.ask import USUAL, ask_about
from bot.requests.rate_limit import BoundedSet, RateLimit
from bot.text.speaker import Speaker
from bot.transport.asker import Asker
from bot.transport.callers import MessageCaller
from bot.transport.error_replies import trouble
from bot.transport.photo_source import is_webhooks, linked, photos_in, pictured
from bot.transport.reasons import log_reason
from bot.transport.retry import insist
from bot.ui.pages import Page, notice
from bot.ui.photo_form import with_photo_button
from core.errors import Blocked, EgaoError, PhotoUnreachable, Reason, RoleNeeded, WebhookPhoto

log = logging.getLogger(__name__)

REMEMBERED = 10_000  # channels
WORDS, WORD_SECONDS = 3, 600.0  # replies with nothing new to one member in so many seconds: somebody may keep mentioning the bot
ORDINARY = (discord.MessageType.default, discord.MessageType.reply)


class PhotoCog(commands.Cog):
    """The handler of messages. It only reads their pictures and whether they mention the bot."""

    def __init__(self, bot: EgaoBot) -> None:
        self.bot = bot
        # Channels that were open when last asked for; of a thread the channel that it is in
        self._known = BoundedSet[int](REMEMBERED)
        self._explained = BoundedSet[int](REMEMBERED)  # open channels that were told that photos can't be seen
        self._words = RateLimit(WORDS, WORD_SECONDS)

    @commands.Cog.listener()
    async def on_message(self, message: discord.Message) -> None:
        """Handle a message; its author is told about any error with its photo."""
        if message.type not in ORDINARY or (message.author.bot and not is_webhooks(self.bot, message)):
            return
        try:
            await self._look(message)
        except Exception as error:
            if isinstance(error, (Blocked, RoleNeeded, WebhookPhoto)) and not self._words.may(message.author.id):
                return  # they were told already
            log_reason(f"the author of message {message.id}", None, error)
            say = Speaker("en")
            with contextlib.suppress(EgaoError):  # the store may be what fails
                say = (await self.bot.asker_of(message)).say
            await self._reply(message, say, trouble(say, error))

    async def _look(self, message: discord.Message) -> None:
        source = self._source(message)
        if source is not None:
            asker = await (self.bot.asker_of(message) if self._addressed(message) else self._in_open_channel(message))
            if asker is not None:
                await self._take(message, source, asker.say)
        elif message.webhook_id is not None:
            return
        elif self._spoken_to(message) and self._words.may(message.author.id):
            key = "photo.link" if linked(message) else "photo.drop.hint"
            await self._say(message, (await self.bot.asker_of(message)).say, key, photos=True)
        elif not self.bot.content and message.guild is not None:
            await self._explain(message)

    async def _take(self, message: discord.Message, source: discord.Message, say: Speaker) -> None:
        sender = await self._sender(message)
        if sender is not None:
            say = (await self.bot.asker_of(message, sender.id)).say
        caller = MessageCaller(self.bot, message, say, sender)
        known = sender.id if sender is not None and source is message else None
        photos = await photos_in(self.bot, self.bot.senders, source, sender=known)
        ask = ask_about(photos, say.language, caller.limit)
        try:
            await self.bot.consent.request(caller, ask, limited=True)
        except discord.Forbidden:
            await self._say(message, say, "trouble.place")

    async def _sender(self, message: discord.Message) -> discord.Member | None:
        """Find the member for whom a webhook posted a message; None if its author did. Raises WebhookPhoto if nobody knows."""
        if message.guild is None or not is_webhooks(self.bot, message):
            return None
        sender = await self.bot.senders.of(message, patient=True)
        try:
            return await message.guild.fetch_member(sender)
        except discord.NotFound:  # who left may not ask any more
            raise WebhookPhoto from None
        except discord.HTTPException:
            raise PhotoUnreachable(reason=Reason.DISCORD) from None

    def _source(self, message: discord.Message) -> discord.Message | None:
        """Return the message with the photo: this one, or one that it answers while mentioning the bot; None if there is none."""
        source = pictured(message)
        return source if source is message or self._spoken_to(message) else None

    def _addressed(self, message: discord.Message) -> bool:
        return message.guild is None or (self.bot.user is not None and self.bot.user in message.mentions)

    def _spoken_to(self, message: discord.Message) -> bool:
        """Tell whether a message is meant for the bot: a direct one, or one that names it. A mere reply ("thank you!") is not."""
        return message.guild is None or (self.bot.user is not None and self.bot.user.mention in message.content)

    async def _in_open_channel(self, message: discord.Message) -> Asker | None:
        """Look up who asks, if the bot answers photos in this channel; else None.

        If the store fails, the error is only raised in channels that were open before.
        """
        if message.guild is None:
            return None
        place = message.channel.id
        parent = message.channel.parent_id if isinstance(message.channel, discord.Thread) else None
        try:
            asker = await self.bot.asker_of(message)
        except EgaoError as error:
            if place in self._known or parent in self._known:
                raise
            log.error("whether channel %d is open can't be read: %s", place, error.code)
            return None
        is_open = asker.settings.auto_replies and bool({place, parent} & set(asker.settings.channels))
        (self._known.add if is_open else self._known.discard)(parent or place)
        return asker if is_open else None

    async def _explain(self, message: discord.Message) -> None:
        """Say, once a channel, that the bot can't see photos in an open channel without the content intent."""
        channel = message.channel
        place = channel.parent_id if isinstance(channel, discord.Thread) else channel.id
        if place in self._explained or (asker := await self._in_open_channel(message)) is None:
            return
        self._explained.add(place)
        await self._say(message, asker.say, "photo.content.off")

    async def _say(self, message: discord.Message, say: Speaker, key: str, *, photos: bool = False) -> None:
        """Answer with a sentence of the catalogues, and log which. `photos`: with a button for sending some."""
        log_reason(f"the author of message {message.id}", None, key)
        await self._reply(message, say, with_photo_button(say, say(key), USUAL) if photos else notice(say(key)))

    async def _reply(self, message: discord.Message, say: Speaker, page: Page) -> None:
        """Answer in the channel or, if the bot may not, in a direct message. While Discord fails, it tries again."""
        once = f"word{message.id}"
        what = f"a word about message {message.id}"
        try:
            try:
                await insist(lambda: message.reply(view=page.view, files=page.files(), mention_author=False, nonce=once), what)
            except discord.Forbidden:
                await insist(lambda: message.author.send(view=page.view, files=page.files(), nonce=once), what)
        except (discord.HTTPException, OSError, aiohttp.ClientError) as error:
            log.warning("%s could not be said: %s", what, getattr(error, "status", type(error).__name__))


async def setup(bot: EgaoBot) -> None:
    """Add the cog, as the bot starts."""
    await bot.add_cog(PhotoCog(bot))
