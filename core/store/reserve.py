"""Room on the disk for erasures. SQLite writes what it erases into the WAL first, so on a full disk nothing could be erased."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

BYTES: Final = 16 * 2**20  # a member's fifty faces take 12 MiB in the WAL
NAME: Final = "erasures.reserve"
_BLOCK: Final = 2**20

log = logging.getLogger(__name__)


class Reserve:
    """A file of BYTES in a folder, which makes way while something is erased on a full disk."""

    def __init__(self, folder: Path) -> None:
        """Take the room, or as much of it as the disk has; each block of `given` tries for the rest."""
        self._path = folder / NAME
        self._take()

    @contextlib.contextmanager
    def given(self) -> Iterator[None]:
        """Give the room away within the block if the disk is nearly full, and take it again after it."""
        make_way(self._path.parent)
        try:
            yield
        finally:
            self._take()

    def _take(self) -> None:
        """Fill the file with noise: of zeros a file system that compresses would keep nothing."""
        try:
            self._path.touch(mode=0o600)
            with self._path.open("ab") as file:
                while (missing := BYTES - file.tell()) > 0:
                    file.write(os.urandom(min(missing, _BLOCK)))
                    file.flush()
        except OSError as error:
            log.warning("not all of the room for erasures on a full disk could be taken, will try again: %s", error.strerror)


def make_way(folder: Path) -> None:
    """Give away the room that was kept in a folder, if the disk is nearly full. The bot takes it again."""
    with contextlib.suppress(OSError):
        if shutil.disk_usage(folder).free < BYTES:
            (folder / NAME).unlink(missing_ok=True)
