"""The buttons under a result: what they draw, who may press them, how far they go, and that they outlive a restart."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.bot.kit import Message, World, custom_ids, labels, last_in, pictures, response_of, running, text
from tests.bot.workbench import NEUTRAL, strength_in


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with running(tmp_path) as made:
        await made.kept_face(made.ann)
        yield made


def drawn(world: World, message: Message) -> float:
    return strength_in(pictures(world, message)["edited.jpg"])


async def press(world: World, label: str, person: Any = None) -> Any:
    return await (person or world.ann).click(last_in(world.channel), label=label)


async def test_more_and_less_start_from_the_original_each_time(world: World) -> None:
    for label, strength in (("+ More", 1.2), ("+ More", 1.5), ("− Less", 1.2), ("− Less", 1.0), ("− Less", 0.8)):
        await press(world, label)
        assert drawn(world, world.channel.last_message) == pytest.approx(strength, abs=0.06)
    assert len(world.channel.history()) == 2, "the result is edited, not posted again"
    assert world.parts.executor.stats().kinds["Project"].done == 1


async def test_the_other_pictures_stay_as_they_are(world: World) -> None:
    before = last_in(world.channel).attachments
    await press(world, "+ More")
    after = last_in(world.channel).attachments
    assert [one.filename for one in after] == ["original.jpg", "neutral.jpg", "edited.jpg"]
    assert [one.id for one in after[:2]] == [one.id for one in before[:2]]
    assert after[2].id != before[2].id


async def test_neutral_and_original(world: World) -> None:
    await press(world, "Neutral")
    assert drawn(world, world.channel.last_message) == pytest.approx(NEUTRAL, abs=0.06)
    assert [one.filename for one in last_in(world.channel).attachments] == ["original.jpg", "edited.jpg"]
    await press(world, "Original")
    assert [one.filename for one in last_in(world.channel).attachments] == ["original.jpg"]
    assert "Strength 0" in text(world.channel.last_message)
    full = await press(world, "Full size")
    for message in (world.channel.last_message, full.response):
        assert "The photo as it was" in text(message)
        assert "AI-edited" not in text(message), "nothing was edited"
    await press(world, "+ More")
    assert drawn(world, world.channel.last_message) == pytest.approx(0.25, abs=0.06)


async def test_the_limit_of_the_server_holds_for_buttons_and_forms(world: World) -> None:
    world.set(strength_max=1.25)
    await press(world, "+ More")
    assert drawn(world, world.channel.last_message) == pytest.approx(1.2, abs=0.06)
    refused = await press(world, "+ More")
    assert refused.ephemeral
    assert "between -1.25 and 1.25" in text(refused.response)
    form = await press(world, "Exact…")
    refused = await world.ann.submit_modal(form, {"strength": "2"})
    assert "between -1.25 and 1.25" in text(refused.response)
    world.set(strength_max=0.5)
    await press(world, "− Less")
    assert drawn(world, world.channel.last_message) <= 0.5, "a result of yesterday obeys the limit of today"


@pytest.mark.parametrize(("written", "strength"), [("1.5", 1.5), ("-0,5", -0.5), ("２．５", 2.5), ("−1", -1.0), ("3", 3.0)])
async def test_an_exact_strength_however_it_is_written(world: World, written: str, strength: float) -> None:
    form = await press(world, "Exact…")
    assert form.modal is not None
    assert form.modal["title"] == "Exact strength"
    await world.ann.submit_modal(form, {"strength": written})
    assert drawn(world, world.channel.last_message) == pytest.approx(strength, abs=0.06)


async def test_an_exact_strength_can_be_chosen_too(world: World) -> None:
    world.set(strength_max=2.5)
    form = await press(world, "Exact…")
    assert form.modal is not None
    select = form.modal["components"][0]["component"]
    values = {one["label"]: one["value"] for one in select["options"]}
    assert len(values) == 25
    assert {"−2.5", "0", "+1.0", "+2.5"} <= values.keys()
    assert [one["label"] for one in select["options"] if one.get("default")] == ["+1.0"], "what is shown just now"
    await world.ann.submit_modal(form, {"chosen": [values["−2.5"]]})
    assert drawn(world, world.channel.last_message) == pytest.approx(-2.5, abs=0.06)


@pytest.mark.parametrize("written", ["much", "nan", "1e999"])
async def test_what_is_no_number_is_explained(world: World, written: str) -> None:
    form = await press(world, "Exact…")
    answer = await world.ann.submit_modal(form, {"strength": written})
    assert answer.ephemeral
    assert any(words in text(answer.response) for words in ("not a number", "must be between"))


async def test_only_the_requester_may_press(world: World) -> None:
    world.consent(world.ben)
    before = last_in(world.channel).attachments
    for label in labels(world.channel.last_message):
        if label == "Report":
            continue
        answer = await press(world, label, world.ben)
        assert answer.ephemeral
        assert "Only the person who asked" in text(answer.response), label
    assert [one.id for one in last_in(world.channel).attachments] == [one.id for one in before]


async def test_a_forged_id_reaches_nobody_elses_face(world: World) -> None:
    """Ben presses his own button, whose custom_id was changed to name Ann's face."""
    anns = world.faces(world.ann)[0].id
    await world.kept_face(world.ben, n=5)
    message = world.channel.last_message
    assert message is not None
    stored = world.env.backend.get_message(world.channel.id, message.id)
    old = custom_ids(message)["+ More"]
    forged = ":".join([*old.split(":")[:2], str(anns), *old.split(":")[3:]])
    replace(stored.components, old, forged)
    answer = await world.ben.click(last_in(world.channel), custom_id=forged)
    assert "not kept any more" in text(answer.response)
    replace(stored.components, forged, f"egao:plus:{world.faces(world.ben)[0].id}:{world.ben.id}:99999")
    answer = await world.ben.click(last_in(world.channel), label="+ More")
    assert "between" in text(answer.response), "a strength in a custom_id is not taken on trust"


