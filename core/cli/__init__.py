"""The `egao` command: one file per verb, each with a `register(app)`; commands of other packages come by entry point."""

from __future__ import annotations

import sys
from importlib.metadata import entry_points

import typer
from click.exceptions import ClickException

from core.cli import align, db, directions, edit, faces, generate, keys, models, project, seeds
from core.errors import EgaoError

app = typer.Typer(name="egao", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False,
                  help="Make the face in a photo smile, or stop smiling. Research and personal use: see the README's licences.")
for verb in (models, generate, align, seeds, directions, project, edit, faces, keys, db):
    verb.register(app)
for point in entry_points(group="egao.commands"):
    app.command(point.name, context_settings={"ignore_unknown_options": True})(point.load())


def main() -> None:
    """Run the command line; an EgaoError becomes its sentence on stderr and exit status 1."""
    try:
        app(standalone_mode=False)
    except EgaoError as error:
        print(f"egao: {error}", file=sys.stderr)  # noqa: T201
        sys.exit(1)
    except ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        sys.exit(130)
