"""What `egao worker` and a bot with EGAO_CLUSTER say where they can't be what they are asked to be."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from core import doctor
from core.cli.worker import worker
from core.cluster import ask, cluster_of, node
from core.cluster.identity import Identity
from core.errors import BadSetting, ClusterExtraMissing
from tests.core.cluster.kit import SAME, free_port, settings_in


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No .env is read, and no home but an empty one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EGAO_HOME", str(tmp_path / "home"))


@pytest.mark.parametrize(
    ("named", "options"),
    [
        ("--join", {"join": "a-host-without-a-port"}),
        ("--workers", {"join": "10.0.0.1:6379", "workers": 0}),
        ("--ip", {"head": True, "ip": "a-name"}),
        ("--ip", {"join": "10.0.0.1:6379", "ip": "10.0.0.256"}),
    ],
)
def test_options_that_no_node_can_have_are_told_before_anything_is_started(named: str, options: dict[str, Any]) -> None:
    with pytest.raises(BadSetting, match=named):
        worker(**{"head": False, "join": "", "ip": "", "workers": 1, "new_secret": False, **options})


def test_without_ray_a_bot_with_a_cluster_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert cluster_of(settings_in(tmp_path)) is None, "without a cluster nothing is asked of it"
    with pytest.raises(ClusterExtraMissing, match=r"egao\[cluster\]"):
        cluster_of(settings_in(tmp_path, "10.0.0.1:6379"))


def test_an_absent_head_is_told_as_such_before_ray_is_loaded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(node, "need_ray", lambda: None)
    monkeypatch.setattr(Identity, "of", staticmethod(lambda settings: SAME))
    monkeypatch.setattr(ask, "_KNOCK", 0.1)
    monkeypatch.setattr("core.cluster.ask.subprocess.run", lambda *_, **__: pytest.fail("Ray was asked"))
    here = f"127.0.0.1:{free_port()}"
    own, head = doctor.cluster(settings_in(tmp_path, here))
    assert (own.name, own.state) == ("cluster", "ok")
    assert (head.name, head.state) == ("head", "wrong")
    assert here in head.text
