"""Makes the workers, each for a device and for some lanes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from core.errors import EgaoError, WorkerDied
from core.executor.devices import worker_environment, worker_settings
from core.executor.kinds import Lane, modules
from core.executor.protocol.link import Launcher
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
    devices: Sequence[str],
    split: bool | None,
    memory: int | None,
    patience: Patience,
    dispatcher: Dispatcher,
    launcher: Launcher,
) -> list[Supervisor]:
    """Make one worker for each device, or two where work is split: one for quick requests, one for requests that may take long.

    How long a stranger's photo takes is unknown until it was examined, so that is done where no picture waits for it. On a
    CPU a step of a projection takes many times as long as a picture. There two processes, weighed against each other by the
    system, answer sooner than one that takes turns, at the price of a second set of models. On a GPU a step is short and
    memory scarce. `split` None decides that way; True or False decides for all devices.
    """
    workers: list[Supervisor] = []
    for device in devices:
        own = worker_settings(settings, device, len(devices))
        environment = worker_environment(own, device)
        for lanes, relieves in _SPLIT if (device == "cpu" if split is None else split) else _WHOLE:
            nice = 0 if Lane.QUICK in lanes else PATIENT_NICE
            setup = Setup(workbench, modules(), own, memory=memory, nice=nice)
            name = f"worker {len(workers)}"
            workers.append(Supervisor(name, device, setup, environment, patience, dispatcher, launcher, lanes, relieves))
    return workers


def why_unserved(workers: Iterable[Supervisor], lane: Lane) -> EgaoError | None:
    """Return the error to give to requests of a lane if every worker for it fails to start; None if one works, or none exists."""
    able = [worker for worker in workers if lane in worker.serves]
    if able and all(worker.hopeless for worker in able):
        return able[0].error or WorkerDied()
    return None
