"""A small workbench for the bot's tests: real pictures by Pillow, in milliseconds.

What it is to do stands in the photo itself, as JSON in a PNG's comment (see `photo`). A picture of strength s is grey
with brightness 128 + 20 s, so that a test can read the strength back from what was posted (`strength_in`).
"""

from __future__ import annotations

import io
import json
import time
from collections.abc import Iterator, Sequence
from typing import Any

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from core import errors
from core.executor import (
    Animate,
    Animated,
    FindFaces,
    FoundFace,
    FoundFaces,
    Progress,
    Project,
    Projected,
    Render,
    Rendered,
)
from core.settings import Settings

NEUTRAL = -0.75  # what "neutral" comes to for every face here
CREATE = "tests.bot_workbench:create"


def photo(faces: int = 1, *, steps: int = 2, seconds: float = 0.0, fail: str = "", at: str = "find", n: int = 0) -> bytes:
    """A photo with so many faces. `fail` names an EgaoError that is raised `at` "find" or "project"; "crash" dies."""
    note = PngInfo()
    note.add_text("do", json.dumps({"faces": faces, "steps": steps, "seconds": seconds, "fail": fail, "at": at, "n": n}))
    return _png((64 * max(1, faces), 64), 90, note)


def strength_in(picture: bytes) -> float:
    """The strength at which the picture was drawn."""
    with Image.open(io.BytesIO(picture)) as image:
        return round((image.convert("L").resize((1, 1)).getpixel((0, 0)) - 128) / 20, 1)  # type: ignore[operator]


class Bench:
    """See core.executor.requests.Workbench."""

    def find_faces(self, request: FindFaces) -> FoundFaces:
        orders = _orders(request.photo)
        _fail(orders, "find")
        if not orders["faces"]:
            raise errors.NoFace
        return FoundFaces(
            tuple(FoundFace(n, (64.0 * n, 0, 64.0 * n + 64, 64), _png((32, 32), 40 + n)) for n in range(orders["faces"]))
        )

    def project(self, request: Project) -> Iterator[Progress | Projected]:
        orders = _orders(request.photo)
        first = int(request.resume or b"0")
        for step in range(first, orders["steps"]):
            time.sleep(orders["seconds"])
            _fail(orders, "project")
            yield Progress(step + 1, orders["steps"], 1.0, _png((32, 32), step), checkpoint=b"%d" % (step + 1))
        latent = json.dumps({"face": request.face, "from": first}).encode()
        yield Projected(latent, _png((32, 32), 10), {"project": 0.1}, _png((32, 32), 90), "scale", NEUTRAL)

    def render(self, requests: Sequence[Render]) -> list[Rendered | errors.EgaoError]:
        return [self._render(request) for request in requests]

    def _render(self, request: Render) -> Rendered:
        strengths = tuple(NEUTRAL if one == "neutral" else float(one) for one in request.strengths)
        pictures = tuple(_encode(request, strength) for strength in strengths)
        return Rendered(pictures, tuple(0.5 for _ in strengths), tuple(request.kind for _ in strengths), strengths)

    def animate(self, request: Animate) -> Iterator[Progress | Animated]:
        frames = [_grey(request.start + (request.stop - request.start) * n / 3) for n in range(4)]
        yield Progress(4, 4)
        out = io.BytesIO()
        frames[0].save(out, "webp", save_all=True, append_images=frames[1:], duration=80)
        yield Animated(out.getvalue(), 4)


def create(settings: Settings) -> Bench:
    """The factory that the executor names."""
    return Bench()


def _orders(data: bytes) -> dict[str, Any]:
    try:
        with Image.open(io.BytesIO(data)) as image:
            text = image.info.get("do", '{"faces": 1, "steps": 1, "seconds": 0, "fail": "", "at": ""}')
    except OSError:
        raise errors.UnreadablePhoto(reason="it is not a picture") from None
    orders: dict[str, Any] = json.loads(text)
    return orders


def _fail(orders: dict[str, Any], at: str) -> None:
    if orders["fail"] and orders["at"] == at:
        facts = {
            "FaceTooSmall": {"pixels": 30, "limit": 64},
            "FaceTurnedAway": {"degrees": 70, "limit": 45},
            "LooksYoung": {"age": 18},
        }
        if orders["fail"] == "bug":
            raise RuntimeError("a mistake in the code")
        raise getattr(errors, orders["fail"])(**facts.get(orders["fail"], {}))


def _encode(request: Render, strength: float) -> bytes:
    """The whole photo in the strength's grey, or a square where there is no photo."""
    out, size = io.BytesIO(), (64, 64)
    if request.photo:
        with Image.open(io.BytesIO(request.photo)) as photo:
            size = photo.size
    _grey(strength, size).save(out, request.kind, **({"quality": 95} if request.kind != "png" else {}))
    return out.getvalue()


def _grey(strength: float, size: tuple[int, int] = (64, 64)) -> Image.Image:
    return Image.new("RGB", size, (round(128 + 20 * strength),) * 3)


def _png(size: tuple[int, int], grey: int, note: PngInfo | None = None) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, (grey,) * 3).save(out, "png", pnginfo=note)
    return out.getvalue()
