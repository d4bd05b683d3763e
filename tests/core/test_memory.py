"""Large tensors reuse memory that the process has."""

from __future__ import annotations

import resource
import subprocess
import sys

import pytest

_SCRIPT = """
import resource, torch
from core.device import keep_memory
def draw():
    for _ in range(4):
        torch.ones(10_000_000)  # 40 MB: glibc takes blocks from the system anew from 32 MB on
def faults():
    for _ in range(3):  # where something small comes to lie beside the first block, the next takes another place, once
        draw()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    draw()
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
print(faults())
keep_memory()
print(faults())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only glibc is told")
def test_large_tensors_take_no_new_pages_from_the_system() -> None:
    pages = 4 * 40_000_000 // resource.getpagesize()
    answer = subprocess.run([sys.executable, "-c", _SCRIPT], capture_output=True, text=True, check=True)
    before, after = map(int, answer.stdout.split())
    assert before > pages / 4  # else there was nothing to keep
    assert after < pages / 50
