"""Measures drawing and projecting on a GPU, and compares both with the CPU: `egao bench gpu`, or without egao's packages

    python -m core.bench.gpu --weights FOLDER --json

in the repository, for a machine that has a card, but only torch, numpy, pillow and safetensors. FOLDER has the two files that
`egao models pull` brings: generator.safetensors and features.safetensors. The faces are drawn ones, spoiled as photographs are:
no person is needed. Seconds are of the wall clock, medians, after what is captured once was captured.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch

from core.captured import free_memory
from core.fast.augment import augment
from core.fast.curvature import Curvature
from core.fast.data import training_ws
from core.fast.encoder import Encoder
from core.fast.many import ManyFaces
from core.fast.objective import FastOptions, Objective, Wanted
from core.fast.project import FastProjection
from core.generator.families.mobilestylegan import MobileStyleGAN
from core.generator.latent import seed_w
from core.generator.render import decibels, to_pixels
from core.projection.features import Features
from core.rendering import Renderer
from core.timing import spread, take_turns
from core.weights.parts import CURVATURE, ENCODER, FAST, shipped_folder

SIZES: Final = (1, 4, 8, 16, 32)  # faces at once
COMPARED: Final = 3  # faces that the CPU projects too
ROUNDS: Final = 7
UNSEEN: Final = 470_000  # number of the first face: beyond those that anything was trained on
MOST_DRAWN: Final = 16
LEAST_DECIBELS: Final = 46.0
MOST_APART: Final = 1.02  # losses of the GPU's latents over those of the CPU's, on average
SHARE: Final = 0.05  # of the card's memory, in which 32 faces do not fit

Say = Callable[[str], None]


@dataclass
class Parts:
    """The networks on one device."""

    generator: MobileStyleGAN
    features: Features
    encoder: Encoder
    curvature: Curvature
    options: FastOptions

    @classmethod
    def load(cls, weights: Path, device: torch.device, steps: int | None = None) -> Parts:
        """Load them from the folder of the weights, and from what comes with egao."""
        generator = MobileStyleGAN.load(weights / "generator.safetensors").to(device)
        features = Features.from_file(weights / "features.safetensors").to(device)
        shipped = shipped_folder(generator.digest)
        assert shipped is not None, "the trained parts come with another file of weights"
        encoder = Encoder.load(generator, shipped / FAST / ENCODER)
        curvature = Curvature.load(generator, shipped / FAST / CURVATURE)
        return cls(generator, features, encoder, curvature, FastOptions.of(steps))

    def many(self, most: int) -> ManyFaces:
        return ManyFaces(self.generator, self.features, self.curvature, self.options, most)


def bench_gpu(weights: Path, device: torch.device, faces: int, steps: int | None, say: Say) -> dict[str, Any]:
    """Measure everything on `device` with that many faces; as data for JSON. On a CPU it runs too, for its tests."""
    torch.backends.cudnn.benchmark = True
    say("loading")
    here, cpu = Parts.load(weights, device, steps), Parts.load(weights, torch.device("cpu"), steps)
    targets = photographs(here.generator, faces)
    report: dict[str, Any] = {"card": card(device), "faces": faces}
    for name, measure in (
        ("drawing", lambda: _drawing(here, cpu)),
        ("one", lambda: _one(here, targets[:ROUNDS])),
        ("likeness", lambda: _likeness(here, cpu, targets[:COMPARED])),
        ("together", lambda: {str(size): _together(here, targets, size) for size in SIZES if size <= max(faces, 1)}),
        ("memory", lambda: _scarce(here, targets, device)),
    ):
        began = time.perf_counter()
        report[name] = measure()
        say(f"{name}: {time.perf_counter() - began:.0f} s: {json.dumps(report[name])}")
    report["goals"] = _goals(report)
    return report


def card(device: torch.device) -> dict[str, Any]:
    """Describe the device and the software."""
    about = {"python": platform.python_version(), "torch": torch.__version__, "cuda": torch.version.cuda}
    if device.type != "cuda":
        return {"name": "no card", **about}
    properties = torch.cuda.get_device_properties(device)
    return {"name": properties.name, "memory": properties.total_memory, "cudnn": torch.backends.cudnn.version(), **about}  # type: ignore[no-untyped-call]


def photographs(generator: MobileStyleGAN, number: int) -> list[np.ndarray]:
    """Draw `number` faces as the encoder learned from, but none of those, and spoil them: uint8 [R, R, 3]."""
    random, made = np.random.RandomState(7), []
    for face in range(UNSEEN, UNSEEN + number):
        ws = training_ws(generator, range(face, face + 1))
        with torch.inference_mode():
            image = generator.synthesis(ws).float().cpu().clamp(-1, 1)
        made.append(to_pixels(augment(image.contiguous(), random))[0])
    return made


def _drawing(here: Parts, cpu: Parts) -> dict[str, Any]:
    """Compare pictures with float32 on the CPU, and time them, from latents here to pixels here."""
    w = seed_w(cpu.generator, range(MOST_DRAWN))
    ws = cpu.generator.broadcast(w).contiguous()
    fast, exact = Renderer(here.generator), Renderer(cpu.generator, "exact")
    apart = [decibels(*(torch.from_numpy(way.images(one[None])) for way in (fast, exact))) for one in ws[:4]]
    rates = {}
    for size in (1, 2, 4, 8, 16):
        batch = ws[:size]
        fast.images(batch)
        rates[str(size)] = size / _median(lambda batch=batch: fast.images(batch))  # type: ignore[misc]
    many = ws.repeat(8, 1, 1)
    return {
        "decibels": min(apart), "pictures_a_second": rates,
        "pictures_a_second_in_a_row": len(many) / _median(lambda: [None for _ in fast.batches(many)]),
    }  # fmt: skip


def _one(here: Parts, targets: Sequence[np.ndarray]) -> dict[str, Any]:
    """Time one face alone: from its aligned photo to its latent, and to the learned start that a first preview shows."""
    many = here.many(1)
    _project(many, here.encoder, targets[:1])
    seconds, steps, first = [], [], []
    for target in targets:
        began = time.perf_counter()
        one = many.begin(here.encoder, target)
        for step in one.run():
            if step.step == 1:
                _ = one.ws
                first.append(time.perf_counter() - began)
        _ = one.latent
        seconds.append(time.perf_counter() - began)
        steps.append(one.done)
    return {"seconds": statistics.median(seconds), "steps": statistics.median(steps), "to_the_start": statistics.median(first),
            "each": seconds}  # fmt: skip


def _likeness(here: Parts, cpu: Parts, targets: Sequence[np.ndarray]) -> dict[str, Any]:
    """Compare the losses of latents found here and on the CPU, both computed in float32 on the CPU."""
    found = _project(here.many(len(targets)), here.encoder, targets)[0]
    ratios, began = [], time.perf_counter()
    for target, ws in zip(targets, found, strict=True):
        alone = FastProjection(cpu.generator, cpu.features, cpu.encoder, cpu.curvature, target, cpu.options)
        for _ in alone.run():
            pass
        ratios.append(exact_loss(cpu, target, ws) / exact_loss(cpu, target, alone.ws))
    return {"over_the_cpus": ratios, "mean": statistics.mean(ratios), "cpu_seconds": (time.perf_counter() - began) / len(targets)}


def exact_loss(parts: Parts, target: np.ndarray, ws: np.ndarray) -> float:
    """Compute the loss of a latent [1, num_ws, w_dim] in float32."""
    objective = Objective(parts.generator, parts.features, parts.curvature, FastOptions(), torch.float32)
    start = torch.from_numpy(ws)
    return float(objective(torch.zeros_like(start), start, Wanted.of(target, parts.features, start.device)).losses)


def _together(here: Parts, targets: Sequence[np.ndarray], size: int) -> dict[str, Any]:
    """Time all faces, `size` at once, each place taken by the next face as soon as it is free."""
    many = here.many(size)
    _project(many, here.encoder, targets)  # what sizes there are is captured
    if here.generator.constant.is_cuda:
        torch.cuda.reset_peak_memory_stats()
    began = time.perf_counter()
    _, steps = _project(many, here.encoder, targets)
    seconds = time.perf_counter() - began
    peak = torch.cuda.max_memory_reserved() if here.generator.constant.is_cuda else 0
    del many
    free_memory(here.generator.constant.device)
    return {"faces_a_second": len(targets) / seconds, "steps": statistics.mean(steps), "bytes": peak}


def _project(many: ManyFaces, encoder: Encoder, targets: Sequence[np.ndarray]) -> tuple[list[np.ndarray], list[int]]:
    """Project all targets as a worker would: one step of each in turn. Returns their ws and numbers of steps."""
    waiting = [(index, target) for index, target in enumerate(targets)][::-1]
    found: dict[int, tuple[np.ndarray, int]] = {}
    going: dict[int, tuple[Any, Any]] = {}
    while waiting or going:
        while waiting and len(going) < many.most:
            index, target = waiting.pop()
            one = many.begin(encoder, target)
            going[index] = one, one.run()
        for index, (one, steps) in list(going.items()):
            if next(steps, None) is None:
                found[index] = one.ws, one.done
                del going[index]
    return [found[index][0] for index in sorted(found)], [found[index][1] for index in sorted(found)]


def _scarce(here: Parts, targets: Sequence[np.ndarray], device: torch.device) -> dict[str, Any]:
    """Project in a small share of the memory: fewer go through the networks at once, and nobody's face is lost."""
    if device.type != "cuda":
        return {}
    free_memory(device)
    torch.cuda.set_per_process_memory_fraction(SHARE, device)
    try:
        many = here.many(32)
        found, steps = _project(many, here.encoder, targets[:32])
        pictures = Renderer(here.generator).images(np.concatenate(found))
        return {"share": SHARE, "at_once": many.at_once, "faces": len(found), "steps": statistics.mean(steps),
                "pictures": len(pictures)}  # fmt: skip
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0, device)


