"""The fake Discord is believed only as far as a real discord.py client gets on with it."""

from __future__ import annotations

import asyncio
from typing import Any

import discord as library
import pytest
from discord import http

from tests.discord import patch
from tests.discord.example_bot import ExampleBot
from tests.discord.fake import FakeDiscord, NotPossible, Upload, replies_to
from tests.discord.scene import Scene, eventually, png, scene, seen

__all__ = ["scene"]  # a fixture


# --- messages and files -------------------------------------------------------------------------


async def test_a_photo_is_answered_and_the_answer_edited_in_place(scene: Scene) -> None:
    photo = scene.ann.upload(scene.photos, png())
    reply = await scene.photos.wait_message(replies_to(photo))
    await scene.photos.wait_message(lambda m: m is reply and m.content == "done")
    assert [revision.text for revision in reply.revisions] == ["at work ...", "done"]
    assert reply.pictures[0].data == png()
    assert (reply.pictures[0].width, reply.pictures[0].height) == (40, 30)
    assert reply.pinged == set()  # AllowedMentions.none()


async def test_a_direct_message_reaches_the_bot(scene: Scene) -> None:
    photo = scene.ann.upload(scene.ann.dm, png())
    reply = await scene.ann.dm.wait_message(lambda m: m.content == "done")
    assert reply.reference is photo
    assert reply.pictures[0].sha256 == photo.attachments[0].sha256


async def test_without_the_intent_a_message_arrives_empty_unless_it_names_the_bot() -> None:
    async with FakeDiscord() as discord:
        discord.rules.message_content = False
        guild = discord.guild("Studio")
        photos, ann = guild.channel("photos"), guild.member("Ann")
        with patch.patched(discord.url):
            async with ExampleBot(message_content=False) as bot:
                running = asyncio.create_task(bot.start(discord.token))
                await discord.wait_ready()
                ann.say(photos, "hello", png())
                named = ann.say(photos, f"{discord.world.bot.mention} look", png())
                await photos.wait_message(replies_to(named))
                assert bot.seen == ["", f"{discord.world.bot.mention} look"]
                await bot.close()
                await running


async def test_asking_for_an_intent_that_is_off_ends_the_bot() -> None:
    async with FakeDiscord() as discord:
        discord.rules.message_content = False
        with patch.patched(discord.url):
            async with ExampleBot() as bot:
                with pytest.raises(Exception, match="privileged intents"):
                    await bot.start(discord.token)


async def test_events_of_the_server_reach_the_bot(scene: Scene) -> None:
    other = scene.discord.guild("Second")
    await seen(scene, "joined Second")
    message = scene.ann.say(scene.photos, "oops")
    scene.ann.delete(message)
    await seen(scene, f"deleted {message.id}")
    scene.ann.be_banned()
    await seen(scene, f"banned {scene.ann.id}")
    other.remove_bot()
    await seen(scene, "left Second")


async def test_a_channel_closed_to_the_bot_refuses_its_answer(scene: Scene) -> None:
    scene.photos.deny(scene.guild.everyone, "send_messages")
    scene.ann.upload(scene.photos, png())
    await scene.discord.world.until(
        lambda: [r for r in scene.discord.find_requests("POST", "messages$") if r.status == 403], 3, "403"
    )
    assert scene.discord.find_requests("POST", "messages$")[0].code == 50013


# --- interactions -------------------------------------------------------------------------------


async def test_a_slash_command_defers_edits_and_follows_up(scene: Scene) -> None:
    used = scene.ann.slash("smile", scene.photos, strength=1.5, photo=png())
    answer = await used.wait_message(lambda m: m.content == "smile 1.5")
    assert answer.revisions[0].loading
    assert answer.pictures[0].data == png()
    whisper = await used.wait_message(lambda m: m.ephemeral)
    assert whisper.content == f"limit {10 * 2**20}"
    with pytest.raises(AssertionError, match="no such message"):  # others do not see it
        await scene.photos.wait_message(lambda m: m is whisper, within=0.05)
    assert await scene.photos.wait_message(lambda m: m is whisper, seen_by=scene.ann) is whisper


