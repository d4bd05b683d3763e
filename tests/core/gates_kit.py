"""Pictures for the tests of the gates: which seeds look like children, and what the explicit look takes for more than it is."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

CHILDREN = (5018, 5024, 5059, 5107, 5111, 5136)  # from toddlers to about twelve
ADULTS = (5000, 5001, 5002, 5003, 5006, 5007, 5008, 5009, 5011, 5012)


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
