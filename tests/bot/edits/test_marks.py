"""What a photo's sender said of it is kept: covered, described, forwarded; and what a webhook posted is told to be that."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import discord
import pytest
from simcord.backend import serializers

from tests.bot.kit import World, gallery, last_in, pictures, response_of, text
from tests.bot.workbench import photo


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> dict[str, dict[str, Any]]:
    """By the content of a message: what Discord says of it otherwise than simcord does."""
    changes: dict[str, dict[str, Any]] = {}
    plain = serializers.message_payload

    def payload(*args: Any, **options: Any) -> Any:
        made = dict(plain(*args, **options))
        return {**made, **changes.get(str(made["content"]), {})}

    monkeypatch.setattr(serializers, "message_payload", payload)
    return changes


@pytest.mark.parametrize("name", ["SPOILER_me.png", "me.png"])
async def test_a_covered_photo_is_answered_with_covered_pictures(world: World, name: str) -> None:
    await world.ann.send(world.channel, attachments=[(name, photo())])
    shown = gallery(last_in(world.channel))
    assert len(shown) == 3
    assert [one.get("spoiler", False) for one in shown] == [name.startswith("SPOILER_")] * 3


async def test_a_photo_that_was_covered_stays_covered_when_it_is_changed(world: World) -> None:
    await world.ann.send(world.channel, attachments=[("SPOILER_us.png", photo(2))])
    choice = last_in(world.channel)
    assert all(one["spoiler"] for one in gallery(choice)), "the faces to choose from too"
    await world.ann.select(choice, ["0"])
    await world.ann.click(last_in(world.channel), label="+ More")
    assert all(one["spoiler"] for one in gallery(last_in(world.channel)))


async def test_what_the_sender_wrote_for_the_blind_is_kept(world: World, told: dict[str, dict[str, Any]]) -> None:
    sent = await world.ann.send(world.other_channel, attachments=[("me.png", photo())])
    real = await world.bot.get_partial_messageable(world.other_channel.id).fetch_message(sent.id)
    told["see"] = {"attachments": [{**real.attachments[0].to_dict(), "description": "Ann by the sea " + "x" * 1000}]}
    await world.ann.send(world.channel, "see")
    said = [one["description"] for one in gallery(last_in(world.channel))]
    assert len(said) == 3
    assert all("Ann by the sea" in one and len(one) <= 1024 for one in said)
    assert "AI-edited" in said[-1], "and what egao says of it stands first"


async def test_a_forwarded_photo_is_found_and_whose_it_is_decides(world: World, told: dict[str, dict[str, Any]]) -> None:
    mine = await world.ann.send(world.other_channel, attachments=[("me.png", photo())])
    await world.ann.forward(mine, world.channel)
    assert "edited.jpg" in pictures(world, last_in(world.channel))
    bens = await world.ben.send(world.other_channel, attachments=[("ben.png", photo())])
    await world.ann.forward(bens, world.channel)
    assert "posted yourself" in text(last_in(world.channel))
    away = await world.ann.send(world.other_channel, "away", attachments=[("me.png", photo())])
    await away.delete()
    there = await world.ann.send(world.other_channel, attachments=[("me.png", photo())])
    told[""] = {"message_reference": {"type": 1, "channel_id": str(world.other_channel.id), "message_id": str(away.id)}}
    await world.ann.forward(there, world.channel)
    assert "forwarded from a place that egao can't see" in text(last_in(world.channel))


async def test_a_webhooks_photo_is_answered_with_the_reason_and_seldom(world: World, told: dict[str, dict[str, Any]]) -> None:
    proxy = {"id": "777", "username": "Proxy", "discriminator": "0000", "avatar": None, "bot": True}
    told["by proxy"] = {"author": proxy, "webhook_id": "777"}
    heard = []
    for _ in range(5):
        sent = await world.ann.send(world.channel, "by proxy", attachments=[("me.png", photo())])
        heard.append(last_in(world.channel).id != sent.id)
        assert not heard[-1] or "A webhook posted that photo" in text(last_in(world.channel))
    assert heard == [True, True, True, False, False], "somebody may be a proxy for many"
    assert not world.faces(world.ann)
    answer = await world.ann.slash(world.channel, "smile", strength=1.0, photo=("me.png", photo()))
    assert "edited.jpg" in pictures(world, response_of(answer)), "and the way that it names works"


async def test_of_a_link_the_reason_is_told_and_the_way_that_works(world: World) -> None:
    assert world.bot.user is not None
    mention = world.bot.user.mention
    await world.ann.send(world.other_channel, f"{mention} https://example.org/me.jpg")
    assert "reads only photos that are uploaded" in text(last_in(world.other_channel))
    link = await world.ben.send(world.other_channel, "https://example.org/me.jpg")
    await world.ann.send(world.other_channel, mention, reply_to=link)
    assert "reads only photos that are uploaded" in text(last_in(world.other_channel))
    await world.ann.send(world.other_channel, mention)
    assert "Send me a photo" in text(last_in(world.other_channel))


async def test_an_answer_to_a_photo_finds_the_photo(world: World) -> None:
    assert world.bot.user is not None
    mine = await world.ann.send(world.other_channel, attachments=[("SPOILER_me.png", photo())])
    await world.ann.send(world.other_channel, world.bot.user.mention, reply_to=mine)
    result = last_in(world.other_channel)
    assert "AI-edited" in text(result)
    assert all(one["spoiler"] for one in gallery(result))


async def test_ones_own_avatar_is_edited_and_nobody_elses(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    none = await world.ann.context_menu(world.channel, "Make it smile", world.ann)
    assert "no avatar of your own" in text(none.response)
    shown = SimpleNamespace(replace=lambda **size: SimpleNamespace(url=f"https://cdn.discordapp.com/avatars/{size['size']}.png"))
    monkeypatch.setattr(discord.User, "avatar", shown)
    world.photos.changed = photo()
    monkeypatch.setattr(world.photos, "photo", lambda url, declared=None: _fetched(world, url))
    done = await world.ann.context_menu(world.channel, "Make it smile", world.ann)
    assert "edited.jpg" in pictures(world, response_of(done))
    assert world.photos.fetched == ["https://cdn.discordapp.com/avatars/1024.png"]
    refused = await world.ann.context_menu(world.channel, "Make it smile", world.ben)
    assert "only your own avatar" in text(refused.response)


async def _fetched(world: World, url: str) -> bytes:
    world.photos.fetched.append(url)
    assert world.photos.changed is not None
    return world.photos.changed
