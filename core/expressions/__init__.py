"""Expressions as data: each is a file of data/expressions, and no code mentions one by its name.

default()                # the expression to use if none is named
load(name)               # raises NoSuchExpression
named(name)              # the same, but the default one for ""
names()                  # those that have a command, the default first
names_with_variations()  # and those that are an option of another's command
options(name)            # which options vary it
varied(name, eyes=...)   # what such an option makes of it
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
    Unit,
    Variation,
    Words,
    default,
    load,
    named,
    names,
    names_with_variations,
    options,
    varied,
)

__all__ = [
    "NEUTRAL", "Aims", "Along", "Calibration", "Emotion", "Expression", "Parts", "Strength", "Taught", "Tries", "Unit",
    "Variation", "Words", "default", "load", "named", "names", "names_with_variations", "options", "varied",
]  # fmt: skip
