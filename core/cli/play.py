"""`egao play`: a page on this machine to try egao on, with a browser and nothing else."""

from __future__ import annotations

import asyncio
import signal
from typing import Annotated

import typer

from core.cli.shared.generator import GeneratorOption, settings_for
from core.edit import Editor, Models, PhotoEditor
from core.play import PlayServer, Studio


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command("play")(play)


def play(
    port: Annotated[int, typer.Option(min=0, max=65535, help="of the page; any free one if not given")] = 0,
    named: GeneratorOption = None,
) -> None:
    """Show a page to edit photos on, at an address that this machine alone can open.

    Drop a photo, choose faces, drag the strength. Photos and faces are held in memory and nowhere else: they are gone when
    the page is closed, or with Ctrl-C. Research and personal use only: see `egao models list`.
    """
    asyncio.run(_serve(Studio(PhotoEditor(Editor(Models(settings_for(named))))), port))


async def _serve(studio: Studio, port: int) -> None:
    """Serve until a signal says to stop. Raises BadSetting, WeightsError."""
    stopped, loop = asyncio.Event(), asyncio.get_running_loop()
    for one in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(one, stopped.set)
    async with PlayServer(studio, port) as server:
        await server.worker.call(studio.warm)
        typer.echo("Open this address in a browser on this machine. It is like a password: whoever has it sees your photos.\n")
        typer.echo(f"  {server.address}\n")
        typer.echo("Photos and faces stay in memory. Ctrl-C ends egao and forgets them.")
        await stopped.wait()
