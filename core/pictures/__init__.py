"""Pixels to files: encoding with the metadata of an AI edit, contact sheets, animations."""

from __future__ import annotations

from core.pictures.animation import AnimationKind, animate
from core.pictures.credentials import Credentials, credentials
from core.pictures.encode import PLAIN, SUFFIXES, Manner, PictureKind, Source, encode
from core.pictures.sheet import contact_sheet

__all__ = [
    "PLAIN",
    "SUFFIXES",
    "AnimationKind",
    "Credentials",
    "Manner",
    "PictureKind",
    "Source",
    "animate",
    "contact_sheet",
    "credentials",
    "encode",
]
