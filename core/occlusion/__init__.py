"""What lies before a face: hands, cups, masks, letters. Found in the photo, so that an edit leaves it alone."""

from __future__ import annotations

from core.occlusion.find import Finder, hidden

__all__ = ["Finder", "hidden"]
