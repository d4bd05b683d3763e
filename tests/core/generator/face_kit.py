"""A StyleGAN2 that draws a face which smiles more or less, written as its published file: nobody's weights are needed for it.

The face is the default generator's mean one, in grey. Its brightness without a smile, and what a smile adds to that, lie in the
two noise maps of 256 pixels. How much is added is told by the styles of 32 pixels, which the first number of w rules: two
constant features, one positive and one negative, add up to a number, the gate, that is handed on to 256 pixels, where a leaky
ReLU lets through the whole smile above it and a fifth of it below. The smaller layers are random, so that seeds differ in more.
"""

from __future__ import annotations

from math import sqrt
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from core.directions import apply, load_direction
from core.directions.direction import fitted_folder, save_direction
from core.directions.fit import fit
from core.edit import Editor
from core.expressions import default
from core.fast import Curvature
from core.fast.trained import CURVATURE, FOLDER, save_trained
from core.generator import Generator, load_generator, seed_w
from core.generator.importing import import_generator
from core.generator.ops import SLOPE, unit
from core.generator.protocol import with_styles
from core.pictures import encode
from core.projection.features import Features
from core.projection.start import fit_table, save_table
from core.rendering import Renderer
from core.seeds import named_seeds
from core.settings import Settings
from core.weights.installed import DEFAULT
from core.weights.parts import STARTS, made_folder

SIDES = (4, 8, 16, 32, 64, 128, 256)
TINT = (0.08, -0.02, -0.06)  # of red, green and blue: skin rather than stone
_GATE, _TURN = 0.16, 0.3  # size of the two constants; how much a deviation of w turns their styles
_LIFT, _BASE = 1.0, 4.0  # what keeps the gate, and the picture, above 0 in a leaky ReLU
State = dict[str, Tensor]


def maps_of(generator: Generator, settings: Settings) -> tuple[Tensor, Tensor]:
    """Draw the default generator's mean face: brightness [256, 256] of -1..1 without a smile, and what a smile adds to it."""
    smile, ws = load_direction("smile", settings), generator.broadcast(generator.w_average()[None])
    with torch.inference_mode():
        drawn = [generator.synthesis(apply(smile, ws, torch.tensor([step]))) for step in (-1.5, 1.5)]
        bright = F.interpolate(torch.cat(drawn), size=256, mode="area").clamp(-1, 1).mean(dim=1)
    return bright[0].clone(), (bright[1] - bright[0]).clone()


def face_state(bright: Tensor, smile: Tensor, channels: int = 8, w_dim: int = 64) -> State:
    """Make the generator's tensors as rosinality's code names and scales them."""
    random = torch.Generator().manual_seed(0)

    def drawn(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=random)

    state: State = {"input.input": drawn(1, channels, 4, 4)}
    for index in (1, 2, 3):
        state |= {f"style.{index}.weight": 100 * drawn(w_dim, w_dim), f"style.{index}.bias": torch.zeros(w_dim)}
    for number, (place, side) in enumerate(_places()):
        state |= {
            f"{place}.conv.weight": drawn(1, channels, channels, 3, 3), f"{place}.noise.weight": torch.full((1,), 0.05),
            f"{place}.conv.modulation.weight": drawn(channels, w_dim), f"{place}.conv.modulation.bias": torch.ones(channels),
            f"{place}.activate.bias": torch.zeros(channels), f"noises.noise_{number}": drawn(1, 1, side, side),
        }  # fmt: skip
    for place in _pictures():
        state |= {
            f"{place}.conv.weight": 0.05 * drawn(1, 3, channels, 1, 1), f"{place}.bias": torch.zeros(1, 3, 1, 1),
            f"{place}.conv.modulation.weight": drawn(channels, w_dim), f"{place}.conv.modulation.bias": torch.ones(channels),
        }  # fmt: skip
    _add_gate(state)
    _add_face(state, bright, smile)
    return state


def _places() -> list[tuple[str, int]]:
    """List the layers that add noise, and their sides."""
    rest = [(f"convs.{2 * index + half}", side) for index, side in enumerate(SIDES[1:]) for half in (0, 1)]
    return [("conv1", SIDES[0]), *rest]


def _pictures() -> list[str]:
    return ["to_rgb1", *(f"to_rgbs.{index}" for index in range(len(SIDES) - 1))]


def _only(state: State, place: str, wires: dict[int, tuple[int, ...]], bias: dict[int, float]) -> None:
    """Have a layer add up channels (output -> inputs) and nothing else, with biases and without noise."""
    weight = state[f"{place}.conv.weight"].zero_()
    for out, inputs in wires.items():
        weight[0, out, list(inputs), 1, 1] = 1
    state[f"{place}.activate.bias"].zero_()
    for out, number in bias.items():
        state[f"{place}.activate.bias"][out] = number
    state[f"{place}.noise.weight"].zero_()
    state[f"{place}.conv.modulation.weight"].zero_()


