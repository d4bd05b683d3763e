"""The largest pages in every language, checked as the Discord on loopback checks them: each part, and all of them together."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from bot.text.gather import errors
from bot.text.privacy import privacy
from bot.text.speaker import Speaker
from bot.ui.components import Form
from bot.ui.exact import exact_form
from bot.ui.group_pages import EVERYBODY, GroupShown, OneShown, PhotoShown, group_copy, group_result
from bot.ui.pages import Attached, Page, Shown, choose_face, notice, picture, result, working
from bot.ui.photo_form import photo_form
from core.errors import EgaoError, NotWhole, PhotoError, ResultError
from core.executor import FoundFace, Progress
from core.executor.kinds.together import MOST
from core.expressions import default
from core.languages import names
from tests.bot.text.test_catalogues import LONG, NUMBER, placeholders
from tests.discord.fake import components as discords

ID = 2**63 - 1
WORST = [Speaker(language) for language in names()]


def fits(page: Page) -> str:
    """Check a page as Discord does; returns its words."""
    parts: list[dict[str, Any]] = page.view.to_components()  # type: ignore[no-untyped-call]
    discords.check(parts, v2=True)
    return "\n".join(part["content"] for part in discords.walk(parts) if part["type"] == discords.TEXT)


def told(say: Speaker, kind: type[EgaoError]) -> Iterator[EgaoError]:
    """Errors of these kinds, the longest first."""
    made = [
        one(**{"seconds": NUMBER, **{name: LONG.get(name, NUMBER) for name in placeholders(one.sentence)}})
        for one in errors(kind)
    ]
    yield from sorted(made, key=lambda one: -len(say.error(one)))


def crowd(say: Speaker, photos: int) -> GroupShown:
    """The largest answer: as many faces as may be in so many photos, each with a strength and a reason of its own."""
    reasons = [*told(say, ResultError), *told(say, PhotoError)]
    ones = []
    for n in range(MOST):
        strength = -2.99 + n / 100
        trouble = NotWhole(strength=f"{strength:+.2f}") if n % 2 else reasons[n // 2 % len(reasons)]
        ones.append(OneShown(ID - n, n * photos // MOST, n, strength, trouble))
    shown = [
        PhotoShown(Attached(f"edited-{n + 1}.jpg", b""), tuple(one for one in ones if one.photo == n), alt="x" * 1024)
        for n in range(photos)
    ]
    left = tuple((n, None, reason) for n, reason in enumerate(reasons[: 10 - photos]))
    return GroupShown(ID, ID, default().name, tuple(shown), (), EVERYBODY, True, 9e9, left, lost=48)


@pytest.mark.parametrize("say", WORST, ids=names())
@pytest.mark.parametrize("photos", [1, 3, 10])
def test_the_largest_answer_for_a_crowd_fits_and_says_how_many_it_leaves_out(say: Speaker, photos: int) -> None:
    shown = crowd(say, photos)
    for page in (group_result(say, shown), group_copy(say, shown), group_copy(say, shown, [one.face_id for one in shown.faces])):
        words = fits(page)
        more = say("group.left.more", count="@")
        assert more.split("@")[0] in words


def test_what_fits_is_told_whole() -> None:
    say = Speaker("en")
    ones = tuple(OneShown(n + 1, 0, n, 0.0, NotWhole(strength=f"{n / 100:+.2f}")) for n in range(7))
    shown = GroupShown(1, 2, default().name, (PhotoShown(Attached("edited.jpg", b""), ones),), (), EVERYBODY, True)
    words = fits(group_result(say, shown))
    assert words.count("Left as it is: face") == 7
    assert "Others that stay" not in words


@pytest.mark.parametrize("say", WORST, ids=names())
def test_every_other_page_fits(say: Speaker) -> None:
    face = FoundFace(0, (0, 0, 1, 1), b"\x89PNG")
    fits(choose_face(say, ID, [FoundFace(n, face.box, face.thumbnail) for n in range(MOST)], 48, number=2, spoiler=True))
    fits(working(say, ID, Progress(9999, 9999, 99 * 86400.0), Attached("x.webp", b""), part=(48, 48)))
    fits(working(say, ID, Progress(0, 9999, 99 * 86400.0, place=9999)))
    (longest, *_) = told(say, ResultError)
    pictures = tuple(Attached(f"{name}.jpg", b"") for name in ("original", "neutral", "edited"))
    notes = (say.error(longest),) * 2 + (say("result.crop"),)
    fits(result(say, Shown(ID, ID, default().name, -2.75, pictures, True, True, 9e9, notes, "x" * 1024)))
    fits(picture(say, Shown(ID, ID, default().name, -2.75, pictures[:1], True, True, alt="x" * 1024), say("alt.photo"), "x"))
    fits(notice(privacy(say, 720, checks=True, asks=True)))
    for error in told(say, EgaoError):
        fits(notice(say.error(error)))


@pytest.mark.parametrize("say", WORST, ids=names())
def test_every_form_fits(say: Speaker) -> None:
    forms: list[Form] = [exact_form(say, f"egao:exactly:{ID}:{ID}:-275:{default().name}", -2.75, 5.0)]
    forms.append(photo_form(say, -2.75, default().name, "private", 10))
    for form in forms:
        discords.check_modal(form.to_dict())
