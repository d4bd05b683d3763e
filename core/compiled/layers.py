"""MobileStyleGAN's separable layers and their gradient as machine code of our own (layers.cpp), made by the C++ compiler.

`egao bench floors` measures a step of a projection with it. Workers don't use it yet: they run only signed code, see
core.compiled.kept.
"""

from __future__ import annotations

import ctypes
import subprocess
import tempfile
from pathlib import Path
from typing import Any, Final, TypeVar

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from core.compiled.background import NO_COMPILER, compiler
from core.errors import NotCompiled
from core.generator.protocol import SeparableGenerator

G = TypeVar("G", bound=SeparableGenerator)

SOURCE: Final = Path(__file__).with_name("layers.cpp")
FLAGS: Final = ("-std=c++17", "-O3", "-march=native", "-fno-math-errno", "-fPIC", "-shared", "-pthread")
_SECONDS: Final = 300  # that the compiler may take; it takes two


def fused(network: G) -> G:
    """Return the network with its separable layers computed by code that is compiled now. Raises NotCompiled.

    All weights are shared but those that the code wants in another order. It computes one picture at a time in float32 on the
    CPU; anything else is left to torch, and so are layers with fewer channels than a product takes at once.
    """
    code = _Library()
    return network.with_blocks([FusedBlock(one, code) if code.takes(one) else one for one in network.separable_blocks()])


def _compile(library: Path) -> None:
    """Compile the source for this processor into the file `library`. Raises NotCompiled."""
    command = compiler()
    if command is None:
        raise NotCompiled(reason=NO_COMPILER)
    order = [command, *FLAGS, str(SOURCE), "-o", str(library)]
    try:
        done = subprocess.run(order, capture_output=True, text=True, timeout=_SECONDS)
    except subprocess.TimeoutExpired:
        raise NotCompiled(reason=f"the compiler was not done after {_SECONDS} s") from None
    if done.returncode != 0:
        raise NotCompiled(reason=(done.stderr.strip().splitlines() or [f"the compiler ended with {done.returncode}"])[0][:200])


class _Layer(ctypes.Structure):
    """`Layer` of layers.cpp."""

    _fields_ = [
        *((name, ctypes.c_int) for name in ("side", "inputs", "outputs")),
        *((name, ctypes.c_void_p) for name in ("depthwise", "pointwise", "back", "bias", "noise")),
    ]


class _Library:
    """The two functions of layers.cpp, compiled by this process and run by it alone: no file from elsewhere is opened."""

    def __init__(self) -> None:
        with tempfile.TemporaryDirectory() as folder:  # closed to other users; once it is loaded, nobody needs the file
            just_compiled = Path(folder, "layers.so")
            _compile(just_compiled)
            try:
                library = ctypes.CDLL(str(just_compiled))
            except OSError as error:  # the folder for temporary files may forbid running code
                raise NotCompiled(reason=f"the code can't be run: {error}") from None
        self.forward, self.backward = library.separable_forward, library.separable_backward
        self.forward.argtypes = [ctypes.c_void_p] * 5 + [ctypes.c_int]
        self.backward.argtypes = [ctypes.c_void_p] * 9 + [ctypes.c_int]
        self.forward.restype = self.backward.restype = None
        self.columns: int = library.separable_columns()  # of a product, computed at once

    def takes(self, block: Any) -> bool:
        """Tell whether the sizes of both layers are whole numbers of columns."""
        return all(side % self.columns == 0 for layer in (block.conv1, block.conv2) for side in layer.pointwise.shape[:2])


class _FusedLayer:
    """A separable layer's weights as the library wants them. It must live as long as anything that is computed with it."""

    def __init__(self, layer: Any, library: _Library) -> None:
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
        layer.library.forward(layer.address, *given, torch.get_num_threads())
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
        ctx.layer.library.backward(ctx.layer.address, *given, torch.get_num_threads())
        return of_x, of_up, of_style, None


def _at(tensor: Tensor | None) -> int | None:
    return None if tensor is None else tensor.data_ptr()


class FusedBlock(nn.Module):
    """A block of the generator whose two layers are computed by the library."""

    def __init__(self, block: Any, library: _Library) -> None:
        super().__init__()
        self.plain = block
        self._first, self._second = _FusedLayer(block.conv1, library), _FusedLayer(block.conv2, library)

    def forward(self, x: Tensor, ws: Tensor) -> Tensor:
        block = self.plain
        if len(x) != 1 or x.is_cuda or x.dtype != torch.float32:
            done: Tensor = block(x, ws)
            return done
        up, style, other = (one.style(ws[:, i])[0] for i, one in enumerate((block.up, block.conv1, block.conv2)))
        return self._second(self._first(x, up, style), None, other)
