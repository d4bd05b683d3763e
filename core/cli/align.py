"""`egao align`: cuts the faces of a photo out, aligned like the generator's training set."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from core.cli.shared.folder import make_folder
from core.faces import FaceFinder, align, load_photo
from core.pictures import encode
from core.settings import Settings


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command("align")(align_photo)


def align_photo(
    photo: Annotated[Path, typer.Argument(help="a JPEG, PNG, WebP, GIF, AVIF or HEIC picture")],
    out: Annotated[Path, typer.Option("-o", "--out", file_okay=False, help="folder for the crops")] = Path("out"),
    size: Annotated[int, typer.Option(min=64, max=2048, help="side of a crop in pixels")] = 1024,
) -> None:
    """Cut every usable face out, aligned as FFHQ aligns. Faces are numbered from 1 at the left."""
    settings = Settings.load()
    loaded = load_photo(photo, settings, own=True)
    make_folder(out)
    with FaceFinder(settings) as finder:
        for face in finder.require(loaded.srgb):
            file = out / f"{photo.stem}-face{face.index + 1}.png"
            crop = loaded.in_srgb(align(loaded.pixels, face.landmarks, size).image)
            file.write_bytes(encode(crop, "png", source="photo"))
            yaw, pitch, roll = (round(angle) for angle in face.pose)
            typer.echo(f"face {face.index + 1}: {face.width:.0f} pixels wide, yaw {yaw}, pitch {pitch}, roll {roll}: {file}")
