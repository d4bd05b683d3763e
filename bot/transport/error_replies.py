"""Turns every error into a reply to the person who asked, in their language, and logs why they read it (bot.transport.reasons).

- An error that a member can do something about is told with its own sentence (`EgaoError.sentence`).
- An error for the operator of the bot (weights, store, settings) is logged; the member reads that it isn't their fault.
- Any other error is a mistake in the code: logged with its traceback under a reference that the member is shown.
"""

from __future__ import annotations

import functools
import inspect
import logging
import secrets
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Concatenate, Final, ParamSpec, TypeVar, cast

import aiohttp
import discord
from discord import app_commands

from bot.text.refusals import Refused
from bot.text.speaker import Speaker
from bot.transport.base import BotBase
from bot.transport.reasons import log_reason
from bot.transport.retry import insist
from bot.ui.pages import Page, notice
from core.errors import (
    BadServerSetting,
    EgaoError,
    InternalError,
    JobError,
    NoSuchStoredFace,
    PhotoUnreachable,
    SettingsError,
    StoreError,
    WeightsError,
)

log = logging.getLogger(__name__)
ANSWERED = 40060  # "already acknowledged": an earlier try had arrived, though Discord said that it failed
TELL_AGAIN: Final = (0.5, 1.0, 3.0)  # seconds between tries; of the first answer to an interaction only three are left
P = ParamSpec("P")
Holder = TypeVar("Holder")


def for_operator(error: EgaoError) -> bool:
    """Tell whether only the operator can correct this; its facts (paths, hashes) are not for members."""
    return isinstance(error, (WeightsError, StoreError, SettingsError)) and not isinstance(error, BadServerSetting)


def own_failure(error: Exception) -> bool:
    """Tell whether an error was no fault of the member, so that the counted use is given back."""
    if not isinstance(error, EgaoError) or isinstance(error, InternalError):  # a mistake in the code, here or in the worker
        return True
    return isinstance(error, (JobError, PhotoUnreachable)) or for_operator(error)


def explain(say: Speaker, error: BaseException, reference: str | None = None) -> str:
    """Return the sentence that a person reads about an error. Errors not for them are logged under the reference."""
    if isinstance(error, NoSuchStoredFace):
        return say("result.erased")
    if isinstance(error, Refused):
        return say(error.key, **error.facts)
    if isinstance(error, EgaoError) and not isinstance(error, InternalError) and not for_operator(error):
        return say.error(error)
    reference = reference or secrets.token_hex(3)
    if isinstance(error, EgaoError) and not isinstance(error, InternalError):
        log.error("%s: %s (reference %s)", error.code, error, reference)
        return say("trouble.operator", reference=reference)
    log.error("unexpected error (reference %s)", reference, exc_info=error)
    return say("trouble.unexpected", reference=reference)


def trouble(say: Speaker, error: BaseException, reference: str | None = None) -> Page:
    """Make the message about an error, with the reference to name in questions about it; None: none, or one that is made up."""
    return notice(signed(explain(say, error, reference), reference))


def signed(text: str, reference: str | None) -> str:
    """Put the reference, under which the log has the reason, in small letters below a text that does not say it itself."""
    return text if reference is None or reference in text else f"{text}\n-# {reference}"


async def answer(interaction: discord.Interaction[Any], page: Page, *, private: bool = True) -> None:
    """Answer an interaction, whether or not it was answered before."""
    if not interaction.response.is_done():
        try:
            await interaction.response.send_message(view=page.view, files=page.files(), ephemeral=private)
            return
        except discord.HTTPException as error:
            if error.code != ANSWERED:
                raise
            if interaction.type is discord.InteractionType.application_command:
                if (await interaction.original_response()).flags.loading:  # else it is this very page that had arrived
                    await interaction.edit_original_response(view=page.view, attachments=page.files())
                return
    await interaction.followup.send(view=page.view, files=page.files(), ephemeral=private)


async def tell(interaction: discord.Interaction[Any], error: BaseException) -> None:
    """Tell the person of an interaction, and nobody else, about an error. Never raises."""
    try:
        message = interaction.message
        log_reason(f"interaction I{interaction.id}", None if message is None else message.id, error)
        page = trouble(await interaction.client.speaker(interaction), error, f"I{interaction.id}")
        await insist(lambda: answer(interaction, page), f"why interaction {interaction.id} failed", TELL_AGAIN)
    except (discord.HTTPException, OSError, aiohttp.ClientError) as failure:  # too late for the interaction, or Discord is down
        log.warning("an error could not be told: %s", failure)
    except Exception:
        log.exception("an error could not be told")


async def guarded(interaction: discord.Interaction[Any], work: Awaitable[None]) -> None:
    """Run a handler, and tell the person about any error."""
    try:
        await work
    except Exception as error:
        await tell(interaction, error)


def told(
    callback: Callable[Concatenate[Holder, discord.Interaction[Any], P], Coroutine[Any, Any, None]],
) -> Callable[Concatenate[Holder, discord.Interaction[Any], P], Coroutine[Any, Any, None]]:
    """Decorate a command's callback, so that any error is told to the person who used the command."""

    @functools.wraps(callback)
    async def wrapper(self: Holder, interaction: discord.Interaction[Any], *args: P.args, **kwargs: P.kwargs) -> None:
        await guarded(interaction, callback(self, interaction, *args, **kwargs))

    # discord.py would look its annotations up in this module: they are looked up here, in the callback's own.
    wrapper.__signature__ = inspect.signature(callback, eval_str=True)  # type: ignore[attr-defined]
    return cast(Any, wrapper)  # type: ignore[no-any-return]  # the same signature: see `wraps`


class Tree(app_commands.CommandTree[BotBase]):
    """A command tree that also tells people about errors before a command's own code runs, such as a wrong argument."""

    async def on_error(self, interaction: discord.Interaction[BotBase], error: app_commands.AppCommandError, /) -> None:
        await tell(interaction, getattr(error, "original", error))
