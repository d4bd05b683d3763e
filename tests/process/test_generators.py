"""The real bot with two real generators: the one that comes with egao, and an imported StyleGAN2 of 256 pixels.

The imported one draws a face (`face_kit`), so that results lie in the photos as those of any generator do. Faces are kept for
one generator, the server changes to the other, and back. The tests go on where the one before them left off.
"""

from __future__ import annotations

import io
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from dataclasses import dataclass

import numpy as np
import pytest
import pytest_asyncio
from PIL import Image

from core.expressions import default
from core.faces import FaceFinder
from core.generator import Generator
from core.settings import Settings
from core.weights.installed import chosen_digest
from tests.core.generator.face_kit import install_faces, portrait
from tests.discord.fake import Member, Message, replies_to
from tests.discord.stage import WORKING, Stage, agree, opened, picture, strength_of

# the short forms: tests/core/generator/test_worker.py without Discord, tests/bot/servers/test_generators.py with nothing drawn
pytestmark = [pytest.mark.long, pytest.mark.asyncio(loop_scope="module")]

NEWS = "Another face generator draws here now"
FACES = "faces"


@pytest.fixture(scope="module")
def own(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A home of its own."""
    return settings.model_copy(update={"home": tmp_path_factory.mktemp("bot")})


@pytest.fixture(scope="module")
def digest(own: Settings) -> str:
    """The digest of the imported generator, which lies in the home with all that it needs."""
    return install_faces(own, FACES, own.home)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(own: Settings, digest: str) -> AsyncIterator[Stage]:
    environ = {"EGAO_CACHE": str(own.cache), "EGAO_PROJECTION_STEPS": "2"}
    async with opened(own.home, **environ) as stage:
        yield stage


@pytest.fixture(scope="module")
def photo(generator: Generator, settings: Settings) -> bytes:
    return portrait(generator, settings)


@dataclass
class Asked:
    """A member, and the result that the generator that comes with egao drew for them."""

    member: Member
    result: Message


async def asked(stage: Stage, photo: bytes, name: str) -> Asked:
    member = stage.guild.member(name)
    return Asked(member, await stage.result(await stage.drop(member, photo)))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ann(stage: Stage, photo: bytes) -> Asked:
    return await asked(stage, photo, "Ann")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ben(stage: Stage, photo: bytes) -> Asked:
    return await asked(stage, photo, "Ben")


@pytest.fixture(scope="module")
def finder(settings: Settings) -> Iterator[FaceFinder]:
    with FaceFinder(settings) as finder:
        yield finder


def smile(finder: FaceFinder, data: bytes) -> float:
    """The smile score 0..1 of the one face in an encoded picture."""
    (face,) = finder.find(np.asarray(Image.open(io.BytesIO(data)).convert("RGB")))
    return default().of(face.blendshapes)


async def choose(stage: Stage, name: str) -> None:
    """An admin chooses the server's generator."""
    panel = await stage.boss.slash("egao settings", stage.photos).wait_message(within=WORKING)
    await stage.boss.select(panel, name, menu="egao:set:generator").wait_answer(WORKING)


async def more(stage: Stage, one: Asked, wanted: float) -> str:
    """Press "+ More" and wait for the picture: the message's text."""
    one.member.press(one.result, "+ More")
    await stage.discord.world.until(lambda: strength_of(one.result) == wanted and not one.result.loading, WORKING, f"{wanted}")
    return one.result.text


def kept_for(own: Settings) -> list[str]:
    """The digests of the generators that the store's faces are kept for, in the order in which they were kept."""
    with closing(sqlite3.connect(f"file:{own.home / 'egao.sqlite3'}?mode=ro", uri=True)) as store:
        return [digest for (digest,) in store.execute("select generator from faces order by id")]


async def test_after_a_change_a_face_is_projected_anew_from_its_photo(
    stage: Stage, own: Settings, digest: str, ann: Asked, ben: Asked, finder: FaceFinder
) -> None:
    assert kept_for(own) == [chosen_digest(own)] * 2
    await choose(stage, FACES)
    told = await more(stage, ann, 1.25)
    assert NEWS in told
    assert "from its photo" in told
    assert smile(finder, picture(ann.result, "edited").data) > 0.5, "the other generator's smile lies in the photo"
    assert kept_for(own) == [digest, chosen_digest(own)]


async def test_without_its_photo_it_is_projected_anew_from_its_old_picture(
    stage: Stage, own: Settings, digest: str, ben: Asked, finder: FaceFinder
) -> None:
    posted = ben.result.reference
    assert posted is not None
    stage.discord.cdn.drop(posted.attachments[0])
    told = await more(stage, ben, 1.25)
    assert NEWS in told
    assert "from what the earlier generator drew" in told
    assert smile(finder, picture(ben.result, "edited").data) > 0.5
    assert kept_for(own) == [digest, digest]


async def test_a_face_of_the_usual_one_works_beside_it(stage: Stage, own: Settings, digest: str, photo: bytes) -> None:
    """Direct messages are drawn with the deployment's own generator, whatever servers choose."""
    cleo = stage.guild.member("Cleo")
    posted = cleo.upload(cleo.dm, photo)
    reply = await cleo.dm.wait_message(replies_to(posted), WORKING)
    await agree(cleo, reply)
    result = await stage.result(reply)
    assert kept_for(own) == [digest, digest, chosen_digest(own)]
    assert NEWS not in await more(stage, Asked(cleo, result), 1.25)


async def test_back_again_it_is_projected_anew_and_said_once(
    stage: Stage, own: Settings, digest: str, ann: Asked, finder: FaceFinder
) -> None:
    await choose(stage, "-")
    told = await more(stage, ann, 1.5)
    assert NEWS in told
    assert smile(finder, picture(ann.result, "edited").data) > 0.5
    assert kept_for(own) == [chosen_digest(own), digest, chosen_digest(own)]
    assert NEWS not in await more(stage, ann, 1.75)
