"""Whatever somebody sends in the place of a number or an id: one clear sentence, no mistake in the log, nothing changed.

Discord checks some of it, but what arrives is what a client sent: each command, form, select and button is tried here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from simcord import interactions

from cogs.settings import FORMS
from tests.bot.kit import World, custom_ids, last_in, response_of, select_of, text
from tests.bot.workbench import photo

pytestmark = pytest.mark.slow

HOSTILE = {
    "digits": "9" * 5000,
    "many digits": "9" * 4100,
    "nan": "NaN",
    "infinite": "inf",
    "negative": "-1",
    "huge": "1e400",
    "64 bits": str(2**63),
    "minus 64 bits": str(-(2**63)),
    "arabic": "٣",
    "full width": "３",
    "superscript": "²",
    "roman": "Ⅷ",
    "underscored": "1_0",
    "hex": "0x10",
    "nothing": "",
    "spaces": " " * 3000,
    "zero byte": "1\x002",
    "half a pair": "\ud800",
    "statement": "1'; drop table faces; --",
    "template": "{0.__class__}%s%(x)s",
    "mention": "@everyone <@&1>",
    "numbered": "#" + "9" * 5000,
    "backwards": "\u202e123",
}
NUMBERS = (float("nan"), float("inf"), float("-inf"), 1e308, -5e-324, -0.0)
IDS = ("", "0", str(2**63), "-" + "9" * 20)


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[dict[str, Any]], None]], None]:
    """Change what simcord's people send from now on, after its own checks."""
    original = interactions.base_payload

    def change(how: Callable[[dict[str, Any]], None]) -> None:
        def payload(*args: Any, **kwargs: Any) -> Any:
            record, made = original(*args, **kwargs)
            how(made["data"])
            return record, made

        monkeypatch.setattr(interactions, "base_payload", payload)

    return change


def put(name: str, value: Any) -> Callable[[dict[str, Any]], None]:
    """Let an option or a field of this name, wherever it stands, have this value."""

    def into(data: dict[str, Any]) -> None:
        for part in (*data.get("options", ()), *data.get("components", ())):
            if name in (part.get("name"), part.get("custom_id")):
                part["value"] = value
            into(part)
        if isinstance(data.get("component"), dict):
            into({"components": [data["component"]]})

    return into


def refused(world: World, message: Any, value: str = "") -> None:
    """A sentence that repeats at most a little of what was sent, and no mistake in the code."""
    said = text(message)
    assert said
    assert "went wrong" not in said
    assert len(said) < 700, "what was sent is not sent back at length"
    assert world.complaints() == []


async def test_a_face(world: World, sent: Any) -> None:
    await world.kept_face(world.ann)
    kept = len(world.faces(world.ann))
    for value in HOSTILE.values():
        sent(put("face", value))
        for command, options in (("smile", {"strength": 1.0}), ("animate", {})):
            refused(world, response_of(await world.ann.slash(world.channel, command, face="1", **options)))
    for name in ("digits", "arabic", "superscript", "half a pair"):
        sent(put("face", HOSTILE[name]))
        new = await world.ann.slash(world.channel, "smile", strength=1.0, photo=("a.png", photo(2, mark="NEW")), face="1")
        refused(world, response_of(new))
    assert len(world.faces(world.ann)) == kept


async def test_a_face_that_is_looked_for_while_it_is_typed(world: World) -> None:
    await world.kept_face(world.ann)
    for value in HOSTILE.values():
        assert await world.ann.autocomplete(world.channel, "smile", "face", value, strength=1.0) is not None
    assert world.complaints() == []


async def test_a_strength(world: World, sent: Any) -> None:
    await world.kept_face(world.ann)
    for value in NUMBERS:
        sent(put("strength", value))
        answer = response_of(await world.ann.slash(world.channel, "smile", strength=1.0))
        assert ("must be between" in text(answer)) == (value not in NUMBERS[-2:])
        refused(world, answer)


async def test_an_exact_strength(world: World, sent: Any) -> None:
    message = await world.kept_face(world.ann)
    for name, value in HOSTILE.items():
        form = await world.ann.click(message, label="Exact…")
        sent(put("strength", value))
        answer = await world.ann.submit_modal(form, {"strength": "1"})
        if name in {"arabic", "full width"}:
            now = await world.bot.get_partial_messageable(world.channel.id).fetch_message(message.id)
            assert "+3" in text(now), "a digit is a digit in any script"
        else:
            refused(world, response_of(answer))


