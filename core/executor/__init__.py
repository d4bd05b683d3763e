"""Runs requests on workers of its own: awaitable, cancellable, fair between members, and unable to crash the bot."""

from core.executor.admission import Capacity
from core.executor.door import Door
from core.executor.executor import Executor
from core.executor.item import Place, WorkItem
from core.executor.kinds import Lane, Progress, Request, Result
from core.executor.kinds.animate import Animate, Animated
from core.executor.kinds.find_faces import FindFaces, FoundFace, FoundFaces
from core.executor.kinds.full_size import FullSize
from core.executor.kinds.full_together import FullTogether
from core.executor.kinds.move_together import MovedTogether, MoveTogether
from core.executor.kinds.project import Project, Projected
from core.executor.kinds.render import Render, Rendered
from core.executor.kinds.together import DrawnOne, DrawnTogether, OneOf, Together
from core.executor.queue import Tenant
from core.executor.spending import Spending
from core.executor.stats import Stats, Tally, WorkerStats
from core.executor.supervisor import Patience
from core.executor.worker.workbench import Workbench

__all__ = [
    "Animate",
    "Animated",
    "Capacity",
    "Door",
    "DrawnOne",
    "DrawnTogether",
    "Executor",
    "FindFaces",
    "FoundFace",
    "FoundFaces",
    "FullSize",
    "FullTogether",
    "Lane",
    "MoveTogether",
    "MovedTogether",
    "OneOf",
    "Patience",
    "Place",
    "Progress",
    "Project",
    "Projected",
    "Render",
    "Rendered",
    "Request",
    "Result",
    "Spending",
    "Stats",
    "Tally",
    "Tenant",
    "Together",
    "WorkItem",
    "Workbench",
    "WorkerStats",
]
