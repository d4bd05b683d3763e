"""How the names of photos end, where nothing else tells yet what a file is. What a file really is, its bytes tell."""

from __future__ import annotations

from pathlib import PurePath
from typing import Final

# The formats that core.faces reads. Cameras call HEIC files .hif, and old programs JPEG files .jfif.
SUFFIXES: Final = frozenset({".jpg", ".jpeg", ".jfif", ".png", ".apng", ".webp", ".gif", ".avif", ".heic", ".heif", ".hif"})


def is_photo_name(name: str) -> bool:
    """Tell whether a file of this name may be a photo that egao reads."""
    return PurePath(name).suffix.lower() in SUFFIXES
