"""Learns directions from labelled seeds. The methods, for an expression such as a smile:

    mean          mean of the seeds that show it minus the mean of all: the original project's first
    svm-original  normal of a linear SVM of those against the rest, with the library's own C: the original's second
    mean-neutral  mean of the seeds that show it minus the mean of the neutral ones
    svm           normal of a linear SVM of those against the rest, C by cross-validation
    svm-neutral   the same against the neutral ones
    logistic      normal of a logistic regression against the neutral ones, C by cross-validation
    clean         learned by drawing faces, so that nothing but the expression changes: in `teach`, not here

The direction that the expression itself uses (`move.direction` of its file) is `svm`, given only to the styles that act at 8
to 32 pixels, 1.2 times as strongly. Directions of another expression than the default one are called "sad-mean" and so on.

C is chosen by cross-validation on the training part, methods are compared on the validation part, and a direction is then
fitted on both. None of this uses the test part. Arithmetic is float64 and no solver draws random numbers.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.svm import LinearSVC
from threadpoolctl import threadpool_limits

from core.directions.direction import Direction
from core.directions.split import Plane, Split, Task, share
from core.errors import BadSeeds
from core.expressions import Expression
from core.generator import Generator
from core.seeds import SeedSet

C_GRID = tuple(float(c) for c in np.logspace(-3, 0, 7))  # an SVM is best near 0.01, logistic regression near 0.1
FOLDS = 5
LEAST = 20  # seeds of each class in the training part
_MOST_STEPS = 10_000  # of a solver; it stops by its tolerance long before


@dataclass(frozen=True)
class Method:
    """How a direction is learned, and which seeds those that show the expression are compared with."""

    kind: Literal["mean", "svm", "logistic"]
    against: Literal["rest", "neutral"]
    c: float | None = None  # None: by cross-validation


METHODS = {
    "mean": Method("mean", "rest"),
    "svm-original": Method("svm", "rest", c=1.0),
    "mean-neutral": Method("mean", "neutral"),
    "svm": Method("svm", "rest"),
    "svm-neutral": Method("svm", "neutral"),
    "logistic": Method("logistic", "neutral"),
}

# Measured on seeds 5000-5199 at +-1.5: the SVM given to the styles of 8 to 32 pixels alone loses hardly any smile and
# spares a third of the change to background and hair. At 1.2 times the strength it changes a person's identity as much
# as the whole SVM does, and more faces smile (98 against 96 %) or stop (96 against 93 %): both ways the 95 % interval
# then lies above 90 %.
DEFAULT_METHOD = "svm"
DEFAULT_SIDES = (8, 32)  # pixels, both ends included
DEFAULT_WEIGHT = 1.2
CLEAN = "clean"


def fittable(expression: Expression) -> tuple[str, ...]:
    """List the names of all directions that can be learned for an expression: the last by `teach`, the others by `fit`.

    The expression's own is made by `combine` if its file says so.
    """
    return (*(called(method, expression) for method in METHODS), expression.move.direction, called(CLEAN, expression))


def called(method: str, expression: Expression) -> str:
    """Name the direction that a method learns for an expression: "svm" for the default one, "sad-svm" for another."""
    return method if expression.default else f"{expression.name}-{method}"


def fit(seeds: SeedSet, name: str, generator: Generator, confident: float | None = None) -> Direction:
    """Learn the direction with a name of `fittable`. Raises BadSeeds for too few seeds.

    Its vector is one unit long: the distance between the mean neutral face and the mean face that shows the expression,
    measured along it. The expression's own direction gets the styles' weights DEFAULT_WEIGHT or 0. `confident` fits only to
    that share (0..1) of each class, the seeds of which the classifier is surest.
    """
    own = seeds.expression.move.direction
    with threadpool_limits(1):  # these systems are so small that threads only wait for each other, for minutes
        methods = {called(method, seeds.expression): method for method in METHODS}
        whole = _fit(seeds, DEFAULT_METHOD if name == own else methods[name], generator, confident)
    if name != own:
        return replace(whole, name=name)
    low, high = DEFAULT_SIDES
    taken = np.array([low <= side <= high for side in generator.style_resolutions], dtype=np.float32)
    if not taken.any():  # Progressive GAN has one style, at 4 pixels
        taken[:], low, high = 1, min(generator.style_resolutions), max(generator.style_resolutions)
    provenance = {**whole.provenance, "sides": [low, high], "weight": DEFAULT_WEIGHT}
    return replace(whole, name=name, styles=taken * np.float32(DEFAULT_WEIGHT), provenance=provenance)


def _fit(seeds: SeedSet, name: str, generator: Generator, confident: float | None = None) -> Direction:
    assert seeds.generator == generator.digest, "the seeds are another generator's"
    method, split = METHODS[name], Split.of(len(seeds.seeds))
    w = seeds.w.astype(np.float64)
    whole = Task.of(seeds, method.against)
    _refuse_few(whole, split, seeds, method.against)
    fitted = whole.confident(seeds, confident) if confident else whole
    _refuse_few(fitted, split, seeds, method.against)
    train, known = fitted.part(split.train), fitted.part(split.known)
    c = _choose_c(method, w[train[0]], train[1])
    first = _plane(method, c, w[train[0]], train[1])  # only to be judged on the validation part
    plane = _plane(method, c, w[known[0]], known[1])
    unit, emotion = _class_gap(seeds, w, split.known) @ plane.normal, seeds.expression.judged.emotion
    provenance: dict[str, Any] = {
        "method": name,
        "task": f"{emotion} against {method.against}",
        "C": c,
        "confident": confident,
        "fitted_on": {emotion: int(known[1].sum()), method.against: int((~known[1]).sum())},
        "validation": _accuracy(first, whole, w, split.validation),
        "test": _accuracy(plane, whole, w, split.test),
        "cross_validated": _cross_validated(method, c, whole, w),
        "unit": float(unit),  # distance in w, along it, from the mean neutral face to the mean one that shows the expression
        "generator": generator.name,
        "truncation": seeds.truncation,
        "seeds": [int(seeds.seeds[0]), int(seeds.seeds[-1])],
        "labels": seeds.digest,
    }
    styles = np.ones(generator.num_ws, dtype=np.float32)
    return Direction(name, (unit * plane.normal).astype(np.float32), styles, generator.digest, provenance)


def _refuse_few(task: Task, split: Split, seeds: SeedSet, against: str) -> None:
    """Check that both classes have at least LEAST seeds in the training part, so that every fold has some. Raises BadSeeds.

    That is enough to fit; a useful direction needs hundreds. Without any neutral seed there is no unit.
    """
    positive, neutral = task.part(split.train)[1], int(seeds.neutral[split.known].sum())
    showing, others = int(positive.sum()), int((~positive).sum())
    if min(showing, others) < LEAST or not neutral:
        told = f"{showing} {seeds.expression.judged.emotion}, {others} {'others' if against == 'rest' else against}"
        raise BadSeeds(
            reason=f"of {len(seeds.seeds)} there are {told} in the part that is learned from, {neutral} neutral in all, and at "
            f"least {LEAST} of each are needed. Judge more with egao seeds build, or name seeds of your own with --showing "
            "and --neutral"
        )


def _class_gap(seeds: SeedSet, w: NDArray[np.float64], part: NDArray[np.intp]) -> NDArray[np.float64]:
    """Compute the vector [w_dim] from the mean neutral face to the mean face that shows the expression, of the seeds `part`."""
    showing, neutral = part[seeds.showing[part]], part[seeds.neutral[part]]
    gap: NDArray[np.float64] = w[showing].mean(axis=0) - w[neutral].mean(axis=0)
    return gap


def _choose_c(method: Method, w: NDArray[np.float64], positive: NDArray[np.bool_]) -> float | None:
    """Return the method's own C, or choose the one with the best mean accuracy over the folds, the smallest among equals.

    None for a method without a C.
    """
    if method.kind == "mean" or method.c is not None:
        return method.c
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=0)
    search = GridSearchCV(_solver(method.kind, 1.0), {"C": C_GRID}, cv=folds)
    search.fit(w - w.mean(axis=0), positive)
    return float(search.best_params_["C"])


def _plane(method: Method, c: float | None, w: NDArray[np.float64], positive: NDArray[np.bool_]) -> Plane:
    centre = w.mean(axis=0)  # solvers shrink the intercept with the weights, which hurts only far from the origin
    if c is None:
        # the rest is everything else, so mean happy - mean rest is mean happy - mean of all, but longer
        normal = w[positive].mean(axis=0) - w[~positive].mean(axis=0)
        normal /= np.linalg.norm(normal)
        return Plane(normal, _best_threshold(w @ normal, positive))
    solver = _solver(method.kind, c).fit(w - centre, positive)
    length = np.linalg.norm(solver.coef_[0])
    normal = solver.coef_[0] / length
    return Plane(normal, float(centre @ normal - solver.intercept_[0] / length), c)


def _solver(kind: str, c: float) -> LinearSVC | LogisticRegression:
    """Make the classifier of a kind. It solves to a fixed tolerance from a fixed start: the same seeds give the same plane."""
    if kind == "svm":
        return LinearSVC(C=c, dual=False, tol=1e-6, max_iter=_MOST_STEPS)
    return LogisticRegression(C=c, solver="lbfgs", tol=1e-8, max_iter=_MOST_STEPS)


def _best_threshold(values: NDArray[np.float64], positive: NDArray[np.bool_]) -> float:
    """Find the threshold that puts most of the values [N] on their right side, for methods that fit none themselves."""
    order = np.argsort(values, kind="stable")
    right_above = positive.sum() - np.concatenate([[0], np.cumsum(positive[order])])
    right_below = np.concatenate([[0], np.cumsum(~positive[order])])
    best = int((right_above + right_below).argmax())
    edges = np.concatenate([[-np.inf], values[order], [np.inf]])
    return float((edges[best] + edges[best + 1]) / 2)


def _cross_validated(method: Method, c: float | None, task: Task, w: NDArray[np.float64]) -> dict[str, Any]:
    """Judge every seed by a plane fitted without its fold: share and interval as `share` tells them."""
    index, positive = task.part(np.arange(len(w)))
    x, hits = w[index], 0
    for fitted, held in StratifiedKFold(FOLDS, shuffle=True, random_state=1).split(x, positive):
        hits += _plane(method, c, x[fitted], positive[fitted]).accuracy(x[held], positive[held])["hits"]
    return share(hits, len(index))


def _accuracy(plane: Plane, task: Task, w: NDArray[np.float64], part: NDArray[np.intp]) -> dict[str, Any]:
    index, positive = task.part(part)
    return plane.accuracy(w[index], positive)
