"""`egao bench ...`: measures seconds and memory, with all alternatives in one run."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console

from core.bench.capacity import Work, least_workers
from core.bench.floors import bench_floors
from core.bench.generators import NAMES, bench_generators
from core.bench.gpu import main as bench_gpu_main
from core.bench.hostile import bench_hostile
from core.bench.machine import machine
from core.bench.processes import bench_processes
from core.bench.projecting import bench_projecting
from core.bench.rendering import bench_rendering
from core.bench.report import draw_quality, draw_rendering, tables
from core.bench.storing import bench_storing
from core.cli.shared.folder import make_folder
from core.cli.shared.generator import GeneratorOption, settings_for
from core.cluster.node import need_ray
from core.edit import Editor, Models
from core.errors import BadSetting
from core.settings import Settings
from core.weights.cache import weights_folder

ROOT = Path(__file__).parent.parent.parent
BOT, CHAT = "tests.discord.bench", "tests.discord.chat"  # the Discord that they talk to is a part of the tests
CLUSTER = "tests.core.cluster.bench"  # so is the stand-in for work

Photos = Annotated[list[Path], typer.Argument(help="photos; the leftmost face of each is projected")]
Rounds = Annotated[int, typer.Option(min=1, help="how many times each alternative is timed")]
Steps = Annotated[
    int, typer.Option("--w-steps", min=2, help="steps of w; with fewer than the published 1000 its schedule is shortened")
]
Out = Annotated[Path, typer.Option("-o", "--out", help="folder for bench.json and the plots")]
DEFAULT_OUT = Path("out/bench")


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    verb = typer.Typer(no_args_is_help=True, help="Measure speed, memory, and quality over time. Needs the extra `eval`.")
    for command in (render, project, floors, gpu, process, generators, hostile, store, capacity, bot, chat, cluster):
        verb.command(command.__name__)(command)
    verb.command("all")(everything)
    app.add_typer(verb, name="bench")


def render(rounds: Rounds = 15, out: Out = DEFAULT_OUT, named: GeneratorOption = None) -> None:
    """Time one picture by every way of drawing it, and four strengths of a face."""
    settings, editor = _prepare(named)
    _report({"render": bench_rendering(settings, editor, rounds)}, out)


def project(photos: Photos, w_steps: Steps = 200, out: Out = DEFAULT_OUT, named: GeneratorOption = None) -> None:
    """Measure quality beside time: fast, w, w+ in as many steps, w+ in ten times the seconds."""
    settings, editor = _prepare(named)
    _report({"project": bench_projecting(settings, editor, photos, w_steps, _say)}, out)


def floors(
    photo: Annotated[Path, typer.Argument(help="a photo; its leftmost face is edited")],
    rounds: Annotated[int, typer.Option(min=1, help="how many times each stage is timed; the fastest counts")] = 5,
    out: Out = DEFAULT_OUT,
    named: GeneratorOption = None,
) -> None:
    """Compare each stage of an edit with the seconds that its arithmetic and its bytes take at this processor's best."""
    settings = settings_for(named).model_copy(update={"device": "cpu", "compile": "off"})  # else its work could not be counted
    _report({"floors": bench_floors(Editor(Models(settings)), photo, rounds, _say)}, out)


def gpu(
    weights: Annotated[
        Path | None, typer.Option(help="folder of the weights; the one of `egao models pull` if not given")
    ] = None,
    faces: Annotated[int, typer.Option(min=1, help="how many faces are projected")] = 64,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON, and what is being done to standard error")] = False,
) -> None:
    """Measure a GPU: its pictures and latents beside the CPU's, seconds of a face, pictures and faces a second."""
    folder = weights or weights_folder(Settings.load())
    raise typer.Exit(bench_gpu_main(["--weights", str(folder), "--faces", str(faces), *(["--json"] if as_json else [])]))


def process(
    photo: Annotated[Path, typer.Argument(help="a photo to edit")],
    rounds: Rounds = 2,
    out: Out = DEFAULT_OUT,
    named: GeneratorOption = None,
) -> None:
    """Measure processes started afresh: seconds until a worker is ready, seconds of a whole edit, and the most memory of both."""
    _report({"process": bench_processes(settings_for(named), photo, rounds)}, out)


def generators(
    names: Annotated[
        list[str] | None, typer.Argument(help=f"which, such as stylegan2-1024; if not given, {', '.join(NAMES)}")
    ] = None,
    rounds: Annotated[int, typer.Option(min=1, help="how many times each picture and step is timed")] = 3,
    out: Out = DEFAULT_OUT,
) -> None:
    """Measure each family by its architecture, with random weights: a picture, a step of a projection, the most memory."""
    _report({"generators": bench_generators(Settings.load(), names or NAMES, rounds, _say)}, out)


def hostile(
    photo: Annotated[Path, typer.Argument(help="a photo with a face, which others send and the attack is made from")],
    seconds: Annotated[float, typer.Option(min=1.0, help="length of the quiet time, and also of the attack")] = 60.0,
    out: Out = DEFAULT_OUT,
    named: GeneratorOption = None,
) -> None:
    """Measure how long others wait while one member asks for everything at once, compared with a quiet time."""
    _report({"hostile": asyncio.run(bench_hostile(settings_for(named), photo, seconds, _say))}, out)


