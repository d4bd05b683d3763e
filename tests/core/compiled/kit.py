"""Generators that are compiled in seconds, and builders that hang, for tests of compiled drawing."""

from __future__ import annotations

import atexit
import math
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import torch

from core.compiled import making
from core.compiled.kept import CodeCache
from core.generator import Generator
from core.generator.families.mobilestylegan import MobileStyleGAN
from core.settings import Settings

HOME = Path(tempfile.gettempdir(), f"egao-test-home-{os.getpid()}")  # whose key signs what these tests publish
atexit.register(shutil.rmtree, HOME, ignore_errors=True)
NO_COMPILER = "no C++ compiler is here: apt-get install g++"  # why a test is skipped
WIDE = (128, 256, 128, 128)  # of sides 4 to 32: layers of 32 to 256 inputs, with more and fewer outputs
TINY = "tests.core.compiled.kit:tiny_at_any_speed"
STUCK = "tests.core.compiled.kit:stuck"


def tiny(settings: Settings | None = None, channels: tuple[int, ...] = (8, 8, 8)) -> Generator:
    """A real generator of 32 pixels with random weights, the same ones every time; its pictures fill the range."""
    generator = MobileStyleGAN(channels, digest="tiny")
    chance = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, parameter in generator.named_parameters():
            part = name.rpartition(".")[2]
            if part == "style_bias":
                parameter.fill_(1.0)
            elif part == "bias":
                parameter.zero_()
            else:
                inputs = parameter[0].numel() if parameter.ndim > 1 else 1
                deviation = {"noise": 0.1, "constant": 1.0, "style_weight": 0.02}.get(part, inputs**-0.5)
                parameter.normal_(0.0, deviation, generator=chance)
        generator.image.bias.zero_()
    generator._statistics = torch.zeros(512), 1.0  # not measured: that takes a second each time
    generator.requires_grad_(False).eval()
    return generator.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def tiny_at_any_speed(settings: Settings) -> Generator:
    """It, in a process whose code is used however long it takes: of pictures this small that is chance, the more beside load."""
    making.LARGEST_RATIO = math.inf  # type: ignore[misc]
    return tiny()


def wide() -> Generator:
    """One whose layers have enough channels to be compiled."""
    return tiny(channels=WIDE)


def code_cache(folder: Path) -> CodeCache:
    """This folder, whose code is to be signed with the tests' key."""
    return CodeCache(folder, HOME)


def stuck(settings: Settings) -> Generator:
    """Hangs with a process of its own, as while a compiler runs; writes down both numbers."""
    child = subprocess.Popen(["sleep", "600"])
    (settings.cache / "writing").write_text(f"{os.getpid()} {child.pid}")
    (settings.cache / "writing").rename(settings.cache / "stuck")
    while True:
        time.sleep(1)
