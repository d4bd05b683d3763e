"""Is the bridge: the one process through which a bot reaches Ray, so that no end of a node, or of the head, can end the bot.

Run as `python -P -m core.cluster.bridge FD ADDRESS`, FD being a socket to the bot. From there come orders in JSON, each with
an end of a socket for a new worker: {"node", "device", "workers", "public"}; there go lists of nodes, whenever they change. On
a worker's socket pass sealed records, which the bridge hands to the worker's keeper and back. It has no key to them.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import sys
from typing import Any, Final

from core.cluster.keeper import Keeper
from core.cluster.sealing import PUBLIC
from core.cluster.wording import LARGEST, RECORD, RESOURCE

_LOOK_EVERY: Final = 0.5  # seconds between two looks at which nodes there are
_AHEAD: Final = 4  # records on their way to a keeper at once
_LONGEST: Final = 1 << 16  # bytes of an order


def main(fd: int, address: str) -> None:
    """Serve the bot until it hangs up, or the cluster is gone."""
    import ray  # here, in a process of its own

    bot = socket.socket(fileno=fd)
    ray.init(address=address, log_to_driver=False, configure_logging=False, include_dashboard=False)
    asyncio.run(Bridge(ray, bot).serve())
    os._exit(0)  # Ray's own leave-taking waits for nodes that may be gone


class Bridge:
    """Takes orders from the bot and tells it the nodes; the records of each worker pass in tasks of their own."""

    def __init__(self, ray: Any, bot: socket.socket) -> None:
        """Prepare a bridge. `ray` is Ray's module, connected to the cluster."""
        self._ray, self._bot = ray, bot
        self._kind = ray.remote(Keeper)

    async def serve(self) -> None:
        """Serve until the bot hangs up."""
        looking = asyncio.create_task(self._tell_nodes())
        links: set[asyncio.Task[None]] = set()
        while True:
            order, fds = await asyncio.to_thread(_order, self._bot)
            if not order:
                break
            sock = socket.socket(fileno=fds[0])
            sock.setblocking(False)
            task = asyncio.create_task(self._link(json.loads(order), sock))
            links.add(task)
            task.add_done_callback(links.discard)
        looking.cancel()

    async def _tell_nodes(self) -> None:
        """Tell the bot the nodes: at once, and whenever they have changed."""
        told = b""
        while True:
            found = [
                {"id": node["NodeID"], "address": node["NodeManagerAddress"], "labels": node["Labels"]}
                for node in await asyncio.to_thread(self._ray.nodes)
                if node["Alive"] and node["Resources"].get(RESOURCE)
            ]
            news = json.dumps(sorted(found, key=lambda node: node["id"])).encode()
            if news != told:
                self._bot.send(news)
                told = news
            await asyncio.sleep(_LOOK_EVERY)

    async def _link(self, order: dict[str, Any], sock: socket.socket) -> None:
        """Serve one worker of one node, from the order to the end of either side."""
        where = self._ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(order["node"], soft=False)
        options = {"num_cpus": 0, "max_restarts": 0, "max_task_retries": 0, "max_concurrency": 64, "scheduling_strategy": where}
        keeper = self._kind.options(**options).remote(order["device"], order["workers"])
        reader, writer = await asyncio.open_connection(sock=sock, limit=LARGEST)
        passing = (self._down(keeper, reader), self._up(keeper, writer, bytes.fromhex(order["public"])))
        tasks = [asyncio.create_task(one) for one in passing]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            with contextlib.suppress(Exception):
                self._ray.kill(keeper)
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _up(self, keeper: Any, writer: asyncio.StreamWriter, public: bytes) -> None:
        """Hand on the keeper's public key, and then each of its records, to the bot."""
        with contextlib.suppress(self._ray.exceptions.RayError, OSError):
            theirs = await keeper.meet.remote(public)
            if isinstance(theirs, bytes) and len(theirs) == PUBLIC:
                writer.write(theirs)
                while isinstance(sealed := await keeper.pull.remote(), bytes) and len(sealed) <= LARGEST:
                    writer.writelines((RECORD.pack(len(sealed)), sealed))
                    await writer.drain()

    async def _down(self, keeper: Any, reader: asyncio.StreamReader) -> None:
        """Hand on the bot's records to the keeper, a few at a time; the keeper puts them in order."""
        going: set[asyncio.Future[Any]] = set()
        number = 0
        with contextlib.suppress(self._ray.exceptions.RayError, asyncio.IncompleteReadError, OSError):
            while True:
                (length,) = RECORD.unpack(await reader.readexactly(RECORD.size))
                number += 1
                going.add(asyncio.ensure_future(keeper.push.remote(number, await reader.readexactly(length))))
                if len(going) >= _AHEAD:
                    done, going = await asyncio.wait(going, return_when=asyncio.FIRST_COMPLETED)
                    for one in done:
                        one.result()


def _order(bot: socket.socket) -> tuple[bytes, list[int]]:
    try:
        order, fds, _, _ = socket.recv_fds(bot, _LONGEST, 1)
    except OSError:
        return b"", []
    return order, fds


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
