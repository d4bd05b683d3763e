"""The `egao` command: one file for each verb, each with a `register(app)`. Commands of other packages come by entry point.

A verb's module is imported when the verb is called, so that `egao models` does not wait for torch.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

import typer
from typer.core import TyperGroup

from core.errors import EgaoError
from core.system import WAITING, stop_on_windows

VERBS = (
    "edit", "play", "project", "align", "generate", "style-mix", "interpolate", "measure", "faces", "directions", "seeds",
    "evaluate", "bench", "train", "models", "keys", "db", "doctor", "worker",
)  # fmt: skip
_GROUP = "egao.commands"


class _Lazy(TyperGroup):
    """A group that finds a command by the name of its module in this package, or of its entry point."""

    def list_commands(self, ctx: typer.Context) -> list[str]:  # type: ignore[override]  # typer carries its own click
        return [*VERBS, *sorted(point.name for point in entry_points(group=_GROUP))]

    def get_command(self, ctx: typer.Context, cmd_name: str) -> Any:  # type: ignore[override]
        host = typer.Typer()
        if cmd_name in VERBS:
            import_module(f"core.cli.{cmd_name.replace('-', '_')}").register(host)
        else:
            points = entry_points(group=_GROUP, name=cmd_name)
            if not points:
                return None
            host.command(cmd_name)(next(iter(points)).load())
        return typer.main.get_group(host).commands[cmd_name]


app = typer.Typer(
    cls=_Lazy, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False,
    help="Give the face in a photo another expression. Research and personal use only: `egao models list` shows the terms.",
)  # fmt: skip


@app.callback()
def _root() -> None:
    """Serve typer, which needs a function for the group."""


def main() -> None:
    """Run the command line. An EgaoError becomes its sentence on stderr, and exit status 1."""
    stop_on_windows()
    for name, value in WAITING.items():
        os.environ.setdefault(name, value)
    try:
        app(prog_name="egao")
    except EgaoError as error:
        print(f"egao: {error}", file=sys.stderr)  # noqa: T201
        sys.exit(1)
