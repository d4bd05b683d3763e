"""Work in processes of its own: awaitable, cancellable, fair, and never able to take the bot down with it."""

from core.executor.door import Limits
from core.executor.executor import Executor
from core.executor.job import Job, Lane, Place
from core.executor.queue import Owner
from core.executor.requests import (
    Animate,
    Animated,
    FindFaces,
    FoundFace,
    FoundFaces,
    Progress,
    Project,
    Projected,
    Render,
    Rendered,
    Request,
    Result,
    Workbench,
)
from core.executor.seat import Patience
from core.executor.stats import Stats, Tally, WorkerStats

__all__ = [
    "Animate",
    "Animated",
    "Executor",
    "FindFaces",
    "FoundFace",
    "FoundFaces",
    "Job",
    "Lane",
    "Limits",
    "Owner",
    "Patience",
    "Place",
    "Progress",
    "Project",
    "Projected",
    "Render",
    "Rendered",
    "Request",
    "Result",
    "Stats",
    "Tally",
    "Workbench",
    "WorkerStats",
]
