"""`egao db backup | restore | check`: backups of the store."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from core.errors import StoreDamaged
from core.settings import Settings
from core.store import Store, database_file

File = Annotated[Path, typer.Argument(help="the backup", metavar="FILE")]


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    verb = typer.Typer(no_args_is_help=True, help="Back up the store, restore a backup, check the store.")
    verb.command("backup")(back_up)
    verb.command("restore")(restore)
    verb.command("check")(check)
    app.add_typer(verb, name="db")


def back_up(file: File) -> None:
    """Write a checked backup, also while the bot runs. It is encrypted: keep the key too, in another place.

    What members erase later stays in the backup. Keep none for longer than the longest retention of a server.
    """
    with Store.open(Settings.load(operator=True)) as store:
        store.backup(file)
    typer.echo(f"{file}: {file.stat().st_size} bytes, checked")


def restore(file: File) -> None:
    """Replace the store by a backup, and erase what has expired since it was made. Stop the bot first."""
    settings = Settings.load(operator=True)
    Store.restore(settings, file)
    typer.echo(f"{database_file(settings)} is now what {file} was")


def check() -> None:
    """Check the whole store: structure, references, and whether every encrypted value can be decrypted. Exit status 1 if not."""
    with Store.open(Settings.load(operator=True)) as store:
        problems = store.integrity()
        path = store.database.path
    for problem in problems:
        typer.echo(problem)
    if problems:
        raise StoreDamaged(path=path, reason=f"{len(problems)} problems")
    typer.echo(f"{path} is sound")
