"""A small workbench for the executor's tests: it does real waiting, real crashes and real hoarding, as told by bytes.

A request's `photo` or `latent` is a line of words: what to do, then its arguments.
"""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, ClassVar

from core.errors import EgaoError, NoFace, NoSuchFace, WeightsMissing
from core.executor import (
    Animate,
    Animated,
    FindFaces,
    FoundFace,
    FoundFaces,
    FullSize,
    Progress,
    Project,
    Projected,
    Render,
    Rendered,
)
from core.settings import Settings

hoard: list[bytearray] = []


class Heavy:
    """Something large that a request is worked on with."""

    living: ClassVar[weakref.WeakSet[Heavy]] = weakref.WeakSet()

    def __init__(self) -> None:
        self.living.add(self)


class Bench:
    """Renders take 4 ms and 1 ms a picture; steps take what the request says."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.batches: list[int] = []

    def find_faces(self, request: FindFaces) -> Iterator[Progress | FoundFaces]:
        words = request.photo.split()
        self.misbehave(words)
        if words[0] == b"crowd":
            for _ in range(int(words[2])):
                time.sleep(float(words[1]))
                yield Progress(2, 5)
        if words[0] == b"say":
            yield FoundFaces((FoundFace(0, (0, 0, 1, 1), self.say(words[1].decode())),))
            return
        yield FoundFaces((FoundFace(0, (0, 0, 1, 1), request.photo[: 8 << 20][::-1]),))

    def say(self, what: str) -> bytes:
        if what == "heavy":
            return repr(len(Heavy.living)).encode()
        if what == "batches":
            return repr(self.batches).encode()
        if what == "environment":
            secrets = [self.settings.discord_token, self.settings.key]
            return repr((sorted(os.environ), secrets, self.settings.threads, self.settings.device)).encode()
        return repr((os.getpid(), os.getppid(), threading.active_count())).encode()

    def project(self, request: Project) -> Iterator[Progress | Projected]:
        words = request.photo.split()
        seconds, steps = float(words[1]), request.steps or 10
        start = int(request.resume or 0)
        for step in range(start, steps):
            time.sleep(seconds)
            if len(words) > 2 and step == steps // 2:
                self.misbehave(words[2:])
            yield Progress(step + 1, steps, preview=b"p", checkpoint=str(step + 1).encode())
        yield Projected(f"{start} {steps}".encode(), b"thumbnail", {"all": seconds * steps})

    def render(self, requests: Sequence[Render]) -> list[Rendered | EgaoError]:
        self.batches.append(len(requests))
        for request in requests:
            self.misbehave(request.latent.split())
        pictures = sum(len(request.strengths) for request in requests)
        slow = max(float(request.latent.split()[1]) if b"slow" in request.latent else 0.004 for request in requests)
        time.sleep(slow + 0.001 * pictures)
        return [self.rendered(request) for request in requests]

    def rendered(self, request: Render) -> Rendered | EgaoError:
        if b"faceless" in request.latent:
            return NoFace()
        if b"array" in request.latent:
            import numpy as np  # here, for the sake of a quick start

            picture: Any = np.zeros(1)  # not what the type says, as a mistake in a workbench would be
            return Rendered((picture,))
        return Rendered(tuple(b"%b %d" % (request.latent, round(float(strength))) for strength in request.strengths))

    def full_size(self, request: FullSize) -> Iterator[Progress | Rendered]:
        for step in range(3):
            time.sleep(float(request.latent.split()[1]) / 3)
            yield Progress(step + 1, 3)
        yield Rendered((b"large",))

    def animate(self, request: Animate) -> Iterator[Progress | Animated]:
        for frame in range(request.frames):
            time.sleep(0.01)
            yield Progress(frame + 1, request.frames)
        yield Animated(b"moving", request.frames)

    def misbehave(self, words: list[bytes]) -> None:
        match words:
            case [b"crash"]:
                os.kill(os.getpid(), signal.SIGSEGV)
            case [b"compute", seconds]:
                end = time.thread_time() + float(seconds)
                while time.thread_time() < end:
                    pass
            case [b"null"]:
                ctypes.string_at(0)
            case [b"crash-once", path] if not Path(os.fsdecode(path)).exists():
                Path(os.fsdecode(path)).touch()
                os.kill(os.getpid(), signal.SIGKILL)
            case [b"orphan", path]:  # dies, and leaves a child that keeps its socket open
                child = subprocess.Popen(["sleep", "3600"], close_fds=False)
                with Path(os.fsdecode(path)).open("a") as pids:
                    print(child.pid, file=pids)
                os.kill(os.getpid(), signal.SIGKILL)
            case [b"hang"]:
                ctypes.PyDLL(None).sleep(3600)  # as native code does: no other thread of Python runs meanwhile
            case [b"hoard", count]:
                hoard.append(bytearray(int(count)))
            case [b"exit"]:
                raise SystemExit
            case [b"raise"]:
                raise ValueError("a secret path")
            case [b"refuse", b"heavy"]:
                heavy = Heavy()
                raise NoSuchFace(face=len(Heavy.living), count=0) from ValueError(heavy)
            case [b"refuse"]:
                raise NoSuchFace(face=Fraction(3), count=2)
            case [b"cuda"]:
                raise RuntimeError("CUDA error: an illegal memory access was encountered")
            case [b"noise", count]:
                os.write(1, b"native noise\n" * int(count))
                sys.stderr.write("printed noise\n")
                logging.getLogger("noisy").warning("logged noise")


class Hungry(Bench):
    """Has memory for two renders at a time."""

    def render(self, requests: Sequence[Render]) -> list[Rendered | EgaoError]:
        self.batches.append(len(requests))
        if len(requests) > 2:
            raise MemoryError
        return [self.rendered(request) for request in requests]


class Lazy(Bench):
    """Draws one after the other, each only when the one before was taken."""

    def render(self, requests: Sequence[Render]) -> Iterable[Rendered | EgaoError]:  # type: ignore[override]
        self.batches.append(len(requests))
        for request in requests:
            time.sleep(float(request.latent.split()[1]) if b"slow" in request.latent else 0.004)
            yield self.rendered(request)


create = Bench
hungry = Hungry
lazy = Lazy


def without_weights(settings: Settings) -> Bench:
    raise WeightsMissing(name="generator")


def once(settings: Settings) -> Bench:
    """Can be made once, and again when the mark in the home folder is gone."""
    mark = settings.home / "made"
    if mark.exists():
        raise WeightsMissing(name="generator")
    mark.touch()
    return Bench(settings)


def stillborn(settings: Settings) -> Bench:
    os.abort()
