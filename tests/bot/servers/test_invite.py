"""What the bot asks to be allowed: no more than is used, no less than is needed, and the link that asks for just that."""

from __future__ import annotations

import logging
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import discord
import pytest
import simcord

from bot.ops.invite import NEEDED, invite_link
from core.errors import PhotoGone
from tests.bot.kit import World, pictures, running, text
from tests.bot.workbench import photo

EVERYDAY = discord.Permissions(
    view_channel=True, send_messages=True, send_messages_in_threads=True, attach_files=True, use_application_commands=True
)


def test_the_link_asks_for_these_permissions_and_no_others() -> None:
    link = urlsplit(invite_link(123))
    asked = {name: values[0] for name, values in parse_qs(link.query).items()}
    assert (link.netloc, link.path) == ("discord.com", "/oauth2/authorize")
    assert (asked["client_id"], asked["scope"]) == ("123", "bot applications.commands")
    assert int(asked["permissions"]) == discord.Permissions(**dict.fromkeys(NEEDED, True)).value
    assert int(asked["permissions"]).bit_count() == len(NEEDED)


async def test_the_link_is_logged_once_the_bot_is_connected(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="bot")
    async with running(tmp_path) as world:
        assert world.bot.application_id is not None
        link = invite_link(world.bot.application_id)
        assert [link in record.getMessage() for record in caplog.records].count(True) == 1
        world.bot.dispatch("ready")  # as after a lost connection
        await world.env.settle()
        assert [link in record.getMessage() for record in caplog.records].count(True) == 1


def allow(world: World, missing: str | None) -> None:
    """The bot may do what the link asks for, less one; members keep what they need by a role of their own."""
    guild = world.env.backend.get_guild(world.guild.id)
    (own,) = (role for role in guild.roles.values() if role.managed)
    own.permissions = discord.Permissions(**{name: name != missing for name in NEEDED}).value
    guild.roles[guild.id].permissions = 0  # @everyone's, which are the bot's too
    members = world.guild.create_role("Members", permissions=EVERYDAY)  # and commands may be used
    world.env.backend.add_member_role(guild.id, world.ann.id, members.id)


async def ask_for_an_edit(world: World, channel: simcord.ChannelHandle) -> bool:
    """Ann sends a photo with a mention of the bot. Returns whether she got a picture there."""
    assert world.bot.user is not None
    await world.ann.send(channel, world.bot.user.mention, attachments=[("me.png", photo())])
    last = channel.last_message
    return last is not None and last.author.id == world.bot.user.id and bool(pictures(world, last))


@pytest.mark.parametrize("missing", [None, "view_channel", "send_messages", "send_messages_in_threads"])
async def test_pictures_need_each_permission_to_speak(tmp_path: Path, missing: str | None) -> None:
    async with running(tmp_path) as world:
        world.consent(world.ann)
        world.set(cooldown_seconds=0)
        thread = world.env.backend.create_thread(world.channel.id, "faces", owner_id=world.ann.id)
        allow(world, missing)
        (inside,) = (one for one in world.channel.threads if one.id == thread.id)
        answered = {"channel": await ask_for_an_edit(world, world.channel), "thread": await ask_for_an_edit(world, inside)}
        assert answered == {
            "channel": missing in (None, "send_messages_in_threads"),
            "thread": missing in (None, "send_messages"),
        }
        world.complaints()  # that it may not is logged, as it should be


async def test_files_are_sent_by_the_bots_own_right(tmp_path: Path) -> None:
    """simcord lets anybody attach files; that they go to the channel, and not in answer to an interaction, is seen here."""
    async with running(tmp_path) as world:
        await world.kept_face(world.ann)
        own = [one for one in world.env.http_requests if one.path.startswith(f"/channels/{world.channel.id}/messages")]
        assert any((one.json or {}).get("attachments") for one in own)


@pytest.mark.parametrize("missing", [None, "read_message_history"])
async def test_a_link_that_ran_out_is_found_again_by_the_history(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: str | None
) -> None:
    async with running(tmp_path) as world:
        await world.kept_face(world.ann)
        allow(world, missing)
        original = world.photos.photo
        ran_out: list[str] = []

        async def signed(url: str, declared: int | None = None) -> bytes:
            """The first time its signature is too old; the message has a new one."""
            if not ran_out:
                ran_out.append(url)
                raise PhotoGone
            return await original(url, declared)

        monkeypatch.setattr(world.photos, "photo", signed)
        answer = await world.ann.slash(world.channel, "smile", strength=2.0)
        assert ran_out
        assert ("photo is not there any more" in text(answer.response)) == (missing is not None)
