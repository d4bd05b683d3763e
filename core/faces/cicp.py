"""Colours that a file names by numbers (CICP, ITU-T H.273) in place of an ICC profile: what they are, and what is done with them.

AVIF and HEIC have them in a box `colr` of the type `nclx` (ISO/IEC 14496-12, 12.1.5), PNG in a chunk `cICP`. A wide gamut becomes
an ICC profile, with which the rest of egao goes on as with any; a high dynamic range (PQ and HLG, ITU-R BT.2100) has no place in
eight bits without one, so it is brought to sRGB as a screen without such a range shows it.
"""

from __future__ import annotations

import struct
from functools import cache, lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from core.faces.container import Container, Signal

Picture = NDArray[np.uint8]
Matrix = NDArray[np.float64]

# Chromaticities x, y of red, green and blue by their number; the white of all is D65.
_PRIMARIES: Final = {
    9: ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046)),  # BT.2020
    12: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),  # Display P3
}
_BT709: Final = ((0.640, 0.330), (0.300, 0.600), (0.150, 0.060))
_D65: Final = np.array([0.3127 / 0.3290, 1.0, (1 - 0.3127 - 0.3290) / 0.3290])
_D50: Final = np.array([0.9642, 1.0, 0.8249])  # of ICC
_BRADFORD: Final = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
PQ, HLG = 16, 18
_GAMMAS: Final = {4: 2.2, 5: 2.8, 8: 1.0}  # by the number of the transfer; all others are shown as sRGB's curve
_WHITE: Final = 203.0  # cd/m2 that white paper has in a picture of high dynamic range (ITU-R BT.2408)
_PEAK: Final = 1000.0  # cd/m2 of the screen that HLG is laid out for
_KNEE: Final = 0.75  # of white: what is brighter is pressed together, so that highlights keep their shapes


def profile(container: Container) -> bytes | None:
    """Make the ICC profile of the colours that a file names; None for sRGB and its like, a high range, and no numbers."""
    signal = container.signal
    if signal is None or is_high(container) or (signal.primaries not in _PRIMARIES and signal.transfer not in _GAMMAS):
        return None
    return _icc(signal)


def is_high(container: Container) -> bool:
    """Tell whether the file names a high dynamic range."""
    return container.signal is not None and container.signal.transfer in (PQ, HLG)


def shown(pixels: Picture, signal: Signal) -> None:
    """Bring the colours of uint8 [H, W, 3 or 4] from a high dynamic range to sRGB, in place; transparency stays."""
    to = np.linalg.inv(_xyz(_BT709)) @ _xyz(_PRIMARIES.get(signal.primaries, _BT709))
    light, curve = _light(signal.transfer), _curve()
    for row in pixels:  # a row at a time: in floats a picture takes four times its size
        linear = light[row[:, :3]]
        if signal.transfer == HLG:  # the screen's own part of the curve goes by brightness (BT.2100, table 5, gamma 1.2)
            linear = linear * (linear @ np.array([0.2627, 0.6780, 0.0593]))[:, None] ** 0.2
        linear = (linear * ((_PEAK if signal.transfer == HLG else 10_000) / _WHITE) @ to.T).clip(0)
        most = linear.max(axis=1, keepdims=True).clip(1e-6)
        pressed = np.where(most > _KNEE, 1 - (1 - _KNEE) * np.exp(-(most - _KNEE) / (1 - _KNEE)), most)
        row[:, :3] = curve[(linear * (pressed / most) * (len(curve) - 1)).round().astype(np.intp).clip(0, len(curve) - 1)]


@cache
def _light(transfer: int) -> NDArray[np.float64]:
    """Tabulate the light, 0 to 1, of each of 256 levels of PQ or HLG (BT.2100, tables 4 and 5)."""
    level = np.arange(256) / 255
    if transfer == PQ:
        power = level ** (32 / 2523)
        return np.asarray(((power - 107 / 128).clip(0) / (2413 / 128 - 2392 / 128 * power)) ** (8192 / 1305))
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    return np.where(level <= 0.5, level**2 / 3, (np.exp((level - c) / a) + b) / 12)


@cache
def _curve() -> Picture:
    """Tabulate sRGB's levels of 4096 steps of light, 0 to 1."""
    light = np.linspace(0, 1, 4096)
    level = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return np.asarray((255 * level).round(), dtype=np.uint8)


def _xyz(primaries: tuple[tuple[float, float], ...]) -> Matrix:
    """Compute the matrix from linear RGB of these primaries to XYZ, under D65."""
    columns = np.array([(x / y, 1.0, (1 - x - y) / y) for x, y in primaries]).T
    return np.asarray(columns * np.linalg.solve(columns, _D65))


@lru_cache(16)  # strangers choose the numbers
def _icc(signal: Signal) -> bytes:
    """Write an ICC profile (ICC.1:2010) of three primaries and one curve."""
    adapt = np.linalg.inv(_BRADFORD) @ np.diag((_BRADFORD @ _D50) / (_BRADFORD @ _D65)) @ _BRADFORD
    matrix = adapt @ _xyz(_PRIMARIES.get(signal.primaries, _BT709))
    gamma = _GAMMAS.get(signal.transfer)
    numbers = [2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045] if gamma is None else [gamma]
    curve = b"para" + struct.pack(">IHH", 0, 0 if gamma else 3, 0) + _fixed(numbers)
    tags = {b"desc": _text(f"colours {signal.primaries}/{signal.transfer} of H.273"), b"cprt": _text("none"),
            b"wtpt": _numbers(_D50), b"chad": b"sf32" + bytes(4) + _fixed(adapt.ravel())}  # fmt: skip
    tags |= {name: _numbers(column) for name, column in zip((b"rXYZ", b"gXYZ", b"bXYZ"), matrix.T, strict=True)}
    tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve)
    place, index, body = 128 + 4 + 12 * len(tags), struct.pack(">I", len(tags)), b""
    for name, data in tags.items():
        index += struct.pack(">4sII", name, place + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    head = struct.pack(">I4xI12s12x4s28x", place + len(body), 0x04200000, b"mntrRGB XYZ ", b"acsp") + _fixed(_D50)
    return head.ljust(128, b"\0") + index + body


def _fixed(numbers: Matrix | list[float]) -> bytes:
    return b"".join(struct.pack(">i", round(float(one) * 65536)) for one in numbers)


def _numbers(numbers: Matrix) -> bytes:
    return b"XYZ " + bytes(4) + _fixed(numbers)


def _text(words: str) -> bytes:
    data = words.encode("utf-16-be")
    return b"mluc" + struct.pack(">IIIHHII", 0, 1, 12, 0x656E, 0x5553, len(data), 28) + data
