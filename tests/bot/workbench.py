"""A small workbench for the bot's tests: real pictures by Pillow, in milliseconds.

What it is to do stands in the photo itself, as JSON in a PNG's comment (see `photo`). A picture of strength s is grey
with brightness 128 + 20 s, so that a test can read the strength back from what was posted (`strength_in`). A photo's
mark goes with it, through the stored latent too, into every picture that is made of it (`mark_in`).
"""

from __future__ import annotations

import ctypes
import io
import json
import os
import signal
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from PIL import ExifTags, Image
from PIL.PngImagePlugin import PngInfo

from core import errors
from core.executor import (
    Animate,
    Animated,
    DrawnOne,
    DrawnTogether,
    FindFaces,
    FoundFace,
    FoundFaces,
    FullSize,
    MovedTogether,
    MoveTogether,
    Progress,
    Project,
    Projected,
    Render,
    Rendered,
    Together,
)
from core.expressions import default
from core.learned import KnownScale, Learned
from core.settings import Settings

NEUTRAL = -0.75  # what "neutral" comes to for every face here
CREATE = "tests.bot.workbench:create"
hoard: list[bytearray] = []


def photo(
    faces: int = 1,
    *,
    steps: int = 2,
    seconds: float = 0.0,
    fail: str = "",
    at: str = "find",
    n: int = 0,
    mark: str = "",
    once: str = "",
    until: str = "",
    barred: Sequence[int] = (),
    only: int | None = None,
    high: bool = False,
) -> bytes:
    """A photo with so many faces, each step of whose projection takes `seconds`.

    `fail` is what happens `at` "find" or "project": an EgaoError by its name, a "bug", or the worker has a "crash", is
    made to "hang" or to "hoard" memory; if `once` names a file, only as long as that file is not there. At "render" it names
    the ResultError that every smile in the photo is. If `until` names a file, the projection goes on until it is there.
    The checks refuse the faces whose numbers are in `barred`. `only`: the one face that fails.
    `high`: the photo has a high dynamic range, which no picture of it has.
    """
    note = PngInfo()
    orders = {"faces": faces, "steps": steps, "seconds": seconds, "fail": fail, "at": at, "n": n, "mark": mark}
    orders |= {"once": once, "until": until, "barred": list(barred), "only": only, "high": high}
    note.add_text("do", json.dumps(orders))
    return _png((64 * max(1, faces), 64), 90, note=note)


def strength_in(picture: bytes) -> float:
    """The strength at which the picture was drawn."""
    with Image.open(io.BytesIO(picture)) as image:
        return round((image.convert("L").resize((1, 1)).getpixel((0, 0)) - 128) / 20, 1)  # type: ignore[operator]


def mark_in(picture: bytes) -> str:
    """The mark of the photo that the picture was made of, and the face's number in it: "mark/0"."""
    with Image.open(io.BytesIO(picture)) as image:
        return str(image.getexif().get(ExifTags.Base.ImageDescription, ""))


