"""The check of a GPU: without one it says so, it needs few packages, and all of it but the card runs on a CPU too."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from core.bench.gpu import bench_gpu, main, photographs
from core.generator.families.mobilestylegan import MobileStyleGAN
from core.generator.render import decibels
from core.settings import Settings
from core.weights.cache import weights_folder

NOT_NEEDED = (
    "pydantic",
    "pydantic_settings",
    "mediapipe",
    "cv2",
    "sklearn",
    "scipy",
    "discord",
    "aiohttp",
    "sqlite_utils",
    "typer",
)


def test_it_runs_with_few_packages() -> None:
    without = "; ".join(f"sys.modules[{name!r}] = None" for name in NOT_NEEDED)
    code = f"import sys; {without}; from core.bench.gpu import main; main(['--help'])"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert "--weights" in ran.stdout


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_without_a_gpu_it_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--weights", str(tmp_path)]) == 2
    assert capsys.readouterr().err == "this torch sees no CUDA GPU\n"


def test_its_photographs_are_faces_of_their_own_and_the_same_each_time(generator: MobileStyleGAN) -> None:
    one, other, again = map(torch.from_numpy, [*photographs(generator, 2), *photographs(generator, 1)])
    assert decibels(one, other) < 25
    assert decibels(one, again) == 200


@pytest.mark.long
def test_all_but_the_card_runs_on_a_cpu(settings: Settings) -> None:
    said: list[str] = []
    report = bench_gpu(weights_folder(settings), torch.device("cpu"), 1, 2, said.append)
    assert json.loads(json.dumps(report))["goals"]["loss over the CPU's"][0] == pytest.approx(1, abs=0.02)
    assert report["drawing"]["decibels"] > 40
    assert report["together"]["1"]["steps"] == report["one"]["steps"] == 2
    assert [line.partition(":")[0] for line in said] == ["loading", "drawing", "one", "likeness", "together", "memory"]
