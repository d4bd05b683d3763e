"""Estimates how long work takes: a line seconds = a * n + b for each kind of request, fitted to the answers.

n counts the units of the kind: pictures of a render, steps of a projection, frames of an animation, one photo. The fit is
least squares of the error relative to n, with exponential forgetting: every new observation multiplies the weight of the
older ones by `KEEP`, so that a line follows a machine that gets slower or faster within some tens of jobs. A line starts with
two made-up observations on the default line, which weigh little and are forgotten like any other.
"""

from __future__ import annotations

from collections.abc import Mapping

from core.executor.kinds import Cost, Request, kind_of

KEEP = 0.95  # factor of older observations' weight, at each new one
GUESS = 0.2  # weight of each of the two points of a default line, next to 1 for a measured one


class CostLine:
    """An exponentially weighted least-squares fit of seconds = a * n + b, with a and b at least 0. n must be at least 1."""

    def __init__(self, start: Cost) -> None:
        self._sums = [0.0] * 5  # of weight, n, n*n, seconds, n*seconds
        for n in (start.low, start.high):
            self._add(n, start.a * n + start.b, GUESS)

    def observe(self, n: int, seconds: float) -> None:
        self._sums = [KEEP * total for total in self._sums]
        self._add(n, seconds)

    def _add(self, n: int, seconds: float, weight: float = 1.0) -> None:
        for place, term in enumerate((1.0, n, n * n, seconds, n * seconds)):
            self._sums[place] += weight / (n * n) * term  # errors grow with n, so relative errors are minimised

    def coefficients(self) -> tuple[float, float]:
        """Compute a (seconds a unit) and b (seconds). If the best fit makes one negative, it is 0 and the other is fitted."""
        weight, n, nn, s, ns = self._sums
        spread = weight * nn - n * n
        mean = s / weight
        if spread <= 1e-6 * n * n:  # practically only one n was observed: slope and constant can't be separated
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
    """The lines of all kinds of request (and their variants), with their usual units and delays."""

    def __init__(self, costs: Mapping[str, Cost] | None = None) -> None:
        """Begin with the kinds' own costs, or those in `costs` by a kind's name."""
        self._costs = costs or {}
        self._lines: dict[str, CostLine] = {}
        self._units: dict[str, int] = {}
        self._stretch: dict[str, float] = {}

    def line(self, request: Request) -> CostLine:
        """Return the cost line of requests like this one."""
        kind = kind_of(request)
        return self._lines.setdefault(_key(request), CostLine(self._costs.get(kind.name, kind.cost)))

    def units(self, request: Request) -> int:
        """Count the units of work in a request; if the request doesn't tell, as many as the last one had."""
        kind = kind_of(request)
        return kind.units(request) or self._units.get(_key(request), kind.usual_units)

    def seconds(self, request: Request) -> float:
        """Estimate the seconds of work that this request takes when nothing else runs on its worker."""
        return self.line(request).predict(self.units(request))

    def elapsed(self, request: Request, units: int) -> float:
        """Estimate the seconds that pass while `units` of such work are done, with as much other work on the worker as lately."""
        return self.line(request).predict(units) * self._stretch.get(_key(request), 1.0)

    def observe(self, request: Request, units: int, seconds: float, elapsed: float) -> None:
        """Learn from an answer: `units` were done in `seconds` of work, `elapsed` seconds after the request was begun."""
        key = _key(request)
        self.line(request).observe(units, seconds)
        if kind_of(request).fresh(request):
            self._units[key] = units
        if seconds > 0:
            ratio = max(1.0, elapsed / seconds)
            self._stretch[key] = 0.8 * self._stretch.get(key, 1.0) + 0.2 * ratio

    def table(self) -> dict[str, tuple[float, float]]:
        """Return a and b of every line in use, by kind and variant."""
        return {key: line.coefficients() for key, line in self._lines.items()}


def _key(request: Request) -> str:
    kind = kind_of(request)
    variant = kind.variant(request)
    return f"{kind.name}:{variant}" if variant else kind.name
