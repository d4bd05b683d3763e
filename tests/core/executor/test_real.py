"""The real workbench behind the wall: libraries that load late, threads that start late, models, compiled code."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.executor import Animate, Executor, FindFaces, Progress, Project, Render
from core.expressions import NEUTRAL, Strength
from core.settings import Settings
from tests.core.executor.kit import ANN


@pytest.mark.long  # that the bot's own worker does its work behind its wall is told in tests.process.test_flow
async def test_the_real_workbench_works_behind_its_wall(
    settings: Settings, astronaut_png: bytes, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "key").write_bytes(b"secret")
    ours = settings.model_copy(update={"home": tmp_path, "wall": "on", "device": "cpu"})
    steps: list[Progress] = []
    async with Executor(ours, devices=["cpu"], split=False) as executor:
        (found,) = (await executor.submit(FindFaces(astronaut_png), ANN)).faces
        face = await executor.submit(Project(astronaut_png, steps=3, learned=found.learned), ANN, steps.append)
        strengths: tuple[Strength, ...] = (0.0, NEUTRAL, 1.0)
        drawn = await executor.submit(Render(face.latent, strengths, photo=astronaut_png, learned=face.learned, kind="jpeg"), ANN)
        moving = await executor.submit(Animate(face.latent, 0, 1, frames=3, size=128, learned=face.learned), ANN)
        assert (moving.frames, moving.picture[:4]) == (3, b"RIFF")
        assert executor.stats().restarts == 0
    assert any(progress.preview for progress in steps)
    assert len({len(picture) for picture in drawn.pictures}) == len(strengths)
    assert drawn.strengths[0] == 0
    assert drawn.strengths[-1] == 1
    assert drawn.strengths[1] < 1
    assert "walled" not in caplog.text
    assert "cannot be sent" not in caplog.text
