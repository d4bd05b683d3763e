"""The names of the blendshapes that MediaPipe's landmarker scores in a face, each 0..1 (the same names as ARKit's).

"Left" and "Right" are the person's own. The landmarker's first score, "_neutral", is always 0 and not among them.
"""

from __future__ import annotations

from importlib.resources import files
from typing import Final

BLENDSHAPES: Final = frozenset(files("data").joinpath("blendshapes.txt").read_text("utf-8").split())
