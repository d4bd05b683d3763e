"""Asks a cluster's head which nodes there are, without being one: run as `python -P -m core.cluster.ask ADDRESS`.

Prints one line of JSON. A process of its own, so that Ray is loaded nowhere else and a head that does not answer can be given up.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from typing import Any, Final

from core.cluster.fleet import Node
from core.cluster.secret import Secret
from core.cluster.surroundings import numeric, surroundings
from core.errors import ClusterUnreachable
from core.settings import Settings

_PATIENCE: Final = 20.0  # seconds for Ray to load, connect and answer
_KNOCK: Final = 5.0  # seconds for its port to be reached: a head may just be starting. Ray would ask for all of its patience


def nodes_of(settings: Settings, secret: Secret, address: str) -> list[Node]:
    """List the nodes that the head at `address` knows to be there, itself included. Raises ClusterUnreachable, BadSetting."""
    found = numeric(address)
    line = [sys.executable, "-P", "-m", "core.cluster.ask", found]
    environment = surroundings(settings, secret, "ask")
    try:
        _knock(found)
        answer = subprocess.run(line, env=environment, capture_output=True, text=True, timeout=_PATIENCE, check=True)
        told: list[dict[str, Any]] = json.loads(answer.stdout.splitlines()[-1])
    except (OSError, OverflowError, subprocess.SubprocessError, ValueError, IndexError):
        raise ClusterUnreachable(address=address) from None
    return [node for one in told if (node := Node.of(one)) is not None]


def _knock(address: str) -> None:
    """Wait until something listens at HOST:PORT. Raises OSError if nothing does, ValueError and OverflowError for no port."""
    host, _, port = address.rpartition(":")
    until = time.monotonic() + _KNOCK
    while True:
        try:
            socket.create_connection((host, int(port)), _KNOCK).close()
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.2)
        else:
            return


def main(address: str) -> None:
    """Ask, and print what was told."""
    from ray._raylet import GcsClient  # type: ignore[attr-defined, unused-ignore]  # its only way in for who is no node

    nodes = GcsClient(address=address).get_all_node_info(timeout=_PATIENCE / 2).values()
    found = [
        {"id": node.node_id.hex(), "address": node.node_manager_address, "labels": dict(node.labels)}
        for node in nodes
        if node.state == 0  # alive
    ]
    print(json.dumps(found))  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1])
