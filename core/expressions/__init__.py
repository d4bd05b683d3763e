"""Expressions as data: each is a file of data/expressions, and no code knows one by its name.

default()                # the one that is meant where none is named
load(name)               # raises NoSuchExpression
named("")                # the same, and the default one for ""
names()                  # all of them, the default first
"""

from core.expressions.expression import (
    NEUTRAL,
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
    "NEUTRAL", "Along", "Calibration", "Emotion", "Expression", "Parts", "Strength", "Taught", "Tries", "Words",
    "default", "load", "named", "names",
]  # fmt: skip
