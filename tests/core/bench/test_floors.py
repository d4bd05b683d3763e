"""The floors of `egao bench floors`: what torch does is counted to the multiply-add and the byte, backward passes too."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from core.bench.floors import Counter, Rates, Work, bench_floors
from core.bench.report import tables
from core.compiled.compiler import compiler
from core.edit import Editor, Models
from core.settings import Settings

PIXELS, WEIGHT = torch.ones(1, 4, 8, 8), torch.ones(4, 1, 3, 3)
IN, OUT = PIXELS.numel(), 4 * 8 * 8  # numbers of 4 bytes


def counted(work: Callable[[], object]) -> Work:
    counter = Counter()
    with counter:
        work()
    return counter.work


def depthwise(x: Tensor, weight: Tensor = WEIGHT) -> Tensor:
    return F.conv2d(x, weight, padding=1, groups=4)


@pytest.mark.parametrize("gradients", [True, False])
def test_layers_are_counted_with_and_without_gradients(gradients: bool) -> None:
    with torch.inference_mode(not gradients):
        assert counted(lambda: depthwise(PIXELS)) == Work(OUT * 9, 4 * (IN + 36 + OUT), 4 * (IN + 36 + OUT))
        assert counted(lambda: torch.ones(2, 3) @ torch.ones(3, 5)).multiply_adds == 2 * 3 * 5
        assert counted(lambda: F.linear(torch.ones(2, 3), torch.ones(5, 3), torch.ones(5))).multiply_adds == 2 * 3 * 5
        assert counted(lambda: torch.ones(7, 2, 3) @ torch.ones(7, 3, 5)).multiply_adds == 7 * 2 * 3 * 5
        spread = counted(lambda: F.conv_transpose2d(PIXELS, torch.ones(4, 2, 2, 2), stride=2))
        assert spread.multiply_adds == IN * 2 * 2 * 2


@pytest.mark.parametrize("of", ["pixels", "weight", "both"])
def test_a_backward_pass_is_counted_for_what_it_is_asked_for(of: str) -> None:
    x, weight = PIXELS.clone().requires_grad_(of != "weight"), WEIGHT.clone().requires_grad_(of != "pixels")
    wanted = [one for one in (x, weight) if one.requires_grad]
    loss = depthwise(x, weight).sum()
    assert counted(lambda: torch.autograd.grad(loss, wanted)).multiply_adds == OUT * 9 * len(wanted)


def test_what_lies_between_layers_counts_only_as_written() -> None:
    assert counted(lambda: PIXELS * 2) == Work(0, 0, 4 * 2 * IN)
    assert counted(lambda: PIXELS.clone().zero_()) == Work(0, 0, 4 * (2 * IN + IN))
    assert counted(lambda: PIXELS.permute(0, 2, 3, 1)[:, 1:].expand(3, -1, -1, -1)) == Work(0, 0, 0)
    assert counted(lambda: PIXELS[:, :1].expand(-1, 4, -1, -1) + PIXELS).written == 4 * (IN // 4 + IN + OUT)


def test_the_floor_is_the_longer_of_arithmetic_and_bytes() -> None:
    rates = Rates(multiply_adds=100.0, bytes=10.0)
    assert rates.floor(Work(200, 10, 1000)) == 2
    assert rates.floor(Work(200, 50, 1000)) == 5


@pytest.mark.long  # every stage several times
def test_every_stage_of_an_edit_has_its_floor(settings: Settings, astronaut_path: Path) -> None:
    report = bench_floors(Editor(Models(settings)), astronaut_path, 1, lambda _: None)
    rows = {row["stage"]: row for row in report["stages"]}
    assert len(rows) == len(report["stages"]) == 12 + (compiler() is not None)
    step, drawn, seen, back = list(rows.values())[:4]
    assert step["multiply_adds"] == drawn["multiply_adds"] + seen["multiply_adds"] + back["multiply_adds"]
    assert back["multiply_adds"] > 1.05 * drawn["multiply_adds"]  # once more for the pixels, and the small layers' weights
    for name, row in rows.items():
        assert 0 < row["floor"] <= row["as written"], name
        assert row["seconds"] > 0.8 * row["floor"], name  # nothing can beat it, but for what a busy machine does to the rates
    if compiler() is not None:
        ours = rows["the step with layers of our own"]
        assert ours["multiply_adds"] == step["multiply_adds"]
    (table,) = tables({"floors": report})
    assert table.row_count == len(rows)