def _median(work: Callable[[], object]) -> float:
    return spread(take_turns({"it": work}, ROUNDS)["it"])["median"]


def _goals(report: dict[str, Any]) -> dict[str, Any]:
    """Compare with what a card of an H100's class is meant to reach, and with what every card must."""
    best = max(one["faces_a_second"] for one in report["together"].values())
    return {
        "decibels": [report["drawing"]["decibels"], LEAST_DECIBELS],
        "loss over the CPU's": [report["likeness"]["mean"], MOST_APART],
        "photo to latent, s": [report["one"]["seconds"], 0.3],
        "pictures a second": [report["drawing"]["pictures_a_second_in_a_row"], 500], "faces a second": [best, 20],
    }  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """Run from the command line; exit status 1 if pictures or latents differ too much from the CPU's, 2 without a card."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", type=Path, required=True, help="folder with generator.safetensors and features.safetensors")
    parser.add_argument("--faces", type=int, default=64, help="faces to project")
    parser.add_argument("--steps", type=int, help="of each projection; the usual ones if not given")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--json", action="store_true", help="print the report as JSON, and what is done to standard error")
    chosen = parser.parse_args(arguments)
    if chosen.device.startswith("cuda") and not torch.cuda.is_available():
        print("this torch sees no CUDA GPU", file=sys.stderr)  # noqa: T201
        return 2
    say: Say = lambda line: print(line, file=sys.stderr if chosen.json else sys.stdout, flush=True)  # noqa: E731
    report = bench_gpu(chosen.weights, torch.device(chosen.device), chosen.faces, chosen.steps, say)
    print(json.dumps(report, indent=1) if chosen.json else "\n".join(f"{k}: {v}" for k, v in report["goals"].items()))  # noqa: T201
    right = report["drawing"]["decibels"] >= LEAST_DECIBELS and report["likeness"]["mean"] <= MOST_APART
    return 0 if right else 1


if __name__ == "__main__":
    raise SystemExit(main())
