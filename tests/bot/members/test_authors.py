"""Who posted a photo keeps their say over every face that others made of it, and over the work that is going on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bot.requests.ask import Ask
from core.store import GuildSettings
from tests.bot.kit import HeldExecutor, World, last_in, pictures, response_of, running, text
from tests.bot.workbench import mark_in, photo

HOW = ("forgets", "is blocked", "is banned", "rule is own again")


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with running(tmp_path) as made:
        made.open()
        made.consent(made.ann, made.ben)
        made.set(whose_photos="consented")
        yield made


async def face_of_ben(world: World) -> Any:
    """Ann makes a face of a photo that ben posted; returns the message with the photo."""
    bens = await world.ben.send(world.other_channel, attachments=[("ben.png", photo(mark="BEN"))])
    made = await world.ann.context_menu(world.other_channel, "Make it smile", bens)
    assert mark_in(pictures(world, response_of(made))["edited.jpg"]).startswith("BEN")
    return bens


async def take_back(world: World, how: str) -> None:
    """Ben, or an admin, wants his photo used no more."""
    if how == "forgets":
        answer = await world.ben.slash(world.channel, "forget")
        await world.ben.click(response_of(answer), label="Erase everything")
    elif how == "is blocked":
        await world.boss.slash(world.channel, "egao block", member=world.ben)
    elif how == "is banned":
        await world.bot.erasure.member_here(world.owner(world.ben))
    else:
        world.set(whose_photos="own")


@pytest.mark.parametrize("how", HOW)
async def test_a_face_of_somebody_elses_photo_is_drawn_no_more(world: World, how: str) -> None:
    await face_of_ben(world)
    (face,) = world.faces(world.ann)
    await take_back(world, how)
    asked = len(world.store.jobs.numbers(world.owner(world.ann)))
    for command in ("smile", "animate"):
        orders = {"strength": 2.0} if command == "smile" else {}
        answer = response_of(await world.ann.slash(world.channel, command, face=f"#{face.id}", **orders))
        assert not pictures(world, answer)
        assert ("posted yourself" if how == "rule is own again" else "No face of yours") in text(answer)
    assert len(world.store.jobs.numbers(world.owner(world.ann))) == asked, "refused at the door, at no cost"
    assert bool(world.faces(world.ann)) == (how == "rule is own again"), "what nobody may use by the rule is not lost with it"


async def test_one_who_takes_the_consent_back_alone_is_heard_too(world: World) -> None:
    await face_of_ben(world)
    result = last_in(world.other_channel)
    world.consent_to_less(world.ben)
    answer = response_of(await world.ann.click(result, label="+ More"))
    assert "has not agreed" in text(answer)
    world.set(whose_photos="any")
    drawn = await world.ann.slash(world.channel, "smile", strength=2.0)
    assert mark_in(pictures(world, response_of(drawn))["edited.jpg"]).startswith("BEN")


async def test_ones_own_faces_and_those_of_other_servers_stay(world: World) -> None:
    await face_of_ben(world)
    await world.ann.send(world.channel, attachments=[("me.png", photo(mark="ANN"))])
    await take_back(world, "is blocked")
    (left,) = world.faces(world.ann)
    drawn = await world.ann.slash(world.channel, "smile", strength=2.0)
    assert mark_in(pictures(world, response_of(drawn))["edited.jpg"]).startswith("ANN")
    assert left.source.author_id == world.ann.id


async def test_the_same_photo_posted_by_two_is_of_both(world: World) -> None:
    await world.ann.send(world.channel, attachments=[("me.png", photo(mark="BEN"))])
    await face_of_ben(world)
    assert len(world.faces(world.ann)) == 1
    await take_back(world, "forgets")
    assert not world.faces(world.ann)


@pytest.mark.parametrize("how", HOW)
async def test_work_on_somebody_elses_photo_ends_with_their_leave(world: World, how: str) -> None:
    executor = world.parts.executor
    assert isinstance(executor, HeldExecutor)
    executor.gate = asyncio.Event()
    bens = await world.ben.send(world.other_channel, attachments=[("ben.png", photo(mark="BEN"))])
    await world.ann.context_menu(world.other_channel, "Make it smile", bens)
    await take_back(world, how)
    if how == "rule is own again":  # which is looked at as work begins and as it ends: here before a face is kept
        await world.restart()
    executor.gate.set()
    await world.env.settle()
    assert not world.faces(world.ann)
    assert not world.store.jobs.of(world.owner(world.ann))
    said = text(last_in(world.other_channel))
    assert ("posted yourself" if how == "rule is own again" else "erased") in said


@pytest.mark.parametrize("kind", ["Render", "Together", "FullTogether", "MoveTogether"])
async def test_a_rule_that_changes_while_a_picture_is_drawn_holds_for_it(
    world: World, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new photo, or a press under a picture of three: + More, Full size, Animate."""
    label, executor = (
        {"Together": "+ More", "FullTogether": "Full size", "MoveTogether": "Animate"}.get(kind),
        world.parts.executor,
    )
    bens = await world.ben.send(world.other_channel, attachments=[("ben.png", photo(3 if label else 1, mark="BEN"))])
    if label:
        asked = await world.ann.context_menu(world.other_channel, "Make it smile", bens)
        await world.ann.select(response_of(asked), ["all"])
    submit, drawn = executor.submit, []

    async def drawing(request: Any, *more: Any, **options: Any) -> Any:
        if type(request).__name__ == kind:
            drawn.append(request)
            world.set(whose_photos="own")
        return await submit(request, *more, **options)

    monkeypatch.setattr(executor, "submit", drawing)
    if label:
        answer = await world.ann.click(last_in(world.other_channel), label=label)
    else:
        answer = await world.ann.context_menu(world.other_channel, "Make it smile", bens)
    assert drawn
    assert "posted yourself" in text(response_of(answer))
    assert not pictures(world, response_of(answer))


@pytest.mark.parametrize("how", ["forgets", "is banned"])
async def test_no_leave_is_given_between_the_door_and_the_row(world: World, how: str) -> None:
    bens = await world.ben.send(world.other_channel, attachments=[("ben.png", photo(mark="BEN"))])
    let_in = world.bot.service.admit

    async def admit(caller: Any, ask: Ask) -> GuildSettings:
        settings = await let_in(caller, ask)
        world.bot.service.admit = let_in  # type: ignore[method-assign]
        if how == "forgets":
            await world.bot.erasure.member(world.ben.id)
        else:
            await world.bot.erasure.member_here(world.owner(world.ben))
        return settings

    world.bot.service.admit = admit  # type: ignore[method-assign]
    answer = await world.ann.context_menu(world.other_channel, "Make it smile", bens)
    assert not pictures(world, response_of(answer))
    assert not world.faces(world.ann)
    assert not world.photos.fetched
    assert not world.store.jobs.numbers(world.owner(world.ann)), "no request was taken in"


@pytest.mark.parametrize("how", ["forgets", "is banned"])
async def test_what_waits_for_a_consent_hears_of_the_author(world: World, how: str) -> None:
    world.consent_to_less(world.ann)
    bens = await world.ben.send(world.other_channel, attachments=[("ben.png", photo(mark="BEN"))])
    await world.ann.context_menu(world.other_channel, "Make it smile", bens)
    assert world.bot.consent.waiting(world.ann.id)
    await take_back(world, how)
    assert not world.bot.consent.waiting(world.ann.id)
