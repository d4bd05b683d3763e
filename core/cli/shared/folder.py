"""The folder that a verb writes into."""

from __future__ import annotations

from pathlib import Path

import typer


def make_folder(out: Path) -> Path:
    """Make `out` and what is above it; where that can't be, one sentence about --out instead of a traceback."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise typer.BadParameter(f"{out}: {error.strerror}", param_hint="--out") from None
    return out
