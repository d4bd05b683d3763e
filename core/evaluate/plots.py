"""Curves of the measurements over the strength, one line for each direction and surface."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from core.evaluate.identity import extra

_PANELS = (
    ("score", "score of the expression"),
    ("identity", "identity distance (dlib)"),
    ("turned", "head turned, degrees"),
    ("skin", "skin tone, ΔE"),
    ("eyes", "opening of the eyes, eye distances"),
)
_SIZE = 5.0, 3.6  # inches a panel


def draw_plots(made: list[dict[str, Any]], out: Path) -> list[Path]:
    """Draw `curves.png` (each measure over the strength) and `gain.png` (identity over the score), and return their paths.

    `made` comes from `summary`. Raises ExtraMissing.
    """
    matplotlib = extra("matplotlib")
    matplotlib.use("Agg")  # no window, no display
    pyplot = extra("matplotlib.pyplot")
    return [_curves(pyplot, made, out / "curves.png"), _gain(pyplot, made, out / "gain.png")]


def _curves(pyplot: Any, made: list[dict[str, Any]], file: Path) -> Path:
    width, height = _SIZE
    figure, axes = pyplot.subplots(1, len(_PANELS), figsize=(width * len(_PANELS), height), layout="constrained")
    for axis, (key, label) in zip(axes, _PANELS, strict=True):
        for method in made:
            points = [(at["strength"], at[key]) for at in method["strengths"] if at[key] is not None]
            axis.plot(*zip(*points, strict=True), marker="o", label=_name(method)) if points else None
        axis.set_xlabel("strength")
        axis.set_ylabel(label)
        axis.grid(alpha=0.3)
    if axes[0].get_legend_handles_labels()[0]:  # none where the landmarker found no face
        axes[0].legend()
    return _save(pyplot, figure, file)


def _gain(pyplot: Any, made: list[dict[str, Any]], file: Path) -> Path:
    """Plot identity over the score: directions have different units of strength, but scores compare."""
    figure, axis = pyplot.subplots(figsize=(2 * _SIZE[0], 2 * _SIZE[1]), layout="constrained")
    for method in made:
        known = [at for at in method["strengths"] if None not in (at["score"], at["identity"])]
        axis.plot([at["score"] for at in known], [at["identity"] for at in known], marker="o", label=_name(method))
    axis.set_xlabel("mean score")
    axis.set_ylabel("mean identity distance (dlib)")
    axis.grid(alpha=0.3)
    axis.legend()
    return _save(pyplot, figure, file)


def _name(method: dict[str, Any]) -> str:
    return f"{method['direction']}, {method['surface']}"


def _save(pyplot: Any, figure: Any, file: Path) -> Path:
    figure.savefig(file, dpi=100)
    pyplot.close(figure)
    return file
