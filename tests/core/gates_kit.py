"""Pictures for the tests of the gates: which seeds look like children, and what the explicit look takes for more than it is."""

from __future__ import annotations

import contextlib
import hashlib
import io
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

import core.gates
from core.executor import FindFaces, FoundFaces, Workbench
from core.gates import Gates
from core.generator import Generator
from core.generator.latent import seed_w
from core.rendering import Renderer
from core.settings import Settings

CHILDREN = (5018, 5024, 5059, 5107, 5111, 5136)  # from toddlers to about twelve
ADULTS = (5000, 5001, 5002, 5003, 5006, 5007, 5008, 5009, 5011, 5012)
SIDE = 256  # pixels of a person's picture


def check_photo(gates: Gates, pixels: NDArray[np.uint8]) -> None:
    """Check a photo as a whole and in parts, to the end. Raises LooksExplicit."""
    with gates.checking(pixels) as checking:
        for _ in checking.rest():
            pass


class People(dict[int, NDArray[np.uint8]]):
    """Each seed's picture, drawn when it is first asked for."""

    def __init__(self, generator: Generator) -> None:
        super().__init__()
        self.renderer = Renderer(generator)

    def __missing__(self, seed: int) -> NDArray[np.uint8]:
        (image,) = self.renderer.images(self.renderer.generator.broadcast(seed_w(self.renderer.generator, [seed])))
        return self.setdefault(seed, smaller(image, SIDE))


def smaller(picture: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Make a square picture smaller, to `side` pixels."""
    return np.asarray(Image.fromarray(picture).resize((side, side), Image.Resampling.BOX))


def with_settings(settings: Settings, **changes: object) -> Settings:
    """Copy the settings with some of them changed."""
    return settings.model_copy(update=changes)


def looked(bench: Workbench, photo: bytes) -> FoundFaces:
    """What the workbench finds in a photo."""
    *_, found = bench.find_faces(FindFaces(photo))
    assert isinstance(found, FoundFaces)
    return found


def skin_tones() -> NDArray[np.uint8]:
    """Blurred ellipses in the colours of skin: nothing that anybody would mind, but enough for the network."""
    dice = np.random.RandomState(0)
    image = Image.new("RGB", (224, 224), tuple(int(v) for v in dice.uniform(60, 250, 3)))
    draw = ImageDraw.Draw(image)
    for _ in range(dice.randint(2, 7)):
        x, y, wide, high = dice.uniform((0, 0, 10, 10), (224, 224, 110, 110))
        colour = tuple(int(v) for v in dice.uniform((190, 130, 100), (240, 180, 150)))
        draw.ellipse([x - wide, y - high, x + wide, y + high], fill=colour)
    return np.asarray(image.filter(ImageFilter.GaussianBlur(4)))


def png(pixels: NDArray[np.uint8]) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "png", compress_level=1)
    return out.getvalue()


@contextlib.contextmanager
def each_look_once() -> Iterator[None]:
    """Let the real networks look at the same numbers once: what they said is said again, for most tests show them the same."""
    said: dict[bytes, NDArray[np.float32]] = {}
    run = core.gates._run

    def once(network: Any, batch: NDArray[np.floating]) -> NDArray[np.float32]:
        # the shape tells the two networks apart: one sees 224 pixels, the other 64
        key = hashlib.sha256(repr((batch.shape, batch.dtype)).encode() + np.ascontiguousarray(batch).tobytes()).digest()
        if key not in said:
            said[key] = run(network, batch)
        return said[key].copy()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(core.gates, "_run", once)
        yield
