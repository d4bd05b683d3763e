"""What a press may do is said by its message: ids that are one's own, but stand in no or another's message, do nothing."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from simcord import interactions

from core.store import Owner
from tests.bot.kit import World, custom_ids, last_in, pictures, response_of, running, text
from tests.bot.workbench import mark_in, photo

FORGED = {  # what ben sends under ann's result: all of it names what is ben's own, or nobody's
    "plus": "{face}:{ben}:100:smile",
    "minus": "{face}:{ben}:100",
    "original": "{face}:{ben}:100:smile",
    "exact": "{face}:{ben}:100:smile",
    "download": "{face}:{ben}:100:smile",
    "delete": "{face}:{ben}:100:smile",
    "agree": "1:{ben}:{message}:x",
    "decline": "1:{ben}:{message}",
    "facelist": "0:b",
    "faceuse": "{face}",
    "facedelete": "{face}",
    "forgetnot": "",
    "pick": "{job}",
    "cancel": "{job}",
}


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with running(tmp_path) as made:
        made.open()
        yield made


async def shown(world: World, message: Any) -> dict[str, str | None]:
    """The marks of the pictures that the message has now."""
    now = await world.bot.get_partial_messageable(world.channel.id).fetch_message(message.id)
    return {name: mark_in(data) for name, data in pictures(world, now).items()}


@pytest.fixture
async def anns(world: World) -> Any:
    """Ann's result; ben has one of his own, and a choice of faces that is open."""
    message = await world.kept_face(world.ann, mark="ANN")
    await world.kept_face(world.ben, mark="BEN")
    await world.ben.send(world.channel, attachments=[("us.png", photo(2))])
    return message


def forged(world: World, verb: str) -> str:
    """Such a custom_id with ben's own ids."""
    (face,) = world.faces(world.ben)
    (job,) = world.store.jobs.of(world.owner(world.ben))
    ids = FORGED[verb].format(face=face.id, ben=world.ben.id, job=job.id, message=last_in(world.channel).id)
    return f"egao:{verb}:{ids}".removesuffix(":")


@contextlib.contextmanager
def choosing(monkeypatch: pytest.MonkeyPatch, *values: str) -> Iterator[None]:
    """What is chosen in this block, whatever the select offers."""
    original = interactions.base_payload

    def payload(*args: Any, **kwargs: Any) -> Any:
        record, made = original(*args, **kwargs)
        made["data"]["values"] = list(values)
        return record, made

    with monkeypatch.context() as patch:
        patch.setattr(interactions, "base_payload", payload)
        yield


STRANGE = ("2", "-1", "99999999999999999999", "", "all ", "1 or 1=1", "\u0661\u0662", "\ud83d", "x" * 4000, "\0")


