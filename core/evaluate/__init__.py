"""What an edit did to a face, beside the expression that was asked for.

`look` judges one picture, `trial` draws and judges the edits of one face, `summary` puts faces together, `plots` and
`sheets` draw what a person should look at. Nothing of this is needed to edit a photo; it asks for the extra `eval`.
"""

from __future__ import annotations
