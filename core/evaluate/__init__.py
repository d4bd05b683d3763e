"""Measures what an edit did to a face beside the expression that was asked for.

`look` judges one picture, `trial` draws and judges the edits of one face, `summary` averages over faces, `plots` and `sheets`
draw pictures for a person to inspect. No edit needs any of this; it requires the extra `eval`.
"""

from __future__ import annotations
