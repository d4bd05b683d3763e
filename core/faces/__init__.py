"""Photos from strangers to upright pixels, the faces in them, and each face aligned as FFHQ aligns."""

from __future__ import annotations

from core.faces.align import Aligned, align, ffhq_matrix, ffhq_quad
from core.faces.landmarks import Face, FaceFinder
from core.faces.photo import Photo, check_size, load_photo

__all__ = ["Aligned", "Face", "FaceFinder", "Photo", "align", "check_size", "ffhq_matrix", "ffhq_quad", "load_photo"]
