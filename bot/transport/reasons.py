"""Logs why somebody reads what they read: one line, under numbers that they or an admin can see.

These are the reference in the last line of what they read (R12: a request; I34: a command or a press), and the number of
the message, which ends its link. The log gets no word that anybody typed.
"""

from __future__ import annotations

import logging
import re
from typing import Final

from bot.text.refusals import Refused
from core.errors import EgaoError, Reason
from core.errors.base import Fact

log = logging.getLogger(__name__)

_OWN: Final = frozenset(map(str, Reason))  # texts that core itself wrote
_STRENGTH: Final = re.compile(r"[+−-]?\d{1,2}([.,]\d{1,2})?")


def reason_of(error: BaseException) -> str:
    """Write an error for the log: its code, and those of its facts that are numbers, strengths or a `Reason`.

    Other texts are left out: they may be typed by a member, or made up by a hostile worker.
    """
    if isinstance(error, Refused):
        return error.key
    if isinstance(error, EgaoError):
        return f"{error.code} { {name: fact for name, fact in error.facts.items() if _may_be_logged(fact)} }"
    return type(error).__name__


def _may_be_logged(fact: Fact) -> bool:
    return not isinstance(fact, str) or fact in _OWN or _STRENGTH.fullmatch(fact) is not None


def log_reason(who: str, message_id: int | None, error: BaseException | str, verb: str = "is told") -> None:
    """Log why `who` ("request R12", "interaction I34") reads a sentence.

    `message_id`: the message that it stands in, or that was pressed; None where there is none. `error`: what is told, or the
    key of a sentence of the catalogues.
    """
    where = "" if message_id is None else f" in message {message_id}"
    log.info("%s%s %s %s", who, where, verb, error if isinstance(error, str) else reason_of(error))
