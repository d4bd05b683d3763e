"""Presents the measurements: as tables, and quality over seconds as a picture."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from rich.table import Table

from core.bench.quality import MEASURES
from core.evaluate.identity import extra

_RATIOS = {"of_openvino_f32": "of OpenVINO f32", "of_eager_f32": "of eager f32"}
_LABELS = {
    "squared_error": "squared error at 256 pixels (0..1)",
    "perceptual": "perceptual distance (optimised)",
    "second_perceptual": "second perceptual distance (not optimised)",
    "identity": "identity distance (dlib)",
}
_SIZE = 5.0, 4.0  # inches a panel


def tables(report: dict[str, Any]) -> Iterator[Table]:
    """Make a table for each part that the report contains."""
    if "render" in report:
        yield from _rendering(report["render"])
    if "project" in report:
        yield from _projecting(report["project"])
    if "process" in report:
        rows = [(name, f"{of['seconds']:.1f}", f"{of['megabytes']:.0f}") for name, of in report["process"].items()]
        yield _rows("processes, started afresh", ("", "seconds", "megabytes at the peak"), rows)
    if "floors" in report:
        yield _floors(report["floors"])
    if "generators" in report:
        yield _generators(report["generators"])
    if "hostile" in report:
        yield _hostile(report["hostile"])


def _generators(generators: dict[str, Any]) -> Table:
    kinds = ("picture", "fast picture", "step", "fast step")
    columns = ("", *(f"{kind}: s (processor)" for kind in kinds), "MB drawing", "MB projecting")
    rows = [
        (name, *(f"{of[kind]['seconds']:.2f} ({of[kind]['processor']:.2f})" for kind in kinds),
         str(of["picture"]["megabytes"]), str(of["step"]["megabytes"]))
        for name, of in generators.items()
    ]  # fmt: skip
    return _rows("generators, each in a process of its own; random weights but for the first", columns, rows)


def _floors(floors: dict[str, Any]) -> Table:
    columns = ("", "GMAC", "MB", "floor, s", "as written", "s", "over floor")
    rows = [
        (of["stage"], f"{of['multiply_adds'] / 1e9:.2f}", f"{of['moved'] / 1e6:.0f}", f"{of['floor']:.4f}",
         f"{of['as written']:.3f}", f"{of['seconds']:.3f}", f"{of['over floor']:.1f}")
        for of in floors["stages"]
    ]  # fmt: skip
    best = floors["rates"]["all threads"]
    rate = f"{best['multiply_adds'] / 1e9:.0f} GMAC and {best['bytes'] / 1e9:.1f} GB a second"
    return _rows(f"stages and their floors, in seconds of the processor, which does {rate}", columns, rows)


def _hostile(hostile: dict[str, Any]) -> Table:
    columns = ("", "quiet: median s", "longest s", "hostile: median s", "longest s", "refused", "ratio of medians", "of means")
    rows = []
    for name in ("smile", "photo"):
        quiet, attacked = hostile["quiet"][name], hostile["hostile"][name]
        seconds = [f"{of[key]:.2f}" for of in (quiet, attacked) for key in ("median", "longest")]
        refused = str(hostile["quiet"]["refused"] + hostile["hostile"]["refused"])
        ratios = (f"{hostile['ratios'][name]:.2f}", f"{attacked['mean'] / quiet['mean']:.2f}")
        rows.append((name, *seconds, refused, *ratios))
    return _rows(f"others, while one member asks for everything for {hostile['seconds']:.0f} s", columns, rows)


def _rows(title: str, columns: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> Table:
    table = Table(title=title, title_justify="left")
    for index, column in enumerate(columns):
        table.add_column(column, justify="left" if index == 0 else "right")
    for row in rows:
        table.add_row(*row)
    return table


def _rendering(render: dict[str, Any]) -> Iterator[Table]:
    pictures = render["picture"]
    ratio, title = next((key, title) for key, title in _RATIOS.items() if key in next(iter(pictures.values())))
    yield _rows(
        "one {0}x{0} picture".format(render["side"]), ("by", "median s", "fastest s", title, "dB"),
        [(name, f"{of['median']:.3f}", f"{of['fastest']:.3f}", f"{of[ratio]:.2f}", f"{of['decibels']:.1f}")
         for name, of in pictures.items()],
    )  # fmt: skip
    yield _rows("strengths of one face", ("", "s, or ratio"), [(name, f"{v:.3f}") for name, v in render["strengths"].items()])
    yield _rows("until the features of a side", ("pixels", "s"), [(side, f"{v:.4f}") for side, v in render["layers"].items()])


def _projecting(project: dict[str, Any]) -> Iterator[Table]:
    yield _rows(
        f"projection, medians over {project['photos']} photos; w's schedule shortened to {project['w_steps']} steps",
        ("method", "steps", "seconds", "s a step", "first s", "squared error", "perceptual", "second", "identity"),
        [(m["method"], f"{m['steps']:.0f}", f"{m['seconds']:.2f}", f"{m['seconds_per_step']:.3f}", f"{m['first']:.2f}",
          f"{m['squared_error']:.4f}", f"{m['perceptual']:.3f}", f"{m['second_perceptual']:.3f}", f"{m['identity']:.3f}")
         for m in project["methods"]],
    )  # fmt: skip
    yield _rows("fast against the others", ("", ""), [(name, _said(v)) for name, v in project["goals"].items()])


def _said(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {number}" for name, number in value.items())
    return f"{value:.2f}" if isinstance(value, float) else str(value)


def draw_quality(project: dict[str, Any], file: Path) -> Path:
    """Plot each measure over seconds to `file`, a curve for each method: medians over the photos at every kept step."""
    matplotlib = extra("matplotlib")
    matplotlib.use("Agg")  # no window, no display
    pyplot = extra("matplotlib.pyplot")
    figure, axes = pyplot.subplots(1, len(MEASURES), figsize=(_SIZE[0] * len(MEASURES), _SIZE[1]), layout="constrained")
    for axis, key in zip(axes, MEASURES, strict=True):
        for method in project["methods"]:
            curves = [row["curve"] for row in project["rows"] if row["method"] == method["method"]]
            points = list(_medians(curves, key))
            axis.plot(*zip(*points, strict=True), marker=".", label=method["method"])
        axis.set_xscale("log")
        axis.set_xlabel("seconds")
        axis.set_title(_LABELS[key], fontsize="medium")
        axis.grid(alpha=0.3)
    axes[0].legend()
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=100)
    pyplot.close(figure)
    return file


def _medians(curves: list[list[dict[str, float]]], key: str) -> Iterator[tuple[float, float]]:
    """Compute (seconds, measure) at the steps that all curves share and at their ends: medians over the curves."""
    shared = set.intersection(*({at["step"] for at in curve} for curve in curves))
    for step in sorted(shared):
        at = [next(point for point in curve if point["step"] == step) for curve in curves]
        yield statistics.median(point["seconds"] for point in at), statistics.median(point[key] for point in at)
    if any(curve[-1]["step"] not in shared for curve in curves):
        yield tuple(statistics.median(curve[-1][name] for curve in curves) for name in ("seconds", key))  # type: ignore[misc]


def draw_rendering(render: dict[str, Any], file: Path) -> Path:
    """Plot a bar for each way of drawing a picture to `file`."""
    matplotlib = extra("matplotlib")
    matplotlib.use("Agg")
    pyplot = extra("matplotlib.pyplot")
    figure, axis = pyplot.subplots(figsize=(1.6 * _SIZE[0], _SIZE[1]), layout="constrained")
    names = list(render["picture"])
    bars = axis.barh(names, [render["picture"][name]["median"] for name in names])
    axis.bar_label(bars, [f"{render['picture'][name]['decibels']:.0f} dB" for name in names], padding=3)
    axis.set_xlabel("seconds for one {0}x{0} picture, median".format(render["side"]))
    axis.margins(x=0.12)
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=100)
    pyplot.close(figure)
    return file
