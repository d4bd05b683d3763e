"""Names what the landmarker scores in a face, each 0..1: MediaPipe's blendshapes, which have ARKit's names.

"Left" and "Right" are the person's own. Its first score, "_neutral", is no blendshape, and always 0.
"""

from __future__ import annotations

from typing import Final

_SIDED: Final = (
    "browDown", "browOuterUp", "cheekSquint", "eyeBlink", "eyeLookDown", "eyeLookIn", "eyeLookOut", "eyeLookUp", "eyeSquint",
    "eyeWide", "mouthDimple", "mouthFrown", "mouthLowerDown", "mouthPress", "mouthSmile", "mouthStretch", "mouthUpperUp",
    "noseSneer",
)  # fmt: skip
_SINGLE: Final = (
    "browInnerUp", "cheekPuff", "jawForward", "jawLeft", "jawOpen", "jawRight", "mouthClose", "mouthFunnel", "mouthLeft",
    "mouthPucker", "mouthRight", "mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper",
)  # fmt: skip
BLENDSHAPES: Final = frozenset([*_SINGLE, *(f"{name}{side}" for name in _SIDED for side in ("Left", "Right"))])
