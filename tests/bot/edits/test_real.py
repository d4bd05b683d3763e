"""The bot with the real weights: a photo dropped in a channel comes back neutral and smiling, and the buttons draw.

The short form is tests/process/test_flow.py, where the bot is a process of its own.
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from bot.requests.generators import Generators
from core.expressions import default
from core.faces import FaceFinder
from core.settings import Settings
from tests.bot.kit import World, last_in, pictures, running, text


def pixels(data: bytes) -> NDArray[np.uint8]:
    with Image.open(io.BytesIO(data)) as image:
        assert image.size == (512, 512), "the photo's own size"
        return np.asarray(image.convert("RGB"))


@pytest.mark.slow
@pytest.mark.long
async def test_a_real_photo_gets_real_pictures(tmp_path: Path, settings: Settings, astronaut_png: bytes) -> None:
    create, cache = "core.workbench:create", str(settings.cache)
    with FaceFinder(settings) as finder:

        def smile(world: World, name: str = "edited.jpg") -> float:
            face = finder.require(pixels(pictures(world, world.channel.last_message)[name]))[0]
            return default().of(face.blendshapes)

        async with running(
            tmp_path,
            process=True,
            workbench=create,
            patience=500,
            generators=Generators.of(settings),
            EGAO_CACHE=cache,
            EGAO_PROJECTION_STEPS="3",
        ) as world:
            world.open()
            world.consent(world.ann)
            await world.ann.send(world.channel, attachments=[("me.png", astronaut_png)])
            assert "AI-edited" in text(world.channel.last_message)
            neutral, smiling = smile(world, "neutral.jpg"), smile(world)
            assert neutral < 0.2 < 0.5 < smiling
            await world.ann.click(last_in(world.channel), label="Neutral")
            assert smile(world) == pytest.approx(neutral, abs=0.05), "the button draws what the gallery showed"
            answer = await world.ann.slash(world.channel, "smile", strength=1.5)
            assert b"compositeWithTrainedAlgorithmicMedia" in pictures(world, answer.response)["edited.jpg"]
