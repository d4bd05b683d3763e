"""Compares each stage of an edit with its floor: the seconds that its arithmetic and its bytes take at this machine's best.

Arithmetic is that of convolutions and matrix products, at the rate of one large product. At least those move their operands
and results through memory once each, at the speed of one large copy; all that lies between them could be computed on the way.
The floor is the longer of the two times. "As written" counts the bytes of every operation that torch does: what lies between
it and the floor could be gained by fusing, what lies above it is overhead. MediaPipe's and Pillow's work is not seen by torch:
for that the floor has only the bytes of what goes in and comes out.

Seconds are the processor's, of all threads together, since other work stretches those least; the fastest round counts.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from core.compiled.layers import fused
from core.composite import Rendered
from core.device import fast_dtype, one_thread
from core.edit import Editor, KnownFace, PhotoEditor
from core.errors import NotCompiled
from core.expressions import default
from core.fast import FastOptions, fast_parts
from core.fast.objective import Objective, Wanted, seen
from core.generator.protocol import SeparableGenerator
from core.pictures import encode
from core.timing import take_turns

_SIDE: Final = 2048  # of the product's matrices
_COPIED: Final = 2**26  # numbers that are copied: 256 MB, more than any cache
_FILLS: Final = {"copy_", "fill_", "zero_"}  # write what they are given, and don't read it
_MOVES_NOTHING: Final = {"empty", "empty_like", "empty_strided", "new_empty", "new_empty_strided"}

Run = Callable[[], object]


@dataclass(frozen=True)
class Work:
    """What a stage does at least, and as it is written."""

    multiply_adds: float
    moved: float  # bytes of the operands and results of convolutions and products, or of what goes in and out
    written: float  # bytes of the operands and results of all operations

    def __add__(self, other: Work) -> Work:
        return Work(*(mine + its for mine, its in zip(astuple(self), astuple(other), strict=True)))

    def __sub__(self, other: Work) -> Work:
        return Work(*(mine - its for mine, its in zip(astuple(self), astuple(other), strict=True)))


@dataclass(frozen=True)
class Rates:
    """What this machine does in a second of its processor."""

    multiply_adds: float
    bytes: float

    def floor(self, work: Work) -> float:
        return max(work.multiply_adds / self.multiply_adds, work.moved / self.bytes)


@dataclass(frozen=True)
class Stage:
    """A part of an edit that can be run again and again."""

    name: str
    run: Run
    through: int = 0  # bytes that go in and come out, where torch does not do the work
    alone: bool = False  # runs on one thread


class Counter(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the work of all that torch does inside the block, backward passes included."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.work = Work(0, 0, 0)

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # nothing is compiled here, and to skip the compiler torch would import it first: three seconds

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = func._schema.name.partition("::")[2]
        with self:  # without gradients an operation may still be whole here: only its parts are counted
            out = func.decompose(*args, **kwargs)
        if out is not NotImplemented:
            return out
        out = func(*args, **kwargs)
        if not func.is_view and name not in _MOVES_NOTHING:
            moved = _bytes(args[1:] if name in _FILLS else args) + _bytes(out)
            operations = _multiply_adds(name, args, out)
            self.work += Work(operations, moved if operations else 0, moved)
        return out


def _multiply_adds(name: str, args: Any, out: Any) -> int:
    """Count the multiply-adds of a product or convolution with these arguments; 0 for any other operation."""
    if name in {"mm", "bmm"}:
        return int(args[0].numel() * args[1].shape[-1])
    if name in {"addmm", "baddbmm"}:
        return int(args[1].numel() * args[2].shape[-1])
    if name == "convolution":
        return int((args[0] if args[6] else out).numel() * args[1][0].numel())  # transposed: each pixel that goes in is spread
    if name == "convolution_backward":  # as much for the pixels as for the weight
        return int((args[1] if args[7] else args[0]).numel() * args[2][0].numel() * sum(args[10][:2]))
    return 0


def _bytes(values: Any) -> int:
    """Add up the bytes of all tensors in `values`; what is only repeated counts once."""
    tensors = [one for one in tree_leaves(values) if isinstance(one, Tensor)]
    stretches = ((n for n, step in zip(one.shape, one.stride(), strict=True) if step) for one in tensors)
    return sum(torch.Size(sides).numel() * one.element_size() for one, sides in zip(tensors, stretches, strict=True))


def bench_floors(editor: Editor, photo: Path, rounds: int, say: Callable[[str], None]) -> dict[str, Any]:
    """Measure the stages of an edit of the leftmost face of `photo`, on the CPU. Raises PhotoError, PartMissing."""
    say("finding the face, and encoding it")
    of_step, of_our_own = _step(editor, photo, say)
    stages = [*of_step, *_edit(editor, photo)]
    work = {}
    for one in stages:
        say(f"counting: {one.name}")
        with Counter() as counter:
            one.run()
        found = counter.work
        work[one.name] = Work(found.multiply_adds, max(found.moved, one.through), max(found.written, one.through))
    stages += of_our_own
    work |= {one.name: work[of_step[0].name] for one in of_our_own}  # the same arithmetic, which torch does not see there
    say(f"timing, {rounds} rounds")
    runs = {one.name: one.run for one in stages} | _yardsticks(nullcontext, "") | _yardsticks(one_thread, ", one thread")
    seconds = {name: min(times) for name, times in take_turns(runs, rounds, time.process_time).items()}
    rates = {alone: _rates(seconds, ", one thread" if alone else "") for alone in (False, True)}
    rows = [_row(one.name, work[one.name], rates[one.alone], seconds[one.name]) for one in stages]
    step, drawn, compared = (one.name for one in of_step)
    back = work[step] - work[drawn] - work[compared]
    rows.insert(3, _row("of it: both, backward", back, rates[False], seconds[step] - seconds[drawn] - seconds[compared]))
    return {"rates": {"all threads": vars(rates[False]), "one thread": vars(rates[True])}, "stages": rows}


def _row(name: str, work: Work, rates: Rates, seconds: float) -> dict[str, Any]:
    floor = rates.floor(work)
    return {"stage": name, **vars(work), "floor": floor, "as written": max(floor, work.written / rates.bytes),
            "seconds": seconds, "over floor": seconds / floor}  # fmt: skip


def _yardsticks(threads: Callable[[], AbstractContextManager[None]], which: str) -> dict[str, Run]:
    dtype = fast_dtype(torch.device("cpu"))
    square, numbers = torch.ones(_SIDE, _SIDE, dtype=dtype), torch.ones(_COPIED)
    product, copied = torch.empty_like(square), torch.empty_like(numbers)

    def multiply() -> None:
        with threads():
            torch.mm(square, square, out=product)

    def copy() -> None:
        with threads():
            copied.copy_(numbers)

    return {f"product{which}": multiply, f"copy{which}": copy}


def _rates(seconds: dict[str, float], which: str) -> Rates:
    return Rates(_SIDE**3 / seconds[f"product{which}"], 2 * 4 * _COPIED / seconds[f"copy{which}"])


def _step(editor: Editor, file: Path, say: Callable[[str], None]) -> tuple[Sequence[Stage], Sequence[Stage]]:
    """Take a step of `fast` apart: all of it, and its two forward passes; then all of it with layers of our own, if it can be."""
    models = editor.models
    encoder, curvature = fast_parts(models.generator, models.settings)
    objective = Objective(models.generator, models.features, curvature, FastOptions())
    photo, faces = editor.look(file)
    wanted = Wanted.of(editor.align(photo, faces[0]).image, models.features, objective.device)
    with torch.no_grad():
        average = models.generator.broadcast(models.generator.w_average()[None])
        start = average if encoder is None else encoder(wanted.images)
    y, network = torch.zeros_like(start), objective.network

    def draw() -> Tensor:
        with torch.enable_grad():
            return seen(network, (start + curvature(y.requires_grad_())).to(objective.dtype))

    image = draw().detach().requires_grad_()
    parts = [
        Stage("step of a projection", lambda: objective(y, start, wanted)),
        Stage("of it: generator, forward", draw),
        Stage("of it: features, forward", lambda: models.features(image)),
    ]
    if not isinstance(models.generator, SeparableGenerator):
        return parts, []
    in_layers = Objective(models.generator, models.features, curvature, FastOptions(), torch.float32)
    try:
        in_layers.network = fused(models.generator)
    except NotCompiled as error:
        say(str(error))
        return parts, []
    return parts, [Stage("the step with layers of our own", lambda: in_layers(y, start, wanted))]


def _edit(editor: Editor, file: Path) -> Sequence[Stage]:
    """List the other stages of an edit at strength +1, in the photo."""
    photos, expression = PhotoEditor(editor), default()
    source = file.read_bytes()
    photo, found = photos.look(source, 0)
    aligned = editor.align(photo, found)
    projecting = editor.projecting(aligned.image, "fast", 1)
    for _ in projecting.run():
        pass
    face = KnownFace.of(projecting.latent)
    scale = editor.scale(face.latent, expression, aligned.image)
    original = photos.placed(photo, found, face).original
    (variant,) = editor.variants(face.latent, [1.0], expression, scale, judge=False)
    edit = editor.edited(original, variant)
    laid, drawing = edit.laid(), Rendered(variant.own, edit.edited.landmarks)
    whole, drawn = laid.nbytes, variant.own.nbytes
    side = round(2 * original.size)
    return [
        Stage("what a strength means", lambda: editor.scale(face.latent, expression, aligned.image), alone=True),
        Stage("reading the photo", lambda: editor.load(source), len(source) + whole),
        Stage("align", lambda: editor.align(photo, found), 3 * side**2 + aligned.image.nbytes),
        Stage("a picture", lambda: editor.reconstructed(face.ws)),
        Stage("its landmarks", lambda: editor.edited(original, variant), drawn),
        Stage("into the photo", lambda: original.edit(drawing, edit.parts), 2 * whole + 2 * drawn),
        Stage("judging the result", lambda: editor.measured(original, variant, edit, laid)),
        Stage("encode, JPEG", lambda: encode(laid, "jpeg"), whole),
    ]
