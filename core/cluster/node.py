"""Makes this machine a node of a cluster: checks what it brings, and runs Ray with the settings that egao needs."""

from __future__ import annotations

import importlib.util
import json
import os
import socket
import sys
from dataclasses import dataclass
from typing import Final, NoReturn

from core.cluster.ask import nodes_of
from core.cluster.identity import Identity
from core.cluster.secret import Secret, read_secret
from core.cluster.surroundings import surroundings
from core.cluster.wording import PIECE, RESOURCE
from core.errors import BadOption, ClusterExtraMissing, NodeRefused
from core.executor.devices import devices
from core.settings import Settings

_ELSEWHERE: Final = "192.0.2.1"  # an address that is nobody's (RFC 5737), so the way there is the usual one
STORE_BYTES: Final = 80 << 20  # of Ray's object store, which nothing of egao's is put into; less it does not take
# Records pass inside calls, never through the store, and nothing is ever written to disk for want of memory.
SYSTEM: Final = {
    "automatic_object_spilling_enabled": False,
    "max_direct_call_object_size": 2 * PIECE,
    "task_rpc_inlined_bytes_limit": 16 * PIECE,
    "enable_timeline": False,
    "task_events_report_interval_ms": 0,  # no history of calls is kept
    "health_check_period_ms": 1000,
    "health_check_timeout_ms": 4000,
    "health_check_failure_threshold": 3,
}


@dataclass(frozen=True)
class Ports:
    """Where a node listens; 0 is any free one. A firewall has to let the other nodes through to all of them."""

    head: int = 6379
    manager: int = 6380
    objects: int = 6381
    agent: int = 6382  # from this machine only
    first_worker: int = 6400
    last_worker: int = 6499


PORTS: Final = Ports()


def need_ray() -> None:
    """Raise ClusterExtraMissing where Ray is not installed."""
    if importlib.util.find_spec("ray") is None:
        raise ClusterExtraMissing


def label_of_devices(settings: Settings, workers: int) -> str:
    """Say what this node works with: each of its GPUs, or `workers` groups of its cores."""
    found = devices(settings)
    return f"cuda-{len(found)}" if found[0].startswith("cuda") else f"cpu-{workers}"


def command(
    identity: Identity,
    own: str,
    *,
    head: str = "",
    workers: str = "cpu-1",
    ports: Ports = PORTS,
    folder: str = "",
) -> list[str]:
    """Write the command that starts Ray here and stays: as the head, or joining the one at `head`.

    `own` is this machine's address among the nodes, `workers` the label of its devices ("" for a head that does not work).
    """
    labels = {**identity.labels(), **({"egao-devices": workers} if workers else {})}
    made = [sys.executable, "-m", "ray.scripts.scripts", "start", "--block", "--disable-usage-stats"]
    made += ["--node-ip-address", own, "--num-cpus", "0", "--num-gpus", "0", "--object-store-memory", str(STORE_BYTES)]
    made += ["--resources", json.dumps({RESOURCE: 1} if workers else {})]
    made += ["--labels", ",".join(f"{name}={value}" for name, value in labels.items())]
    made += ["--node-manager-port", str(ports.manager), "--object-manager-port", str(ports.objects)]
    made += ["--runtime-env-agent-port", str(ports.agent)] if ports.agent else []
    if ports.first_worker:
        made += ["--min-worker-port", str(ports.first_worker), "--max-worker-port", str(ports.last_worker)]
    made += ["--temp-dir", folder] if folder else []
    if head:
        return [*made, "--address", head]
    made += ["--head", "--port", str(ports.head), "--include-dashboard", "false", "--system-config", json.dumps(SYSTEM)]
    return [*made, "--no-monitor"]  # the autoscaler would serve its metrics to everybody, on every address


def own_address(head: str) -> str:
    """Find the address of this machine that leads to `head`, HOST:PORT; "": to the rest of the world. Sends nothing."""
    host = head.rpartition(":")[0] or _ELSEWHERE
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((host, 9))
        except OSError as error:
            raise BadOption(name="--join" if head else "--ip", reason=f"{host} can't be reached: {error.strerror}") from None
        return str(probe.getsockname()[0])


def fits_in(settings: Settings, secret: Secret, head: str, identity: Identity) -> None:
    """Ask the head whether this machine is like it. Raises NodeRefused, ClusterUnreachable."""
    for node in nodes_of(settings, secret, head):
        if (reason := node.identity.refusal(identity)) is not None:
            raise NodeRefused(address=head, reason=reason)


def run(settings: Settings, own: str, head: str, workers: int) -> NoReturn:
    """Be a node until stopped: the head where `head` is "", with `workers` groups of cores, or with every GPU.

    Raises ClusterExtraMissing, BadSetting, NodeRefused, ClusterUnreachable, and what `Identity.of` raises.
    """
    need_ray()
    secret = read_secret(settings)
    identity = Identity.of(settings)
    if head:
        fits_in(settings, secret, head, identity)
    label = label_of_devices(settings, workers) if workers else ""
    line = command(identity, own, head=head, workers=label)
    os.execve(line[0], line, surroundings(settings, secret, "node", also=(own,)))  # noqa: S606 - in this one's place
