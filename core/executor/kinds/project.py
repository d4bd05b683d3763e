"""Finds the latent of a face."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from core.executor.kinds.kind import Asks, Cost, Kind, Lane, Mode, register


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


register(
    Kind(
        request=Project,
        answer=Projected,
        lane=Lane.LONG,
        mode=Mode.STEPS,
        cost=Cost(a=0.25, b=4.0, low=20, high=60),
        run=lambda workbench, request: workbench.project(request),
        units=lambda request: request.steps,
        usual_units=40,  # about what the default method takes
        variant=lambda request: request.method,
        fresh=lambda request: request.resume is None,
        resume=lambda request, checkpoint: replace(request, resume=checkpoint),
    )
)
