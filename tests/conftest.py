"""What every test may stand on: the real weights, a home of its own, the sample photo, and a fixed start."""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import random
from collections.abc import AsyncIterator, Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from core.generator import Generator, load_generator
from core.generator.registry import load_file
from core.projection.features import Features
from core.pull import pull
from core.settings import Settings
from core.system import usable_cores
from core.weights.manifest import load_manifest
from tests.bot.kit import World, running
from tests.drawn_once import each_once

Network = TypeVar("Network")

os.environ["EGAO_COMPILE"] = "off"  # what is compiled on one machine and not on the next draws a little otherwise
os.environ["OMP_WAIT_POLICY"] = "PASSIVE"  # of the processes that tests start: threads that spin slow everybody else down
torch.set_num_threads(1)  # files run side by side; and sums are split by thread: one everywhere gives the same last digits


def pytest_xdist_auto_num_workers() -> int:
    """Run one process of tests more than there are cores: those that start processes mostly wait for them."""
    return usable_cores() + 1


def pytest_collection(session: pytest.Session) -> None:
    """Import the files of tests, each process from another one on: what one has compiled the others find compiled.

    In a fresh clone that is most of what collecting costs: pytest writes every assertion anew. In the same order each process
    would do it for all files. Whatever fails here fails again where pytest collects it, which tells.
    """
    worker: dict[str, str] | None = getattr(session.config, "workerinput", None)
    if worker is None or session.config.args != session.config.getini("testpaths"):
        return
    root = session.config.rootpath
    files = sorted(path.relative_to(root) for folder in session.config.args for path in (root / folder).rglob("test_*.py"))
    first = len(files) * int(worker["workerid"].removeprefix("gw")) // int(worker["workercount"])
    for file in (*files[first:], *files[:first]):
        with contextlib.suppress(Exception, pytest.skip.Exception):
            importlib.import_module(".".join(file.with_suffix("").parts))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run dear files first, of those the processes' before all: at the end one core would wait for another's last file.

    Dear is a file with a test that is marked slow. xdist keeps this order only with --no-loadscope-reorder (see the Makefile).
    """
    dear = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: ("tests/process/" not in item.nodeid, item.path not in dear))


@pytest.fixture(autouse=True)
def _fixed_start() -> None:
    """No test depends on the order in which they run."""
    random.seed(0)
    np.random.seed(0)  # whoever draws from the global state shall draw the same
    torch.manual_seed(0)


@pytest.fixture(scope="session", autouse=True)
def _loaded_once() -> Iterator[None]:
    """Load the two large networks once in this process, whoever asks for them: commands, workbenches, editors.

    That takes seconds each time, of which the average of ten thousand latents is one. What is loaded is never changed.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("core.generator.load_file", _each_once(load_file))
        patch.setattr(Features, "from_file", staticmethod(_each_once(Features.from_file)))
        yield


def _each_once(load: Callable[[Path], Network]) -> Callable[[Path], Network]:
    """Have a function load each file of the machine's own cache once, as long as the file stays as it is."""
    loaded: dict[tuple[Path, int, int], Network] = {}
    own = (Settings.load().cache / "weights").resolve()

    def once(file: Path) -> Network:
        found = file.resolve()
        if found.parent != own or not found.is_file():
            return load(file)
        key = (found, found.stat().st_mtime_ns, found.stat().st_size)
        if key not in loaded:
            loaded[key] = load(file)
        return loaded[key]

    return once


@pytest.fixture(scope="module")
def _drawn_once() -> Iterator[None]:
    """Have each latent drawn and each window looked at once: for files whose tests use the same and prove something else."""
    with each_once():
        yield


@pytest.fixture(scope="session")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """An empty home, and the machine's own cache with every weight in it, pulled if need be."""
    home = tmp_path_factory.mktemp("home")
    cache = Settings.load().cache
    own = Settings.load({"EGAO_HOME": str(home), "EGAO_CACHE": str(cache), "EGAO_DEVICE": "cpu", "EGAO_COMPILE": "off"})
    pull(own, load_manifest(), ("core", "eval"))
    return own


@pytest.fixture(scope="session")
def generator(settings: Settings) -> Generator:
    """The real generator, on the CPU."""
    return load_generator(settings)


@pytest.fixture(scope="session")
def astronaut_path() -> Path:
    """The sample photo: NASA's portrait of Eileen Collins, public domain, 512x512, one smiling face."""
    spec = find_spec("skimage")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    return Path(spec.submodule_search_locations[0]) / "data" / "astronaut.png"


@pytest.fixture(scope="session")
def astronaut_png(astronaut_path: Path) -> bytes:
    """The sample photo's file."""
    return astronaut_path.read_bytes()


@pytest.fixture(scope="session")
def astronaut(astronaut_png: bytes) -> NDArray[np.uint8]:
    """The sample photo's pixels: uint8 [512, 512, 3], read-only because every test shares them."""
    pixels = np.array(Image.open(io.BytesIO(astronaut_png)).convert("RGB"))
    pixels.flags.writeable = False
    return pixels


@pytest.fixture(scope="session")
def features(settings: Settings) -> Features:
    return Features.load(settings)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """The bot on a server with one channel open, and Ann, who has agreed."""
    async with running(tmp_path) as made:
        made.open()
        made.consent(made.ann)
        yield made
