"""The kind of work that finds the latent of a face."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from core.executor.kinds.kind import Asks, Cost, Kind, Lane, Mode, register
from core.learned import NOTHING, Learned
from core.methods import DEFAULT_METHOD


@dataclass(frozen=True)
class Project(Asks["Projected"]):
    """Find the latent of one face of a photo. Answered by `Projected`; reports progress after each step.

    Fails with a PhotoError (NoSuchFace, MouthHidden and the like), BadSetting for an unknown method, or a WeightsError.
    """

    photo: bytes
    face: int = 0  # number from 0 at the left, as in `FoundFace`
    method: str = DEFAULT_METHOD
    steps: int | None = None  # None: the method's own number
    resume: bytes | None = None  # a `Progress.checkpoint` of the same request, to go on from
    learned: Learned = NOTHING  # as `FoundFace` had it of this very photo; without it the face is looked for again
    alone: bool = False  # as in `FindFaces`
    generator: str = ""  # digest of the one to find a latent of; "": the one that the settings name


@dataclass(frozen=True)
class Projected:
    """A face as a latent."""

    latent: bytes  # an .npz file, as `egao project` writes it
    thumbnail: bytes  # an encoded picture of the face as reconstructed
    seconds: Mapping[str, float] = field(default_factory=dict)  # seconds of each part, by its name
    original: bytes = b""  # an encoded picture of the aligned face in the photo
    learned: Learned = NOTHING  # where it is, and its scale for the default expression; pass it with each `Render`


register(
    Kind(
        request=Project,
        answer=Projected,
        lane=Lane.LONG,
        mode=Mode.STEPS,
        cost=Cost(a=0.25, b=4.0, low=20, high=60),
        shared="photo",
        run=lambda workbench, request: workbench.project(request),
        units=lambda request: request.steps,
        usual_units=40,  # about as many as the default method takes
        variant=lambda request: request.method,
        fresh=lambda request: request.resume is None,
        resume=lambda request, checkpoint: replace(request, resume=checkpoint),
        worst=lambda m: (Project(m.photo, m.face),),  # with nothing learned, so that the face is looked for too
    )
)
