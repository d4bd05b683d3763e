"""Degrades drawn faces as photographs are degraded, so that networks trained on drawn faces work on photographs too.

Colours change little, because the colour of a photo is to be found in its latent. Sharpness, compression and framing change
more, since the generator can't draw them anyway.
"""

from __future__ import annotations

import io

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from core.fast.data import to_bytes, to_unit


def augment(images: Tensor, random: np.random.RandomState) -> Tensor:
    """Degrade each image [N, 3, H, H] of -1..1 in its own way; equal states of `random` give equal results."""
    images = _reframe(images, random)
    parts = [_compress(_sharpness(_colour(image[None], random), random), random) for image in images]
    return torch.cat([_occlude(part, random) for part in parts]).contiguous(memory_format=torch.channels_last)


def spoil(images: Tensor, planes: Tensor, random: np.random.RandomState) -> tuple[Tensor, Tensor]:
    """Degrade faces [N, 3, H, H] as `augment` does, but cover nothing, and reframe `planes` [N, K, H, H] like the images."""
    together = _reframe(torch.cat([images, planes], dim=1), random)
    parts = [_compress(_sharpness(_colour(image[None], random), random), random) for image in together[:, :3]]
    return torch.cat(parts).contiguous(memory_format=torch.channels_last), together[:, 3:]


def _reframe(images: Tensor, random: np.random.RandomState) -> Tensor:
    """Align imperfectly: up to 3 % of shift, 4 % of scale and 3 degrees."""
    n = len(images)
    angle, scale = np.radians(random.uniform(-3, 3, n)), random.uniform(0.96, 1.04, n)
    shift = random.uniform(-0.06, 0.06, (n, 2))  # in half sides
    cos, sin = np.cos(angle) * scale, np.sin(angle) * scale
    theta = np.stack([np.stack([cos, -sin, shift[:, 0]], 1), np.stack([sin, cos, shift[:, 1]], 1)], 1)
    grid = F.affine_grid(torch.from_numpy(theta).to(images), list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, padding_mode="reflection", align_corners=False)


def _colour(image: Tensor, random: np.random.RandomState) -> Tensor:
    """Vary exposure, white balance, contrast and saturation; one image in 25 loses its colour."""
    x = (image + 1) / 2
    x = x.clamp(1e-4, 1) ** float(random.uniform(0.85, 1.18))
    gains = random.normal(1, 0.04, 3) * random.uniform(0.92, 1.08)
    x = x * torch.from_numpy(gains).to(x)[None, :, None, None]
    grey = x.mean(dim=1, keepdim=True)
    saturation = 0.0 if random.rand() < 0.04 else float(random.uniform(0.75, 1.2))
    x = grey + saturation * (x - grey)
    x = (x - 0.5) * float(random.uniform(0.88, 1.12)) + 0.5
    return x.clamp(0, 1) * 2 - 1


def _sharpness(image: Tensor, random: np.random.RandomState) -> Tensor:
    """Blur, as small originals are blurred, and add the noise of a sensor."""
    side = image.shape[-1]
    if random.rand() < 0.4:
        small = int(side * random.uniform(0.35, 1))
        image = F.interpolate(image, (small, small), mode="area")
        image = F.interpolate(image, (side, side), mode="bilinear", align_corners=False)
    if random.rand() < 0.3:
        image = F.avg_pool2d(F.pad(image, (1, 1, 1, 1), mode="replicate"), 3, 1)
    if random.rand() < 0.4:
        noise = torch.from_numpy(random.randn(*image.shape).astype(np.float32)).to(image)
        image = image + float(random.uniform(0, 0.12)) * noise
    return image


def _compress(image: Tensor, random: np.random.RandomState) -> Tensor:
    if random.rand() < 0.5:
        return image.clamp(-1, 1)
    buffer = io.BytesIO()
    Image.fromarray(to_bytes(image)[0]).save(buffer, "jpeg", quality=int(random.randint(25, 95)))
    return to_unit(np.asarray(Image.open(buffer))[None]).to(image.device)


def _occlude(image: Tensor, random: np.random.RandomState) -> Tensor:
    """Cover one face in six by an ellipse or rectangle of one colour, in place of a hand, a microphone or a frame's edge."""
    if random.rand() > 1 / 6:
        return image
    side = image.shape[-1]
    axis = torch.linspace(-1, 1, side, device=image.device)
    centre, radius = random.uniform(-1, 1, 2), random.uniform(0.1, 0.45, 2)
    dy, dx = ((axis - float(c)).abs() / float(r) for c, r in zip(centre, radius, strict=True))
    power = 2 if random.rand() < 0.5 else 8
    inside = (dy[:, None] ** power + dx[None] ** power) < 1
    colour = torch.from_numpy(random.uniform(-1, 1, (1, 3, 1, 1)).astype(np.float32)).to(image)
    return torch.where(inside, colour, image)
