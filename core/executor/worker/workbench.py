"""Names what a worker's workbench must be able to do for the kinds of work that egao comes with.

A worker has one thread of work and shares it cooperatively: requests of a quick lane run whole; the others are generators
that give the thread back at every `yield`. Between two yields the worker answers whatever short request has come in, so a
picture of a stored face waits for one step of somebody's projection and never for all of it. Yield often: the longest time
between two yields is what every other member may have to wait. The same yields are the worker's heartbeat and the points
where a request can be cancelled.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from core.errors import EgaoError
from core.executor.kinds import Progress
from core.executor.kinds.animate import Animate, Animated
from core.executor.kinds.find_faces import FindFaces, FoundFaces
from core.executor.kinds.full_size import FullSize
from core.executor.kinds.project import Project, Projected
from core.executor.kinds.render import Render, Rendered


class Workbench(Protocol):
    """The object that does real work inside a worker. One thread uses it; it may keep models loaded.

    It is made there by a factory named as "module:function" that takes the `Settings` (without secrets). A factory
    that raises an `EgaoError` keeps the executor from starting, with that error. Errors for a person are raised as
    `EgaoError`s of `core.errors` and reach the one who asked with their facts; anything else is logged and becomes an
    `InternalError`. Keep no state of a request outside its generator: `close()` on the generator must drop everything.
    """

    def find_faces(self, request: FindFaces) -> Iterator[Progress | FoundFaces]:
        """Yield a `Progress` wherever it can be left for a while and, last, the one `FoundFaces`."""
        ...

    def project(self, request: Project) -> Iterator[Progress | Projected]:
        """Yield a `Progress` after each step (or more often) and, last, the one `Projected`."""
        ...

    def render(self, requests: Sequence[Render]) -> Iterable[Rendered | EgaoError]:
        """Draw all of them: one answer or error for each, in the same order. Each is sent on as it is yielded.

        Where several together are faster, they may be drawn at once and given as a list. An exception makes the worker
        try the halves of the batch by themselves, so that only the bad one fails.
        """
        ...

    def full_size(self, request: FullSize) -> Iterator[Progress | Rendered]:
        """Yield a `Progress` wherever it can be left for a while and, last, the one `Rendered`."""
        ...

    def animate(self, request: Animate) -> Iterator[Progress | Animated]:
        """Yield a `Progress` after each frame and, last, the one `Animated`."""
        ...
