"""Reads and checks the files of data/expressions; smile.toml explains their fields.

Loads no neural network: the bot's own process reads the words from here too.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files
from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from core.errors import NoSuchExpression
from core.expressions.blendshapes import BLENDSHAPES
from core.languages import ENGLISH, chain, translation

Strength = float | Literal["neutral"]  # of an expression: 0 is the face as it is, 1 four fifths of what it has left to give
NEUTRAL: Final = "neutral"  # the strength at which a face shows nothing of the expression any more
SUFFIX: Final = ".toml"
_EVEN: Final = 1e-6  # how far a sum of weights may be from 1

# What the published classifier tells apart, in the order of its labels.
Emotion = Literal["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"]
Share = Annotated[float, Field(ge=0, le=1)]
# Muscles that move a face, by their names in the Facial Action Coding System: `core.composite.units` tells what each does.
Unit = Literal[
    "inner-brow-raiser", "outer-brow-raiser", "brow-lowerer", "upper-lid-raiser", "nose-wrinkler", "upper-lip-raiser",
    "lip-corner-depressor", "lip-stretcher",
]  # fmt: skip
Amount = Annotated[float, Field(gt=0, le=2)]
Sentence = Annotated[str, Field(min_length=1, max_length=100)]


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Along(_Data):
    """The way an expression is made: moving the latent along one direction, the same for every face."""

    direction: str  # a name of `core.directions`
    sum: Mapping[str, float] = {}  # how many steps of other directions it is made of; empty: it is learned by itself


class Variation(_Data):
    """The options of another expression's command that choose this one, which has no command of its own."""

    of: str  # the other expression's name: it takes this one off, and says its words
    teeth: Literal["hidden", "shown"] | None = None
    eyes: str | None = None  # a choice of the other expression's `eyes`


class Eyes(_Data):
    """A choice of the option `eyes` of an expression's command: what eyes and brows do, but go along as they come."""

    called: str = Field(pattern=r"^[a-z]+(-[a-z]+)*$")  # ends the name of the variation, after a "-"
    squint: Share = 0.0  # of `Parts`, at strength 1
    still: bool = False  # of `Parts`


class Judged(_Data):
    """How reports judge whether a face shows the expression: the emotion classifier's label for it, and bounds of the score."""

    emotion: Emotion
    shown: Share  # score from which anyone sees it
    rests: Share  # score below which nobody does
    gains: tuple[Share, ...]  # mean scores at which ways of making it are set side by side


class Taught(_Data):
    """The targets for a direction that is learned by drawing faces (`core.directions.clean`)."""

    targets: tuple[float, float]  # logits of the score that a strength of -1.5 and of 1.5 must reach
    turns: tuple[Share, Share]  # scores below which a face is moved upwards alone, and above which downwards alone
    still: tuple[str, ...]  # the core.seeds.MEASURES that stay as they are


class Aims(_Data):
    """The aims of a direction that is learned for the whole face (`core.directions.whole`): scores of blendshapes, 0..1.

    A step of strength 1.5 takes a face there from wherever it is; from a face that is beyond already it takes nothing.
    """

    raised: Mapping[str, Share]  # to at least so much
    lowered: Mapping[str, Share]  # to at most so much
    held: tuple[str, ...] = ()  # stay as they are

    @model_validator(mode="after")
    def _each_is_one_of_the_landmarkers(self) -> Self:
        _check_blendshapes((*self.raised, *self.lowered, *self.held))
        return self


class Tries(_Data):
    """The steps at which to try a face whose score lies above a bound."""

    above: Share
    steps: tuple[float, ...] = Field(min_length=2)


class Calibration(_Data):
    """The constants that turn strengths into steps along a direction; `core.edit.scale` has the formula.

    Scores are 0..1, a step of 1 is the direction's own length.
    """

    rest: Share  # score at or below which a face counts as without the expression
    most: Share  # score; differences above it are noise
    firm: float = Field(gt=0)  # how soon a strength takes what is left
    slope: float = Field(gt=0)  # score that a step counts for where the score itself does not change
    pace: float = Field(gt=0)  # steps to a strength there
    reach: float = Field(gt=0)  # steps at most; beyond, pictures stop being faces
    beyond_rest: bool = True  # whether negative strengths go on from rest; if nothing is there, they end at rest
    tries: tuple[Tries, ...] = Field(min_length=1)  # from the highest bound to 0

    @model_validator(mode="after")
    def _every_score_has_its_tries(self) -> Self:
        bounds = [one.above for one in self.tries]
        if bounds != sorted(bounds, reverse=True) or bounds[-1] != 0:
            raise ValueError("tries go from the highest bound down to 0")
        return self

    def steps_for(self, score: float) -> tuple[float, ...]:
        """Choose the steps at which to try a face that has this score (0..1) before any edit."""
        return next((one.steps for one in self.tries if score > one.above), self.tries[-1].steps)


