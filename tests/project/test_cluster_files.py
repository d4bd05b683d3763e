"""The files for running on several machines: what they start is there, and what they name agrees with the code."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from prometheus_client import generate_latest
from typer.main import get_command

from bot.ops.health import Metrics
from bot.ops.shards import Shards
from bot.ops.workers import Workers
from core.cli import app
from core.cluster.node import PORTS
from core.cluster.secret import NAME
from core.executor import FindFaces
from core.settings import Settings
from tests.core.executor.kit import ANN, executor
from tests.project.test_container import compose, final, values
from tests.project.test_systemd import SHUT, directives

ROOT = Path(__file__).parents[2]
UNITS = ROOT / "data/systemd"


def options_of(command: list[str]) -> set[str]:
    """The options that a command of egao is given; AssertionError if it has none of that name."""
    root = get_command(app)
    found: Any = root.get_command(typer.Context(root), command[0])  # type: ignore[attr-defined]
    assert found is not None, command
    known = {option for parameter in found.params for option in parameter.opts}
    given = {word for word in command[1:] if word.startswith("--")}
    assert given <= known, command
    return given


def cluster_services() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / "compose.cluster.yaml").read_text())
    return dict(found["services"])


def objects() -> dict[str, Any]:
    """The objects of the Kubernetes example, by their kind."""
    return {one["kind"]: one for one in yaml.safe_load_all((ROOT / "data/kubernetes/egao.yaml").read_text())}


def pods() -> Iterator[dict[str, Any]]:
    spec = objects()["RayCluster"]["spec"]
    for group in (spec["headGroupSpec"], *spec["workerGroupSpecs"]):
        yield group["template"]["spec"]


# -- systemd


@pytest.mark.parametrize(("name", "options"), [("egao-head", {"--head", "--workers"}), ("egao-node", set())])
def test_the_units_start_nodes_as_shut_off_as_the_bot(name: str, options: set[str]) -> None:
    found = directives(UNITS / f"{name}.service")
    assert {key: found.get(key) for key in SHUT} == {key: [value] for key, value in SHUT.items()}
    (start,) = found["ExecStart"]
    program, *command = shlex.split(start)
    assert program == "/opt/egao/.venv/bin/egao"
    assert options_of(command) == options
    (laid,) = (line for line in found["ExecStartPre"] if line.startswith("/usr/bin/install"))
    assert laid.endswith(f"%S/egao/{NAME}")
    assert "EGAO_HOME=%S/egao" in found["Environment"][0]
    assert found["LoadCredential"][0].split(":")[0] == NAME
    assert found["Restart"] == ["always"]


def test_the_bot_beside_a_head_sees_its_sockets_and_asks_it() -> None:
    found = directives(UNITS / "egao-with-head.conf")
    assert found["JoinsNamespaceOf"] == found["Requires"] == ["egao-head.service"]
    name, _, value = found["Environment"][0].partition("=")
    assert Settings.load({name: value}).cluster == "auto"


# -- compose


def test_what_compose_starts_is_there_and_shut_off() -> None:
    usual = compose()["services"]
    for name, service in cluster_services().items():
        if name == "bot":
            continue
        assert service["extends"]["service"] in usual
        assert (ROOT / service["extends"]["file"]).is_file()
        assert not {"user", "privileged", "ports", "cap_add"} & service.keys()
        assert service["command"][0] == "worker"
        options_of(service["command"])
    assert usual["weights"]["build"]["args"]["CLUSTER"] == "${EGAO_CLUSTER_EXTRA:-no}"


def test_on_the_machines_own_network_the_pages_stay_inside() -> None:
    bot = cluster_services()["bot"]
    assert bot["network_mode"] == "host"
    assert Settings.load(bot["environment"]).http_host == "127.0.0.1"
    assert bot["volumes"] == [line for line in cluster_services()["head"]["volumes"] if "/tmp/ray" in line]
    ray = yaml.safe_load((ROOT / "compose.cluster.yaml").read_text())["volumes"]["ray"]["driver_opts"]
    (made,) = (line for line in values(final(), "RUN") if "useradd" in line)
    assert ray["type"] == "tmpfs"
    assert f"--uid {re.findall(r'uid=([0-9]+)', ray['o'])[0]} " in made


# -- Kubernetes


def test_kubernetes_starts_what_is_there_as_nobody() -> None:
    names = []
    for pod in pods():
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["automountServiceAccountToken"] is False
        volumes = {volume["name"] for volume in pod["volumes"]}
        for container in (*pod["initContainers"], *pod["containers"]):
            shut = container["securityContext"]
            assert (shut["readOnlyRootFilesystem"], shut["capabilities"]) == (True, {"drop": ["ALL"]})
            assert {mount["name"] for mount in container["volumeMounts"]} <= volumes
        for container in pod["containers"]:
            egao, *command = container["command"]
            assert egao == "egao"
            names += [container["name"]]
            options_of(command)
            Settings.load({one["name"]: one["value"] for one in container.get("env", ())})
    assert names == ["head", "bot", "node"]


def test_kubernetes_agrees_with_the_ports_and_the_version() -> None:
    cluster = objects()["RayCluster"]
    assert cluster["metadata"]["annotations"]["ray.io/overwrite-container-cmd"] == "true"
    assert re.search(rf"^ray=={re.escape(cluster['spec']['rayVersion'])}$", (ROOT / "data/constraints.txt").read_text(), re.M)
    head, (group,) = cluster["spec"]["headGroupSpec"], cluster["spec"]["workerGroupSpecs"]
    assert [port["port"] for port in head["headService"]["spec"]["ports"]] == [PORTS.head]
    (node,) = group["template"]["spec"]["containers"]
    assert node["command"][-1] == f"{head['headService']['metadata']['name']}:{PORTS.head}"
    assert node["readinessProbe"]["tcpSocket"]["port"] == PORTS.manager
    assert head["template"]["spec"]["containers"][0]["readinessProbe"]["tcpSocket"]["port"] == PORTS.head
    chosen = objects()["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"]
    for part in (head, group):
        assert chosen.items() <= part["template"]["metadata"]["labels"].items()


# -- Grafana


async def test_the_dashboard_asks_for_metrics_that_there_are() -> None:
    metrics = Metrics()
    async with executor() as ours:
        metrics.registry.register(Workers(ours.stats))
        Shards(1, metrics, lambda shard: 0.1)
        await ours.submit(FindFaces(b"photo"), ANN)
        metrics.jobs.labels("photo", "done").inc()
        metrics.seconds.labels("photo").observe(1)
        page = generate_latest(metrics.registry).decode()
    there = set(re.findall(r"^(egao_\w+)", page, re.M))
    panels = json.loads((ROOT / "data/grafana/egao.json").read_text())["panels"]
    asked = {name for panel in panels for target in panel["targets"] for name in re.findall(r"egao_\w+", target["expr"])}
    assert asked <= there
    shown = {re.sub("_(bucket|count|sum|created|total)$", "", name) for name in asked}
    assert {re.sub("_(bucket|count|sum|created|total)$", "", name) for name in there} == shown, "every metric is shown"
    assert 'egao_worker_answers_total{device="cpu",node="here"} 1.0' in page
    assert 'egao_workers_ready{device="cpu",node="here"} 1.0' in page
    assert 'egao_lane_waiting{lane="long"} 0.0' in page