async def test_the_client_holds_members_to_what_the_bot_registered(scene: Scene) -> None:
    wrongs: list[dict[str, Any]] = [{"strength": 2.5}, {}, {"strength": 1.0, "power": 3}]
    for wrong in wrongs:
        with pytest.raises(NotPossible):
            scene.ann.slash("smile", scene.photos, **wrong)
    with pytest.raises(NotPossible, match="not offered"):
        scene.ann.slash("egao settings", scene.photos, hours=24)
    forged = scene.ann.slash("egao settings", scene.photos, unchecked=True, hours=24)
    assert (await forged.wait_message()).content == "for admins"
    boss = scene.guild.admin("Boss")
    assert (await boss.slash("egao settings", scene.photos, hours=24).wait_message()).content == "kept 24"


async def test_autocomplete_offers_choices(scene: Scene) -> None:
    typed = scene.guild.admin("Boss").autocomplete("egao settings", scene.photos, "hours", "4")
    await typed.wait_answer()
    assert typed.choices == [{"name": "24 h", "value": 24}, {"name": "48 h", "value": 48}]


async def test_buttons_select_and_modal(scene: Scene) -> None:
    message = await scene.ann.slash("smile", scene.photos, strength=1.0).wait_message(lambda m: bool(m.buttons))
    assert message.labels == ["again 1", "exact"]
    await scene.ann.press(message, "again").wait_answer()
    assert (message.content, message.labels[0]) == ("pressed 1", "again 2")
    scene.ann.select(message, "face 2")
    await scene.photos.wait_message(lambda m: m.content == "chose 2")
    form = await scene.ann.press(message, "exact").wait_modal()
    assert (form.title, [field["label"] for field in form.fields]) == ("Strength", ["Strength", "Photo"])
    await scene.ann.submit_modal(form, "1.25", photo=[png()]).wait_answer()
    assert message.content == f"form 1.25 [{len(png())}]"
    with pytest.raises(NotPossible, match="0 controls"):
        scene.ann.press(message, "delete")


async def test_a_context_menu_carries_the_message(scene: Scene) -> None:
    message = scene.guild.member("Ben").say(scene.photos, "look", png(), Upload(b"123", "notes.txt"))
    used = scene.ann.context_menu("Look", message)
    assert (await used.wait_message()).content == f"looked at [{len(png())}, 3]"


async def test_components_v2_show_only_what_they_name(scene: Scene) -> None:
    used = scene.ann.slash("gallery", scene.photos, photo=png())
    message = await used.wait_message()
    assert [picture.filename for picture in message.pictures] == ["original.png", "neutral.png", "smile.png"]
    assert "Three of you" in message.text
    await scene.ann.press(message, "again 1").wait_answer()
    assert message.text.startswith("pressed 1")
    assert len(message.pictures) == 3  # the client sent the links back, and they are still the same files


async def test_an_ephemeral_answer_is_for_one_in_their_language(scene: Scene) -> None:
    message = await scene.ann.slash("privately", scene.photos).wait_message()
    assert (message.content, message.ephemeral) == ("hush, Ann ja", True)
    with pytest.raises(NotPossible):
        scene.guild.member("Ben").context_menu("Look", message)


async def test_after_three_seconds_the_interaction_is_unknown(scene: Scene) -> None:
    scene.discord.rules.answer_within = 0.1
    used = scene.ann.slash("late", scene.photos, seconds=0.2)
    await eventually(lambda: scene.bot.lost)
    assert scene.bot.lost == [10062]
    assert used.failed


async def test_after_fifteen_minutes_the_token_is_dead_and_the_bots_own_still_edits(scene: Scene) -> None:
    used = scene.ann.slash("smile", scene.photos, strength=1.0)
    await used.wait_message(lambda m: m.ephemeral)
    application, token = scene.discord.world.application_id, used.token
    scene.discord.clock.advance(15 * 60 + 1)
    hook = scene.bot.http
    route = http.Route("PATCH", f"/webhooks/{application}/{token}/messages/@original")
    with pytest.raises(library.HTTPException) as caught:
        await hook.request(route, json={"content": "late"})
    assert (caught.value.status, caught.value.code) == (401, 50027)
    assert used.original
    channel = scene.bot.get_partial_messageable(scene.photos.id)
    await channel.get_partial_message(used.original.id).edit(content="still here")
    assert used.original.content == "still here"
    with pytest.raises(library.NotFound):  # an ephemeral message is out of reach by then
        await channel.get_partial_message(used.followups[0].id).edit(content="hello?")
