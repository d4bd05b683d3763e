"""`egao project`: finds the latent of a face."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from core.cli.shared.folder import make_folder
from core.cli.shared.generator import GeneratorOption, settings_for
from core.cli.shared.projecting import project_with_progress
from core.edit import Editor, Models
from core.generator.latent import Latent
from core.latents import to_npz
from core.methods import DEFAULT_METHOD
from core.pictures import animate, contact_sheet, encode

VIDEO_FRAMES = 48  # at most, spread over the steps
VIDEO_SIDE = 512  # pixels


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command("project")(project)


def project(
    photo: Annotated[Path, typer.Argument(help="a JPEG, PNG, WebP, GIF, AVIF or HEIC picture")],
    method: Annotated[str, typer.Option(help="fast; w: the published projector; w+: every style free")] = DEFAULT_METHOD,
    steps: Annotated[
        int | None, typer.Option(min=1, max=10_000, help="if not given: w 1000, w+ 80, fast until steps gain too little")
    ] = None,
    start: Annotated[str, typer.Option(help="start of w and w+: mean, nearest, or a seed such as seed:303")] = "default",
    face: Annotated[int, typer.Option(min=1, help="which face, counted from the left")] = 1,
    video: Annotated[bool, typer.Option("--video", help="also write the optimisation as an animated WebP")] = False,
    previews: Annotated[int, typer.Option(min=0, help="write a preview after every N steps; 0 for none")] = 0,
    out: Annotated[Path, typer.Option("-o", "--out", help="folder for the latent and the pictures")] = Path("out"),
    named: GeneratorOption = None,
) -> None:
    """Find the latent of a face, and write it as .npz (w [1, num_ws, 512]) with a picture beside the photo's crop.

    Method w moves the noise too, where the generator adds noise, and keeps it in the file; `egao generate --latent` draws it.

    If interrupted, call it again with the same photo and options, and it continues.
    """
    editor = Editor(Models(settings_for(named)))
    loaded, faces = editor.look(photo)
    aligned = editor.align(loaded, editor.pick(faces, face)).image
    make_folder(out)
    name = f"{photo.stem}-face{face}"
    projecting = editor.projecting(aligned, method, steps, start)
    frames: list[np.ndarray] = []

    def show(step: int, latent: Latent) -> None:
        picture = editor.reconstructed(latent)
        if previews and (step % previews == 0 or step == projecting.steps):
            (out / f"{name}-step{step:04d}.png").write_bytes(encode(picture, "png"))
        if video:
            frames.append(contact_sheet([[("photo", aligned), (f"step {step}", picture)]], VIDEO_SIDE))

    every = previews or max(1, projecting.steps // VIDEO_FRAMES)
    project_with_progress(projecting, method, out / f"{name}.checkpoint", show if video or previews else None, every)
    latent = projecting.latent
    (out / f"{name}.npz").write_bytes(to_npz(latent))
    picture = editor.reconstructed(latent)
    sheet = contact_sheet([[("photo", aligned), (f"{method}, {projecting.done} steps", picture)]], 768)
    (out / f"{name}-projected.png").write_bytes(encode(sheet, "png"))
    if video:
        (out / f"{name}-projection.webp").write_bytes(animate(frames, "webp", fps=12))
    typer.echo(f"face {face}: {out / name}.npz, {out / name}-projected.png")
