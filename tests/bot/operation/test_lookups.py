"""What one message asks of the store: each thing once. A further look-up has to be put down here, with its reason.

Every line is one wait on the store's threads (`Store.run`). What is asked a second time is asked because time has passed:
who may have what done is checked at the door, in the transaction that makes the row, and when a request's turn has come.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec, TypeVar

import pytest

from core.store import Store
from tests.bot.kit import World, last_in, running
from tests.bot.workbench import photo

P = ParamSpec("P")
R = TypeVar("R")
Asked = list[str]

LET_IN = [
    "Gate._admit",  # the rules there, consent and blocks, whose photo it is
    "Service._take_in",  # the row; consent, blocks and erasures once more, in its transaction
    "Jobs.claim",  # also notes the message that the answer goes into
    "Gate._check_again",  # its turn may come minutes later
]
NEW_FACE = ["Faces.given_again", "Faces.add"]
ANSWERED = [
    "Faces.touch",
    "Gate._check_again",  # a rule may have been set, a consent taken back while it was drawn
    "Jobs.worked",
    "Ends._note_answered",
]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    """What the bot asks of the store from now on, by name."""
    names, run = Asked(), Store.run

    async def noted(self: Store, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        names.append(work.__qualname__)
        return await run(self, work, *args, **kwargs)

    monkeypatch.setattr(Store, "run", noted)
    return names


async def test_each_thing_is_asked_of_the_store_once(asked: Asked, tmp_path: Path) -> None:
    async with running(tmp_path) as world:
        world.open()
        world.consent(world.ann)
        found = await flows(world, asked)
        assert found == {
            "words in an open channel": [],
            "a photo elsewhere": ["Store.known_of"],
            "a photo": ["Store.known_of", *LET_IN, *NEW_FACE, *ANSWERED],
            "a button": [
                "Store.answered_in",  # whose answer the message with the button is
                "Store.known_of",
                "Faces.get",
                *LET_IN,
                "Faces.with_latent",
                *ANSWERED,
            ],
            "a button of somebody else's": ["Guilds.get"],  # for the language of the refusal
            "/smile on a kept face": ["Store.known_of", "Faces.of", *LET_IN, "Faces.with_latent", *ANSWERED],
            "/smile on a photo": ["Store.known_of", *LET_IN, *NEW_FACE, *ANSWERED],
            "a photo of two": ["Store.known_of", *LET_IN, "Jobs.checkpoint", "Jobs.requeue"],
        }
        assert {flow: len(found[flow]) for flow in ("a photo", "a button", "/smile on a kept face")} == {
            "a photo": 11,
            "a button": 12,
            "/smile on a kept face": 11,
        }


async def flows(world: World, asked: Asked) -> dict[str, Asked]:
    """What each thing that a member does asks of the store."""
    found: dict[str, Asked] = {}

    def end(flow: str) -> None:
        found[flow] = asked[:]
        asked.clear()

    asked.clear()
    await world.ann.send(world.channel, content="hello")
    end("words in an open channel")
    await world.ann.send(world.other_channel, attachments=[("me.png", photo(n=1))])
    end("a photo elsewhere")
    await world.ann.send(world.channel, attachments=[("me.png", photo(n=2))])
    end("a photo")
    result = last_in(world.channel)
    await world.ann.click(result, label="+ More")
    end("a button")
    await world.ben.click(result, label="+ More")
    end("a button of somebody else's")
    await world.ann.slash(world.channel, "smile", strength=1.0)
    end("/smile on a kept face")
    await world.ann.slash(world.channel, "smile", strength=1.0, photo=("me.png", photo(n=3)))
    end("/smile on a photo")
    await world.ann.send(world.channel, attachments=[("us.png", photo(faces=2))])
    end("a photo of two")
    return found