class Parts(_Data):
    """The shares, 0..1, of the generator's motion and shade that parts of the photo's face take over.

    The mouth always takes all.
    """

    upper: Share = 1.0  # brows and upper lids
    brows: Share = 0.0  # share of the drawn change of shade that forehead and brows take over
    anew: Share = 0.0  # how far beyond the folds themselves skin is drawn anew where an edit takes them off

    lips: bool = False  # whether the generator draws the lips and all between them, as a mouth of another shape needs

    lift: Share = 0.0  # how far lowered brows are lifted, whatever was drawn: 1 undoes a deep frown
    squint: Share = 0.0  # how far lower lids and cheeks rise, whatever was drawn: 1 is a smile of the eyes; at a step of 1
    shut: Share = 0.0  # how far lips come together that the drawing leaves apart; at a step of 1
    units: Mapping[Unit, Amount] = {}  # what else moves in the photo's own face at a step of 1, whatever was drawn

    still: bool = False  # whether all above the cheeks stays as it is to the bit, whatever the above say

    def at(self, step: float) -> Self:
        """Return a copy for a step along the expression's direction: what moves whatever was drawn goes with the step."""
        step = max(step, 0.0)
        units = {unit: amount * step for unit, amount in self.units.items()}
        shares = {"squint": min(1.0, self.squint * step), "shut": min(1.0, self.shut * step)}
        return self.model_copy(update={"units": units, **shares})

    def eased(self, upper: float, lower: float, lift: float, squint: float, shut: float) -> Self:
        """Return a copy for an edit that is meant to move brows and lids by `upper`, mouth and cheeks by `lower` (0..1 each).

        Lowered brows are then raised by `lift`; lower lids and cheeks rise by `squint`, lips shut by `shut` at least.
        """
        whole = self.upper + (1 - self.upper) * upper
        eased = {"upper": whole, "brows": max(self.brows, upper), "anew": max(self.anew, lower), "lift": lift}
        return self.model_copy(update={**eased, "squint": max(self.squint, squint), "shut": max(self.shut, shut)})


class Words(_Data):
    """The expression's name and descriptions in one language, within Discord's limits of length."""

    name: str = Field(pattern=r"^[^\sA-Z/]+$", max_length=32)  # of its command
    menu: str = Field(min_length=1, max_length=32)  # of the entry in Discord's menu of a message
    change: Sentence  # what the command does
    strength: Sentence  # what its number means
    remove: Sentence  # what the command that takes the expression off does
    sweep: Sentence  # what the command that moves from neutral to the expression does

    def all(self) -> tuple[str, ...]:
        """List every text, in the order of the fields."""
        return tuple(self.model_dump().values())


class Expression(_Data):
    """One expression: how it is made, scored, judged, calibrated, put into a photo and named."""

    name: str = Field(pattern=r"^[a-z][a-z0-9-]*$", max_length=24)  # custom_ids carry it
    default: bool = False
    rare: bool = False  # stands after the others where they are listed: menus have room for the first three
    variation: Variation | None = None
    eyes: Mapping[str, Eyes] = {}  # choices of the option `eyes` of its command, which vary its variations too
    move: Along
    score: Mapping[str, float] = Field(min_length=1)  # weight of each blendshape
    absent: Mapping[str, float] = {}  # and of each that counts by what it lacks to 1; together with `score` 1
    judged: Judged
    taught: Taught | None = None  # None: no clean direction is learned by drawing
    aims: Aims | None = None  # None: no direction of the whole face is learned by drawing
    calibration: Calibration
    parts: Parts = Parts()
    words: Mapping[str, Words] = {}  # by language: "en" and whatever else there is; a variation has none

    @model_validator(mode="after")
    def _a_score_is_a_mean(self) -> Self:
        weights = (*self.score.values(), *self.absent.values())
        if any(weight < 0 for weight in weights) or abs(sum(weights) - 1) > _EVEN:
            raise ValueError("the weights of a score are not negative and make 1 together")
        _check_blendshapes((*self.score, *self.absent))
        if (ENGLISH in self.words) == (self.variation is not None):
            raise ValueError("an expression has English words at least, and a variation of one has none")
        return self

    def of(self, blendshapes: Mapping[str, float]) -> float:
        """Score how much of the expression a face shows, 0..1: the weighted mean of its `blendshapes`, by MediaPipe's names.

        Raises KeyError if one that has a weight is missing.
        """
        shown = sum(weight * blendshapes[name] for name, weight in self.score.items())
        return shown + sum(weight * (1 - blendshapes[name]) for name, weight in self.absent.items())

    def along(self, direction: str | None) -> Self:
        """Return a copy that is made along another direction, a name of `core.directions`; itself for None."""
        return self if direction is None else self.model_copy(update={"move": Along(direction=direction)})

    def with_eyes(self, choice: str, eyes: Eyes) -> Self:
        """Make the variation that is this expression with other eyes; `load` finds it by its name."""
        of, teeth = (self.name, None) if self.variation is None else (self.variation.of, self.variation.teeth)
        own = {"name": f"{self.name}-{eyes.called}", "variation": Variation(of=of, teeth=teeth, eyes=choice)}
        parts = self.parts.model_copy(update={"still": eyes.still})
        return self.model_copy(update={**own, "parts": parts, "default": False, "eyes": {}, "words": {}})

    @property
    def own_eyes(self) -> Eyes | None:
        """What its eyes do, if `with_eyes` made it."""
        variation = self.variation
        return None if variation is None or variation.eyes is None else load(variation.of).eyes[variation.eyes]

    @property
    def plain(self) -> Expression:
        """The same with eyes as they come: itself, unless `with_eyes` made it. What is measured of a face holds for both."""
        if (eyes := self.own_eyes) is None:
            return self
        return load(self.name.removesuffix(f"-{eyes.called}")).model_copy(update={"move": self.move})

    def at(self, strength: Strength) -> Expression:
        """Find the expression that is drawn at a strength.

        A variation of the teeth is put on alone; what is taken off is its main expression, with the same eyes.
        """
        if self.variation is None or self.variation.teeth is None or (not isinstance(strength, str) and strength > 0):
            return self
        return varied(self.variation.of, eyes=self.variation.eyes or "")

    def said(self, language: str) -> Words:
        """Find its words in a language: its own file's, else the language's catalogue's, else English ones."""
        if self.variation is not None:
            return load(self.variation.of).said(language)
        own = next((self.words[one] for one in chain(language) if one in self.words), None)
        if own is not None:
            return own
        said = translation(language)
        return Words(**{part: said.get(f"expression.{self.name}.{part}", word) for part, word in self.words[ENGLISH]})


