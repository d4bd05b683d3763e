"""Contact sheets: pictures side by side under their labels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

_MARGIN = 12
_BACKGROUND, _INK = (250, 250, 248), (40, 40, 40)


def contact_sheet(rows: Sequence[Sequence[tuple[str, np.ndarray]]], side: int = 384) -> np.ndarray:
    """Lay out rows of labelled pictures, each (label, uint8 [H, W, 3]), on one sheet, uint8 [H, W, 3].

    Each picture is made smaller or larger to fit `side` x `side` pixels, keeping its shape. Rows may have different
    lengths; there must be at least one row.
    """
    letters = max(14, side // 18)  # pixels
    band = round(letters * 1.8)
    columns = max(len(row) for row in rows)
    width = _MARGIN + columns * (side + _MARGIN)
    height = _MARGIN + len(rows) * (band + side + _MARGIN)
    sheet = Image.new("RGB", (width, height), _BACKGROUND)
    draw = ImageDraw.Draw(sheet)
    for row_index, row in enumerate(rows):
        top = _MARGIN + row_index * (band + side + _MARGIN)
        for column, (label, pixels) in enumerate(row):
            left = _MARGIN + column * (side + _MARGIN)
            font = _fitting(label, letters, side)
            draw.text((left + side / 2, top + band / 2), label, font=font, fill=_INK, anchor="mm")
            scale = side / max(pixels.shape[:2])
            size = (round(pixels.shape[1] * scale), round(pixels.shape[0] * scale))
            picture = Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS)
            sheet.paste(picture, (left + (side - picture.width) // 2, top + band + (side - picture.height) // 2))
    return np.array(sheet)


def _fitting(label: str, letters: int, width: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Load Pillow's own font in a size of `letters` pixels, or smaller if the label would be wider than `width` pixels."""
    font = ImageFont.load_default(size=letters)
    needed = font.getlength(label)
    return font if needed <= width else ImageFont.load_default(size=letters * width / needed)
