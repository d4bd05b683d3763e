"""Large tensors reuse memory that the process has."""

from __future__ import annotations

import resource
import subprocess
import sys

import pytest

_SCRIPT = """
import resource, sys, torch
from core.device import keep_memory
if sys.argv[1] == "keep":
    keep_memory()
def draw():
    for _ in range(8):
        torch.ones(20_000_000)
draw()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
draw()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def _faults(how: str) -> int:
    answer = subprocess.run([sys.executable, "-c", _SCRIPT, how], capture_output=True, text=True, check=True)
    return int(answer.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="only glibc is told")
def test_large_tensors_take_no_new_pages_from_the_system() -> None:
    pages = 8 * 80_000_000 // resource.getpagesize()
    assert _faults("keep") < pages / 50
    assert _faults("leave") > pages / 4  # else there was nothing to keep