def _check_blendshapes(named: Iterable[str]) -> None:
    if unknown := ", ".join(sorted(set(named) - BLENDSHAPES)):
        raise ValueError(f"no blendshape is called {unknown}; they are in data/blendshapes.txt")


def load(name: str) -> Expression:
    """Load the expression of that name. Raises NoSuchExpression."""
    found = _all().get(name)
    if found is None:
        raise NoSuchExpression(name=name, known=", ".join(_all()))
    return found


def named(name: str) -> Expression:
    """Load an expression by its name, or the default one for "". Raises NoSuchExpression."""
    return load(name) if name else default()


def default() -> Expression:
    """Load the expression to use if none is named."""
    return next(iter(_all().values()))


def names() -> tuple[str, ...]:
    """List the names of the expressions that have a command: the default first, then by the alphabet, rare ones last."""
    return tuple(name for name, one in _all().items() if one.variation is None)


def names_with_variations() -> tuple[str, ...]:
    """List the names of all expressions, variations too: the default first, then by the alphabet, rare ones last."""
    return tuple(_all())


def options(name: str) -> dict[str, tuple[str, ...]]:
    """List the options that vary an expression: the choices of each, by its name."""
    made = [one.variation for one in _all().values() if one.variation is not None and one.variation.of == name]
    teeth = dict.fromkeys(one.teeth for one in made if one.teeth is not None)
    eyes = dict.fromkeys(one.eyes for one in made if one.eyes is not None)
    return {option: tuple(choices) for option, choices in (("teeth", teeth), ("eyes", eyes)) if choices}


def varied(name: str, teeth: str = "", eyes: str = "") -> Expression:
    """Find what choices of its `options`, "" for none, make of an expression. Raises NoSuchExpression."""
    main, wanted = load(name), (name, teeth or None, eyes or None)
    made: dict[tuple[str, str | None, str | None], Expression]
    made = {(of.of, of.teeth, of.eyes): one for one in _all().values() if (of := one.variation) is not None}
    return made.get(wanted, main)


@cache
def _all() -> dict[str, Expression]:
    """Read all expressions that ship, by name, the default first.

    Raises ValueError unless exactly one is the default, pydantic's ValidationError or TOMLDecodeError for a faulty
    file.
    """
    folder = files("data").joinpath("expressions")
    found = [read(one.name.removesuffix(SUFFIX), one.read_text("utf-8")) for one in folder.iterdir() if one.name.endswith(SUFFIX)]
    found.sort(key=lambda one: (not one.default, one.rare, one.name))
    if [one.default for one in found].count(True) != 1:
        raise ValueError("one expression, and no more, is the default")
    main = {one.name: one for one in found if one.variation is None}
    if lost := [one.name for one in found if one.variation is not None and one.variation.of not in main]:
        raise ValueError(f"variations of no expression: {', '.join(lost)}")
    choices = [(one, (one if one.variation is None else main[one.variation.of]).eyes) for one in found]
    return {one.name: one for one in (*found, *(one.with_eyes(*each) for one, eyes in choices for each in eyes.items()))}


def read(name: str, text: str) -> Expression:
    """Parse the text of an expression's file. Raises TOMLDecodeError, or pydantic's ValidationError for wrong content."""
    return Expression.model_validate({"name": name, **tomllib.loads(text)})