@pytest.mark.parametrize("value", STRANGE)
async def test_a_value_that_a_select_never_offered_chooses_nothing(
    world: World, anns: Any, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    choice = last_in(world.channel)
    with choosing(monkeypatch, value):
        answer = await world.ben.select(choice, ["0"])
    assert "older message" in text(response_of(answer))
    assert len(world.faces(world.ben)) == 1
    assert len(world.store.jobs.of(world.owner(world.ben))) == 1, "the choice is open still"
    assert not world.complaints()


@pytest.mark.parametrize("value", ["0", "all", "5"])
async def test_nobody_chooses_for_another(world: World, anns: Any, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    choice = last_in(world.channel)
    with choosing(monkeypatch, value):
        answer = await world.ann.select(choice, ["0"])
    assert "Only the person who asked" in text(response_of(answer))
    assert (len(world.faces(world.ann)), len(world.faces(world.ben))) == (1, 1)


@pytest.mark.parametrize("value", ["{other}", "-1", "99999999999999999999", "", "\u0661", "\ud83d"])
async def test_a_face_that_the_list_never_offered_is_not_shown(
    world: World, anns: Any, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (own,), (other,) = world.faces(world.ben), world.faces(world.ann)
    listed = response_of(await world.ben.slash(world.channel, "faces"))
    with choosing(monkeypatch, value.format(other=other.id)):
        answer = await world.ben.select(listed, [str(own.id)])
    assert "ANN" not in [mark_in(data) for data in pictures(world, response_of(answer)).values()]
    assert not world.complaints()


@contextlib.contextmanager
def saying(monkeypatch: pytest.MonkeyPatch, custom_id: str) -> Iterator[None]:
    """What is pressed or sent in this block says that it is another control."""
    original = interactions.base_payload

    def payload(*args: Any, **kwargs: Any) -> Any:
        record, made = original(*args, **kwargs)
        made["data"]["custom_id"] = custom_id
        return record, made

    with monkeypatch.context() as patch:
        patch.setattr(interactions, "base_payload", payload)
        yield


@pytest.mark.parametrize("verb", FORGED)
async def test_what_a_message_does_not_offer_is_not_done(
    world: World, anns: Any, verb: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Discord looks whether a message has the button that is said to be pressed; here it is one that doesn't."""
    before = await shown(world, anns)
    with saying(monkeypatch, forged(world, verb)):
        answer = await world.ben.click(anns, label="Report")
    assert answer.response is None, "discord.py does not hand it on"
    assert await shown(world, anns) == before
    assert world.faces(world.ben)
    assert len(world.store.jobs.of(world.owner(world.ben))) == 1, "the choice is open still"


@pytest.mark.parametrize("label", ["+ More", "Neutral", "Original", "Exact…", "Full size", "Delete"])
async def test_ones_own_ids_do_nothing_in_the_message_of_another(world: World, anns: Any, label: str) -> None:
    """As if ann's message had come to hold buttons with ben's ids."""
    before = await shown(world, anns)
    (anns_face,), (bens_face,) = world.faces(world.ann), world.faces(world.ben)
    stored = world.env.backend.get_message(world.channel.id, anns.id)
    assert stored is not None
    ours, theirs = f":{anns_face.id}:{world.ann.id}:", f":{bens_face.id}:{world.ben.id}:"
    stored.components = json.loads(json.dumps(stored.components).replace(ours, theirs))
    answer = await world.ben.click(anns, label=label)
    assert "Only the person who asked" in text(response_of(answer))
    assert await shown(world, anns) == before


async def test_whose_a_message_is_is_known_as_long_as_its_face_is_kept(world: World, anns: Any) -> None:
    assert world.store.answered_in(anns.id) == {world.owner(world.ann)}
    with world.store.database.writing() as db:
        db.execute("delete from jobs")  # as a day later
    assert world.store.answered_in(anns.id) == {world.owner(world.ann)}
    await world.bot.erasure.member(world.ann.id)
    assert world.store.answered_in(anns.id) == set()
    assert world.store.answered_in(12345) == set()
    assert Owner.direct(world.ann.id) not in world.store.answered_in(anns.id)


@pytest.mark.parametrize("form", ["exactly:{face}:{ben}:100:smile", "facenamed:{face}", "setnumbers:limits"])
async def test_a_form_that_no_button_of_its_message_opens_is_not_taken(
    world: World, anns: Any, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = await shown(world, anns)
    (face,) = world.faces(world.ben)
    opened = await world.ben.click(anns, label="Report")
    with saying(monkeypatch, "egao:" + form.format(face=face.id, ben=world.ben.id)):
        answer = await world.ben.submit_modal(opened, {"why": "else", "reason": "x"})
    assert "older message" in text(response_of(answer))
    assert await shown(world, anns) == before
    assert world.faces(world.ben)[0].name is None


async def test_a_form_opened_before_the_last_change_is_taken(world: World) -> None:
    message = await world.kept_face(world.ann)
    form = await world.ann.click(message, label=next(one for one in custom_ids(message) if "xact" in one))
    await world.ann.click(message, label="+ More")
    await world.ann.submit_modal(form, {"strength": "0.5"})
    assert "+0.5" in text(await world.bot.get_partial_messageable(world.channel.id).fetch_message(message.id))
