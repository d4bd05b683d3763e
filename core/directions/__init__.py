"""Directions in latent space: what strength 1 adds to the latent of a face, and how that was learned.

An edit needs only this module; learning (`core.directions.fit`) and judging (`core.directions.report`) import far more.
"""

from __future__ import annotations

from core.directions.direction import DEFAULT, Direction, apply, load_direction, names, read_direction, save_direction

__all__ = ["DEFAULT", "Direction", "apply", "load_direction", "names", "read_direction", "save_direction"]
