"""What a report says of groups of people, of things in front of faces, and of the judge of results."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core.composite.mesh import LIPS_OUTLINE
from core.errors import BadOption
from core.evaluate.groups import by_group, group_table, read_groups
from core.evaluate.judging import judging_table, self_judgement
from core.evaluate.look import tone
from core.evaluate.spoiled import WAYS, spoil
from core.evaluate.summary import summary
from core.evaluate.trial import PHOTO, Row
from core.expressions import NEUTRAL, Strength, default

_EMOTIONS = ("angry", "disgust", "fear", "sad", "surprise", "neutral")
_CHANGES = dict.fromkeys(("identity", "turned", "yaw", "pitch", "roll", "eyes", "skin", *_EMOTIONS), 0.0)


def _row(subject: str, identity: float, *, asked: Strength = 1.0, told: str = "", **more: object) -> Row:
    strength = -0.5 if asked == NEUTRAL else float(asked)
    row = Row(
        subject, "d", PHOTO, asked, strength, strength, 0.1, False, 0.7, True, _CHANGES | {"identity": identity}, 0, 0,
        float("nan"), 1.0, np.zeros((1, 1, 3), np.uint8), told,
    )  # fmt: skip
    return replace(row, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("lab", "called"), [((75.0, 10.0, 15.0), "light"), ((60.0, 12.0, 20.0), "medium"), ((35.0, 12.0, 18.0), "dark")]
)
def test_skin_is_named_by_its_typology_angle(lab: tuple[float, ...], called: str) -> None:
    assert tone(np.array(lab)) == called


def test_groups_are_read_from_a_table_of_photos(tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    file.write_text("photo,age,sex\nanna.jpg,old,f\nbert.png,, m \n", encoding="utf-8-sig")
    assert read_groups(file) == {"anna": {"age": "old", "sex": "f"}, "bert": {"sex": "m"}}


@pytest.mark.parametrize("content", [b"age,sex\nold,f\n", b"\xff\xfe\x00", b'photo,age\n"anna,old\n', b"photo\x00,age\n"])
def test_a_file_that_is_no_such_table_is_a_sentence(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "people.csv").write_bytes(content)
    with pytest.raises(BadOption, match=r"people\.csv is not a readable CSV file"):
        read_groups(tmp_path / "people.csv")


def test_each_group_is_set_beside_everybody() -> None:
    rows = [
        _row("a", 0.2, groups={"skin": "light"}), _row("b", 0.2, groups={"skin": "light"}),
        _row("c", 0.5, groups={"skin": "dark"}, told="NotWhole"), _row("c", 0.1, asked=NEUTRAL, groups={"skin": "dark"}),
        _row("d", 9.0, asked=2.0, groups={"skin": "dark"}),
    ]  # fmt: skip
    dark, light, neutral = by_group(rows)
    assert (dark["group"], dark["faces"], dark["identity"], dark["over"], dark["told"]) == ("dark", 1, 0.5, 1.667, 1)
    assert (light["group"], light["faces"], light["over"], light["told"]) == ("light", 2, 0.667, 0)
    assert (neutral["asked"], neutral["faces"], neutral["over"]) == (NEUTRAL, 1, 1.0)
    assert group_table([dark, light, neutral]).row_count == 3


def test_recall_and_precision_count_what_was_spoiled() -> None:
    seen = dict.fromkeys(WAYS, True)
    rows = [_row("a", 0.1, spoiled=seen), _row("b", 0.1, spoiled=seen | {"torn": False}), _row("c", 0.1, told="NotWhole")]
    made = self_judgement(rows)
    assert made is not None
    assert made["ways"]["torn"] == {"hits": 1, "of": 2}
    assert (made["recall"], made["precision"]) == (0.875, 0.875)
    assert made["unspoiled"] == {"hits": 1, "of": 3}
    assert judging_table(made).row_count == len(WAYS) + 1
    assert self_judgement([_row("a", 0.1)]) is None


def test_each_way_of_spoiling_changes_the_mouth_and_nothing_far_from_it() -> None:
    angles = np.linspace(0, 2 * np.pi, len(LIPS_OUTLINE), endpoint=False)
    lips = np.zeros((478, 2))
    lips[list(LIPS_OUTLINE)] = np.column_stack([100 + 30 * np.cos(angles), 120 + 12 * np.sin(angles)])
    result = np.random.RandomState(0).randint(0, 255, (200, 200, 3)).astype(np.uint8)
    for way, pixels in spoil(result, lips, 150.0):
        changed = (pixels != result).any(axis=2)
        assert changed[110:130, 105:125].any(), way
        assert not changed[:80].any(), way
        assert not changed[:, :40].any(), way
        assert changed[115:125, 75:95].any() == (way != "torn"), "a torn mouth is torn on one side"


def test_a_thing_in_an_edit_that_is_held_back_is_not_counted() -> None:
    (made,) = summary([_row("a", 0.1, thing=0), _row("b", 0.1, thing=400, told="NotWhole")], default())
    (one,) = made["strengths"]
    assert (one["things"], one["told"]) == (0, 1)
    (bare,) = summary([_row("a", 0.1)], default())
    assert bare["strengths"][0]["things"] is None