@pytest.mark.parametrize("identity", ["egao:nosuch:1", "egao:plus:x:y:z", "egao:plus", "egao:plus:" + "9" * 60])
async def test_a_custom_id_that_makes_no_sense_is_answered(world: World, identity: str) -> None:
    message = world.channel.last_message
    assert message is not None
    replace(world.env.backend.get_message(world.channel.id, message.id).components, custom_ids(message)["+ More"], identity)
    answer = await world.ann.click(last_in(world.channel), custom_id=identity)
    assert "older message" in text(answer.response)


async def test_buttons_and_forms_work_after_a_restart(world: World) -> None:
    shown = last_in(world.channel)
    form = await press(world, "Exact…")
    await world.restart()
    await world.ann.click(shown, label="+ More")
    assert drawn(world, world.channel.last_message) == pytest.approx(1.2, abs=0.06)
    await world.ann.submit_modal(form, {"strength": "2"})
    assert drawn(world, world.channel.last_message) == pytest.approx(2.0, abs=0.06)
    answer = await world.ben.click(last_in(world.channel), label="− Less")
    assert "Only the person" in text(answer.response)


async def test_full_size_tells_what_it_lacks_of_the_photo(tmp_path: Path) -> None:
    async with running(tmp_path) as world:
        await world.kept_face(world.ann, high=True)
        answer = await press(world, "Full size")
        assert "-# The result leaves out: the high dynamic range." in text(answer.response)


async def test_full_size_is_for_the_member_alone_and_without_loss(world: World) -> None:
    answer = await press(world, "Full size")
    assert answer.ephemeral
    (name, data), *_ = pictures(world, answer.response).items()
    assert name == "egao.png"
    assert strength_in(data) == pytest.approx(1.0, abs=0.06)
    assert "AI-edited" in text(answer.response)


async def test_delete_takes_the_message_and_offers_to_take_the_face(world: World) -> None:
    shown = last_in(world.channel)
    answer = await world.ann.click(shown, label="Delete")
    assert shown.id not in [one.id for one in world.channel.history()]
    (offer,) = answer.followups
    assert offer.ephemeral
    assert len(world.faces(world.ann)) == 1
    await world.ann.click(offer, label="Erase the face too")
    assert not world.faces(world.ann)


async def test_delete_works_when_the_face_is_gone(world: World) -> None:
    world.store.faces.delete(world.owner(world.ann), world.faces(world.ann)[0].id)
    answer = await press(world, "Delete")
    assert text(answer.followups[0]) == "The picture is deleted."


async def test_reports_reach_the_admins(world: World) -> None:
    form = await press(world, "Report", world.ben)
    answer = await world.ben.submit_modal(form, {"why": "else", "reason": "this is *not* him"})
    assert answer.ephemeral
    assert "/egao status" in text(answer.response)
    office = world.guild.create_text_channel("office")
    world.set(report_channel=office.id)
    form = await press(world, "Report", world.ann)
    await world.ann.submit_modal(form, {"why": "else", "reason": "still\nthere @everyone"})
    notice = office.last_message
    assert notice is not None
    assert str(world.ann.id) in text(notice)
    assert str(last_in(world.channel).id) in text(notice)
    assert not notice.mention_everyone
    status = await world.boss.slash(world.channel, "egao status")
    assert "Reports: 2" in text(status.response)


