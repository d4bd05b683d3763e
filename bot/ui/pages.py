"""The layouts of the bot's messages (Discord's Components V2): progress, choice of a face, result, notice.

Each function returns a `Page`: the layout and its files. Nothing is kept in memory; a layout is built anew for each edit, and
its buttons are recognised by their custom_id.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any, Final

import discord
from discord import ui

from bot.text.speaker import Speaker
from bot.ui.components import PressItem, button, custom_id, row
from core.executor import FoundFace, Progress
from core.executor.kinds.together import MOST
from core.store import Report

ACCENT: Final = discord.Colour(0xF2B134)
BAR_CELLS: Final = 12
SHOWN_FACES: Final = 10  # of a page: a section with a thumbnail is 3 of the 40 components that a message may have
Ids = tuple[int, int, int, str]
ALT_LETTERS: Final = 1024  # that Discord takes as the description of a picture
STEP: Final = 0.25  # the change of strength by − and +


@dataclass(frozen=True)
class Attached:
    """One file of a page: new bytes, or a file that the edited message already has and keeps (`data` None)."""

    name: str
    data: bytes | None = None


@dataclass(frozen=True)
class Page:
    """The layout of a whole Discord message, with its files."""

    view: ui.LayoutView
    attached: tuple[Attached, ...] = ()

    def files(self) -> list[discord.File]:
        """Make the new files for discord.py. Call it for each attempt, since sending uses them up."""
        return [discord.File(BytesIO(part.data), part.name) for part in self.attached if part.data is not None]

    @property
    def kept(self) -> frozenset[str]:
        """The names of the files that the edited message keeps."""
        return frozenset(part.name for part in self.attached if part.data is None)


def notice(text: str, *rows: ui.ActionRow[Any], accent: bool = True) -> Page:
    """Make a message of text, with rows of buttons if given."""
    return Page(_layout(ui.TextDisplay(text), *rows, accent=accent))


def page_of(items: Sequence[ui.Item[Any]], attached: Sequence[Attached] = ()) -> Page:
    """Make a message of these items."""
    return Page(_layout(*items), tuple(attached))


def file_page(text: str, part: Attached) -> Page:
    """Make a message with text and a file to download."""
    return Page(_layout(ui.TextDisplay(text), ui.File(f"attachment://{part.name}")), (part,))


def working(
    say: Speaker,
    job_id: int,
    progress: Progress | None = None,
    preview: Attached | None = None,
    *,
    doing: str = "work.projecting",
    part: tuple[int, int] | None = None,
    spoiler: bool = False,
) -> Page:
    """Make the message about a job's progress: its place in the queue, or bar, step, remaining time and preview.

    `doing` is the catalogue's key of what is being done, `part` which of how many faces is being worked on.
    """
    lines = [f"**{say('work.title')}**"]
    if part is not None:
        lines.append(say("work.part", n=part[0], count=part[1]))
    if progress is None or (progress.place == 0 and progress.steps == 0):
        lines.append(say("work.received"))
    elif progress.place:
        lines.append(say("work.queued", place=progress.place, eta=say.duration(progress.eta_seconds or 1)))
    else:
        lines += [bar(progress.step, progress.steps), say(doing)]
        if progress.eta_seconds is not None:
            eta = say.duration(progress.eta_seconds)
            lines.append(f"-# {say('work.step', step=progress.step, steps=progress.steps, eta=eta)}")
    items: list[ui.Item[Any]] = [ui.TextDisplay("\n".join(lines))]
    if preview is not None:
        items.append(gallery_of([(preview.name, say("alt.preview"))], spoiler=spoiler))
    items.append(row(button(say("button.cancel"), "cancel", job_id)))
    return Page(_layout(*items), (preview,) if preview is not None else ())


def bar(step: int, steps: int) -> str:
    """Draw a progress bar as text."""
    share = min(1.0, step / steps) if steps else 0.0
    full = round(share * BAR_CELLS)
    return f"`{'█' * full}{'░' * (BAR_CELLS - full)}` {share:.0%}"


def choose_face(
    say: Speaker, job_id: int, faces: Sequence[FoundFace], barred: int = 0, *, number: int = 0, spoiler: bool
) -> Page:
    """Make the question which face of a photo is meant: numbered thumbnails, ten to a page, a select, and "all".

    `barred` is how many more faces the photo has that the checks refuse, `number` the page, from 0.
    """
    pages = -(-len(faces) // SHOWN_FACES)
    number = max(0, min(number, pages - 1))
    shown = faces[number * SHOWN_FACES : (number + 1) * SHOWN_FACES]
    text = say("faces.choose", count=len(faces))
    if barred:
        text += "\n" + say("faces.choose.barred", count=barred)
    attached = tuple(Attached(f"face-{face.index + 1}.{suffix(face.thumbnail)}", face.thumbnail) for face in shown)
    items: list[ui.Item[Any]] = [ui.TextDisplay(text)]
    for face, part in zip(shown, attached, strict=True):
        picture: ui.Thumbnail[Any] = ui.Thumbnail(
            f"attachment://{part.name}", description=say("alt.face", n=face.index + 1), spoiler=spoiler
        )
        items.append(ui.Section(ui.TextDisplay(say("faces.number", n=face.index + 1)), accessory=picture))
    select: ui.Select[Any] = ui.Select(custom_id=custom_id("pick", job_id), placeholder=say("faces.select"))
    for face in shown:
        select.add_option(label=say("face.unnamed", n=face.index + 1), value=str(face.index))
    select.add_option(label=say("faces.all", count=min(len(faces), MOST)), value="all")
    turning = pager(say, "pickpage", job_id, number=number, pages=pages) if pages > 1 else ()
    items += [row(PressItem(select)), row(*turning, button(say("button.cancel"), "cancel", job_id))]
    return Page(_layout(*items), attached)


def pager(say: Speaker, verb: str, *about: int, number: int, pages: int) -> tuple[PressItem, ...]:
    """Make the buttons that turn pages: back, where one is, on. `number`: of the page that is shown, from 0."""
    return (
        button(say("button.page.back"), verb, *about, number - 1 if number else 0, "b", disabled=number == 0),
        button(say("mine.faces.page", page=number + 1, pages=pages), verb, *about, number, "n", disabled=True),
        button(say("button.page.on"), verb, *about, number + 1, "f", disabled=number == pages - 1),
    )


@dataclass(frozen=True)
class Shown:
    """The content of a result's message."""

    face_id: int
    member_id: int
    expression: str  # by its name
    strength: float
    pictures: tuple[Attached, ...]  # in the order of the gallery; file names begin with original, neutral or edited
    public: bool
    spoiler: bool
    expires: float | None = None
    notes: tuple[str, ...] = ()
    alt: str = ""  # the photo's description by its sender

    def described(self, text: str) -> str:
        """Join egao's description of a picture and the sender's own."""
        return f"{text}. {self.alt}"[:ALT_LETTERS] if self.alt else text

    @property
    def ids(self) -> Ids:
        """The arguments of the buttons below it: face, member, strength in hundredths, expression."""
        return self.face_id, self.member_id, round(self.strength * 100), self.expression

    @property
    def edited(self) -> bool:
        """Whether any of the pictures is more than the original photo."""
        return any(not part.name.startswith("original.") for part in self.pictures)


