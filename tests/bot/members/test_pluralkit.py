"""What PluralKit's webhooks posted: PluralKit is asked where the operator lets it, and then the photo is its sender's own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from simcord.backend import serializers

from bot.transport import pluralkit
from bot.transport.pluralkit import APPLICATION, Senders
from core.errors import BadSetting
from core.settings import Settings
from tests.bot.kit import World, agree, labels, last_in, pictures, response_of, running, text
from tests.bot.workbench import photo

PROXY = {"id": "777", "username": "Proxy", "discriminator": "0000", "avatar": None, "bot": True}
UNKNOWN = "A webhook posted that photo"


class PluralKit:
    """PluralKit's API on this machine: whose each message is, and what it was asked for."""

    def __init__(self) -> None:
        self.sender: dict[str, str] = {}  # by the channel
        self.asked: list[str] = []
        self.agents: list[str] = []
        self.answers: list[web.Response] = []  # given first, one for each question
        self.changes: dict[str, Any] = {}  # of what is said of a message

    async def message(self, request: web.Request) -> web.Response:
        self.asked.append(request.match_info["id"])
        self.agents.append(request.headers["User-Agent"])
        if self.answers:
            return self.answers.pop(0)
        channel, sender = next(iter(self.sender.items()))
        said = {"timestamp": "2026-01-01T00:00:00Z", "id": request.match_info["id"], "original": "1", "sender": sender}
        return web.json_response({**said, "channel": channel, "guild": "3", "system": None, "member": None, **self.changes})


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> dict[str, dict[str, Any]]:
    """By the content of a message: what Discord says of it otherwise than simcord does."""
    changes: dict[str, dict[str, Any]] = {"by proxy": {"author": PROXY, "webhook_id": "777", "application_id": str(APPLICATION)}}
    plain = serializers.message_payload

    def payload(*args: Any, **options: Any) -> Any:
        made = dict(plain(*args, **options))
        return {**made, **changes.get(str(made["content"]), {})}

    monkeypatch.setattr(serializers, "message_payload", payload)
    monkeypatch.setattr(pluralkit, "PAUSES", (0.01, 0.01))
    return changes


@pytest.fixture
async def kit() -> AsyncIterator[tuple[PluralKit, str]]:
    """The API, and its address."""
    kit = PluralKit()
    app = web.Application()
    app.router.add_get("/v2/messages/{id}", kit.message)
    async with TestServer(app) as server:
        yield kit, str(server.make_url("/v2"))


@pytest.fixture
async def world(tmp_path: Path, kit: tuple[PluralKit, str], told: dict[str, Any]) -> AsyncIterator[World]:
    async with running(tmp_path, EGAO_PLURALKIT=kit[1]) as made:
        made.open()
        made.consent(made.ann)
        kit[0].sender = {str(made.channel.id): str(made.ann.id)}
        yield made


@pytest.fixture
def api(kit: tuple[PluralKit, str]) -> PluralKit:
    return kit[0]


async def proxied(world: World, channel: Any = None) -> Any:
    """A photo that PluralKit's webhook posts."""
    channel = channel or world.channel
    return await world.ben.send(channel, "by proxy", attachments=[("me.png", photo())])


async def test_the_photo_is_its_senders_own_and_the_answer_too(world: World, api: PluralKit) -> None:
    sent = await proxied(world)
    result = last_in(world.channel)
    assert "edited.jpg" in pictures(world, result)
    (face,) = world.faces(world.ann)
    assert face.source.author_id == world.ann.id, "who is found when Ann wants her photos used no more"
    assert not world.faces(world.ben)
    assert f"<@{world.ann.id}>" in text(result)
    assert api.asked == [str(sent.id)], "once, and the number of the message alone"
    assert "egao" in api.agents[0]
    told = await world.ben.click(result, label="+ More")
    assert "Only the person who asked" in text(told.response)
    await world.ann.click(result, label="+ More")
    assert "Strength +1.25" in text(last_in(world.channel))


async def test_the_sender_is_asked_for_consent_and_nobody_else(world: World, api: PluralKit) -> None:
    api.sender = {str(world.channel.id): str(world.ben.id)}
    await proxied(world)
    question = last_in(world.channel)
    assert "Before your first photo" in text(question)
    refused = await world.ann.click(question, label="I agree")
    assert "for somebody else" in text(refused.response)
    await world.restart()
    await agree(world.ben, question)
    assert len(world.faces(world.ben)) == 1, "after a restart PluralKit is asked again"


