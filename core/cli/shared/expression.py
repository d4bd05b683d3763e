"""The option that names an expression."""

from __future__ import annotations

from typing import Annotated

import typer

ExpressionOption = Annotated[
    str, typer.Option(help="name of an expression, a file of data/expressions; if not given, the default one")
]
