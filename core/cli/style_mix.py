"""`egao style-mix`: the grid of the StyleGAN paper, some styles of the column's seed and the others of the row's."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from core.cli.shared.folder import make_folder
from core.cli.shared.generator import ClassOption, GeneratorOption, generator_of, settings_for
from core.device import use_threads
from core.errors import BadOption
from core.generator import mix_styles, seed_w
from core.pictures import contact_sheet, encode
from core.rendering import Renderer
from core.seeds import parse_seeds

SHEET_SIDE = 256  # pixels of a picture in the grid


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command("style-mix")(style_mix)


def style_mix(
    rows: Annotated[str, typer.Option(help="seeds that give all the other styles: 85,100,75")],
    columns: Annotated[str, typer.Option(help="seeds whose styles of --sides are taken: 55,821,1789")],
    sides: Annotated[
        str, typer.Option(help="pixels of the styles taken: 4-8 shape and pose, 16-32 features, 64- colours")
    ] = "4-8",
    truncation: Annotated[float, typer.Option(min=0.0, max=2.0, help="psi: 0 the average face, 1 no truncation")] = 0.7,
    out: Annotated[Path, typer.Option("-o", "--out", help="folder for style-mix.png and a picture of each pair")] = Path("out"),
    label: ClassOption = None,
    named: GeneratorOption = None,
) -> None:
    """Draw a grid of mixed faces: pose and shape of one seed with the colours of another, for example."""
    low, high = _sides(sides)
    settings = settings_for(named)
    use_threads(settings)
    generator = generator_of(settings, label)
    if not any(low <= side <= high for side in generator.style_resolutions):
        known = ", ".join(map(str, sorted(set(generator.style_resolutions))))
        raise BadOption(name="--sides", reason=f"{sides!r} holds none of the styles, which are of {known} pixels")
    renderer = Renderer(generator, "exact")
    down, across = parse_seeds(rows), parse_seeds(columns)
    ws = {seed: generator.broadcast(seed_w(generator, [seed], truncation)) for seed in {*down, *across}}
    pure = {seed: renderer.images(one)[0] for seed, one in ws.items()}
    make_folder(out)
    grid = [[("", pure[down[0]] * 0 + 255), *((f"seed {seed}", pure[seed]) for seed in across)]]
    for row in down:
        line = [(f"seed {row}", pure[row])]
        for column in across:
            picture = renderer.images(mix_styles(generator, ws[row], ws[column], low, high))[0]
            (out / f"{row}-{column}.png").write_bytes(encode(picture, "png", source="generated"))
            line.append(("", picture))
        grid.append(line)
    (out / "style-mix.png").write_bytes(encode(contact_sheet(grid, SHEET_SIDE), "png", source="generated"))
    typer.echo(f"{len(down)} x {len(across)} mixed pictures in {out}, all of them in {out / 'style-mix.png'}")


def _sides(text: str) -> tuple[int, int]:
    """Read `4-8`, `16` or `64-`, which is open above. Raises BadOption."""
    match = re.fullmatch(r"(\d{1,5})(-(\d{1,5})?)?", text.strip())
    if match is None:
        raise BadOption(name="--sides", reason=f"{text!r} is not sides in pixels such as 4-8, 16 or 64-")
    low = int(match[1])
    return low, int(match[3]) if match[3] else (1 << 16 if match[2] else low)
