"""Systems that this one is not: what they lack is hidden from the real programs."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from core.system import usable_cores

# typer looks at the system when it is imported, and would ask the real Windows for its console
ON_WINDOWS = """
import os, sys, typer
os.name, sys.argv[0] = "nt", "egao"
sys.modules["fcntl"] = sys.modules["resource"] = None
"""


@pytest.mark.parametrize(
    "start",
    ["from core.cli import main; main()", "import runpy; runpy.run_module('bot', run_name='__main__')"],
    ids=["egao edit", "python -m bot"],
)
def test_on_windows_one_sentence_says_that_it_is_not_supported(start: str) -> None:
    command = [sys.executable, "-c", ON_WINDOWS + start, "edit", "photo.jpg"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("egao: Windows is not supported; ")
    assert done.stderr.count("\n") == 1


def test_cores_are_counted_where_no_process_can_be_bound_to_some(monkeypatch: pytest.MonkeyPatch) -> None:
    assert usable_cores() == len(os.sched_getaffinity(0))
    monkeypatch.delattr(os, "sched_getaffinity")
    assert usable_cores() == os.cpu_count()
