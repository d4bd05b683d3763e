"""Decodes photos from strangers, finds the faces in them, and aligns each face as FFHQ does."""

from __future__ import annotations

from core.faces.align import Aligned, align, ffhq_matrix, ffhq_quad
from core.faces.film import Film, load_film
from core.faces.landmarks import Face, FaceFinder
from core.faces.photo import Photo, check_size, load_photo, read_photo

__all__ = [
    "Aligned",
    "Face",
    "FaceFinder",
    "Film",
    "Photo",
    "align",
    "check_size",
    "ffhq_matrix",
    "ffhq_quad",
    "load_film",
    "load_photo",
    "read_photo",
]