class Bench:
    """See core.executor.worker.workbench.Workbench."""

    def find_faces(self, request: FindFaces) -> Iterator[FoundFaces]:
        orders = _orders(request.photo)
        _fail(orders, "find")
        if not orders["faces"]:
            raise errors.NoFace
        boxes = [(64.0 * n, 0.0, 64.0 * n + 64, 64.0) for n in range(orders["faces"])]
        pictures = [_png((32, 32), 40 + n, f"{orders['mark']}/{n}") for n in range(orders["faces"])]
        pairs = zip(boxes, pictures, strict=True)
        found = [FoundFace(n, box, picture, Learned(f"seen {n}")) for n, (box, picture) in enumerate(pairs)]
        passed = tuple(face for face in found if face.index not in orders["barred"])
        if not passed or (len(passed) < len(found) and not request.alone):
            raise errors.LooksYoung(age=18)
        yield FoundFaces(passed, len(found) - len(passed))

    def project(self, request: Project) -> Iterator[Progress | Projected]:
        orders = _orders(request.photo)
        first, mark = int(request.resume or b"0"), f"{orders['mark']}/{request.face}"
        while orders["until"] and orders["only"] in (None, request.face) and not Path(orders["until"]).exists():
            time.sleep(0.05)
            yield Progress(first, orders["steps"])
        for step in range(first, orders["steps"]):
            time.sleep(orders["seconds"])
            if orders["only"] in (None, request.face):
                _fail(orders, "project")
            yield Progress(step + 1, orders["steps"], 1.0, _png((32, 32), step, mark), checkpoint=b"%d" % (step + 1))
        latent = json.dumps({"face": request.face, "from": first, "mark": mark, "of": request.generator}).encode()
        original = _png((32, 32), 90, mark)
        learned = Learned(f"{request.learned.found}, drawn").with_scale(_scale(""))
        yield Projected(latent, _png((32, 32), 10, mark), {"project": 0.1}, original, learned)

    def render(self, requests: Sequence[Render]) -> list[Rendered | errors.EgaoError]:
        return [self._render(request) for request in requests]

    def _render(self, request: Render) -> Rendered:
        _fits(request.latent, request.generator)
        strengths = tuple(NEUTRAL if one == "neutral" else float(one) for one in request.strengths)
        pictures = tuple(_encode(request, strength) for strength in strengths)
        learned, name = request.learned, request.expression or default().name
        if request.photo and not learned.found:
            learned = replace(learned, found="looked for")
        if learned.neutral(name) is None:
            learned = learned.with_scale(_scale(name))
        orders = _orders(request.photo) if request.photo else {"at": ""}
        told = tuple(orders["fail"] if orders["at"] == "render" and strength > 0 else "" for strength in strengths)
        pictures = tuple(b"" if code else picture for code, picture in zip(told, pictures, strict=True))
        return Rendered(pictures, (), tuple(request.kind for _ in strengths), strengths, learned, told)

    def full_size(self, request: FullSize) -> Iterator[Progress | Rendered]:
        yield Progress(1, 2)
        drawn = self._render(
            Render(
                request.latent, (request.strength,), request.expression, None, request.kind, request.max_bytes,
                request.photo, request.face, request.learned, generator=request.generator,
            )
        )  # fmt: skip
        yield replace(drawn, left_out=_left_out(_orders(request.photo)) if request.photo else ())

    def animate(self, request: Animate) -> Iterator[Progress | Animated]:
        _fits(request.latent, request.generator)
        frames = [_grey(request.start + (request.stop - request.start) * n / 3) for n in range(4)]
        yield Progress(4, 4)
        out = io.BytesIO()
        mark = _exif(_mark_of(request.latent))
        frames[0].save(out, "webp", save_all=True, append_images=frames[1:], duration=80, exif=mark)
        yield Animated(out.getvalue(), 4)

    def together(self, request: Together) -> Iterator[Progress | DrawnTogether]:
        """A stripe for each face of the photo, in the grey of its strength; one that is not edited keeps the photo's grey."""
        for face in request.faces:
            _fits(face.latent, request.generator)
        with Image.open(io.BytesIO(request.photo)) as photo:
            picture, orders = photo.convert("RGB"), _orders(request.photo)
        became = []
        for number, one in enumerate(request.faces):
            strength = NEUTRAL if one.strength == "neutral" else float(one.strength)
            bad = orders["at"] == "render" and strength > 0 and orders["only"] in (None, one.face)
            if strength and not bad:
                picture.paste(_grey(strength, (64, 64)), (64 * one.face, 0))
            name, learned = request.expression or default().name, one.learned
            if strength and learned.neutral(name) is None:
                learned = learned.with_scale(_scale(name))
            told = (orders["fail"], {"strength": f"{strength:+g}"}) if bad else ("", {})
            became.append(DrawnOne(strength, learned, *told))
            yield Progress(number + 1, len(request.faces) + 1)
        out = io.BytesIO()
        picture.save(out, request.kind, exif=_exif(_mark_of(request.faces[0].latent)), quality=95)
        yield DrawnTogether(out.getvalue(), tuple(became), _left_out(orders))

    def move_together(self, request: MoveTogether) -> Iterator[Progress | MovedTogether]:
        """As many frames as asked for: in each the stripes of `together`, of moving faces from neutral to their strengths."""
        frames: list[Image.Image] = []
        became: tuple[DrawnOne, ...] = ()
        for n in range(request.frames):
            share = n / (request.frames - 1)
            ones = []
            for place, one in enumerate(request.faces):
                assert not isinstance(one.strength, str)
                start = one.strength if place in request.still else max(request.low, NEUTRAL)
                ones.append(replace(one, strength=one.strength and start + (one.strength - start) * share))
            *_, drawn = self.together(
                Together(request.photo, tuple(ones), request.expression, kind="png", generator=request.generator)
            )
            assert isinstance(drawn, DrawnTogether)
            frames.append(Image.open(io.BytesIO(drawn.picture)))
            became = drawn.faces
            yield Progress((n + 1) * len(ones), request.frames * len(ones) + 1)
        out = io.BytesIO()
        pace = round(1000 / request.fps)
        mark = _exif(_mark_of(request.faces[0].latent))
        frames[0].save(out, request.kind, save_all=True, append_images=frames[1:], duration=pace, lossless=True, exif=mark)
        yield MovedTogether(out.getvalue(), became)


