"""A face that the checks refuse bars its whole photo or, where a server's admins say so, only itself."""

from __future__ import annotations

from typing import Any

import pytest
from simcord import interactions

from bot.requests.service import CHOOSING
from core.errors import BadServerSetting
from core.store import GuildSettings
from tests.bot.kit import World, labels, last_in, response_of, select_of, text
from tests.bot.workbench import photo

FAMILY = photo(3, barred=[1])


async def shown(world: World, data: bytes) -> Any:
    """What the bot answers to the photo."""
    await world.ann.send(world.channel, attachments=[("us.png", data)])
    return last_in(world.channel)


async def test_one_refused_face_bars_the_photo_unless_the_admins_say_otherwise(world: World) -> None:
    assert GuildSettings().refused_face == "photo"
    assert "works on adults only" in text(await shown(world, FAMILY))
    world.set(refused_face="face")
    assert "works on adults only" in text(await world.dm(world.ann, "us.png", FAMILY)), "nobody sets a rule there"
    choice = await shown(world, FAMILY)
    assert "2 faces found" in text(choice)
    assert "leaves alone: 1" in text(choice)
    assert [one["value"] for one in select_of(choice)["options"]] == ["0", "2", "all"]
    assert sorted(one.filename for one in choice.attachments) == ["face-1.png", "face-3.png"], "no picture of the refused one"
    await world.ann.select(choice, ["2"])
    assert [face.face for face in world.faces(world.ann)] == [2]


async def test_all_of_them_are_those_that_were_not_refused(world: World) -> None:
    world.set(refused_face="face")
    await world.ann.select(await shown(world, FAMILY), ["all"])
    assert sorted(face.face for face in world.faces(world.ann)) == [0, 2]


async def test_the_only_other_face_is_taken_without_a_question(world: World) -> None:
    world.set(refused_face="face")
    assert "AI-edited" in text(await shown(world, photo(2, barred=[0])))
    assert [face.face for face in world.faces(world.ann)] == [1]
    assert "works on adults only" in text(await shown(world, photo(2, barred=[0, 1])))


async def test_a_refused_face_cannot_be_asked_for(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.set(refused_face="face")
    answer = await world.ann.slash(world.channel, "smile", strength=1.0, photo=("us.png", FAMILY), face="2")
    assert "leaves face number 2 of this photo alone" in text(answer.response)
    choice, original = await shown(world, FAMILY), interactions.base_payload

    def payload(*args: Any, **kwargs: Any) -> Any:
        record, made = original(*args, **kwargs)
        made["data"]["values"] = ["1"]
        return record, made

    monkeypatch.setattr(interactions, "base_payload", payload)
    refused = await world.ann.select(choice, ["0"])
    assert "can't be used any more" in text(refused.response)
    assert not world.faces(world.ann)


async def test_the_choice_outlives_a_restart(world: World) -> None:
    world.set(refused_face="face")
    choice = await shown(world, FAMILY)
    await world.restart()
    await world.ann.select(choice, ["all"])
    assert sorted(face.face for face in world.faces(world.ann)) == [0, 2]


async def test_a_choice_of_an_earlier_version_goes_on(world: World) -> None:
    choice = await shown(world, photo(3))
    (job,) = world.bot.service.choosing
    world.store.jobs.checkpoint(job, CHOOSING + b"3")
    await world.restart()
    await world.ann.select(choice, ["1"])
    assert [face.face for face in world.faces(world.ann)] == [1]


async def test_the_rule_is_a_switch_of_the_settings(world: World) -> None:
    panel = response_of(await world.boss.slash(world.channel, "egao settings"))
    assert "under 18 bars: **the whole photo**" in text(panel)
    await world.boss.click(panel, label="A refused face bars: the whole photo")
    assert world.store.guilds.get(world.guild.id).alone
    assert "A refused face bars: only itself" in labels(panel)
    await world.boss.click(panel, label="A refused face bars: only itself")
    assert not world.store.guilds.get(world.guild.id).alone
    with pytest.raises(BadServerSetting):
        world.set(refused_face="nothing")
