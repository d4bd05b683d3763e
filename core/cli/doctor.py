"""`egao doctor`: checks that all that an edit and the bot need is there, and says what to do if not."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from importlib import import_module
from importlib.metadata import entry_points
from typing import Annotated, cast

import typer

from core.doctor import Finding, findings
from core.doctor import cluster as nodes
from core.errors import EgaoError
from core.settings import Settings

Checks = Callable[[Settings, bool], Iterator[Finding]]


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command("doctor")(doctor)


def doctor(
    online: Annotated[bool, typer.Option("--online", help="also ask Discord about the token, intents and permissions")] = False,
    cluster: Annotated[
        bool, typer.Option("--cluster", help="also ask the head that EGAO_CLUSTER names, and look at its nodes")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON list instead of lines")] = False,
) -> None:
    """Check weights, keys, store, disk, torch and the bot's own needs, and say what to do. Exit status 1 if anything is wrong.

    Nothing is created or repaired. Without --online the network is not used.
    """
    found = []
    for finding in _all(online, cluster):
        found.append(finding)
        if not as_json:
            typer.echo(f"{finding.state:5} {finding.name:11} {finding.text}")
    if as_json:
        typer.echo(json.dumps([asdict(finding) for finding in found], indent=1, ensure_ascii=False))
    if any(finding.state == "wrong" for finding in found):
        sys.exit(1)


def _all(online: bool, cluster: bool) -> Iterator[Finding]:
    try:
        settings = Settings.load(operator=True)
    except EgaoError as error:
        yield Finding("settings", "wrong", str(error))
        return  # nothing else can be looked for
    yield Finding("settings", "ok", "every setting can be used")
    yield from findings(settings)
    if cluster:
        yield from nodes(settings)
    for point in sorted(entry_points(group="egao.commands"), key=lambda one: one.name):
        # what a command of another package needs, that package checks: a function `checks` beside the command
        module = import_module(point.module)
        checks = cast("Checks | None", getattr(module, "checks", None))
        if checks is not None:
            yield from checks(settings, online)
