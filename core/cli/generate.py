"""`egao generate`: draws the faces of seeds, as the published generate.py does, and of latent files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.progress import track

from core.cli.shared.folder import make_folder
from core.cli.shared.generator import ClassOption, GeneratorOption, generator_of, settings_for
from core.device import use_threads
from core.errors import BadOption
from core.generator import seed_w
from core.latents import from_npz
from core.pictures import contact_sheet, encode
from core.rendering import Renderer
from core.seeds import parse_seeds

SWEEP_SIDE = 256  # pixels of a picture of a sweep
_FURTHEST = 2.0  # truncation, either way


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command("generate")(generate)


def generate(
    seeds: Annotated[str, typer.Option(help="seeds: 600-603 (both ends), or 1,5,9")] = "",
    latent: Annotated[
        list[Path] | None, typer.Option(help="a latent file, as egao project writes them, to draw again; may be repeated")
    ] = None,
    truncation: Annotated[float, typer.Option(min=0.0, max=2.0, help="psi: 0 the average face, 1 no truncation")] = 0.7,
    sweep: Annotated[str, typer.Option(help="several truncations, also negative ones: -1,-0.5,0,0.5,1; a sheet of all")] = "",
    out: Annotated[Path, typer.Option("-o", "--out", help="folder for seed0600.png and so on")] = Path("out"),
    label: ClassOption = None,
    named: GeneratorOption = None,
) -> None:
    """Draw the faces of some seeds in full precision: z = RandomState(seed).randn(1, 512).

    With --sweep each seed is drawn at several truncations, side by side in truncation.png. With --latent a projected face is
    drawn again, with its noise if it has some: FILE.npz as FILE.png.
    """
    swept = _numbers(sweep)
    if not seeds and (swept or not latent):
        raise BadOption(name="--seeds", reason="name the seeds to draw, or with --latent a file of a projected face")
    if label is not None and not seeds:
        raise BadOption(name="--class", reason="it is of seeds, and none are to be drawn")
    settings = settings_for(named)
    use_threads(settings)
    wanted = parse_seeds(seeds) if seeds else []
    generator = generator_of(settings, label)
    renderer = Renderer(generator, "exact")
    faces = {file.stem: from_npz(file, generator) for file in latent or []}  # what can't be read is told before any work
    make_folder(out)
    for name, face in faces.items():
        (out / f"{name}.png").write_bytes(encode(renderer.images(face.ws, face.noise)[0], "png"))
    if swept:
        grid = [
            [(f"seed {seed}, {psi:g}", renderer.images(generator.broadcast(seed_w(generator, [seed], psi)))[0]) for psi in swept]
            for seed in track(wanted, description="drawing", transient=True)
        ]
        (out / "truncation.png").write_bytes(encode(contact_sheet(grid, SWEEP_SIDE), "png", source="generated"))
        typer.echo(f"{len(wanted)} seeds at {len(swept)} truncations in {out / 'truncation.png'}")
        return
    for seed in track(wanted, description="drawing", transient=True):
        pixels = renderer.images(generator.broadcast(seed_w(generator, [seed], truncation)))[0]
        (out / f"seed{seed:04d}.png").write_bytes(encode(pixels, "png", source="generated"))
    typer.echo(f"{len(wanted) + len(faces)} pictures in {out}")


def _numbers(text: str) -> list[float]:
    """Read truncations with commas between. Raises BadOption."""
    try:
        found = [float(part) for part in text.split(",")] if text else []
    except ValueError:
        found = [float("nan")]
    if not all(abs(one) <= _FURTHEST for one in found):
        raise BadOption(
            name="--sweep", reason=f"{text!r} is not numbers from -{_FURTHEST:g} to {_FURTHEST:g} with commas between"
        )
    return found
