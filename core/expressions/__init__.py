"""Expressions as data: each is a file of data/expressions, and no code mentions one by its name.

default()                # the expression to use if none is named
load(name)               # raises NoSuchExpression
named(name)              # the same, but the default one for ""
names()                  # all names, the default first
"""

from core.expressions.expression import (
    NEUTRAL,
    Aims,
    Along,
    Calibration,
    Emotion,
    Expression,
    Parts,
    Strength,
    Taught,
    Tries,
    Words,
    default,
    load,
    named,
    names,
)

__all__ = [
    "NEUTRAL", "Aims", "Along", "Calibration", "Emotion", "Expression", "Parts", "Strength", "Taught", "Tries", "Words",
    "default", "load", "named", "names",
]  # fmt: skip
