"""The soak of `make soak`, shortened: nothing lost, doubled or misdirected while things go wrong all the time."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.discord.soak import soak

pytestmark = pytest.mark.slow

SHORT, FULL = (0.15, 16, 2), (1.5, 150, 5)  # minutes, requests, and how many kinds of trouble come at least


@pytest.mark.parametrize(("minutes", "requests", "troubles"), [SHORT, pytest.param(*FULL, marks=pytest.mark.long)])
async def test_some_minutes_of_troubles_lose_double_and_misdirect_nothing(
    tmp_path: Path, minutes: float, requests: int, troubles: int
) -> None:
    report = await soak(tmp_path, minutes, requests, seed=2)
    assert (report["lost"], report["answered_twice"], report["wrong_recipient"]) == (0, 0, 0), "\n".join(report["failures"])
    assert report["accepted"] >= requests * 0.4, report
    assert report["pictures_checked"] >= requests
    assert report["unknown_routes"] == 0
    assert len(report["troubles"]) >= troubles