# One field in each test: simcord looks through every form that was opened before, so half as many take a quarter of the time.
@pytest.mark.parametrize(("form", "field"), [(form, name) for form, (_, names) in FORMS.items() for name in names])
async def test_numbers_of_the_settings(world: World, form: str, field: str, sent: Any) -> None:
    fields = FORMS[form][1]
    panel = response_of(await world.boss.slash(world.channel, "egao settings"))
    before = world.store.guilds.get(world.guild.id)
    label = next(label for label, identity in custom_ids(panel).items() if identity.endswith(f":{form}"))
    values = {one: f"{getattr(before, one):g}" for one in fields}
    for name, value in HOSTILE.items():
        opened = await world.boss.click(panel, label=label)
        sent(put(field, value))
        refused(world, response_of(await world.boss.submit_modal(opened, values)))
        now = getattr(world.store.guilds.get(world.guild.id), field)
        assert now == getattr(before, field) or name in {"arabic", "full width", "superscript", "underscored"}, name
        world.set(**{field: getattr(before, field)})


async def test_a_name(world: World, sent: Any) -> None:
    """It may be anything; it is cut and kept as it is."""
    await world.kept_face(world.ann)
    (face,) = world.faces(world.ann)
    for value in HOSTILE.values():
        listed = response_of(await world.ann.slash(world.channel, "faces"))
        await world.ann.select(listed, [str(face.id)])
        form = await world.ann.click(listed, label="Rename…")
        sent(put("name", value))
        await world.ann.submit_modal(form, {"name": "x"})
        assert world.complaints() == [], value
        assert len(world.faces(world.ann)[0].name or "") <= 40


async def test_a_reason(world: World, sent: Any) -> None:
    """It may be anything; it is cut, kept and shown as it is."""
    message = await world.kept_face(world.ann)
    for value in HOSTILE.values():
        form = await world.ben.click(message, label="Report")
        sent(put("reason", value))
        refused(world, response_of(await world.ben.submit_modal(form, {"why": "else", "reason": "x"})))
        for report in world.store.reports.by(world.owner(world.ben)):
            refused(world, response_of(await world.boss.slash(world.channel, "egao status")))
            world.store.reports.close(world.guild.id, report.id)


@pytest.mark.parametrize("control", ["channels", "roles", "reportchannel", "whose", "language"])
async def test_what_is_chosen_in_the_settings(world: World, control: str, sent: Any) -> None:
    panel = response_of(await world.boss.slash(world.channel, "egao settings"))
    before = world.store.guilds.get(world.guild.id)
    known: dict[str, Any] = {"whose": "own", "language": "en", "roles": world.guild.create_role("R")}
    known |= dict.fromkeys(("channels", "reportchannel"), world.channel)
    for value in HOSTILE.values():
        if value in {"٣", "３"} and control in {"channels", "roles", "reportchannel"}:
            continue  # the number 3, of no channel or role that there is
        sent(lambda data, value=value: data.update(values=[value]))
        answer = await world.boss.select(panel, [known[control]], custom_id=f"egao:set:{control}")
        refused(world, response_of(answer))
        assert world.store.guilds.get(world.guild.id) == before, value


@pytest.mark.parametrize("kind", ["pick", "facepick"])
async def test_what_is_chosen_of_faces(world: World, kind: str, sent: Any) -> None:
    if kind == "pick":
        await world.ann.send(world.channel, attachments=[("us.png", photo(3))])
        message: Any = world.channel.last_message
    else:
        await world.kept_face(world.ann)
        message = response_of(await world.ann.slash(world.channel, "faces"))
    known = select_of(message)["options"][0]["value"]
    for value in (*HOSTILE.values(), "3", "10", "-0", "all "):
        sent(lambda data, value=value: data.update(values=[value]))
        answer = await world.ann.select(message, [known])
        if answer.response is not None:
            refused(world, answer.response)
        assert world.complaints() == [], value
    assert len(world.faces(world.ann)) <= 1


@pytest.mark.parametrize(("count", "ids"), list(zip((1, 4, 2, 4), IDS, strict=True)))
@pytest.mark.parametrize("half", [0, 1])  # of the controls: of many presses each takes longer, see above
async def test_each_control_with_ids_that_are_none(world: World, count: int, ids: str, half: int) -> None:
    """Under a message that, by a mistake of ours or of a version to come, really has such a control."""
    person = (world.boss, world.ann)[IDS.index(ids) % 2]
    await world.kept_face(world.ann)
    before = world.store.guilds.get(world.guild.id)
    for verb in list(world.bot.presses._handlers)[half::2]:
        await pressed(world, person, ":".join(("egao", verb, *[ids] * count)))
        assert world.complaints() == [], verb
    assert world.store.guilds.get(world.guild.id) == before
    assert len(world.faces(world.ann)) == 1
    assert world.store.members.has_consented(world.ann.id, 1)


async def pressed(world: World, person: Any, identity: str) -> None:
    """The person presses such a control under a message of the bot's that has it."""
    message = last_in(world.channel)
    stored = world.env.backend.get_message(world.channel.id, message.id)
    assert stored is not None
    stored.components = [{"type": 1, "components": [{"type": 2, "style": 2, "label": "x", "custom_id": identity}]}]
    await person.click(message, label="x")
