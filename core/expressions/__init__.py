"""Expressions as data: each is a file of data/expressions, and no code mentions one by its name.

default()                # the expression to use if none is named
load(name)               # raises NoSuchExpression
named(name)              # the same, but the default one for ""
names()                  # those that have a command, the default first
names_with_variations()  # and those that are an option of another's command
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
    Variation,
    Words,
    default,
    load,
    named,
    names,
    names_with_variations,
    variations,
)

__all__ = [
    "NEUTRAL", "Aims", "Along", "Calibration", "Emotion", "Expression", "Parts", "Strength", "Taught", "Tries", "Variation",
    "Words", "default", "load", "named", "names", "names_with_variations", "variations",
]  # fmt: skip