def result(say: Speaker, shown: Shown) -> Page:
    """Make the message of a result: the gallery, the caption that says AI-edited, and the controls."""
    kinds = {"original": "alt.original", "neutral": "alt.neutral", "edited": "alt.edited"}
    strength = say.strength_of(shown.expression, shown.strength)
    words = [say(kinds[part.name.split(".")[0]], strength=strength) for part in shown.pictures]
    gallery = [(part.name, shown.described(text)) for part, text in zip(shown.pictures, words, strict=True)]
    caption = caption_of(say, shown.member_id if shown.public else None, edited=shown.edited)
    lines = [say("result.title", strength=strength), f"-# {caption}"]
    if shown.expires is not None:
        lines.append(f"-# {say('result.kept', until=f'<t:{int(shown.expires)}:f>')}")
    lines += [f"-# {note}" for note in shown.notes]
    items = [gallery_of(gallery, spoiler=shown.spoiler), ui.TextDisplay("\n".join(lines)), *controls(say, shown)]
    return Page(_layout(*items), shown.pictures)


def controls(say: Speaker, shown: Shown) -> tuple[ui.ActionRow[Any], ui.ActionRow[Any]]:
    """Make the buttons below a result."""
    ids = shown.ids
    blue = discord.ButtonStyle.primary
    return (
        row(
            button(say("button.minus"), "minus", *ids, style=blue),
            button(say("button.plus"), "plus", *ids, style=blue),
            button(say("button.neutral"), "neutral", *ids),
            button(say("button.original"), "original", *ids),
            button(say("button.exact"), "exact", *ids),
        ),
        row(
            button(say("button.animate"), "animate", *ids),
            button(say("button.download"), "download", *ids),
            *_endings(say, ids),
        ),
    )


def _endings(say: Speaker, ids: Ids) -> tuple[PressItem, PressItem]:
    """Make the buttons of every picture: delete, for its member, and report, for everybody else."""
    danger = discord.ButtonStyle.danger
    return button(say("button.delete"), "delete", *ids, style=danger), button(say("button.report"), "report", *ids)


def caption_of(say: Speaker, member_id: int | None, *, edited: bool = True) -> str:
    """Say what the picture is and, if others see it, for whom it was made. An unedited photo is not called an edit."""
    kind = say("result.caption.edited" if edited else "result.caption.untouched")
    return kind if member_id is None else say("result.caption", kind=kind, member=f"<@{member_id}>")


def picture(say: Speaker, shown: Shown, alt: str, text: str, *, edited: bool = True) -> Page:
    """Make the message of one picture that can't be changed any more: a full-size copy or an animation."""
    caption = caption_of(say, shown.member_id if shown.public else None, edited=edited)
    (part,), ids = shown.pictures, shown.ids
    words = ui.TextDisplay[Any](f"{text}\n-# {caption}")
    return Page(
        _layout(gallery_of([(part.name, shown.described(alt))], spoiler=shown.spoiler), words, row(*_endings(say, ids))), (part,)
    )


def link_to(report: Report) -> str:
    """Return the address of the message with the reported picture."""
    return f"https://discord.com/channels/{report.guild_id}/{report.channel_id}/{report.message_id}"


def suffix(data: bytes) -> str:
    """Choose the ending of a picture's file name by its first bytes."""
    if data.startswith(b"\x89PNG"):
        return "png"
    if data[:4] == b"RIFF":
        return "webp"
    return "gif" if data.startswith(b"GIF8") else "jpg"


def gallery_of(pictures: Sequence[tuple[str, str]], *, spoiler: bool) -> ui.MediaGallery[Any]:
    gallery: ui.MediaGallery[Any] = ui.MediaGallery()
    for name, alt in pictures:
        gallery.add_item(media=f"attachment://{name}", description=alt, spoiler=spoiler)
    return gallery


def _layout(*items: ui.Item[Any], accent: bool = True) -> ui.LayoutView:
    view = ui.LayoutView(timeout=None)
    container: ui.Container[Any] = ui.Container(accent_colour=ACCENT if accent else None)
    for item in items:
        container.add_item(item)
    return view.add_item(container)
