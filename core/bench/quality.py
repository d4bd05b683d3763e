"""Measures how similar a projection is to its photo by four measures; no method optimises the last two."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from core.evaluate.identity import Identity, extra
from core.generator import Generator
from core.generator.latent import AnyLatent, latent_of
from core.projection.features import Features, distance, feature_input
from core.rendering import Renderer
from core.settings import Settings
from core.weights.cache import weight_path

MEASURES = ("squared_error", "perceptual", "second_perceptual", "identity")
_SIDE = 224  # of the second network's input
_MEAN = np.array([104, 117, 123], dtype=np.float32)  # which it was trained to have taken away, blue first


class SecondDistance:
    """A perceptual distance by a network that no projection uses: the residual network of Yahoo's open_nsfw.

    Channels normalised at every position, squared differences, mean over positions, sum over the five resolutions: as
    core.projection.features does with EfficientNet-Lite0.
    """

    def __init__(self, settings: Settings) -> None:
        """Load open_nsfw. Raises ExtraMissing without OpenVINO, which runs it, and WeightsMissing if it was not pulled."""
        core = extra("openvino").Core()
        model = core.read_model(str(weight_path(settings, "explicit")))
        model.reshape([1, _SIDE, _SIDE, 3])
        last = {tuple(op.output(0).shape)[1]: op for op in model.get_ordered_ops() if op.get_type_name() == "Relu"}
        model.add_outputs([op.output(0) for op in last.values()])
        self._network = core.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})

    def look(self, pixels: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
        """Compute the normalised features [H, W, C] of uint8 [R, R, 3], one array for each resolution."""
        small = np.asarray(Image.fromarray(pixels).resize((_SIDE, _SIDE), Image.Resampling.LANCZOS), dtype=np.float32)
        found = list(self._network((small[..., ::-1] - _MEAN)[None]).values())[1:]
        return [tap[0] / np.maximum(np.linalg.norm(tap[0], axis=-1, keepdims=True), 1e-6) for tap in found]

    @staticmethod
    def between(a: list[NDArray[np.float32]], b: list[NDArray[np.float32]]) -> float:
        """Compute the distance between the features of two pictures; 0 for equal pictures."""
        return float(sum(np.square(x - y).sum(axis=-1).mean() for x, y in zip(a, b, strict=True)))


class Judge:
    """The networks that measure; `Judge.of(photo)` makes a Comparison that measures latents against one photo."""

    def __init__(self, settings: Settings, generator: Generator, features: Features) -> None:
        self.renderer = Renderer(generator, "exact")
        self.features, self.second, self.identity = features, SecondDistance(settings), Identity(settings)

    def of(self, target: NDArray[np.uint8], landmarks: NDArray[np.floating]) -> Comparison:
        """Prepare to compare with `target`, an aligned face uint8 [R, R, 3] with these `landmarks` [478, 2]."""
        return Comparison(self, target, landmarks)

    def unit(self, pixels: NDArray[np.uint8]) -> torch.Tensor:
        """Convert uint8 [R, R, 3] to [1, 3, 256, 256] of -1..1."""
        image = torch.tensor(pixels, device=self.renderer.device).permute(2, 0, 1)[None].float() / 127.5 - 1
        return feature_input(image)


class Comparison:
    """One photo, measured once by every judge, to compare latents with."""

    def __init__(self, judge: Judge, target: NDArray[np.uint8], landmarks: NDArray[np.floating]) -> None:
        self._judge, self._image = judge, judge.unit(target)
        self._box: Any = judge.identity.box(target, landmarks)
        with torch.inference_mode():
            self._features = judge.features(self._image)
        self._second = judge.second.look(target)
        self._person = judge.identity.descriptor(target, self._box)

    def __call__(self, ws: AnyLatent) -> dict[str, float]:
        """Measure the picture of ws [1, num_ws, w_dim], or of a Latent, by all MEASURES; 0 is best."""
        judge, latent = self._judge, latent_of(ws)
        pixels = judge.renderer.images(latent.ws, latent.noise)[0]
        image = judge.unit(pixels)
        with torch.inference_mode():
            perceptual = float(distance(judge.features(image), self._features).sum())
        return {
            "squared_error": float((image - self._image).square().mean() / 4),
            "perceptual": perceptual,
            "second_perceptual": judge.second.between(judge.second.look(pixels), self._second),
            "identity": float(np.linalg.norm(judge.identity.descriptor(pixels, self._box) - self._person)),
        }