def store(
    rows: Annotated[list[int], typer.Option(min=0, help="rows of history; may be given several times")] = [1_000_000],  # noqa: B006
    faces: Annotated[int, typer.Option(min=0, help="kept faces at the beginning")] = 5_000,
    seconds: Annotated[float, typer.Option(min=0.1, help="length of each measurement")] = 20.0,
    out: Out = DEFAULT_OUT,
) -> None:
    """Measure writes a second of the bot's store over a long history. A million rows need 0.6 GB, below the out folder."""
    make_folder(out)
    with tempfile.TemporaryDirectory(dir=out, prefix="store-") as folder:
        report = bench_storing(Path(folder), rows, faces, seconds, _say)
    (out / "store.json").write_text(json.dumps(report, indent=1) + "\n")
    typer.echo((out / "store.json").read_text())


def capacity(
    uploads: Annotated[list[float], typer.Option(min=1, help="uploads an hour; may be given several times")],
    wait: Annotated[float, typer.Option(min=0.1, help="seconds within which 95 of 100 are to be answered")] = 60.0,
    look: Annotated[float, typer.Option(min=0.001, help="seconds that a look at a photo takes a worker")] = Work.look,
    project: Annotated[float, typer.Option(min=0.001, help="seconds of a projection and of its scale")] = Work.project,
    draw: Annotated[float, typer.Option(min=0.001, help="seconds of an answer's pictures")] = Work.draw,
    presses: Annotated[float, typer.Option(min=0, help="strengths that are asked for after an upload")] = Work.presses,
    price: Annotated[float, typer.Option(min=0, help="of a worker's machine, an hour; for a month's cost")] = 0.0,
) -> None:
    """Simulate how many workers are needed; the times are those of this machine's measurements (data/NUMBERS.md) unless given."""
    work = Work(look=look, project=project, draw=draw, presses=presses)
    for each in uploads:
        workers, found = least_workers(each, wait, work, _say)
        busy = each / 3600 * work.seconds / workers
        cost = f", {workers * price * 730:.0f} a month" if price else ""
        typer.echo(f"{each:g} uploads an hour: {workers} workers, 95 % within {found:.1f} s, busy {busy:.0%} of the time{cost}")


def everything(
    photos: Photos, rounds: Rounds = 15, w_steps: Steps = 200, out: Out = DEFAULT_OUT, named: GeneratorOption = None
) -> None:
    """Run the measurements of drawing, projecting and processes."""
    settings, editor = _prepare(named)
    report = {"process": bench_processes(settings, photos[0], 2)}
    report["render"] = bench_rendering(settings, editor, rounds)
    report["project"] = bench_projecting(settings, editor, photos, w_steps, _say)
    _report(report, out)


def bot(out: Out = DEFAULT_OUT) -> None:
    """Measure the bot's own process against a Discord on loopback.

    Needs a source checkout, because the tests contain that Discord.
    """
    _of_the_tests("bot", BOT, out)


def chat(
    photo: Annotated[Path, typer.Argument(help="a photo with one face")],
    rounds: Annotated[int, typer.Option(min=1, help="photos of one member, alternating with the work alone")] = 3,
    members: Annotated[int, typer.Option(min=0, help="how many members post at once afterwards; 0 for none")] = 20,
    out: Out = DEFAULT_OUT,
) -> None:
    """Measure how long a member waits in the chat, compared with the same work alone. Needs a source checkout, as `bot` does."""
    _of_the_tests("chat", CHAT, out, str(photo.resolve()), "--rounds", str(rounds), "--members", str(members))


def cluster(out: Out = DEFAULT_OUT) -> None:
    """Measure what a node of Ray adds to a request, and throughput on 1, 4 and 16 workers. Needs Ray and a source checkout."""
    need_ray()
    _of_the_tests("cluster", CLUSTER, out)


def _of_the_tests(name: str, module: str, out: Path, *more: str) -> NoReturn:
    if not ROOT.joinpath(*module.split(".")).with_suffix(".py").is_file():
        raise BadSetting(name=f"egao bench {name}", reason="it needs a source checkout: it is part of the tests")
    make_folder(out)
    command = [sys.executable, "-m", module, *more, "-o", str(out.resolve() / f"{name}.json")]
    raise typer.Exit(subprocess.run(command, cwd=ROOT, check=False).returncode)


def _prepare(named: str | None) -> tuple[Settings, Editor]:
    settings = settings_for(named)
    return settings, Editor(Models(settings))


def _report(report: dict[str, Any], out: Path) -> None:
    make_folder(out)
    made = {"machine": machine(), **report}
    (out / "bench.json").write_text(json.dumps(made, indent=1) + "\n")
    for table in tables(made):
        Console().print(table)
    files = [out / "bench.json"]
    if "render" in made:
        files.append(draw_rendering(made["render"], out / "render.png"))
    if "project" in made:
        files.append(draw_quality(made["project"], out / "quality.png"))
    typer.echo(", ".join(map(str, files)))


def _say(text: str) -> None:
    typer.echo(text, err=True)
