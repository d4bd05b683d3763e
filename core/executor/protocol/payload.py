"""Converts requests, answers and errors to plain trees [name, fields] and back.

A plain tree has dicts, lists, strings, numbers, None, and bytes that are carried beside it. The way back only makes
dataclasses of the registered kinds and errors that core defines (`EgaoError.of_workers`); pydantic checks every field
against its type.
"""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

from pydantic import PlainSerializer, PlainValidator, TypeAdapter

from core.errors import EgaoError, InternalError, revive
from core.executor.kinds.kind import carried

_ERROR = "error"
_MOST_FACTS, _LONGEST_FACT = 16, 500

T = TypeVar("T")


_ADAPTERS: dict[Any, TypeAdapter[Any]] = {}  # made when first needed: each takes some milliseconds


def adapter(kind: Any) -> TypeAdapter[Any]:
    """Return pydantic's adapter for a type, made once for each type."""
    if kind not in _ADAPTERS:
        _ADAPTERS[kind] = TypeAdapter(kind)
    return _ADAPTERS[kind]


def flatten(value: Any) -> list[Any]:
    """Convert a request, an answer or an error to [name, fields]. Raises ValueError for anything else."""
    if isinstance(value, EgaoError):
        return [_ERROR, [value.code, _cut(value.facts)]]
    if carried(type(value).__name__) is not type(value):
        raise ValueError(f"{type(value).__name__} is no request and no answer of a registered kind")
    return [type(value).__name__, adapter(type(value)).dump_python(value, warnings="error")]


def rebuild(tree: Any) -> Any:
    """Make the object again from the tree of `flatten`. Raises ValueError."""
    if not isinstance(tree, list) or len(tree) != 2 or not isinstance(tree[0], str):
        raise ValueError("a payload is a name and its fields")
    name, fields = tree
    if name == _ERROR:
        return _error(fields)
    if (kind := carried(name)) is None:
        raise ValueError(f"{name[:40]!r} is no request and no answer of a registered kind")
    return adapter(kind).validate_python(fields)


def _error(fields: Any) -> EgaoError:
    code, facts = adapter(tuple[str, dict[str, str | int | float | bool | None]]).validate_python(fields)
    found = revive(code, _cut(facts))
    return found if found.of_workers else InternalError()


def _cut(facts: dict[str, Any]) -> dict[str, Any]:
    """Shorten facts, which are part of a sentence, and replace unprintable letters, which could disguise it."""
    whole = list(facts.items())[:_MOST_FACTS]
    return {name: _printable(fact) if isinstance(fact, str) else fact for name, fact in whole}


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else " " for letter in text[:_LONGEST_FACT])


Payload = Annotated[T, PlainValidator(rebuild), PlainSerializer(flatten)]
