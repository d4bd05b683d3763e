"""Converts what earlier versions kept of a face beside its latent, for the migrations. Nothing else knows these formats.

The bot kept one scale, as JSON in a string, with the strength of "neutral"; the command line kept scales by the digest of the
direction. All are of the only expression that there was.
"""

from __future__ import annotations

import json
from typing import Any, Final

_EXPRESSION: Final = "smile"


def as_learned(old: dict[str, Any]) -> dict[str, Any]:
    """Convert it to the format of `core.learned`. What can't be read is left out, and measured again when needed."""
    scales = [_scale(of, scale, None) for of, scale in (old.get("scales") or {}).items()]
    try:
        known = json.loads(old.get("scale") or "null")
        scales += [_scale(known["of"], known, old.get("neutral"))] if known else []
    except (ValueError, KeyError, TypeError):
        pass
    return {"photo": old.get("photo"), "found": old.get("found") or "", "scales": scales}


def _scale(of: str, scale: dict[str, Any], neutral: float | None) -> dict[str, Any]:
    measured = {name: scale[name] for name in ("steps", "scores", "rest")}
    return {"expression": _EXPRESSION, "of": of, **measured, "neutral": neutral}
