"""A projection at the command line: progress bar, previews, checkpoints, cancelling. Used by `project` and `edit`."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from core.errors import LatentUnreadable
from core.generator.latent import Latent
from core.projection import Projecting

CHECKPOINT_EVERY = 10  # steps: Ctrl-C loses at most so many


class _Count(MofNCompleteColumn):
    """The steps done and their number; nothing where that is not known."""

    def render(self, task: Task) -> Text:
        return Text() if task.total is None else super().render(task)


def progress_bars() -> Progress:
    """Make progress bars for stderr, shown on a terminal only, that vanish at the end and don't redirect other output."""
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), _Count(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True), transient=True, redirect_stdout=False, redirect_stderr=False)


@contextlib.contextmanager
def shown(bars: Progress, what: str, total: int | None = None) -> Iterator[Callable[[], None]]:
    """Show a bar that says `what` is being done, and yield what counts one of `total` as done; without a number it only moves."""
    task = bars.add_task(what, total=total)
    try:
        yield lambda: bars.advance(task)
    finally:
        bars.remove_task(task)


def project_with_progress(
    projecting: Projecting, label: str, checkpoint: Path | None = None,
    on_step: Callable[[int, Latent], None] | None = None, every: int = 1, bars: Progress | None = None,
) -> None:  # fmt: skip
    """Run a projection to its end under a progress bar, in `bars` if given.

    It continues from the file `checkpoint` if that is of the same photo and options, and updates it every ten steps, so that
    Ctrl-C loses at most those; at the end it is removed. `on_step(step, latent)` is called after every `every` steps.
    """
    if checkpoint is not None and checkpoint.is_file():
        with contextlib.suppress(LatentUnreadable):  # of an earlier run with other options: start afresh
            projecting.resume(checkpoint.read_bytes())
    with progress_bars() if bars is None else contextlib.nullcontext(bars) as bar:
        task = bar.add_task(label, total=projecting.steps, completed=projecting.done)
        for step in projecting.run():
            bar.update(task, completed=step.step, description=f"{label} (distance {step.distance:.2f})")
            if checkpoint is not None and step.step % CHECKPOINT_EVERY == 0:
                _replace(checkpoint, projecting.checkpoint())
            if on_step is not None and (step.step % every == 0 or step.step == step.steps):
                on_step(step.step, projecting.latent)
        bar.remove_task(task)
    if checkpoint is not None:
        checkpoint.unlink(missing_ok=True)


def _replace(file: Path, content: bytes) -> None:
    part = file.with_suffix(".part")
    part.write_bytes(content)
    part.replace(file)