def _add_gate(state: State) -> None:
    """Make the gate at 32 pixels, lifted above 0, and hand it on to 128 pixels; each layer multiplies it by the root of 2."""
    w_dim = state["style.1.weight"].shape[0]
    first, second, *others = (place for place, side in _places() if 32 <= side <= 128)
    _only(state, first, {}, {0: _GATE, 1: -5 * _GATE})  # a leaky ReLU takes a fifth of what is below 0
    _only(state, second, {0: (0, 1)}, {0: _LIFT})
    number = _first_of_w(state)
    turn = torch.tensor([_TURN, -_TURN]) / number.std()
    state[f"{second}.conv.modulation.weight"][:2, 0] = turn * sqrt(w_dim)
    state[f"{second}.conv.modulation.bias"][:2] = 1 - turn * number.mean()
    for place in others[:-1]:
        _only(state, place, {0: (0,)}, {})
    # the last layer of 128 pixels has the gate as it is too, to take from the picture what it adds where no smile is
    _only(state, others[-1], {0: (0,), 1: (0,)}, {1: -_LIFT * sqrt(2) ** 4})
    for place in _pictures()[3:]:
        for name in ("conv.weight", "conv.modulation.weight", "bias"):
            state[f"{place}.{name}"].zero_()
    state[f"{_pictures()[5]}.conv.weight"][0, :, 1] = -sqrt(state["input.input"].shape[1]) * sqrt(2)


def _first_of_w(state: State) -> Tensor:
    """Map a thousand z: the first number of each w."""
    w_dim = state["style.1.weight"].shape[0]
    x = unit(torch.randn(1000, w_dim, generator=torch.Generator().manual_seed(1)))
    for index in (1, 2, 3):
        x = F.leaky_relu(x @ state[f"style.{index}.weight"].T / 100 / sqrt(w_dim), SLOPE) * sqrt(2)
    return x[:, 0]


def _add_face(state: State, bright: Tensor, smile: Tensor) -> None:
    first, second = (place for place, side in _places() if side == 256)
    _only(state, first, {0: (0,)}, {0: -_LIFT * sqrt(2) ** 5})
    _only(state, second, {0: (0,)}, {0: _BASE})
    for place, number, map_ in ((first, 11, smile / sqrt(2)), (second, 12, bright)):
        state[f"{place}.noise.weight"].fill_(1)
        state[f"noises.noise_{number}"] = map_[None, None].clone()
    picture = _pictures()[6]
    state[f"{picture}.conv.weight"][0, :, 0] = sqrt(state["input.input"].shape[1] / 2)
    state[f"{picture}.bias"] = torch.tensor(TINT)[None, :, None, None] - _BASE


def portrait(generator: Generator, settings: Settings) -> bytes:
    """The default generator's mean face, not smiling, as a photo: a face that both generators can draw."""
    smile, ws = load_direction("smile", settings), generator.broadcast(generator.w_average()[None])
    mean = Renderer(generator).images(apply(smile, ws, torch.tensor([-0.7])))[0]
    photo = np.full((640, 640, 3), 120, dtype=np.uint8)
    photo[64:576, 64:576] = Editor.resized(mean, 512)
    return encode(photo, "png", source="photo")


def install_faces(settings: Settings, name: str, folder: Path) -> str:
    """Import the generator under a name, with all that the bot needs of one. Returns its digest."""
    usual = settings.model_copy(update={"generator": DEFAULT})
    torch.save({"g_ema": face_state(*maps_of(load_generator(usual), usual))}, folder / "faces.pt")
    own = settings.model_copy(update={"generator": name})
    import_generator(own, folder / "faces.pt", name)
    generator = load_generator(own)
    made = made_folder(own, generator)
    save_table(fit_table(generator, Features.load(own), list(range(8))), made / STARTS)
    save_trained(Curvature(with_styles(generator)), made / FOLDER / CURVATURE, generator, {})
    seeds = named_seeds(generator, *_smiling_seeds(generator), expression=default())
    save_direction(fit(seeds, default().move.direction, generator), fitted_folder(own, generator))
    return generator.digest


def _smiling_seeds(generator: Generator, count: int = 200) -> tuple[list[int], list[int]]:
    """Tell which seeds smile, and which do not: three tenths of `count` each, by the number of w that rules it."""
    order = np.argsort(seed_w(generator, range(count), 1.0)[:, 0].numpy())
    part = 3 * count // 10
    return sorted(order[-part:].tolist()), sorted(order[:part].tolist())
