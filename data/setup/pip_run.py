"""Run pip, tell of each large file as it comes, and count what came from where."""

from __future__ import annotations

import os
import re
import subprocess
import urllib.parse
from collections.abc import Callable
from pathlib import Path

LARGE = 20.0  # MB from which on a file is told of: it takes a while
UNITS = {"bytes": 1e-6, "kB": 1e-3, "MB": 1.0, "GB": 1e3}
TAKING = re.compile(r"^\s*(Downloading|Using cached) (\S+) \(([\d.]+) (bytes|kB|MB|GB)\)")
FROM_DISK = re.compile(r"^\s*Processing (/.+\.whl)")
UNREACHABLE = re.compile(r"connection broken|Could not fetch URL|Max retries|timed out", re.I)
HELD = re.compile(r"The user requested \(constraint\) (.+)")  # by a constraint in pip's own settings
LOST_ON_THE_WAY = re.compile(r"ReadTimeout|IncompleteRead|Connection reset|incomplete-download|ConnectionReset")
# They would let something from outside .venv into it, or put things elsewhere.
NOT_INHERITED = ("PYTHONPATH", "PYTHONHOME", "PIP_USER", "PIP_TARGET", "PIP_PREFIX")


class PipFailed(Exception):
    """pip ended without doing what was asked; the message is for the user."""


class NotFound(PipFailed):
    """No index has the package; or none answers, which pip reports alike."""

    def __init__(self, message: str, unreachable: bool) -> None:
        super().__init__(message)
        self.unreachable = unreachable


class Pip:
    """The pip of an environment, with the user's own settings: index, proxy and certificates apply.

    `files`, `total` (MB) and `places` are of all that was installed so far, downloaded now or kept from an earlier time.
    """

    def __init__(self, python: Path, log: Path, say: Callable[[str], None]) -> None:
        self._python, self.log, self._say = python, log, say
        self.files, self.total, self.places = 0, 0.0, set[str]()
        log.write_text("")

    def install(self, *arguments: str) -> None:
        """Run `pip install` with these arguments. Raises PipFailed; NotFound if the first package is nowhere."""
        self.run("install", "--progress-bar=off", *arguments)

    def run(self, *arguments: str) -> None:
        """Run any command of pip. Raises PipFailed."""
        command = [str(self._python), "-m", "pip", "--disable-pip-version-check", "--no-input", *arguments]
        environment = {name: value for name, value in os.environ.items() if name not in NOT_INHERITED} | {"LC_ALL": "C.UTF-8"}
        lines: list[str] = []
        with (
            self.log.open("a") as log,
            subprocess.Popen(
                command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
            ) as pip,
        ):
            assert pip.stdout is not None
            for line in pip.stdout:
                log.write(line)
                lines.append(line)
                self._note(line)
        if pip.returncode:
            raise self._failure("".join(lines))

    def _note(self, line: str) -> None:
        """Count a file that pip takes; tell of a large one."""
        if taking := TAKING.match(line):
            how, name, number, unit = taking.groups()
            if name.endswith(".metadata"):
                return
            place = urllib.parse.urlsplit(name).netloc or "the default index"  # of which pip leaves the address out
            place, size = ("pip's cache" if how == "Using cached" else place), float(number) * UNITS[unit]
        elif from_disk := FROM_DISK.match(line):
            name, place = from_disk[1], "this machine's disk"
            size = Path(name).stat().st_size / 1e6
        else:
            return
        self.files, self.total = self.files + 1, self.total + size
        self.places.add(place)
        if size >= LARGE:
            self._say(f"{urllib.parse.unquote(name.rsplit('/', 1)[-1])}, {size:.0f} MB, from {place}")

    def _failure(self, output: str) -> PipFailed:
        """pip's many lines as one reason."""
        if "DO NOT MATCH THE HASHES" in output:
            return PipFailed(
                "the package index gave another file than the one that egao was tested with (its hash is not in "
                "data/requirements.lock). If you trust that index: make HASHES=no"
            )
        errors = [output.strip()[-500:] or "pip ended without a word"]
        errors += [line.removeprefix("ERROR: ").strip() for line in output.splitlines() if line.startswith("ERROR: ")]
        if LOST_ON_THE_WAY.search(output) and "No matching distribution" not in output:
            return PipFailed("the connection to the package index broke while a file came")
        if "No matching distribution" in output or "Could not find a version" in output:
            unreachable = bool(UNREACHABLE.search(output))
            reason = "the package index does not answer: check the network and pip's settings" if unreachable else errors[-1]
            return NotFound(reason, unreachable)
        if "ResolutionImpossible" in output and (held := HELD.search(output)):  # as pip says it where there is a constraint
            return NotFound(
                f"no package index has what is asked for; pip's own settings also want {held[1]}",
                bool(UNREACHABLE.search(output)),
            )
        if "No space left" in output:
            return PipFailed("the disk is full")
        return PipFailed(errors[-1])
