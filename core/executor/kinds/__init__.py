"""The kinds of work: each file of this folder declares one, and is imported here."""

import importlib
import pkgutil

from core.executor.kinds.kind import (
    Answer,
    Asks,
    Cost,
    Kind,
    Lane,
    Material,
    Mode,
    Progress,
    Request,
    Result,
    kind_of,
    kinds,
    modules,
    register,
)

for _found in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_found.name}")

__all__ = [
    "Answer",
    "Asks",
    "Cost",
    "Kind",
    "Lane",
    "Material",
    "Mode",
    "Progress",
    "Request",
    "Result",
    "kind_of",
    "kinds",
    "modules",
    "register",
]