async def test_by_the_menu_it_is_for_its_sender_alone(world: World, api: PluralKit) -> None:
    api.sender = {str(world.other_channel.id): str(world.ann.id)}
    sent = await proxied(world, world.other_channel)
    world.consent(world.ben)
    refused = await world.ben.context_menu(world.other_channel, "Make it smile", sent)
    assert "posted yourself" in text(refused.response)
    done = await world.ann.context_menu(world.other_channel, "Make it smile", sent)
    assert "edited.jpg" in pictures(world, response_of(done))


async def test_the_rules_of_the_server_hold_for_the_sender(world: World) -> None:
    role = world.guild.create_role("Artists")
    world.set(roles=(role.id,))
    await proxied(world)
    assert not world.faces(world.ann)
    await world.boss.slash(world.channel, "egao block", member=world.ann)
    world.set(roles=())
    await proxied(world)
    assert not world.faces(world.ann)


async def test_what_is_not_noted_yet_is_asked_for_again(world: World, api: PluralKit) -> None:
    api.answers = [web.json_response({"message": "Message not found.", "code": 20006}, status=404)]
    await proxied(world)
    assert len(api.asked) == 2
    assert len(world.faces(world.ann)) == 1


@pytest.mark.parametrize(
    "changes",
    [{"id": "5"}, {"channel": "5"}, {"sender": None}, {"sender": "x"}, {"sender": 5}, {"sender": "9" * 400}],
)
async def test_an_answer_about_something_else_is_none(world: World, api: PluralKit, changes: dict[str, Any]) -> None:
    api.changes = changes
    await proxied(world)
    assert UNKNOWN in text(last_in(world.channel))
    assert not world.faces(world.ann)
    assert not world.photos.fetched


@pytest.mark.parametrize(
    "answer",
    [
        web.Response(status=500),
        web.Response(status=302, headers={"Location": "/v2/messages/1"}),
        web.Response(text="no JSON"),
        web.Response(text="[" * 5000),
        web.json_response([]),
        web.Response(body=b'{"id": "' + b"x" * 2**17),
    ],
    ids=["failing", "elsewhere", "text", "nested", "list", "endless"],
)
async def test_while_it_fails_the_reason_is_told_as_before(world: World, api: PluralKit, answer: web.Response) -> None:
    api.answers = [answer]
    await proxied(world)
    assert UNKNOWN in text(last_in(world.channel))
    assert len(api.asked) == 1


async def test_it_is_left_alone_when_it_wants_to_be(world: World, api: PluralKit) -> None:
    api.answers = [web.Response(status=429, headers={"Retry-After": "30"})]
    await proxied(world)
    assert UNKNOWN in text(last_in(world.channel))
    await proxied(world)
    assert len(api.asked) == 1
    world.bot.senders._quiet_until = 0.0  # half a minute later
    await proxied(world)
    assert len(world.faces(world.ann)) == 1


async def test_who_left_the_server_may_ask_no_more(world: World, api: PluralKit) -> None:
    api.sender = {str(world.channel.id): "99999"}
    await proxied(world)
    assert UNKNOWN in text(last_in(world.channel))


async def test_of_other_webhooks_nobody_is_asked(world: World, api: PluralKit, told: dict[str, dict[str, Any]]) -> None:
    for other in ("5", None):
        told["by proxy"]["application_id"] = other
        await proxied(world)
        assert UNKNOWN in text(last_in(world.channel))
    assert api.asked == []


async def test_without_the_setting_nobody_is_asked(tmp_path: Path, kit: tuple[PluralKit, str], told: dict[str, Any]) -> None:
    async with running(tmp_path) as world:
        world.open()
        await proxied(world)
        assert UNKNOWN in text(last_in(world.channel))
        assert labels(last_in(world.channel)) == []
    assert kit[0].asked == []


async def test_where_nothing_listens_the_reason_is_told(tmp_path: Path, told: dict[str, Any]) -> None:
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1")
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    async with running(tmp_path, EGAO_PLURALKIT=f"http://127.0.0.1:{port}/v2") as world:
        world.open()
        await proxied(world)
        assert UNKNOWN in text(last_in(world.channel))


@pytest.mark.parametrize("address", ["http://api.pluralkit.me/v2", "ftp://127.0.0.1", "api.pluralkit.me", "http://[x"])
def test_only_an_address_that_nobody_can_listen_in_on(address: str) -> None:
    with pytest.raises(BadSetting, match="EGAO_PLURALKIT"):
        Senders(Settings.load({"EGAO_PLURALKIT": address}))
