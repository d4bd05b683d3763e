"""Dropping a photo: where the bot answers, what it shows, and what it says when it can't."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace

import discord
import pytest

from bot.transport.photo_source import PhotoRef
from core.errors import ExplicitPhoto, NoPhoto
from tests.bot.kit import HeldExecutor, World, gallery, labels, last_in, pictures, running, text
from tests.bot.workbench import photo, strength_in

CONTROLS = ["− Less", "+ More", "Neutral", "Original", "Exact…", "Animate", "Full size", "Delete", "Report"]


async def test_a_photo_in_an_open_channel_becomes_three_pictures_with_controls(world: World) -> None:
    sent = await world.ann.send(world.channel, attachments=[("me.png", photo())])
    result = world.channel.last_message
    assert result is not None
    assert result.reference is not None
    assert result.reference.message_id == sent.id
    assert [item["media"]["url"].rpartition("/")[2] for item in gallery(result)] == ["original.jpg", "neutral.jpg", "edited.jpg"]
    drawn = pictures(world, result)
    assert strength_in(drawn["neutral.jpg"]) < 0 < strength_in(drawn["edited.jpg"])
    assert "AI-edited" in text(result)
    assert "+1.0" in text(result)
    assert all(item["description"] for item in gallery(result))
    assert labels(result) == CONTROLS
    assert len(world.faces(world.ann)) == 1
    assert len(world.channel.history()) == 2, "progress and result are one message"


async def test_where_the_bot_was_not_opened_it_is_silent(world: World) -> None:
    await world.ann.send(world.other_channel, attachments=[("me.png", photo())])
    assert len(world.other_channel.history()) == 1
    assert not world.photos.fetched


async def test_with_automatic_replies_off_only_a_mention_counts(world: World) -> None:
    world.set(auto_replies=False)
    await world.ann.send(world.channel, attachments=[("me.png", photo())])
    assert len(world.channel.history()) == 1
    await world.ann.send(world.channel, f"{world.bot.user.mention} please", attachments=[("me.png", photo())])  # type: ignore[union-attr]
    assert "AI-edited" in text(world.channel.last_message)


async def test_a_mention_works_in_any_channel_and_in_answer_to_ones_own_photo(world: World) -> None:
    assert world.bot.user is not None
    first = await world.ann.send(world.other_channel, attachments=[("me.png", photo())])
    await world.ann.send(world.other_channel, world.bot.user.mention, reply_to=first)
    assert "AI-edited" in text(world.other_channel.last_message)


async def test_a_mention_without_a_photo_gets_a_hint_and_a_thank_you_does_not(world: World) -> None:
    assert world.bot.user is not None
    await world.ann.send(world.other_channel, f"hi {world.bot.user.mention}")
    hint = world.other_channel.last_message
    assert hint is not None
    assert "/smile" in text(hint)
    await world.ann.send(world.other_channel, "thank you", reply_to=hint)
    assert last_in(world.other_channel).content == "thank you"


async def test_direct_messages_have_faces_of_their_own(world: World) -> None:
    assert "AI-edited" in text(await world.dm(world.ann, "me.png", photo()))
    assert not world.faces(world.ann), "what is given in private is not reached from a server"
    assert len(world.store.faces.of(type(world.owner(world.ann)).direct(world.ann.id))) == 1


async def test_a_picture_that_is_none_is_explained(world: World) -> None:
    await world.ann.send(world.channel, attachments=[("me.png", b"not a picture")])
    assert "can't be read" in text(world.channel.last_message)


async def test_other_files_and_words_are_left_alone(world: World) -> None:
    await world.ann.send(world.channel, "hello", attachments=[("notes.txt", b"x")])
    assert len(world.channel.history()) == 1


@pytest.mark.parametrize(
    ("orders", "words"),
    [
        ({"faces": 0}, "No face was found"),
        ({"fail": "FaceTooSmall"}, "30 pixels"),
        ({"fail": "FaceTurnedAway"}, "70 degrees"),
        ({"fail": "MouthHidden", "at": "project"}, "in front of the mouth"),
        ({"fail": "WorkerDied", "at": "project"}, "stopped in the middle"),
    ],
)
async def test_what_is_wrong_is_said_in_the_members_words(world: World, orders: dict[str, object], words: str) -> None:
    await world.ann.send(world.channel, attachments=[("me.png", photo(**orders))])  # type: ignore[arg-type]
    assert words in text(world.channel.last_message)
    assert len(world.channel.history()) == 2
    assert not world.faces(world.ann)


async def test_a_mistake_in_the_code_is_owned_up_to_with_a_reference_and_costs_nothing(world: World) -> None:
    before = world.store.limits.left(world.owner(world.ann), world.store.guilds.get(world.guild.id)).quota
    await world.ann.send(world.channel, attachments=[("me.png", photo(fail="bug", at="project"))])
    assert "not your photo" in text(world.channel.last_message)
    assert "Traceback" not in text(world.channel.last_message)
    assert world.store.limits.left(world.owner(world.ann), world.store.guilds.get(world.guild.id)).quota == before
    assert world.complaints()


async def test_the_same_photo_again_is_not_projected_again(world: World) -> None:
    data = photo(fail="", n=7)
    await world.ann.send(world.channel, attachments=[("me.png", data)])
    done = world.parts.executor.stats().kinds["Project"].done
    await world.ann.send(world.channel, attachments=[("me.png", data)])
    assert "AI-edited" in text(world.channel.last_message)
    assert world.parts.executor.stats().kinds["Project"].done == done
    assert len(world.faces(world.ann)) == 1


async def test_the_member_can_cancel_and_others_can_not(world: World) -> None:
    executor = world.parts.executor
    assert isinstance(executor, HeldExecutor)
    executor.gate = asyncio.Event()
    await world.ann.send(world.channel, attachments=[("me.png", photo())])
    working = last_in(world.channel)
    assert labels(working) == ["Cancel"]
    refused = await world.ben.click(working, label="Cancel")
    assert refused.ephemeral
    assert "Only the person who asked" in text(refused.response)
    await world.ann.click(working, label="Cancel")
    assert "Cancelled" in text(world.channel.last_message)
    executor.gate.set()
    await world.env.settle()
    assert not world.faces(world.ann)


async def test_a_deleted_photo_ends_the_work_and_erases_the_face(world: World) -> None:
    executor = world.parts.executor
    assert isinstance(executor, HeldExecutor)
    executor.gate = asyncio.Event()
    sent = await world.ann.send(world.channel, attachments=[("me.png", photo())])
    await world.ann.delete(sent)
    assert "photo was deleted" in text(world.channel.last_message)
    executor.gate.set()
    await world.env.settle()
    assert not world.faces(world.ann)

    kept = await world.ann.send(world.channel, attachments=[("me.png", photo(n=1))])
    assert world.faces(world.ann)
    await world.ann.delete(kept)
    assert not world.faces(world.ann)
    pressed = await world.ann.click(last_in(world.channel), label="+ More")
    assert "not kept any more" in text(pressed.response)


async def test_blocked_members_and_those_without_the_role_are_told(world: World) -> None:
    world.store.members.block(world.guild.id, world.ann.id)
    await world.ann.send(world.channel, attachments=[("me.png", photo())])
    assert "can't use egao on this server" in text(world.channel.last_message)
    world.store.members.unblock(world.guild.id, world.ann.id)
    role = world.guild.create_role("Faces")
    world.set(roles=(role.id,))
    await world.ann.send(world.channel, attachments=[("me.png", photo())])
    assert "certain roles" in text(world.channel.last_message)
    cat = world.guild.add_member(world.env.create_user("cat"), roles=[role])
    world.consent(cat)
    await cat.send(world.channel, attachments=[("me.png", photo())])
    assert "AI-edited" in text(world.channel.last_message)
    assert not world.photos.fetched[1:]


async def test_the_quota_and_the_pause_are_told_with_their_end(world: World) -> None:
    world.set(cooldown_seconds=60)
    await world.ann.send(world.channel, attachments=[("me.png", photo(n=1))])
    await world.ann.send(world.channel, attachments=[("me.png", photo(n=2))])
    assert "possible in" in text(world.channel.last_message)
    world.set(cooldown_seconds=0, daily_quota=1)
    await world.ann.send(world.channel, attachments=[("me.png", photo(n=3))])
    assert "your 1 edit of today" in text(world.channel.last_message)


async def test_a_full_server_is_told_when_to_come_again(world: World) -> None:
    world.set(queue_share=1)
    executor = world.parts.executor
    assert isinstance(executor, HeldExecutor)
    executor.gate = asyncio.Event()
    await world.ann.send(world.channel, attachments=[("me.png", photo(n=1))])
    await world.ann.send(world.channel, attachments=[("me.png", photo(n=2))])
    assert "Try again in about" in text(world.channel.last_message)


async def test_ones_own_photos_only_unless_the_admins_say_otherwise(world: World) -> None:
    assert world.bot.user is not None
    bens = await world.ben.send(world.other_channel, attachments=[("ben.png", photo())])
    mention = world.bot.user.mention
    await world.ann.send(world.other_channel, mention, reply_to=bens)
    assert "posted yourself" in text(world.other_channel.last_message)
    world.set(whose_photos="consented")
    await world.ann.send(world.other_channel, mention, reply_to=bens)
    assert "has not agreed" in text(world.other_channel.last_message)
    world.consent(world.ben)
    await world.ann.send(world.other_channel, mention, reply_to=bens)
    assert "AI-edited" in text(world.other_channel.last_message)
    world.consent_to_less(world.ben)
    world.set(whose_photos="any")
    await world.ann.send(world.other_channel, mention, reply_to=bens)
    assert "AI-edited" in text(world.other_channel.last_message)


async def test_where_the_bot_may_not_write_the_member_is_told_in_private(world: World) -> None:
    world.env.inject_error("POST", f"/channels/{world.channel.id}/messages", status=403, code=50013, times=None)
    await world.ann.send(world.channel, attachments=[("me.png", photo())])
    assert "may not post pictures" in text(world.ann.user.dm_channel.last_message)
    assert not world.store.jobs.of(world.owner(world.ann)), "nothing was promised that is not kept"


async def test_without_the_content_intent_it_says_so_once_and_mentions_work(tmp_path: Path) -> None:
    async with running(tmp_path, content=False) as world:
        world.open()
        world.consent(world.ann)
        await world.ann.send(world.channel, attachments=[("me.png", photo())])
        assert "can't see pictures" in text(world.channel.last_message)
        await world.ann.send(world.channel, attachments=[("me.png", photo())])
        assert len(world.channel.history()) == 3
        assert world.bot.user is not None
        await world.ann.send(world.channel, world.bot.user.mention, attachments=[("me.png", photo())])
        assert "AI-edited" in text(world.channel.last_message)


@pytest.mark.parametrize(("flags", "kind", "error"), [(1 << 4, "image/png", ExplicitPhoto), (0, "text/plain", NoPhoto)])
def test_what_discord_itself_marks_is_refused_unread(flags: int, kind: str, error: type[Exception]) -> None:
    payload = {"id": "1", "size": 1, "url": "u", "proxy_url": "u", "filename": "a.png", "content_type": kind, "flags": flags}
    attachment = discord.Attachment(data=payload, state=SimpleNamespace(http=None))  # type: ignore[arg-type]
    with pytest.raises(error):
        PhotoRef.of(attachment)


def test_every_custom_id_fits() -> None:
    from bot.ui.components import LIMIT, custom_id

    assert len(custom_id("download", 2**63, 2**63, -500)) <= LIMIT
