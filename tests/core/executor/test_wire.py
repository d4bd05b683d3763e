"""The codec between the bot and a worker: plain data both ways, and nothing else."""

from __future__ import annotations

import asyncio
import json
import math
import pickle
import struct
from dataclasses import fields
from pathlib import Path
from typing import Any, get_args

import pytest

from core.errors import (
    AdminsOnly,
    BadSetting,
    ConsentNeeded,
    EgaoError,
    InternalError,
    NoFace,
    NoFaceDrawn,
    NoSuchFace,
    NotReached,
    NotWhole,
    UnreadablePhoto,
    WeightsMissing,
    WorkerDied,
    WouldOverwrite,
    WrongKey,
)
from core.executor import FoundFace, FoundFaces, Progress, Project, Projected, Render, Rendered, WorkItem
from core.executor.kinds import kinds, modules
from core.executor.protocol import messages as say
from core.executor.protocol import wire
from core.executor.protocol.link import BadFrame
from core.executor.protocol.payload import adapter
from core.learned import Learned
from core.settings import Settings
from tests.core.executor.kit import ANN
from tests.core.store.kit import LEARNED

SETUP = say.Setup("core.workbench:create", modules(), Settings.load({"EGAO_HOME": "/x"}), parent=7, memory=1 << 40, nice=5)
TO_WORKER: list[say.ToWorker] = [
    SETUP,
    say.Run(
        (1, 2), (Render(b"latent", (0.0, "neutral"), size=512, max_bytes=8 << 20), Render(b"", (1.5,), photo=b"\0\xff")), (0, 7)
    ),
    say.Start(3, Project(b"\xff" * 9, face=1, resume=b"x", learned=Learned('{"a": 1}'))),
    say.Cancel(3),
    say.Forget((7, 8)),
    say.Stop(),
]
FROM_WORKER: list[say.FromWorker] = [
    say.Ready(1.0),
    say.Working((1, 2)),
    say.Stepped(3, Progress(1, 2, 0.5, b"\xfe", checkpoint=b""), 1.5),
    say.Answered(1, Rendered((b"a", b"\0"), (0.5, 1.0), ("png", "jpeg"), (1.0, -0.75), LEARNED), 0.1),
    say.Answered(1, FoundFaces((FoundFace(0, (0.0, 0.5, 1.0, 2.0), b"t", Learned("f")),)), 0.1),
    say.Answered(1, Projected(b"l", b"t", {"all": 1.5}, learned=LEARNED), 0.1),
    say.Cancelled(3, 0.5),
    say.Log(20, "name", "text"),
]


def crossed(message: Any) -> Any:
    """A message as the other side reads it."""
    frame = wire.encode(message)
    (size,) = struct.unpack_from("!I", frame[0])
    return wire.decode(frame[0][-size:], frame[1:], say.ToWorker if message in TO_WORKER else say.FromWorker)


def read(tree: Any, parts: tuple[bytes, ...] = (), side: Any = say.FromWorker) -> Any:
    return wire.decode(tree if isinstance(tree, bytes) else json.dumps(tree).encode(), parts, side)


@pytest.mark.parametrize("message", [*TO_WORKER, *FROM_WORKER], ids=lambda message: type(message).__name__)
def test_messages_come_out_as_they_went_in(message: Any) -> None:
    assert crossed(message) == message


def test_bytes_are_carried_beside_the_header_uncopied() -> None:
    photo = bytes(1 << 20)
    frame = wire.encode(say.Start(1, Project(photo)))
    assert frame[1] is photo
    assert len(frame[0]) < 1000
    assert crossed(say.Answered(1, Rendered((photo,)), 0.0)).answer.pictures[0] is photo


def test_a_score_may_be_unknown_but_nothing_endless() -> None:
    assert math.isnan(crossed(say.Answered(1, Rendered((b"",), (math.nan,)), 0.1)).answer.scores[0])
    with pytest.raises(BadFrame):
        wire.checked(say.Answered(1, Rendered((b"",), (math.inf,)), 0.1))


async def test_a_worker_that_names_no_time_is_not_believed() -> None:
    seen: list[Progress] = []
    item = WorkItem(Project(b""), ANN, seen.append)
    item.begin()
    for eta in (math.nan, -1.0):
        item.step(Progress(1, 2, eta))
    assert item.remaining(7.0) == pytest.approx(7.0, abs=0.5)
    assert [progress.eta_seconds for progress in seen] == [None, None]


def test_every_error_crosses_as_its_code_and_plain_facts() -> None:
    assert type(crossed(say.Answered(1, NoFace(), 0.0)).answer) is NoFace
    error = crossed(say.Answered(1, NoSuchFace(face=Path("a"), count=2), 0.0)).answer
    assert (type(error), error.facts) == (NoSuchFace, {"face": "a", "count": 2})
    long = crossed(say.Answered(1, UnreadablePhoto(reason="x\x1b[2J\n" * 999), 0.0)).answer
    assert len(long.facts["reason"]) == 500
    assert "\x1b" not in str(long)
    assert "\n" not in str(long)


class Foreign(EgaoError):
    sentence = "private"


class OfAKindOfItsOwn(EgaoError):
    """Declared in the file of another kind of work, in no family."""

    sentence = "At {place} nothing can be told."


WORKERS = (
    NoFaceDrawn(), NotWhole(strength="+1"), NotReached(strength="−0.5"), WeightsMissing(name="x"),
    BadSetting(name="x", reason="y"), WorkerDied(), WouldOverwrite(file="x"), InternalError(), OfAKindOfItsOwn(place="A"),
)  # fmt: skip


