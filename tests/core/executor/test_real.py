"""The real workbench behind the wall: libraries that load late, threads that start late, models, compiled code."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.executor import Animate, Executor, FindFaces, Progress, Project, Render
from core.settings import Settings
from tests.core.executor.kit import ANN


@pytest.mark.slow
async def test_the_real_workbench_works_behind_its_wall(
    settings: Settings, astronaut_png: bytes, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "key").write_bytes(b"secret")
    ours = settings.model_copy(update={"home": tmp_path, "wall": "on", "device": "cpu"})
    steps: list[Progress] = []
    async with Executor(ours, devices=["cpu"], split=False) as executor:
        (found,) = (await executor.submit(FindFaces(astronaut_png), ANN)).faces
        face = await executor.submit(Project(astronaut_png, steps=3, learned=found.learned), ANN, steps.append)
        drawn = await executor.submit(
            Render(face.latent, (0.0, "neutral", 1.0), photo=astronaut_png, learned=face.learned, kind="jpeg"), ANN
        )
        moving = await executor.submit(Animate(face.latent, 0, 1, frames=3, size=128, learned=face.learned), ANN)
        assert executor.stats().restarts == 0
    assert any(progress.preview for progress in steps)
    assert len({len(picture) for picture in drawn.pictures}) == 3
    assert drawn.strengths[0] == 0
    assert drawn.strengths[1] < drawn.strengths[2] == 1
    assert (moving.frames, moving.picture[:4]) == (3, b"RIFF")
    assert "walled" not in caplog.text
    assert "cannot be sent" not in caplog.text
