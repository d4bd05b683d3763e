"""Times one picture, and four strengths of a face, by every way of drawing."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from core.compiled.drawing import Compiled
from core.compiled.kept import CodeCache
from core.device import fast_dtype
from core.edit import Editor, KnownFace, PhotoEditor
from core.errors import EgaoError
from core.evaluate.identity import extra
from core.executor import Render
from core.expressions import default
from core.generator import Generator, seed_w
from core.generator.protocol import SeparableGenerator
from core.generator.render import network_in
from core.latents import to_npz
from core.pictures import encode
from core.rendering import Renderer
from core.settings import Settings
from core.timing import spread, take_turns
from core.weights.cache import weight_path
from core.weights.installed import DEFAULT
from core.workbench import EditorWorkbench

SEED = 5000
STRENGTHS = (-1.5, 0.5, 1.5, 3.0)
FULL_RANGE = 2.0  # of pixels in -1..1

Draw = Callable[[Tensor], np.ndarray]  # ws [1, num_ws, w_dim] -> [1, 3, R, R] of about -1..1, or uint8


def bench_rendering(settings: Settings, editor: Editor, rounds: int) -> dict[str, Any]:
    """Measure seconds, ratios to OpenVINO in float32, and decibels against this generator in float32, as data for JSON.

    OpenVINO draws what is published for it, the default generator; with another the ratios are to torch in float32.
    Compiled code takes part if there is some (`egao models compile`). Raises ExtraMissing.
    """
    generator = copy.deepcopy(editor.models.generator)  # which compiles nothing, whatever the other uses
    ws = generator.broadcast(seed_w(generator, [SEED])).contiguous()
    compiled = _compiled_way(settings, copy.deepcopy(generator), ws)
    ways = {**dict(_torch_ways(generator)), **compiled, **_published(settings, generator)}
    exact = torch_way(generator, torch.float32)(ws)
    seconds = take_turns({name: _call(draw, ws) for name, draw in ways.items()}, rounds)
    peer, ratio = ("openvino float32", "of_openvino_f32") if "openvino float32" in ways else ("eager float32", "of_eager_f32")
    reference = spread(seconds[peer])["median"]
    peers = {
        name: {**spread(seconds[name]), ratio: spread(seconds[name])["median"] / reference,
               "decibels": decibels(draw(ws), exact)}
        for name, draw in ways.items()
    }  # fmt: skip
    return {
        "side": generator.resolution,
        "picture": peers,
        "strengths": _strengths(editor, ws.numpy(), rounds),
        "layers": _layers(generator, ws, rounds),
    }


def _call(draw: Draw, ws: Tensor) -> Callable[[], object]:
    return lambda: draw(ws)


def _torch_ways(generator: Generator) -> Iterator[tuple[str, Draw]]:
    for dtype in dict.fromkeys((torch.float32, fast_dtype(generator.w_average().device))):
        yield f"eager {_name(dtype)}", torch_way(generator, dtype)


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def torch_way(generator: Generator, dtype: torch.dtype) -> Draw:
    network, device = network_in(generator, dtype), generator.w_average().device

    def draw(ws: Tensor) -> np.ndarray:
        with torch.inference_mode():
            image: np.ndarray = network.synthesis(ws.to(device, dtype)).float().cpu().numpy()
            return image

    return draw


def _compiled_way(settings: Settings, generator: Generator, ws: Tensor) -> dict[str, Draw]:
    """Return the compiled way of drawing, or {} if there is none. A compiled drawing also converts the image to pixels."""
    dtype = fast_dtype(generator.w_average().device)
    network = network_in(generator, dtype)
    compiled = Compiled(CodeCache.of(settings), network, dtype)
    if generator.w_average().device.type != "cpu":
        return {}
    drawn = compiled.draw(ws.to(dtype)) is not None
    if isinstance(network, SeparableGenerator) and any(block.compiled is not None for block in network.separable_blocks()):
        return {f"compiled layers {_name(dtype)}": torch_way(generator, dtype)}

    def draw(ws: Tensor) -> np.ndarray:
        with torch.inference_mode():
            pixels = compiled.draw(ws.to(dtype))
            assert pixels is not None
            return pixels.permute(0, 3, 1, 2).numpy()

    return {f"compiled ahead {_name(dtype)}": draw} if drawn else {}


def _published(settings: Settings, generator: Generator) -> dict[str, Draw]:
    return openvino_ways(settings) if generator.name == DEFAULT else {}


def openvino_ways(settings: Settings) -> dict[str, Draw]:
    """Return the ways of drawing with the published files in the published runtime. They use one w [1, w_dim]."""
    core, file = extra("openvino").Core(), str(weight_path(settings, "generator-ir") / "SynthesisNetwork.xml")

    def way(precision: str) -> Draw:
        model = core.compile_model(file, "CPU", {"INFERENCE_PRECISION_HINT": precision})
        return lambda ws: np.asarray(next(iter(model(ws[:, 0].numpy()).values())))

    return {"openvino float32": way("f32"), "openvino bfloat16": way("bf16")}


def decibels(image: np.ndarray, exact: np.ndarray) -> float:
    if image.dtype == np.uint8:
        image = (image.astype(np.float64) - 127.5) / 127.5
    error = float(np.square(image.astype(np.float64) - exact).mean())
    return float("inf") if error == 0 else float(10 * np.log10(FULL_RANGE**2 / error))


def _strengths(editor: Editor, ws: np.ndarray, rounds: int) -> dict[str, float]:
    """Time four strengths against one: drawn as the editor draws them, in one batch, and in their photo.

    The last is all that a member waits for: from the photo's file to the edited files, with nothing kept from before. It is
    left out for a generator that draws no faces.
    """
    renderer = editor.models.renderer
    four = np.repeat(ws, len(STRENGTHS), axis=0)
    photo = encode(editor.reconstructed(ws), "jpeg")
    learned = PhotoEditor(editor).learn(KnownFace(ws), default()).learned

    def in_photo(strengths: tuple[float, ...]) -> None:
        asked = Render(to_npz(ws), strengths, kind="jpeg", photo=photo, learned=learned)
        (made,) = EditorWorkbench(editor).render([asked])
        if isinstance(made, EgaoError):
            raise made

    ways: dict[str, Callable[[], object]] = {
        "one": lambda: editor.draw(ws, STRENGTHS[:1], default()),
        "four": lambda: editor.draw(ws, STRENGTHS, default()),
        "batch": lambda: _batch(renderer, four),
    }
    if editor.models.draws_faces:
        ways["one in its photo"] = lambda: in_photo(STRENGTHS[:1])
        ways["four in its photo"] = lambda: in_photo(STRENGTHS)
    seconds = take_turns(ways, rounds)
    made = {name: spread(times)["median"] for name, times in seconds.items()}
    ratios = {"four over one": ("four", "one"), "batch over one": ("batch", "one")}
    ratios["four over one, in the photo"] = ("four in its photo", "one in its photo")
    return made | {name: made[above] / made[below] for name, (above, below) in ratios.items() if above in made}


def _batch(renderer: Renderer, ws: np.ndarray) -> np.ndarray:
    network = network_in(renderer.generator, renderer.dtype)
    with torch.inference_mode():
        return network.synthesis(torch.from_numpy(ws).to(renderer.device, renderer.dtype)).float().cpu().numpy()


def _layers(generator: Any, ws: Tensor, rounds: int) -> dict[str, float]:
    """Measure where a picture's time goes: the seconds until the features of each side are computed, in the fast precision."""
    network: Any = network_in(generator, fast_dtype(generator.w_average().device))
    ws = ws.to(generator.w_average().device, next(network.parameters()).dtype)

    def until(side: int) -> Callable[[], object]:
        def call() -> Tensor:
            with torch.inference_mode():
                return network.features(ws, side)  # type: ignore[no-any-return]

        return call

    sides = sorted({side for side in generator.style_resolutions if side > 4})
    seconds = take_turns({str(side): until(side) for side in sides}, rounds)
    return {side: spread(times)["median"] for side, times in seconds.items()}
