"""Names what the landmarker scores in a face, each 0..1: MediaPipe's blendshapes, which have ARKit's names.

"Left" and "Right" are the person's own. Its first score, "_neutral", is no blendshape, and always 0.
"""

from __future__ import annotations

from importlib.resources import files
from typing import Final

BLENDSHAPES: Final = frozenset(files("data").joinpath("blendshapes.txt").read_text("utf-8").split())
