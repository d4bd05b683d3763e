"""The training sets: generated faces with the ws that drew them. They never contain a photograph of anyone.

Every face is determined by its number, so that a set can be made again anywhere and an interrupted one continued. The numbers
used as seeds lie far from those of the labelled seeds (600 and up), of the evaluation (5000 and up) and of tests.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from core.generator.protocol import Generator

FIRST_SEED = 10_000_000
_BATCH = 4
_TRUNCATION = (0.5, 1.0)  # below, faces are alike; above, they fall apart

Draw = Callable[[Tensor], Tensor]  # ws [N, num_ws, w_dim] float32 -> images [N, 3, side, side] of about -1..1


def training_ws(generator: Generator, numbers: range) -> Tensor:
    """Make ws [n, num_ws, w_dim] of faces by number: half plain w, a quarter mixed of two w, a quarter jittered per style.

    The last two kinds lie outside W, as projected photographs do.
    """
    return torch.stack([_face(generator, number) for number in numbers])


def _face(generator: Generator, number: int) -> Tensor:
    random = np.random.RandomState(FIRST_SEED + number)
    average, count = generator.w_average(), generator.num_ws
    truncation = random.uniform(*_TRUNCATION)
    z = torch.from_numpy(random.randn(2 + count, generator.z_dim).astype(np.float32)).to(average.device)
    with torch.inference_mode():
        w = average + truncation * (generator.mapping(z) - average)
    ws = generator.broadcast(w[:1])[0].clone()
    if number % 4 == 2 and count > 6:  # fewer styles can't be parted
        ws[random.randint(3, count - 3) :] = w[1]
    elif number % 4 == 3:
        ws += random.uniform(0.1, 0.4) * (w[2:] - average)
    return ws


@dataclass
class DrawnSet:
    """A folder with images.npy uint8 [N, side, side, 3], ws.npy float16 [N, num_ws, w_dim] and the number of finished faces."""

    folder: Path
    generator: Generator
    draw: Draw
    side: int
    faces: int
    first: int = 0  # number of the first face
    drawn_by: str = ""  # identifies `draw` beside the generator: a set drawn in another way is made again

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._state = self.folder / "state.json"
        self.key = {"generator": self.generator.digest, "faces": self.faces, "first": self.first + FIRST_SEED,
                     "drawn_by": self.drawn_by, "side": self.side}  # fmt: skip
        found = json.loads(self._state.read_text()) if self._state.exists() else {}
        fits = found.get("key") == self.key
        self.done = int(found["done"]) if fits else 0
        self.images = self._array("images", fits, (self.faces, self.side, self.side, 3), np.uint8)
        self.ws = self._array("ws", fits, (self.faces, self.generator.num_ws, self.generator.w_dim), np.float16)

    def _array(self, name: str, fits: bool, shape: tuple[int, ...], dtype: type) -> np.ndarray:
        file = self.folder / f"{name}.npy"
        if fits:
            return np.lib.format.open_memmap(file, "r+")
        return np.lib.format.open_memmap(file, "w+", dtype, shape)

    def fill(self) -> Iterator[int]:
        """Draw the missing faces, yielding the number of finished ones after every batch."""
        while self.done < self.faces:
            rows = slice(self.done, min(self.done + _BATCH, self.faces))
            ws = training_ws(self.generator, range(self.first + rows.start, self.first + rows.stop)).half().float()
            with torch.inference_mode():
                images = self.draw(ws)
            self.ws[rows], self.images[rows] = ws.half().cpu().numpy(), to_bytes(images)
            self.done = rows.stop
            if self.done % 64 == 0 or self.done == self.faces:
                self._save()
            yield self.done

    def _save(self) -> None:
        temporary = self._state.with_suffix(".part")
        temporary.write_text(json.dumps({"key": self.key, "done": self.done}))
        temporary.replace(self._state)

    def batch(self, rows: np.ndarray) -> tuple[Tensor, Tensor]:
        """Read rows of the set: (ws float32 [n, num_ws, w_dim], images float32 [n, 3, side, side] of -1..1)."""
        device = self.generator.w_average().device
        return torch.from_numpy(self.ws[rows].astype(np.float32)).to(device), to_unit(self.images[rows]).to(device)


def to_bytes(images: Tensor) -> np.ndarray:
    """Convert [N, 3, H, W] of -1..1 to uint8 [N, H, W, 3]."""
    return (images * 127.5 + 127.5).round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()


def to_unit(images: np.ndarray) -> Tensor:
    """Convert uint8 [N, H, W, 3] to float32 [N, 3, H, W] of -1..1, channels_last."""
    return torch.tensor(images).permute(0, 3, 1, 2).float() / 127.5 - 1  # a copy: decoded images are read-only
