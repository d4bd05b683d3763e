"""How long work takes: a line seconds = a * n + b for each kind of request, fitted as the answers come in.

n counts what the kind is made of: pictures of a render, steps of a projection, frames of an animation, one photo.
The fit is least squares of the error relative to n, with exponential forgetting: every new observation multiplies the
weight of the older ones by `KEEP`, so a line follows a machine that grows slower or faster within some tens of jobs.
A line starts from two made-up observations on the default line; they weigh little and are forgotten like any other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from core.executor.requests import Animate, FindFaces, Project, Render, Request

KEEP = 0.95  # of the weight of what is known, at each new observation
GUESS = 0.2  # weight of each of the two points of a default line, next to 1 for a measured one
USUAL_STEPS = 40  # of a projection that names none, until one has been seen


@dataclass(frozen=True)
class Start:
    """The default line of a kind, in seconds, and the two n at which it counts as seen."""

    a: float
    b: float
    low: int
    high: int


DEFAULTS: Mapping[str, Start] = {
    "FindFaces": Start(a=0.5, b=0.1, low=1, high=2),
    "Render": Start(a=0.4, b=0.3, low=1, high=8),
    "Project": Start(a=0.25, b=4.0, low=20, high=60),
    "Animate": Start(a=0.5, b=0.5, low=12, high=48),
}


class Line:
    """An exponentially weighted least-squares fit of seconds = a * n + b, with a and b at least 0."""

    def __init__(self, start: Start) -> None:
        self._sums = [0.0] * 5  # of weight, n, n*n, seconds, n*seconds
        for n in (start.low, start.high):
            self._add(n, start.a * n + start.b, GUESS)

    def observe(self, n: int, seconds: float) -> None:
        self._sums = [KEEP * total for total in self._sums]
        self._add(n, seconds)

    def _add(self, n: int, seconds: float, weight: float = 1.0) -> None:
        for place, term in enumerate((1.0, n, n * n, seconds, n * seconds)):
            self._sums[place] += weight / (n * n) * term  # errors grow with n: what counts is the relative one

    def coefficients(self) -> tuple[float, float]:
        """a and b. Where the data would make one of them negative, the best line through the other alone."""
        weight, n, nn, s, ns = self._sums
        spread = weight * nn - n * n
        mean = s / weight
        if spread <= 1e-6 * n * n:  # as good as one n seen: no slope can be told from a constant
            return (ns / nn, 0.0) if nn else (0.0, mean)
        a = (weight * ns - n * s) / spread
        b = (s - a * n) / weight
        if a < 0:
            return 0.0, mean
        return (ns / nn, 0.0) if b < 0 else (a, b)

    def predict(self, n: int) -> float:
        a, b = self.coefficients()
        return a * n + b


class Estimates:
    """One line for each kind of request (projections: for each method), and what goes with it."""

    def __init__(self, defaults: Mapping[str, Start] = DEFAULTS) -> None:
        self._defaults = defaults
        self._lines: dict[str, Line] = {}
        self._steps: dict[str, int] = {}
        self._stretch: dict[str, float] = {}

    def line(self, request: Request) -> Line:
        return self._lines.setdefault(_key(request), Line(self._defaults[type(request).__name__]))

    def units(self, request: Request) -> int:
        match request:
            case Render():
                return max(1, len(request.strengths))
            case Animate():
                return max(1, request.frames)
            case Project():
                return request.steps or self._steps.get(_key(request), USUAL_STEPS)
            case FindFaces():
                return 1

    def seconds(self, request: Request) -> float:
        """Of work that this request will take by itself."""
        return self.line(request).predict(self.units(request))

    def elapsed(self, request: Request, units: int) -> float:
        """Seconds by the clock that `units` of such work take, sharing its worker with as much else as lately."""
        return self.line(request).predict(units) * self._stretch.get(_key(request), 1.0)

    def observe(self, request: Request, units: int, seconds: float, elapsed: float) -> None:
        """Learn from an answer: `units` done in `seconds` of work, `elapsed` seconds after it was begun."""
        key = _key(request)
        self.line(request).observe(units, seconds)
        if isinstance(request, Project) and request.resume is None:
            self._steps[key] = units
        if seconds > 0:
            ratio = max(1.0, elapsed / seconds)
            self._stretch[key] = 0.8 * self._stretch.get(key, 1.0) + 0.2 * ratio

    def table(self) -> dict[str, tuple[float, float]]:
        """a and b of every line that has been asked for, by kind."""
        return {key: line.coefficients() for key, line in self._lines.items()}


def _key(request: Request) -> str:
    name = type(request).__name__
    return f"{name}:{request.method}" if isinstance(request, Project) else name
