"""Finds things in front of a face in a photo, such as hands, cups, masks and letters, so that an edit leaves them alone."""

from __future__ import annotations

from core.occlusion.find import Finder, hidden

__all__ = ["Finder", "hidden"]
