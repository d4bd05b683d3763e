"""The photo of a browser page and all that is known of its faces: only in memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from core.composite import Original
from core.edit import KnownFace
from core.edit.scale import LIMIT
from core.errors import ResultError
from core.expressions import NEUTRAL, Strength, named
from core.faces import Face, Photo
from core.play.quick import Quick

SHOWN = 2048  # pixels of a photo's longer side as a page shows it: more than most screens have
_QUICK = 1024  # the same while a slider moves
_QUICK_FACE = 128  # pixels of the widest face then: an edit of twice as many takes three times as long


class Choice(BaseModel):
    """The edit of one face that a page asks for."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    face: Annotated[int, Field(ge=0)]
    expression: str = ""
    strength: Annotated[float, Field(ge=-LIMIT, le=LIMIT, allow_inf_nan=False)] | Annotated[str, Field(pattern=f"^{NEUTRAL}$")]

    @property
    def asked(self) -> Strength:
        """The strength as the editor takes it."""
        return NEUTRAL if isinstance(self.strength, str) else self.strength

    @property
    def label(self) -> str:
        """The label for names of files, such as "neutral" or "smile+1.5"."""
        return NEUTRAL if isinstance(self.strength, str) else f"{named(self.expression).name}{self.strength:+g}"


@dataclass(frozen=True)
class Verdict:
    """The judgement of one face's edit in the photo, kept so that it need not be measured again with edits of other faces."""

    told: ResultError | None  # why it must not be shown
    lips_anew: bool
    before: float  # score of the expression in the photo, 0..1
    after: float  # and in the result; nan where no face is seen


@dataclass(frozen=True, eq=False)
class Result:
    """The photo with its faces edited in full quality."""

    pixels: NDArray[np.uint8]  # [H, W, 3], in the photo's own encoding
    choices: tuple[Choice, ...]  # that are in it; those with bad results are left out


@dataclass(eq=False)
class Held:
    """One photo with its faces and edits. Only the thread that edits uses it."""

    photo: Photo
    faces: list[Face]
    name: str  # of its file, without the suffix
    known: dict[int, KnownFace] = field(default_factory=dict)
    originals: dict[int, Original] = field(default_factory=dict)  # by face
    quick: dict[tuple[int, str], Quick] = field(default_factory=dict)  # by face and expression
    verdicts: dict[Choice, Verdict] = field(default_factory=dict)
    others: tuple[tuple[Choice, ...], NDArray[np.uint8]] | None = None  # the small copy with these faces edited
    result: Result | None = None
    version: int = 0  # of the result

    @cached_property
    def shown(self) -> Photo:
        """The photo in the size in which a page shows it."""
        return self.photo.at_most(SHOWN)

    @cached_property
    def small(self) -> Photo:
        """The photo in the size in which its edits are shown while a slider moves."""
        longest = max(self.photo.pixels.shape[:2])
        widest = max(face.width for face in self.faces)
        return self.photo.at_most(min(_QUICK, max(1, round(longest * _QUICK_FACE / widest))))
