"""Pixels to files: encoding with the metadata of an AI edit, contact sheets, animations."""

from __future__ import annotations

from core.pictures.animation import AnimationKind, animate
from core.pictures.credentials import Credentials, credentials
from core.pictures.encode import PLAIN, SUFFIXES, Manner, PictureKind, Source, encode
from core.pictures.film import FILM_KINDS, FilmKind, Playing, encode_film
from core.pictures.sheet import contact_sheet

__all__ = [
    "FILM_KINDS",
    "PLAIN",
    "SUFFIXES",
    "AnimationKind",
    "Credentials",
    "FilmKind",
    "Manner",
    "PictureKind",
    "Playing",
    "Source",
    "animate",
    "contact_sheet",
    "credentials",
    "encode",
    "encode_film",
]
