"""What is learned about a face beside its latent, so that later edits of it need not measure it again.

A worker measures it, the bot stores it with the face and sends it back with each request. It is plain data without a
network: the store encrypts it as JSON, and messages between processes carry it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Final, Self


@dataclass(frozen=True)
class KnownScale:
    """The measured response of one face's expression to steps along a direction; `core.edit.scale` explains the numbers."""

    expression: str
    of: str  # digest of the direction and maps that move the face: with others the scale is measured again
    steps: tuple[float, ...]
    scores: tuple[float, ...]
    rest: float
    neutral: float | None = None  # the strength that leads to rest; None if not computed yet
    # pulls that take off what is no part of the expression (see core.reach.maps); () for none
    ease: tuple[float, ...] = ()  # as soon as it is edited
    full: tuple[float, ...] = ()  # at strength 1
    calm: tuple[float, ...] = ()  # at rest


@dataclass(frozen=True)
class Learned:
    """All that is known of one face beside its latent."""

    found: str = ""  # where the face is in its photo and its reconstruction, as `core.edit.found` packs it
    scales: tuple[KnownScale, ...] = ()  # one for each expression and digest

    def scale(self, expression: str, of: str) -> KnownScale | None:
        """Find the scale of an expression measured with the direction whose digest is `of`; None if it was never measured."""
        return next((one for one in self.scales if (one.expression, one.of) == (expression, of)), None)

    def neutral(self, expression: str) -> float | None:
        """Find the strength at which the face shows nothing of the expression, by the latest scale; None if unknown."""
        return next((one.neutral for one in reversed(self.scales) if one.expression == expression), None)

    def with_scale(self, scale: KnownScale) -> Self:
        """Return a copy with this scale last, without any earlier one of the same expression and digest."""
        others = tuple(one for one in self.scales if (one.expression, one.of) != (scale.expression, scale.of))
        return replace(self, scales=(*others, scale))

    def dump(self) -> dict[str, Any]:
        """Convert to what JSON can hold."""
        return {"found": self.found, "scales": [_dumped(one) for one in self.scales]}

    @classmethod
    def load(cls, data: Mapping[str, Any]) -> Self:
        """Make it again from the data of `dump`. Raises KeyError, TypeError or ValueError for other data."""
        return cls(str(data["found"]), tuple(_loaded(one) for one in data["scales"]))


def _dumped(scale: KnownScale) -> dict[str, Any]:
    lists = {name: [*getattr(scale, name)] for name in ("steps", "scores", *_PULLS)}
    return {**asdict(scale), **lists}


_PULLS: Final = ("ease", "full", "calm")
NOTHING: Final = Learned()


def _loaded(data: Mapping[str, Any]) -> KnownScale:
    steps, scores = tuple(map(float, data["steps"])), tuple(map(float, data["scores"]))
    if len(steps) != len(scores):
        raise ValueError("a scale has a score for each step")
    neutral = None if data["neutral"] is None else float(data["neutral"])
    pulls = (tuple(map(float, data.get(name, ()))) for name in _PULLS)  # scales of earlier versions have none
    return KnownScale(str(data["expression"]), str(data["of"]), steps, scores, float(data["rest"]), neutral, *pulls)
