"""Model files come from outside: they are read as data, never run, and what is wrong with one becomes one sentence.

The formats: safetensors (tensors and strings), torch state dicts through `weights_only`, HDF5 without links to elsewhere,
XML without a document type, ONNX from memory, arrays without pickles. `tests/core/weights/test_hostile_models.py` has a payload
for each, and a search of the code for every way to run one. What is run is egao's own: machine code that it had compiled on
this machine, of its own source and without any weights, under the rules in `core/compiled/kept.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from core.errors import EgaoError, ModelUnreadable


@contextmanager
def errors_told(tell: Callable[[Exception, str], EgaoError]) -> Iterator[None]:
    """Turn whatever foreign data makes a reader raise into the error that `tell` makes of it and of its first line.

    An EgaoError passes, and an OSError with a number: that is the disk's.
    """
    try:
        yield
    except EgaoError:
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        first = (str(error).strip().splitlines() or [""])[0][:120]
        raise tell(error, first) from error


def read_as_data(name: str) -> AbstractContextManager[None]:
    """Turn whatever a reader of formats raises over the file `name` into ModelUnreadable, as `errors_told` does."""
    return errors_told(lambda error, first: ModelUnreadable(name=name, reason=f"{type(error).__name__}: {first}"))
