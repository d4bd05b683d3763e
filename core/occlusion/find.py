"""Finds things in front of a face in its aligned picture, and measures how much of the mouth they hide."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from safetensors.torch import load_file

from core.occlusion.network import MASK_SIDE, ThingNet, seen
from core.projection.features import Features, feature_input
from core.untrusted import read_as_data

FILE: Final = Path(str(files("data"))) / "occlusion" / "things.safetensors"
Plane = NDArray[np.float32]
_SURE = 0.5  # probability from which a place counts as hidden


class Finder:
    """The network that marks things in front of faces. For one thread; a face takes about 0.05 s on one core."""

    def __init__(self, features: Features, file: Path = FILE) -> None:
        """Load the network. `features` is the perceptual network that projections use.

        Raises ModelUnreadable for a wrong file.
        """
        self._features, self._network = features, ThingNet()
        with read_as_data(file.name):
            self._network.load_state_dict({name: tensor.float() for name, tensor in load_file(str(file)).items()})
        self._network.requires_grad_(False).eval().to(next(features.parameters()).device)

    def find(self, aligned: NDArray[np.uint8]) -> Plane:
        """Compute the probabilities float32 [128, 128] that something lies in front of an aligned face, uint8 [S, S, 3].

        They are the mean over the picture and its mirror image, which err in different places.
        """
        device = next(self._network.parameters()).device
        image = torch.tensor(aligned, device=device).permute(2, 0, 1)[None].float() / 127.5 - 1
        image = feature_input(image)
        with torch.inference_mode():
            found = self._network(*seen(self._features, torch.cat([image, image.flip(3)]))).sigmoid()
        mean: Plane = ((found[0, 0] + found[1, 0].flip(1)) / 2).cpu().numpy()
        return mean


def hidden(found: Plane, outline: NDArray[np.floating]) -> float:
    """Compute the share, 0..1, of the area inside an outline that is hidden by a thing.

    `found` are the probabilities of `Finder.find`; `outline` [N, 2] is in shares of the aligned square. Parts of the outline
    beyond the square are left out.
    """
    mask = Image.new("L", (MASK_SIDE, MASK_SIDE))
    ImageDraw.Draw(mask).polygon([(x, y) for x, y in (outline * MASK_SIDE).tolist()], fill=1, outline=1)
    inside = np.asarray(mask, dtype=bool)
    return float((found[inside] > _SURE).mean()) if inside.any() else 0.0
