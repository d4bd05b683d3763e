"""The base of egao's errors: a code and plain facts, from which a sentence is made in the reader's language."""

from __future__ import annotations

import string
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

Fact = str | int | float | bool | None


class _Filler(string.Formatter):
    """A formatter that accepts plain names only: `{fact.attribute}` and `{fact[0]}` would reach into a fact's object."""

    def get_field(self, field_name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[Any, str]:
        if not field_name.isidentifier():
            raise KeyError(field_name)
        return kwargs[field_name], field_name


def fill(template: str, facts: Mapping[str, Any]) -> str:
    """Fill facts into the template's `{names}`. Raises KeyError for a missing fact, or a field that is not a plain name."""
    return _Filler().vformat(template, (), facts)


class EgaoError(Exception):
    """Base of every error that is meant for a person. Raise a subclass, with the facts that its sentence names as keywords.

    The facts become its plain values: whatever is no str, int, float, bool or None is kept as its str.
    """

    sentence: ClassVar[str] = "Something went wrong inside egao. Try again; if it goes on, report what you did."
    of_workers: ClassVar[bool] = True  # whether a worker may end a request with it; subclasses have what their base has

    def __init__(self, **facts: Any) -> None:
        self.facts: dict[str, Fact] = {name: _plain(fact) for name, fact in facts.items()}
        super().__init__(fill(type(self).sentence, self.facts))

    @property
    def code(self) -> str:
        """Return the name of its class: with "error." before it, the key of its sentence in the catalogues of languages."""
        return type(self).__name__


class InternalError(EgaoError):
    """A mistake in the code: a person is only told that something went wrong, and the log has the rest."""


def _plain(fact: Any) -> Fact:
    return fact if type(fact) in (str, int, float, bool, type(None)) else str(fact)


def revive(code: str | None, facts: Mapping[str, Any], base: type[EgaoError] = EgaoError) -> EgaoError:
    """Make an error again from its code and facts, as a subclass of `base`; InternalError if that fails.

    Code and facts may come from a damaged row or from a hostile worker, so nothing but an error class of core is
    created.
    """
    kind = next((one for one in _below(base) if one.__name__ == code), None)
    try:
        return kind(**facts) if kind is not None else InternalError()
    except (KeyError, ValueError, TypeError):
        return InternalError()


def _below(kind: type[EgaoError]) -> Iterator[type[EgaoError]]:
    """List a class and all its subclasses that are defined in core, except EgaoError itself."""
    if kind.__module__.partition(".")[0] == "core" and kind is not EgaoError:
        yield kind
    for one in kind.__subclasses__():
        yield from _below(one)
