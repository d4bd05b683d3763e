"""`egao play`: serves a page on this machine to try egao in a browser."""

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
    port: Annotated[int, typer.Option(min=0, max=65535, help="port of the page; if not given, any free one")] = 0,
    named: GeneratorOption = None,
) -> None:
    """Serve a page for editing photos, at an address that only this machine can open.

    Drop a photo, choose faces, drag the strength. Photos and faces are only in memory: they are gone when the page is closed,
    or with Ctrl-C. Research and personal use only: see `egao models list`.
    """
    asyncio.run(_serve(Studio(PhotoEditor(Editor(Models(settings_for(named))))), port))


async def _serve(studio: Studio, port: int) -> None:
    """Serve until SIGINT or SIGTERM. Raises BadSetting, WeightsError."""
    stopped, loop = asyncio.Event(), asyncio.get_running_loop()
    for one in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(one, stopped.set)
    async with PlayServer(studio, port) as server:
        await server.worker.call(studio.warm)
        typer.echo("Open this address in a browser on this machine. It is like a password: whoever has it sees your photos.\n")
        typer.echo(f"  {server.address}\n")
        typer.echo("Photos and faces stay in memory. Ctrl-C ends egao and forgets them.")
        await stopped.wait()
