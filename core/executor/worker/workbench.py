"""Declares what a worker's workbench must do for the kinds of work that egao comes with.

A worker has one thread of work and shares it cooperatively. Requests of a quick lane run whole; the others are generators
that give the thread back at every `yield`. Between two yields the worker answers short requests that have come in, so a
picture of a stored face waits for one step of somebody's projection and never for all of it. Yield often: every other member
may have to wait for the longest time between two yields. The yields also show that the worker lives, and are the points where
a request can be cancelled.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from core.errors import EgaoError
from core.executor.door import Door
from core.executor.kinds import Progress
from core.executor.kinds.animate import Animate, Animated
from core.executor.kinds.find_faces import FindFaces, FoundFaces
from core.executor.kinds.full_size import FullSize
from core.executor.kinds.move_together import MovedTogether, MoveTogether
from core.executor.kinds.project import Project, Projected
from core.executor.kinds.render import Render, Rendered
from core.executor.kinds.together import DrawnTogether, Together


class Workbench(Protocol):
    """The object that does the real work inside a worker. One thread uses it; it may keep models loaded.

    A factory named as "module:function" makes it from the `Settings` (without secrets). If the factory raises an `EgaoError`,
    the executor's start fails with it. Raise errors for a person as `EgaoError`s of `core.errors`: they reach whoever asked;
    any other error is logged and becomes an `InternalError`. Keep no state of a request outside its generator: the
    generator's `close()` must drop everything.
    """

    @property
    def door(self) -> Door:
        """What kinds of work that have no method here are done with."""
        ...

    def find_faces(self, request: FindFaces) -> Iterator[Progress | FoundFaces]:
        """Yield a `Progress` wherever other work may come in between, and `FoundFaces` last."""
        ...

    def project(self, request: Project) -> Iterator[Progress | Projected]:
        """Yield a `Progress` after each step (or more often), and `Projected` last."""
        ...

    def render(self, requests: Sequence[Render]) -> Iterable[Rendered | EgaoError]:
        """Draw all requests: one answer or error for each, in the same order, each sent on as soon as it is yielded.

        If drawing several at once is faster, return a list instead. An exception makes the worker try the halves of the batch
        separately, so that only the bad request fails.
        """
        ...

    def full_size(self, request: FullSize) -> Iterator[Progress | Rendered]:
        """Yield a `Progress` wherever other work may come in between, and `Rendered` last."""
        ...

    def animate(self, request: Animate) -> Iterator[Progress | Animated]:
        """Yield a `Progress` after each frame, and `Animated` last."""
        ...

    def together(self, request: Together) -> Iterator[Progress | DrawnTogether]:
        """Yield a `Progress` after each face and, last, the one `DrawnTogether`; also for `FullTogether`."""
        ...

    def move_together(self, request: MoveTogether) -> Iterator[Progress | MovedTogether]:
        """Yield a `Progress` after each face of each frame, and `MovedTogether` last."""
        ...
