"""The C++ compiler of this machine, and the layers of our own (layers.cpp) that it compiles. Imports no torch."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

from core.errors import NotCompiled

NO_COMPILER: Final = (
    "that takes a C++ compiler, and none is here (on Debian and Ubuntu: apt-get install g++; one of another name: set CXX)"
)
SOURCE: Final = Path(__file__).with_name("layers.cpp")
FLAGS: Final = ("-std=c++17", "-O3", "-march=native", "-fno-math-errno", "-fPIC", "-shared", "-pthread")
_SECONDS: Final = 300  # that the compiler may take; it takes two


def compiler() -> str | None:
    """Find the C++ compiler that would be called; None if there is none."""
    return shutil.which(os.environ.get("CXX") or "g++")


def compile_layers(folder: Path) -> Path:
    """Compile a library for this processor in a folder. Raises NotCompiled."""
    command, made = compiler(), folder / "layers.so"
    if command is None:
        raise NotCompiled(reason=NO_COMPILER)
    try:
        done = subprocess.run([command, *FLAGS, str(SOURCE), "-o", str(made)], capture_output=True, text=True, timeout=_SECONDS)
    except subprocess.TimeoutExpired:
        raise NotCompiled(reason=f"the compiler was not done after {_SECONDS} s") from None
    if done.returncode != 0:
        raise NotCompiled(reason=(done.stderr.strip().splitlines() or [f"the compiler ended with {done.returncode}"])[0][:200])
    return made
