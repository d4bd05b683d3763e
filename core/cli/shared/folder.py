"""The folder that a command writes into."""

from __future__ import annotations

from pathlib import Path

import typer


def make_folder(out: Path) -> Path:
    """Create `out` with its parents and return it. Raises typer's BadParameter if that fails."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise typer.BadParameter(f"{out}: {error.strerror}", param_hint="--out") from None
    return out
