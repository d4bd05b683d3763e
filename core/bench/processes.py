"""Measures whole processes, started afresh: the seconds until they are ready, and the most memory that they held."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from core.errors import InternalError
from core.settings import Settings
from core.system import PEAKS_PER_MEGABYTE

_READY = """
import json, resource, sys, time
from core.system import PEAKS_PER_MEGABYTE
began = time.time()
from core.settings import Settings
from core.workbench import create
bench = create(Settings.load())
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // PEAKS_PER_MEGABYTE
print(json.dumps({"seconds": time.time() - began, "megabytes": peak}))
"""


def bench_processes(settings: Settings, photo: Path, rounds: int) -> dict[str, Any]:
    """Time the start of a bot's worker until it is ready, and an `egao edit` of a photo that makes four pictures.

    Returns the fastest of `rounds` runs of each: seconds and megabytes.
    """
    with tempfile.TemporaryDirectory() as folder:
        surroundings = {**os.environ, "EGAO_CACHE": str(settings.cache), "PYTHONPATH": os.pathsep.join(sys.path)}
        ready = [_worker({**surroundings, "EGAO_HOME": folder}) for _ in range(rounds)]
        edits = []
        for number in range(rounds):
            surroundings["EGAO_HOME"] = f"{folder}/home{number}"  # so that nothing is kept from the last time
            edits.append(_edit(photo, Path(folder) / f"out{number}", surroundings))
    return {"worker_ready": min(ready, key=_seconds), "edit": min(edits, key=_seconds)}


def _seconds(measured: dict[str, float]) -> float:
    return measured["seconds"]


def _worker(environment: dict[str, str]) -> dict[str, float]:
    began = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", _READY], env=environment, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return {"seconds": time.perf_counter() - began, "megabytes": found["megabytes"]}  # the interpreter's start is in it


def _edit(photo: Path, out: Path, environment: dict[str, str]) -> dict[str, float]:
    command = [sys.executable, "-c", "from core.cli import main; main()", "edit", str(photo), "--json", "-o", str(out)]
    command += ["--neutral", "--smile=-1.5", "--smile=1.5", "--smile=3"]
    began = time.perf_counter()
    child = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise InternalError  # it has said on stderr what it was
    return {"seconds": time.perf_counter() - began, "megabytes": used.ru_maxrss // PEAKS_PER_MEGABYTE}
