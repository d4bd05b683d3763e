"""The crew: which workers there are, for which device and for which lanes."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

from core.errors import EgaoError, WorkerDied
from core.executor.devices import worker_environment, worker_settings
from core.executor.job import Lane
from core.executor.seat import Office, Patience, Seat
from core.executor.wire import Setup
from core.settings import Settings

STAND_BACK = 5  # niceness of a worker for long jobs only: about a third of the weight of the other
_WHOLE = (frozenset(Lane),)
_SPLIT = (frozenset({Lane.QUICK, Lane.MOVING}), frozenset({Lane.LONG}))


def hire(
    settings: Settings,
    workbench: str,
    devices: Sequence[str],
    split: bool | None,
    memory: int | None,
    patience: Patience,
    office: Office,
    spawner: ThreadPoolExecutor,
) -> list[Seat]:
    """One seat for each device, or two where the work is split: one for what is quick, one for projections.

    On a processor a step of a projection takes many times as long as a picture. Two processes that the system weighs
    against each other then answer sooner than one that works in turns, at the price of a second set of models. On a
    GPU a step is short and the memory dear. `split` None decides so; True or False settles it.
    """
    seats: list[Seat] = []
    for device in devices:
        whole = worker_settings(settings, device, len(devices))
        environment = worker_environment(whole, device)
        for lanes in _SPLIT if (device == "cpu" if split is None else split) else _WHOLE:
            patient = Lane.QUICK not in lanes
            setup = Setup(workbench, whole, os.getpid(), memory, STAND_BACK if patient else 0)
            name = f"worker {len(seats)}"
            seats.append(Seat(name, device, setup, environment, patience, office, spawner, lanes))
    return seats


def lost(seats: Iterable[Seat], lane: Lane) -> EgaoError | None:
    """Why nobody serves a lane, if of those who would nobody comes up."""
    able = [seat for seat in seats if lane in seat.serves]
    if able and all(seat.hopeless for seat in able):
        return able[0].error or WorkerDied()
    return None