async def test_a_report_says_why_in_the_admins_language(world: World) -> None:
    office = world.guild.create_text_channel("office")
    world.set(report_channel=office.id, language="ja")
    form = await press(world, "Report", world.ben)
    assert form.modal is not None
    reasons = form.modal["components"][0]["component"]["options"]
    assert len(reasons) == 5
    await world.ben.submit_modal(form, {"why": "young"})
    assert "18歳未満の人が写っている" in text(office.last_message)
    (kept,) = world.store.reports.of(world.guild.id)
    assert kept.reason == "18歳未満の人が写っている"


async def test_the_same_picture_is_reported_once_by_each(world: World) -> None:
    office = world.guild.create_text_channel("office")
    world.set(report_channel=office.id)
    for person in (world.ben, world.ben, world.ann):
        answer = await person.submit_modal(await press(world, "Report", person), {"why": "else", "reason": "look"})
        assert "were told" in text(answer.response)
    assert len(office.history()) == 2
    assert world.store.reports.count(world.guild.id) == 2


async def test_admins_and_nobody_else_mark_a_report_as_handled(world: World) -> None:
    office = world.guild.create_text_channel("office")
    world.set(report_channel=office.id, language="ja")
    await world.ben.submit_modal(await press(world, "Report", world.ben), {"why": "else", "reason": "not him"})
    message = office.last_message
    assert message is not None
    assert labels(message) == ["対応済みにする"]
    world.set(language="en")
    refused = await world.ben.click(message, label="対応済みにする")
    assert "may manage this server" in text(refused.response)
    assert world.store.reports.count(world.guild.id) == 1
    await world.restart()
    await world.boss.click(message, label="対応済みにする")
    assert f"<@{world.boss.id}> has looked after" in text(office.last_message)
    assert str(last_in(world.channel).id) in text(last_in(office))
    assert "not him" not in text(office.last_message)
    assert not labels(office.last_message)
    assert world.store.reports.count(world.guild.id) == 0


async def test_a_report_can_be_handled_from_the_status_and_only_on_its_own_server(world: World) -> None:
    elsewhere = world.store.reports.add(1, world.ben.id, channel_id=2, message_id=3, reason="of another server")
    await world.ben.submit_modal(await press(world, "Report", world.ben), {"why": "else", "reason": "first\nline"})
    status = await world.boss.slash(world.channel, "egao status")
    assert "1. " in text(status.response)
    assert "first line" in text(status.response)
    await world.boss.click(response_of(status), label="Handled: 1")
    assert "Reports: 0" in text(status.response)
    assert "first line" not in text(status.response)
    assert world.store.reports.close(world.guild.id, elsewhere) is None
    assert world.store.reports.count(1) == 1


async def test_a_second_change_while_one_is_drawn_is_told_to_wait(world: World) -> None:
    from bot.requests.run import Run
    from bot.transport.answer import Answer

    ask = _ask(world)
    answer = Answer(world.bot, ask.say, world.ann.id, world.channel.id)
    run = Run(10**6, world.owner(world.ann), ask, answer, world.store.guilds.get(None))
    world.bot.service.runs[run.job_id] = run
    refused = await press(world, "+ More")
    assert "still being drawn" in text(refused.response)
    del world.bot.service.runs[run.job_id]


async def test_a_picture_too_large_for_the_server_is_sent_smaller(world: World) -> None:
    asked: list[int] = []
    submit = world.parts.executor.submit

    async def listening(request: Any, *args: Any, **kwargs: Any) -> Any:
        if hasattr(request, "max_bytes"):
            asked.append(request.max_bytes)
        return await submit(request, *args, **kwargs)

    world.parts.executor.submit = listening  # type: ignore[method-assign]
    world.env.inject_error("PATCH", "/webhooks/*", status=413, code=40005)
    await press(world, "+ More")
    assert drawn(world, world.channel.last_message) == pytest.approx(1.2, abs=0.06)
    assert len(asked) == 2
    assert asked[1] < asked[0]


def _ask(world: World) -> Any:
    from bot.requests.ask import Ask

    return Ask("edit", "en", 1, face_id=world.faces(world.ann)[0].id)


def replace(components: Any, old: str, new: str) -> None:
    """Change a custom_id in a stored message, as only a forger could."""
    for one in components if isinstance(components, list) else [components]:
        if one.get("custom_id") == old:
            one["custom_id"] = new
        replace(one.get("components", []), old, new)
