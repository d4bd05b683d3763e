"""The explicit look: which parts of a photo it takes, and how many looks a photo costs at most."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import core.gates
from core.errors import LooksExplicit
from core.gates import Gates
from core.settings import Settings
from tests.core.gates_kit import check_photo, each_look_once, skin_tones

LONG = pytest.mark.long  # other places of the same


@pytest.fixture(scope="module", autouse=True)
def _each_look_once() -> Iterator[None]:
    with each_look_once():
        yield


@pytest.fixture(scope="module")
def gates(settings: Settings) -> Gates:
    return Gates(settings)


def test_explicit_is_a_matter_of_what_is_seen(gates: Gates, astronaut: NDArray[np.uint8], settings: Settings) -> None:
    shown = skin_tones()
    assert gates.explicit(shown) > settings.gate_explicit > 0.3
    assert gates.explicit(shown[:, :, ::-1].copy()) < settings.gate_explicit / 2, "the network takes blue first"
    assert gates.explicit(astronaut) < 0.05
    with pytest.raises(LooksExplicit):
        check_photo(gates, shown)
    check_photo(gates, astronaut)


@pytest.mark.parametrize(
    "place", [(0, 0), (250, 250), *(pytest.param(at, marks=LONG) for at in ((500, 0), (0, 500), (500, 500)))]
)
def test_an_explicit_part_is_seen_wherever_it_lies(gates: Gates, monkeypatch: pytest.MonkeyPatch, place: tuple[int, int]) -> None:
    """What stands in for an explicit picture here scores 0.7 to 0.8 as a half, where halves are refused from 0.9."""
    sheet = Image.new("RGB", (1000, 1000), (235, 235, 235))
    check_photo(gates, np.asarray(sheet))
    sheet.paste(Image.fromarray(skin_tones()).resize((500, 500), Image.Resampling.BICUBIC), place)
    gates.check_whole(np.asarray(sheet))
    monkeypatch.setattr(core.gates, "_PARTS", ((0.75, 2, 0.6), (0.5, 3, 0.6)))
    with pytest.raises(LooksExplicit):
        check_photo(gates, np.asarray(sheet))


@pytest.mark.parametrize("start", [pytest.param(0, marks=LONG), 2250, pytest.param(4500, marks=LONG)])
def test_an_explicit_part_of_a_long_photo_is_seen(gates: Gates, start: int) -> None:
    art = Image.fromarray(skin_tones()).resize((500, 500), Image.Resampling.BICUBIC)
    for size, place in (((5000, 500), (start, 0)), ((500, 5000), (0, start))):
        sheet = Image.new("RGB", size, (235, 235, 235))
        sheet.paste(art, place)
        gates.check_whole(np.asarray(sheet))
        with pytest.raises(LooksExplicit):
            check_photo(gates, np.asarray(sheet))


@pytest.mark.parametrize("share", [0.7, 0.8])
def test_an_explicit_picture_with_a_margin_is_seen(gates: Gates, share: float) -> None:
    side = round(1000 * share)
    sheet = Image.new("RGB", (1000, 1000), (235, 235, 235))
    sheet.paste(Image.fromarray(skin_tones()).resize((side, side), Image.Resampling.BICUBIC), ((1000 - side) // 2,) * 2)
    gates.check_whole(np.asarray(sheet))
    with pytest.raises(LooksExplicit):
        check_photo(gates, np.asarray(sheet))


@pytest.mark.parametrize(
    ("length", "start"),
    [pytest.param(*at, marks=LONG) for at in ((1500, 250), (1500, 0), (2000, 0), (2000, 500), (2000, 1000))],
)
def test_an_explicit_part_of_a_photo_that_is_a_little_long_is_seen(gates: Gates, length: int, start: int) -> None:
    art = Image.fromarray(skin_tones()).resize((1000, 1000), Image.Resampling.BICUBIC)
    for size, place in (((length, 1000), (start, 0)), ((1000, length), (0, start))):
        sheet = Image.new("RGB", size, (235, 235, 235))
        sheet.paste(art, place)
        gates.check_whole(np.asarray(sheet))
        with pytest.raises(LooksExplicit):
            check_photo(gates, np.asarray(sheet))


def test_the_looks_at_a_photo_are_bounded(gates: Gates, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[int] = []
    run = core.gates._run

    def counted(network: Any, batch: NDArray[np.floating]) -> NDArray[np.float32]:
        looks.append(len(batch))
        return run(network, batch)

    monkeypatch.setattr(core.gates, "_run", counted)
    sizes = {(300, 200): 20, (1000, 1000): 17, (2100, 1000): 3, (600, 50): 23, (9000, 30): 23, (30, 9000): 23}
    for size, most in sizes.items():
        looks.clear()
        check_photo(gates, np.full((size[1], size[0], 3), 200, dtype=np.uint8))
        assert set(looks) == {1}
        assert len(looks) - 4 == most, size


def test_a_second_thread_takes_looks_meanwhile(gates: Gates, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[int] = []
    run = core.gates._run

    def counted(network: Any, batch: NDArray[np.floating]) -> NDArray[np.float32]:
        threads.append(threading.get_ident())
        return run(network, batch)

    monkeypatch.setattr(core.gates, "_run", counted)
    sheet = np.full((700, 700, 3), 90, dtype=np.uint8)
    alone = Gates(settings.model_copy(update={"threads": 1}))
    monkeypatch.setattr(core.gates, "usable_cores", lambda: 2)
    check_photo(alone, sheet)
    assert set(threads) == {threading.get_ident()}, "one core is not shared"
    threads.clear()
    with gates.checking(sheet) as checking:
        checking.meanwhile()
        assert checking._coming is not None
        checking._coming.result()
        assert len(threads) == 4, "one look at the whole, from four sides, however long nobody asks"
        assert threads[0] != threading.get_ident()
        assert len(list(checking.rest())) < 17, "not all of them are left"


def test_what_the_second_thread_sees_is_refused(gates: Gates, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(core.gates, "usable_cores", lambda: 2)
    monkeypatch.setattr(core.gates, "_PARTS", ())  # the whole photo is the only look
    with gates.checking(skin_tones()) as checking:
        checking.meanwhile()
        assert checking._coming is not None
        with pytest.raises(LooksExplicit):
            list(checking.rest())
