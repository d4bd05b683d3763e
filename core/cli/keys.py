"""`egao keys new | rotate`: the key that encrypts kept faces."""

from __future__ import annotations

import typer

from core.settings import Settings
from core.store.keys import key_file, new_key
from core.store.rotation import rotate


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    verb = typer.Typer(no_args_is_help=True, help="The key that encrypts kept faces.")
    verb.command("new")(print_new_key)
    verb.command("rotate")(rotate_key)
    app.add_typer(verb, name="keys")


def print_new_key() -> None:
    """Print a new key for EGAO_KEY. Nothing is changed."""
    typer.echo(new_key())


def rotate_key() -> None:
    """Encrypt everything with another key, then forget the old one. Stop the bot first.

    With a key file, a new key is made. With EGAO_KEY, set it to NEW,OLD before, and to NEW afterwards. Backups made before
    need the old key.
    """
    settings = Settings.load(operator=True)
    count = rotate(settings)
    where = f"the new key is in {key_file(settings)}" if settings.key is None else "EGAO_KEY may now hold the new key alone"
    typer.echo(f"{count} values encrypted anew; {where}")
