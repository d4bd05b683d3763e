"""What may be asked of a worker, what it answers, and the object that does the work.

Everything here is frozen, picklable and made of bytes, numbers, strings and tuples, so that a pool on another machine
could honour it as well as the process next door. No request names a path, a handle or a callback.

The work is done by a `Workbench`. A worker has one thread of work and shares it cooperatively: `find_faces` and
`render` are short and run whole; `project` and `animate` are generators that give the thread back at every `yield`.
Between two yields the worker answers whatever short request has come in, so a picture of a stored face waits for one
step of somebody's projection and never for all of it. Yield often: the longest time between two yields is what every
other member may have to wait. The same yields are the worker's heartbeat and the points where a job can be cancelled.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, Literal, Protocol, TypeVar

from core.errors import EgaoError

PictureKind = Literal["png", "jpeg", "webp"]
AnimationKind = Literal["webp", "gif"]
Strength = float | Literal["neutral"]  # "neutral" asks for the strength at which this face no longer smiles
Answer = TypeVar("Answer", covariant=True)


class Asks(Generic[Answer]):
    """A request that is answered by an `Answer`."""


@dataclass(frozen=True)
class FindFaces(Asks["FoundFaces"]):
    """Find the faces in a photo. Answered by `FoundFaces`; fails with a `PhotoError`."""

    photo: bytes  # the file as it came: PNG, JPEG or WebP


@dataclass(frozen=True)
class FoundFace:
    """One face, numbered from the left, with a small picture of it to choose by."""

    index: int
    box: tuple[float, float, float, float]  # x0, y0, x1, y1 in pixels of the upright photo
    thumbnail: bytes  # an encoded picture of the aligned face
    found: str = ""  # where it was found, as JSON: handed back with later requests, spares them the search


@dataclass(frozen=True)
class FoundFaces:
    """All usable faces of a photo, left to right; never empty (no face is `NoFace`)."""

    faces: tuple[FoundFace, ...]


@dataclass(frozen=True)
class Project(Asks["Projected"]):
    """Find the latent of one face of a photo. Answered by `Projected`; reports progress at each step."""

    photo: bytes
    face: int = 0  # numbered from the left, as in `FoundFaces`
    method: str = "default"  # a name known to the projector
    steps: int | None = None  # None: the method's own number
    resume: bytes | None = None  # a `Progress.checkpoint` of the same request, to go on from
    found: str = ""  # as `FoundFace` had it of this very photo; "" looks for the face again


@dataclass(frozen=True)
class Projected:
    """A face as a latent."""

    latent: bytes  # an .npz file, as `egao project` writes it
    thumbnail: bytes  # an encoded picture of the face as reconstructed
    seconds: Mapping[str, float] = field(default_factory=dict)  # what took how long, by name of the part
    original: bytes = b""  # an encoded picture of the aligned face in the photo
    scale: str = ""  # how the face's smile answers to a strength, as JSON: handed back with each `Render`
    neutral: float | None = None  # the strength at which it is neutral
    found: str = ""  # where the face is in the photo and in its reconstruction


@dataclass(frozen=True)
class Render(Asks["Rendered"]):
    """Draw a stored face at one or more strengths along a direction. Answered by `Rendered`.

    With the photo that it came from, the pictures are the photo with this face edited, and strength 0 is the photo.
    Consecutive renders of different jobs are handed to the workbench together.
    """

    latent: bytes
    strengths: tuple[Strength, ...]  # 0 is the face as it was projected, 1 most of the way to its broadest smile
    direction: str = "smile"
    size: int | None = 1024  # longer side of the pictures in pixels, at most; None for as large as the photo
    kind: PictureKind = "png"
    max_bytes: int | None = None  # largest file for each picture, else the encoder steps down
    photo: bytes = b""
    face: int = 0  # number of the face in the photo
    scale: str = ""  # as `Projected` or an earlier `Rendered` had it; "" measures it again
    found: str = ""  # the same, of this very photo; "" looks for the face again


@dataclass(frozen=True)
class Rendered:
    """The pictures asked for, in the order of the strengths."""

    pictures: tuple[bytes, ...]
    smile: tuple[float, ...] = ()  # measured smile score of each picture, 0..1
    kinds: tuple[str, ...] = ()  # the format that each picture ended up in
    strengths: tuple[float, ...] = ()  # what was drawn: as asked, with a number in the place of "neutral"
    scale: str = ""  # the face's scale that they were drawn by
    found: str = ""  # where the face is in the photo, if there was one


@dataclass(frozen=True)
class Animate(Asks["Animated"]):
    """Move a stored face from one strength to another and back. Answered by `Animated`; one step is one frame."""

    latent: bytes
    start: float
    stop: float
    direction: str = "smile"
    frames: int = 24
    fps: int = 12
    size: int = 512
    kind: AnimationKind = "webp"
    max_bytes: int | None = None
    photo: bytes = b""  # these as in `Render`
    face: int = 0
    scale: str = ""
    found: str = ""


@dataclass(frozen=True)
class Animated:
    """One animated picture."""

    picture: bytes
    frames: int = 0


@dataclass(frozen=True)
class Progress:
    """How far a job is. While it waits, `place` counts from 1; once it is worked on, `place` is 0.

    A workbench fills in `step`, `steps` and, now and then, `preview` and `checkpoint`; the executor adds `place`, and
    `eta_seconds` (time until the result) where the workbench left it None.
    """

    step: int
    steps: int
    eta_seconds: float | None = None
    preview: bytes | None = None  # a small encoded picture, not at every step
    place: int = 0
    checkpoint: bytes | None = None  # enough to go on from here: handed back as `Project.resume`


Request = FindFaces | Project | Render | Animate
Result = FoundFaces | Projected | Rendered | Animated


class Workbench(Protocol):
    """The object that does real work inside a worker process. One thread uses it; it may keep models loaded.

    It is made there by a factory named as "module:function" that takes the `Settings` (without secrets). A factory
    that raises an `EgaoError` keeps the executor from starting, with that error. Errors for a person are raised as
    `EgaoError`s of `core.errors` and reach the one who asked unchanged; anything else is logged and becomes a plain
    `EgaoError`. Keep no state of a job outside its generator: `close()` on the generator must drop everything.
    """

    def find_faces(self, request: FindFaces) -> FoundFaces: ...

    def project(self, request: Project) -> Iterator[Progress | Projected]:
        """Yield a `Progress` after each step (or more often) and, last, the one `Projected`."""
        ...

    def render(self, requests: Sequence[Render]) -> list[Rendered | EgaoError]:
        """Draw all of them, in one batch where that is faster; one answer or error for each, in the same order.

        An exception makes the worker try the halves of the batch by themselves, so that only the bad one fails.
        """
        ...

    def animate(self, request: Animate) -> Iterator[Progress | Animated]:
        """Yield a `Progress` after each frame and, last, the one `Animated`."""
        ...
