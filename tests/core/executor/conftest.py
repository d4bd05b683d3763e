"""Runs what uses `either_link` twice: over worker processes of this machine, and, as a long test, over a node of Ray.

What uses `both_links` runs over Ray in `make test` too, where Ray is installed: one file, which shows the link at work.
"""

from __future__ import annotations

import importlib.util
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.settings import Settings
from tests.core.executor import kit

_RAY = importlib.util.find_spec("ray") is not None
_WITHOUT = pytest.mark.skipif(not _RAY, reason="Ray is not installed: pip install egao[cluster]")


@pytest.fixture(scope="session")
def head() -> Iterator[Settings]:
    """A cluster of one node. Its folder has a short name: sockets are in it.

    Its workers are not walled in, for some of these tests have them leave marks in files: whether they are is a node's to say.
    """
    from tests.core.cluster.kit import running_head

    with tempfile.TemporaryDirectory(prefix="egao") as folder:
        home = Path(folder, "home")
        home.mkdir(mode=0o700)
        with running_head(home, Path(folder, "ray"), wall="off") as settings:
            yield settings


@pytest.fixture(params=["process", pytest.param("ray", marks=[_WITHOUT, pytest.mark.long])])
def either_link(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Have the executors of this test start their workers over this kind of link."""
    return _link(request, monkeypatch)


@pytest.fixture(params=["process", pytest.param("ray", marks=_WITHOUT)])
def both_links(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Do as `either_link`, in `make test` too."""
    return _link(request, monkeypatch)


def _link(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "ray":
        from tests.core.cluster.kit import NodeLaunchers

        settings = request.getfixturevalue("head")
        monkeypatch.setattr(kit, "make_launcher", lambda: NodeLaunchers(settings))
    return str(request.param)
