"""Directions in latent space: what a strength of 1 adds to a face, and where that was learned.

This much is all an edit needs; learning (`core.directions.fit`) and judging (`core.directions.report`) load far more.
"""

from __future__ import annotations

from core.directions.direction import DEFAULT, Direction, apply, load_direction, names, read_direction, save_direction

__all__ = ["DEFAULT", "Direction", "apply", "load_direction", "names", "read_direction", "save_direction"]
