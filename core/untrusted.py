"""Model files come from outside: they are read as data and never run, and any fault in one becomes one sentence.

The formats: safetensors (tensors and strings), torch state dicts through `weights_only`, HDF5 without links to
elsewhere, XML without a document type, ONNX from memory, arrays without pickles.
`tests/core/weights/test_hostile_models.py` has a payload for each, and a search of the code for every way to run one.
The only machine code that egao loads is its own: compiled on this machine from its own source, without any weights,
under the rules in `core/compiled/kept.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from core.errors import EgaoError, ModelUnreadable


@contextmanager
def errors_told(tell: Callable[[Exception, str], EgaoError]) -> Iterator[None]:
    """Turn any exception of the block into the error that `tell` makes of the exception and of its message's first line.

    An EgaoError passes unchanged, and so does an OSError with an errno, since that is a fault of the disk.
    """
    try:
        yield
    except EgaoError:
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        lines = [line.strip() for line in str(error).strip().splitlines()] or [""]
        first = lines[1] if lines[0].endswith(":") and len(lines) > 1 else lines[0]  # torch announces a list, and then gives it
        raise tell(error, first[:120]) from error


def read_as_data(name: str) -> AbstractContextManager[None]:
    """Turn any exception that reading the file `name` raises into ModelUnreadable, except those that `errors_told` lets pass."""
    return errors_told(lambda error, first: ModelUnreadable(name=name, reason=f"{type(error).__name__}: {first}"))
