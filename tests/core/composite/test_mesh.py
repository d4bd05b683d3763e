"""The mesh over a face, and what is read from a mouth's measures: nothing is drawn."""

from __future__ import annotations

import numpy as np

from core.composite.mesh import triangles, with_rim
from core.composite.mouth import Mouth


def test_the_mesh_covers_the_face_once() -> None:
    """Every edge of the mesh has a triangle on either side, but for the rim's outer line."""
    points = np.random.default_rng(0).random((478, 2)) * 100  # a face's shape does not matter
    edges: dict[frozenset[int], int] = {}
    for a, b, c in triangles():
        for edge in (frozenset((a, b)), frozenset((b, c)), frozenset((c, a))):
            edges[edge] = edges.get(edge, 0) + 1
    outer = [edge for edge, count in edges.items() if count == 1]
    assert set(edges.values()) == {1, 2}
    assert len(outer) == 36
    assert all(min(edge) >= 468 for edge in outer)
    assert len(with_rim(points)) == 468 + 36


def test_teeth_between_rounded_lips_are_not_stretched_to_a_grin() -> None:
    """Though the mouth is as far open before as after."""
    assert Mouth(0.1, 0.11).own == 1
    assert Mouth(0.1, 0.11, width=0.9).own == 1
    assert Mouth(0.1, 0.11, width=0.7).own == 0
