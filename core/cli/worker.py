"""`egao worker`: makes this machine a node of a cluster, which works for a bot on another."""

from __future__ import annotations

import contextlib
from ipaddress import IPv4Address
from typing import Annotated

import typer

from core.cluster.node import own_address, run
from core.cluster.secret import make_secret
from core.cluster.surroundings import numeric
from core.errors import BadOption
from core.settings import Settings


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command("worker")(worker)


def worker(
    head: Annotated[bool, typer.Option("--head", help="be the head: the node that the others, and the bot, ask")] = False,
    join: Annotated[str, typer.Option(help="HOST:PORT of the head; else EGAO_CLUSTER")] = "",
    ip: Annotated[str, typer.Option(help="this machine's address among the nodes; else the one that leads to the head")] = "",
    workers: Annotated[int, typer.Option(min=0, max=16, help="groups of cores that work; 0: a head that does not work")] = 1,
    new_secret: Annotated[bool, typer.Option("--new-secret", help="make the file that all machines of a cluster share")] = False,
) -> None:
    """Work for a bot on another machine, until stopped. Every machine needs the same cluster.key in EGAO_HOME."""
    settings = Settings.load(operator=True)
    if new_secret:
        typer.echo(f"{make_secret(settings)}\nCopy it into EGAO_HOME of every machine; whoever has it is of the cluster.")
        return
    if ip and not _is_address(ip):
        raise BadOption(name="--ip", reason=f"{ip} is no IPv4 address")
    if not head:
        join = join or settings.cluster
        if ":" not in join:
            raise BadOption(name="--join", reason="name the head as HOST:PORT, or start one here with --head")
        if not workers:
            raise BadOption(name="--workers", reason="a node that is no head has at least one")
        join = numeric(join)
    run(settings, ip or own_address("" if head else join), "" if head else join, workers)


def _is_address(text: str) -> bool:
    with contextlib.suppress(ValueError):
        IPv4Address(text)
        return True
    return False
