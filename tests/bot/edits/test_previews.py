"""What a worker shows of a projection under way."""

from __future__ import annotations

import io
import itertools

import numpy as np
import pytest
from PIL import Image

from core import workbench
from core.executor import Progress, Project, Projected
from core.faces import FaceFinder
from core.settings import Settings


def test_the_first_step_is_shown_at_once_and_the_others_now_and_then(
    settings: Settings, astronaut_png: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    unchecked = settings.model_copy(update={"gates": "off"})  # they look at the photo for a second, and show nothing
    bench, asked = workbench.create(unchecked), Project(astronaut_png, 0, "fast", 2)
    monkeypatch.setattr(workbench, "PREVIEW_SECONDS", 3600.0)
    first, *others, projected = bench.project(asked)
    assert isinstance(projected, Projected)
    assert isinstance(first, Progress)
    assert first.step == 0, "before any step: one takes as long as all until here"
    assert first.preview is not None, "the learned start is a picture already"
    assert len(others) == 2
    assert all(isinstance(one, Progress) and one.preview is None for one in others)
    pictures = [Image.open(io.BytesIO(picture)).convert("RGB") for picture in (first.preview, projected.thumbnail)]
    start, end = (np.asarray(picture, dtype=float) for picture in pictures)
    assert start.shape == end.shape == (256, 256, 3)
    assert np.abs(start - end).mean() > 5, "the start, not the end"
    with FaceFinder(settings) as finder:
        assert finder.require(start.astype(np.uint8)), "a face"


@pytest.mark.long  # that there is a time after which a step is shown: the bot's tests with stand-in work see previews come
def test_every_step_is_shown_where_steps_take_long(
    settings: Settings, astronaut_png: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench, asked = workbench.create(settings), Project(astronaut_png, 0, "fast", 2)
    monkeypatch.setattr(workbench, "PREVIEW_SECONDS", 0.0)
    assert all(isinstance(one, Progress) and one.preview for one in itertools.islice(bench.project(asked), 2))
