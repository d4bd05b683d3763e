"""Learns the curvature from drawn faces: how all that the loss compares depends on ws.

Let J be the derivative of all that is compared, weighted as in the loss. The Gauss-Newton matrix is J'J, and J'n for white
noise n has exactly that covariance. One backward pass gives one such sample. Two samples for each face tell what is common to
faces and what belongs to one face only.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from core.device import fast_dtype
from core.fast.curvature import DIRECTIONS, Curvature
from core.fast.data import training_ws
from core.fast.objective import FastOptions, face_weight, seen
from core.generator.protocol import StyledGenerator
from core.generator.render import network_in
from core.projection.features import Features, area_downsample

FACES = 1000
FIRST = 400_000  # number of the first face: none of the head's, none of the encoder's
HELD_OUT = range(450_000, 450_064)
SAMPLES = 2  # of each face
_CHUNK = 20  # faces a file
_NOTHING = 1e-9  # of the largest bend: rounding
_MISSED = 0.1  # a usual difference of pixels, in the range of -1..1: the pixel term bends less where more is missed


@dataclass(frozen=True)
class SlopeSet:
    """A folder of samples J'n; samples already in it are not made again."""

    folder: Path
    generator: StyledGenerator
    features: Features
    faces: int = FACES
    first: int = FIRST

    def fill(self) -> Iterator[int]:
        """Make the missing samples, yielding the number of faces done after each face; what is kept are whole files."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for done in range(0, self.faces, _CHUNK):
            file, numbers = self._file(done), self._numbers(done)
            if not file.exists():
                slopes: list[Tensor] = []
                for number in numbers:
                    if slopes:
                        yield number - self.first
                    slopes.append(slopes_at(self.generator, self.features, number))
                save_file({"slopes": torch.cat(slopes).cpu()}, file.with_suffix(".part"))
                file.with_suffix(".part").replace(file)
            yield numbers.stop - self.first

    def all(self) -> Tensor:
        """Read all samples, face by face: [faces * SAMPLES, num_ws, w_dim]."""
        return torch.cat([load_file(self._file(done))["slopes"] for done in range(0, self.faces, _CHUNK)])

    def _numbers(self, done: int) -> range:
        return range(self.first + done, self.first + min(done + _CHUNK, self.faces))

    def _file(self, done: int) -> Path:
        numbers = self._numbers(done)
        return self.folder / f"{self.generator.digest[:12]}-{numbers.start}-{numbers.stop}.safetensors"


def slopes_at(generator: StyledGenerator, features: Features, number: int) -> Tensor:
    """Compute the samples [SAMPLES, num_ws, w_dim] for the training face with this number, which determines them."""
    device = generator.w_average().device
    dtype = fast_dtype(device)
    random = torch.Generator().manual_seed(number)
    ws = training_ws(generator, range(number, number + 1)).clone().requires_grad_(True)
    image = seen(network_in(generator, dtype), ws.to(dtype))
    compared = [image, *features(image)]
    options, samples = FastOptions(), []
    weight = face_weight(options.face_weight).to(device)
    bend = options.pixel_weight / (_MISSED**2 + 1e-3) ** 0.5
    for _ in range(SAMPLES):
        noise = [torch.randn(part.shape, generator=random).to(device) for part in compared]
        noise[0] *= (bend * weight / image.numel()).sqrt()
        for tap in noise[1:]:  # squared differences: they bend by two, and are averaged over positions
            tap *= (2 * area_downsample(weight, tap.shape[-1]) / tap[0, 0].numel()).sqrt()
        samples.append(torch.autograd.grad(compared, ws, noise, retain_graph=True)[0])
    return torch.cat(samples)


def fit_curvature(generator: StyledGenerator, slopes: Tensor, directions: int = DIRECTIONS) -> Curvature:
    """Fit both parts of the curvature to samples [N, num_ws, w_dim]. With N below `directions`, fewer directions are learned.

    A direction that was not learned stays 0 and changes nothing.
    """
    curvature = Curvature(generator, directions).to(slopes.device)
    found = []
    for layer, of_style in zip(generator.style_weights(), slopes.unbind(dim=1), strict=True):
        # J'n = A'g, with g the slopes for the factors
        layer, of_style = layer.to(slopes.device).double(), of_style.double()
        of_factors = torch.linalg.lstsq(layer.T, of_style.T).solution.square().mean(dim=1)
        # of the part that stands for the style; a style that moves nothing has none
        energy = (of_factors * layer.square().sum(dim=1)).sum().clamp(min=torch.finfo(torch.double).tiny)
        found.append((of_factors * of_style.square().sum(dim=1).mean() / energy).sqrt())
    curvature.slopes.copy_(torch.cat(found))
    left = curvature.flatten(slopes).flatten(1).double()
    bends, vectors = torch.linalg.eigh(left @ left.T / len(left))  # in the dual: samples are fewer than coordinates
    known = min(directions, int((bends > _NOTHING * bends.max()).sum()))  # what few samples, or few coordinates, tell apart
    bends, vectors = bends.flip(0)[:known], vectors.flip(1)[:, :known]
    axes = (left.T @ vectors) / (bends * len(left)).sqrt()
    axes = axes * axes.gather(0, axes.abs().argmax(dim=0, keepdim=True)).sign()  # the sign is arbitrary: fix it
    curvature.directions[:, :known] = axes.to(curvature.directions)
    curvature.bends[:known] = bends.to(curvature.bends)
    return curvature


def score_curvature(curvature: Curvature, slopes: Tensor) -> dict[str, float]:
    """Score on held-out samples: the effective number of directions with equal curvature, (tr H)^2 / tr H^2.

    "alike_before" is in ws, "alike_after" in the coordinates y.
    """
    y = torch.zeros_like(slopes[:1]).requires_grad_(True)
    into_y = torch.stack([torch.autograd.grad((curvature(y) * sample).sum(), y)[0][0] for sample in slopes])
    return {"alike_before": _alike(slopes), "alike_after": _alike(into_y)}


def _alike(samples: Tensor) -> float:
    first, second = samples.double().flatten(1).view(-1, SAMPLES, samples[0].numel()).unbind(dim=1)
    # of two samples of one face, the mean squared product is the trace of H^2, and each one's length that of H
    lengths = first.square().sum(dim=1) * second.square().sum(dim=1)
    return float(lengths.mean() / (first * second).sum(dim=1).square().mean())
