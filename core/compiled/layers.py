"""MobileStyleGAN's separable layers and their gradient as machine code of our own (layers.cpp), made by the C++ compiler.

    library = Library(compile_layers(folder))
    use(library, generator)   # from now on it computes its blocks with the library where that can be done, else with torch

Which file a worker may open is told by core.compiled.kept.
"""

from __future__ import annotations

import copy
import ctypes
import tempfile
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from core.compiled.compiler import compile_layers
from core.errors import NotCompiled
from core.generator.protocol import SeparableBlock, SeparableGenerator

G = TypeVar("G", bound=SeparableGenerator)


def use(library: Library, network: SeparableGenerator) -> int:
    """Have the network compute its blocks with the library, and return how many it takes: not those of few channels."""
    taken = [block for block in network.separable_blocks() if library.takes(block)]
    for block in taken:
        block.compiled = _FusedBlock(block, library)
    return len(taken)


def fused(network: G) -> G:
    """Return a copy of the network that uses a library compiled now. Raises NotCompiled."""
    with tempfile.TemporaryDirectory() as folder:  # closed to other users; once it is loaded, nobody needs the file
        library = Library(compile_layers(Path(folder)))
    made = copy.deepcopy(network)
    use(library, made)
    return made


class _Layer(ctypes.Structure):
    """`Layer` of layers.cpp."""

    _fields_ = [
        *((name, ctypes.c_int) for name in ("side", "inputs", "outputs")),
        *((name, ctypes.c_void_p) for name in ("depthwise", "pointwise", "back", "bias", "noise")),
    ]


class Library:
    """The functions of layers.cpp in a compiled file. Opening it runs it. Raises NotCompiled."""

    def __init__(self, file: Path) -> None:
        try:
            library = ctypes.CDLL(str(file))
        except OSError as error:  # its folder may forbid running code
            raise NotCompiled(reason=f"the code can't be run: {error}") from None
        self.forward, self.backward = library.separable_forward, library.separable_backward
        self.forward.argtypes = [ctypes.c_void_p] * 5 + [ctypes.c_int]
        self.backward.argtypes = [ctypes.c_void_p] * 9 + [ctypes.c_int]
        self.forward.restype = self.backward.restype = ctypes.c_bool
        self.columns: int = library.separable_columns()  # of a product, computed at once

    def takes(self, block: SeparableBlock) -> bool:
        """Tell whether the sizes of both layers are whole numbers of columns."""
        return all(side % self.columns == 0 for layer in (block.conv1, block.conv2) for side in layer.pointwise.shape[:2])


class _FusedLayer:
    """A separable layer's weights as the library wants them. It must live as long as anything that is computed with it."""

    def __init__(self, layer: Any, library: Library) -> None:
        self.library = library
        matrix = layer.pointwise.detach()[:, :, 0, 0]
        self.outputs, self.inputs = matrix.shape
        self.side = len(layer.noise)
        self._weights = (
            layer.depthwise.detach()[:, 0].reshape(-1, 9).T.contiguous(),
            _packed(matrix.T, library.columns),
            _packed(matrix, library.columns),
            layer.bias.detach().contiguous(),
            layer.noise.detach().contiguous(),
        )
        self._layer = _Layer(self.side, self.inputs, self.outputs, *(one.data_ptr() for one in self._weights))
        self.address = ctypes.addressof(self._layer)

    def __call__(self, x: Tensor, up: Tensor | None, style: Tensor) -> Tensor:
        """Compute x [1, C, H, W] with factors `style` [inputs]; with `up` [4 inputs], x is the bands of twice the side."""
        bands, side = (1, self.side) if up is None else (4, self.side // 2)
        assert x.shape == (1, bands * self.inputs, side, side), x.shape
        return _Computed.apply(x, up, style, self)  # type: ignore[no-any-return, no-untyped-call]


def _packed(matrix: Tensor, columns: int) -> Tensor:
    """Reorder a matrix [K, C] to panels [C / columns, K, columns]."""
    return matrix.reshape(len(matrix), -1, columns).transpose(0, 1).contiguous()


class _Computed(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, up: Tensor | None, style: Tensor, layer: _FusedLayer) -> Tensor:
        x = x.contiguous(memory_format=torch.channels_last)
        out = torch.empty(1, layer.outputs, layer.side, layer.side, memory_format=torch.channels_last)
        given = [_at(one) for one in (x, up, style, out)]
        if not layer.library.forward(layer.address, *given, torch.get_num_threads()):
            raise MemoryError
        ctx.layer = layer
        ctx.save_for_backward(x, up, style, out)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slopes: Tensor) -> tuple[Tensor | None, ...]:
        x, up, style, out = ctx.saved_tensors
        slopes = slopes.contiguous(memory_format=torch.channels_last)
        of_x, of_style = torch.empty_like(x), torch.empty_like(style)
        of_up = None if up is None else torch.empty_like(up)
        given = [_at(one) for one in (x, up, style, out, slopes, of_x, of_style, of_up)]
        if not ctx.layer.library.backward(ctx.layer.address, *given, torch.get_num_threads()):
            raise MemoryError
        return of_x, of_up, of_style, None


def _at(tensor: Tensor | None) -> int | None:
    return None if tensor is None else tensor.data_ptr()


class _FusedBlock:
    """Computes a block's two layers with the library."""

    def __init__(self, block: SeparableBlock, library: Library) -> None:
        self._up, self._conv1, self._conv2 = block.up, block.conv1, block.conv2
        self._first, self._second = _FusedLayer(block.conv1, library), _FusedLayer(block.conv2, library)

    def __call__(self, x: Tensor, ws: Tensor) -> Tensor | None:
        """Compute the block for x [1, C, H, W] and ws [1, 3, w_dim] in float32 on the CPU; None for anything else."""
        if len(x) != 1 or x.is_cuda or x.dtype != torch.float32:
            return None
        up, style, other = (one.style(ws[:, i])[0] for i, one in enumerate((self._up, self._conv1, self._conv2)))
        return self._second(self._first(x, up, style), None, other)

    def __deepcopy__(self, memo: object) -> None:
        """A copy of the block is computed by torch: its weights will be others, or of another type."""
