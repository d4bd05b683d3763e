"""Makes the workers, each for a device and for some lanes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence

from core.errors import EgaoError, WorkerDied
from core.executor.devices import worker_environment, worker_settings
from core.executor.fleet import Site
from core.executor.kinds import Lane, modules
from core.executor.protocol.messages import Setup
from core.executor.supervisor import Dispatcher, Patience, Supervisor
from core.settings import Settings

PATIENT_NICE = 5  # niceness of a worker for long requests only: about a third of the weight of the other
_NONE: frozenset[Lane] = frozenset()
_QUICK = frozenset({Lane.QUICK, Lane.MOVING})
_WHOLE = ((frozenset(Lane), _NONE),)
_SPLIT = ((_QUICK, _NONE), (frozenset(Lane) - _QUICK, _QUICK))  # the lanes that each serves, and those it relieves the other of


def make_pool(
    settings: Settings,
    workbench: str,
    numbers: Iterator[int],
    split: bool | None,
    memory: int | None,
    patience: Patience,
    dispatcher: Dispatcher,
    site: Site,
) -> list[Supervisor]:
    """Make one worker for each place of a site, or two where work is split: for quick requests, and for those that may take long.

    How long a stranger's photo takes is unknown until it was examined, so that is done where no picture waits for it. On a
    CPU a step of a projection takes many times as long as a picture. There two processes, weighed against each other by the
    system, answer sooner than one that takes turns, at the price of a second set of models. On a GPU a step is short and
    memory scarce. `split` None decides that way; True or False decides for all devices.
    """
    workers: list[Supervisor] = []
    for device, launcher in site.places:
        own = worker_settings(settings, device, len(site.places))
        environment = worker_environment(own, device)
        for lanes, relieves in _SPLIT if (device == "cpu" if split is None else split) else _WHOLE:
            nice = 0 if Lane.QUICK in lanes else PATIENT_NICE
            setup = Setup(workbench, modules(), own, memory=memory, nice=nice)
            name = f"worker {next(numbers)}" + (f" on {site.name}" if site.name else "")
            made = Supervisor(name, device, setup, environment, patience, dispatcher, launcher, lanes, relieves, site.name)
            workers.append(made)
    return workers


class Pool:
    """The workers of all sites, which come and go."""

    def __init__(self, make: Callable[[Site], list[Supervisor]], changed: Callable[[], None]) -> None:
        """Prepare a pool. `make` makes the workers of a site; `changed` is called when one has left for good."""
        self.workers: list[Supervisor] = []
        self._make, self._changed = make, changed
        self._sites: dict[Site, list[Supervisor]] = {}
        self._leaving: set[asyncio.Task[None]] = set()
        self._closed = False

    def rearrange(self, sites: Sequence[Site]) -> None:
        """Start the workers of sites that have come, and have those of sites that are gone leave."""
        if self._closed:
            return
        for site in self._sites.keys() - set(sites):
            for worker in self._sites.pop(site):
                task = asyncio.create_task(self._dismiss(worker))
                self._leaving.add(task)
                task.add_done_callback(self._leaving.discard)
        for site in (site for site in sites if site not in self._sites):
            self._sites[site] = made = self._make(site)
            self.workers += made
            for worker in made:
                worker.open()

    async def _dismiss(self, worker: Supervisor) -> None:
        """Have a worker leave for good. Its work goes on with another, from the last checkpoint."""
        await worker.close()
        self.workers.remove(worker)
        self._changed()

    async def close(self) -> None:
        """Close every worker; no site is taken in after this."""
        self._closed = True
        staying = [worker for made in self._sites.values() for worker in made]
        await asyncio.gather(*self._leaving, *(worker.close() for worker in staying), return_exceptions=True)


def why_unserved(workers: Iterable[Supervisor], lane: Lane) -> EgaoError | None:
    """Return the error to give to requests of a lane if every worker for it fails to start; None if one works, or none exists."""
    able = [worker for worker in workers if lane in worker.serves]
    if able and all(worker.hopeless for worker in able):
        return able[0].error or WorkerDied()
    return None