@pytest.mark.parametrize("error", WORKERS, ids=lambda error: error.code)
def test_an_error_of_any_family_crosses_with_its_facts(error: EgaoError, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(OfAKindOfItsOwn, "__module__", "core.executor.kinds.describe")
    found = crossed(say.Answered(1, error, 0.0)).answer
    assert (type(found), found.facts, str(found)) == (type(error), error.facts, str(error))


@pytest.mark.parametrize("error", [Foreign(), ConsentNeeded(), AdminsOnly(), WrongKey(path="x", source="y")])
def test_a_worker_says_only_errors_that_are_its_own(error: EgaoError) -> None:
    assert type(crossed(say.Answered(1, error, 0.0)).answer) is InternalError


ATTRIBUTE = "{x.__init__.__globals__}"


@pytest.mark.parametrize(
    "error",
    [
        ["NoFace", {"sentence": "{x.__class__}", "x": "y"}],
        ["UnreadablePhoto", {"reason": ATTRIBUTE}],
        ["NoSuchFace", {}],
        ["NoSuchFace", {"face": 1, "count": 2, "self": "x"}],
        ["EgaoError", {}],
        ["_Filler", {}],
        ["__builtins__", {}],
        ["Exception", {"x": "y"}],
        ["", {}],
    ],
)
def test_no_error_frame_makes_anything_but_an_error_with_its_own_sentence(error: Any) -> None:
    answer = read(["Answered", {"item": 1, "answer": ["error", error], "seconds": 0.0}]).answer
    assert isinstance(answer, EgaoError)
    assert "sentence" not in vars(answer)
    own = type(answer).sentence.replace("{reason}", ATTRIBUTE)
    assert str(answer) == own  # nothing in a fact is looked up


def test_a_template_reaches_nothing_but_its_facts() -> None:
    class Careless(EgaoError):
        sentence = "{x.real}"

    class Indexed(EgaoError):
        sentence = "{x[0]}"

    for kind in (Careless, Indexed):
        with pytest.raises(KeyError):
            kind(x="abc")


ANSWER = {"item": 1, "answer": ["Rendered", {"pictures": []}], "seconds": 0.0}
HOSTILE: list[Any] = [
    b"",
    b"nonsense",
    b"\xff\xfe",
    pickle.dumps(Rendered(())),
    7,
    [],
    ["Answered"],
    ["Nothing", {}],
    ["Path", {}],
    ["Stop", {}],  # said by the other side
    ["Run", {"items": [], "requests": []}],
    ["Answered", {**ANSWER, "item": "x"}],
    ["Answered", {**ANSWER, "answer": ["Path", {}]}],
    ["Answered", {**ANSWER, "answer": ["Settings", {}]}],
    ["Answered", {**ANSWER, "answer": ["Rendered", {"pictures": [7]}]}],
    ["Answered", {**ANSWER, "answer": ["Rendered", {}]}],
    ["Answered", {**ANSWER, "answer": {"\0": 0}}],
    ["Answered", {**ANSWER, "answer": ["error", ["NoFace", {"x": [1]}]]}],
    ["Answered", {**ANSWER, "answer": ["error", [["NoFace"], {}]]}],
    ["Answered", {**ANSWER, "answer": ["Rendered", {"pictures": [{"\0": 9}]}]}],
    ["Answered", {**ANSWER, "answer": ["Rendered", {"pictures": [{"\0": -1}]}]}],
    ["Answered", {**ANSWER, "answer": ["Rendered", {"pictures": [{"\0": "0"}]}]}],
    b'["Ready", {"seconds": Infinity}]',
    b'["Ready", {"seconds": 1e999}]',
    b'["Ready", {"seconds": -Infinity}]',
    b'["Working", {"items": [' + b"9" * 30 + b"]}]",
    b'["Ready", {"seconds": ' + b"[" * 100_000 + b"]" * 100_000 + b"}]",
    b'["Ready", {"seconds": ' + b"[" * 30 + b"]" * 30 + b"}]",
]


@pytest.mark.parametrize("frame", HOSTILE, ids=lambda frame: str(frame)[:60])
def test_nonsense_is_not_a_message(frame: Any) -> None:
    with pytest.raises(BadFrame):
        read(frame, (b"part",))


@pytest.mark.parametrize(
    "head",
    [
        struct.pack("!II", wire.HEADER + 1, 0),
        struct.pack("!II", 10, wire.PARTS + 1),
        struct.pack("!IIQ", 10, 1, wire.LARGEST + 1),
        struct.pack("!IIQQ", 10, 2, wire.LARGEST, 1),
    ],
)
async def test_a_frame_that_is_too_large_is_refused_before_it_is_read(head: bytes) -> None:
    reader = asyncio.StreamReader()
    reader.feed_data(head)  # and no more: whoever waits for the rest never comes back
    async with asyncio.timeout(5):
        with pytest.raises(BadFrame):
            await wire.read(reader)


@pytest.mark.parametrize("inside", [Path("x"), wire.encode, [Path("x")], Settings, object(), bytearray(b"x")])
def test_nothing_but_plain_values_is_sent(inside: Any) -> None:
    for message in (say.Answered(1, Rendered((inside,)), 0.0), say.Answered(1, inside, 0.0)):
        with pytest.raises(BadFrame):
            wire.checked(message)


def test_the_answers_of_all_kinds_are_made_of_what_the_codec_knows() -> None:
    """A field of another type would be found only when a member asks for it."""
    for message in get_args(say.FromWorker) + get_args(say.ToWorker):
        assert adapter(message)
    for kind in kinds():
        assert adapter(kind.request)
        assert adapter(kind.answer)
        assert fields(kind.answer)