def strengths_in(picture: bytes) -> list[float]:
    """The strength of each face of a picture of several; one that is as in the photo has -1.9."""
    with Image.open(io.BytesIO(picture)) as image:
        middles = [image.convert("L").getpixel((64 * n + 32, 32)) for n in range(image.width // 64)]
    return [round((grey - 128) / 20, 1) for grey in middles]  # type: ignore[operator]


def _scale(expression: str) -> KnownScale:
    return KnownScale(expression or default().name, "moved", (-1.0, 0.0, 1.0), (0.0, 0.2, 0.9), NEUTRAL, NEUTRAL)


def create(settings: Settings) -> Bench:
    """The factory that the executor names."""
    return Bench()


def _left_out(orders: dict[str, Any]) -> tuple[str, ...]:
    return (errors.Reason.HIGH_RANGE.value,) if orders["high"] else ()


def _orders(data: bytes) -> dict[str, Any]:
    try:
        with Image.open(io.BytesIO(data)) as image:
            orders: dict[str, Any] = json.loads(image.info.get("do", "{}"))
    except OSError:
        raise errors.UnreadablePhoto(reason="it is not a picture") from None
    usual = {"faces": 1, "steps": 1, "seconds": 0, "fail": "", "at": "", "mark": "", "once": "", "until": ""}
    usual |= {"barred": [], "only": None, "high": False}
    return {**usual, **orders}


def _fail(orders: dict[str, Any], at: str) -> None:
    if orders["fail"] and orders["at"] == at:
        if orders["once"]:
            if Path(orders["once"]).exists():
                return
            Path(orders["once"]).touch()
        _misbehave(orders["fail"])
        facts = {
            "FaceTooSmall": {"pixels": 30, "limit": 64},
            "FaceTurnedAway": {"degrees": 70, "limit": 45},
            "LooksYoung": {"age": 18},
        }
        raise getattr(errors, orders["fail"])(**facts.get(orders["fail"], {}))


def _misbehave(how: str) -> None:
    match how:
        case "bug":
            raise RuntimeError("a mistake in the code")
        case "crash":
            os.kill(os.getpid(), signal.SIGKILL)  # as the kernel does when memory runs out
        case "hang":
            ctypes.PyDLL(None).sleep(3600)  # as native code does: no other thread of Python runs meanwhile
        case "hoard":
            while True:
                hoard.append(bytearray(2**24))


def _fits(latent: bytes, generator: str) -> None:
    """Refuse a latent that is drawn with another generator than it was found for."""
    if json.loads(latent).get("of", generator) != generator:
        raise errors.LatentOfAnotherModel(found=1, expected=2)


def _mark_of(latent: bytes) -> str:
    return str(json.loads(latent).get("mark", ""))


def _exif(mark: str) -> Image.Exif:
    exif = Image.Exif()
    exif[ExifTags.Base.ImageDescription] = mark
    return exif


def _encode(request: Render, strength: float) -> bytes:
    """The whole photo in the strength's grey, or a square where there is no photo."""
    out, size = io.BytesIO(), (64, 64)
    if request.photo:
        with Image.open(io.BytesIO(request.photo)) as photo:
            size = photo.size
    quality = {"quality": 95} if request.kind != "png" else {}
    _grey(strength, size).save(out, request.kind, exif=_exif(_mark_of(request.latent)), **quality)
    return out.getvalue()


def _grey(strength: float, size: tuple[int, int] = (64, 64)) -> Image.Image:
    return Image.new("RGB", size, (round(128 + 20 * strength),) * 3)


def _png(size: tuple[int, int], grey: int, mark: str = "", note: PngInfo | None = None) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, (grey,) * 3).save(out, "png", pnginfo=note, **({"exif": _exif(mark)} if mark else {}))
    return out.getvalue()
