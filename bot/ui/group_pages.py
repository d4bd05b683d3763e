"""What an answer with several faces looks like: everybody in one picture, or a picture for each photo of a message."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any, Final

import discord
from discord import ui
from yarl import URL

from bot.text.speaker import Speaker
from bot.ui.components import PREFIX, PressItem, button, custom_id, row, whole
from bot.ui.pages import ALT_LETTERS, Attached, Page, caption_of, gallery_of, page_of
from core.errors import EgaoError

OPTIONS: Final = 25  # of one select, by Discord
TEXT_LETTERS: Final = 3800  # of a message's words; Discord takes 4000, of which a last line may need some
EVERYBODY: Final = 0  # as a select and a button name all faces; no face has this number
_AIM: Final = 4  # where a custom_id names the face, counted from its prefix
GroupIds = tuple[int, int, int, str]


@dataclass(frozen=True)
class OneShown:
    """A face of an answer."""

    face_id: int
    photo: int  # number of its picture in the answer, from 0
    number: int  # of the face in its photo, from 0
    strength: float  # 0: as it is in the photo
    trouble: EgaoError | None = None  # why it is so


@dataclass(frozen=True)
class PhotoShown:
    """A picture of an answer, and the faces that were edited in it."""

    part: Attached
    faces: tuple[OneShown, ...]
    spoiler: bool = False
    alt: str = ""  # what the photo's sender wrote for those who can't see it
    left_out: tuple[str, ...] = ()  # what it lacks of its photo's file, in words of `Reason`


@dataclass(frozen=True)
class GroupShown:
    """An answer as it is shown."""

    group_id: int
    member_id: int
    expression: str  # by its name
    photos: tuple[PhotoShown, ...]
    before: tuple[Attached, ...]  # the photo as it was, where there is one alone
    aim: int  # the face that the buttons are for; `EVERYBODY`
    public: bool
    expires: float | None = None
    left_out: tuple[tuple[int, int | None, EgaoError], ...] = ()  # photo of the message and face (None: all of it), why
    notes: tuple[str, ...] = ()
    lost: int = 0  # how many faces were erased since the picture was made

    @property
    def ids(self) -> GroupIds:
        """What the buttons under it name: the group, its requester, the face that they are for, the expression."""
        return self.group_id, self.member_id, self.aim, self.expression

    @property
    def faces(self) -> list[OneShown]:
        return [one for photo in self.photos for one in photo.faces]

    @property
    def edited(self) -> bool:
        """Whether any face is not as it was."""
        return any(one.strength for one in self.faces)


def group_result(say: Speaker, shown: GroupShown) -> Page:
    """Show everybody: the pictures, each face's strength, whose strength the buttons change, and the buttons."""
    parts = [*shown.before, *(photo.part for photo in shown.photos)]
    items = [_gallery(say, shown), _text(say, shown, [*_lines(say, shown)]), *controls(say, shown)]
    return page_of(items, parts)


def group_copy(say: Speaker, shown: GroupShown, moving: Collection[int] = ()) -> Page:
    """Make the message of pictures that can't be changed any more: in full size, or with these faces `moving`."""
    texts = ("result.animation", "group.moving") if moving else ("result.download", "group.download")
    strengths = {one.strength for one in shown.faces if not moving or one.face_id in moving}
    alike = say.strength_of(shown.expression, strengths.pop()) if len(strengths) == 1 else None
    text = say(texts[1]) if alike is None else say(texts[0], strength=alike)
    caption = caption_of(say, shown.member_id if shown.public else None, edited=shown.edited)
    gallery = _gallery(say, shown, "alt.moving" if moving else "alt.group")
    items = [gallery, _text(say, shown, [text, f"-# {caption}"]), row(*_endings(say, shown.ids))]
    return page_of(items, [photo.part for photo in shown.photos])


def controls(say: Speaker, shown: GroupShown) -> Iterator[ui.ActionRow[Any]]:
    """Make the selects of a face, and the buttons for the one that is chosen, or for everybody."""
    yield from (row(PressItem(one)) for one in _selects(say, shown))
    yield from buttons(say, shown.ids)


def buttons(say: Speaker, ids: GroupIds) -> tuple[ui.ActionRow[Any], ui.ActionRow[Any]]:
    """Make the buttons under an answer with several faces."""
    blue = discord.ButtonStyle.primary
    return (
        row(
            button(say("button.minus"), "gminus", *ids, style=blue),
            button(say("button.plus"), "gplus", *ids, style=blue),
            button(say("button.neutral"), "gneutral", *ids),
            button(say("button.original"), "goriginal", *ids),
            button(say("button.exact"), "gexact", *ids),
        ),
        row(
            button(say("button.animate"), "ganimate", *ids),
            button(say("button.download"), "gdownload", *ids),
            *_endings(say, ids),
        ),
    )


def _endings(say: Speaker, ids: GroupIds) -> tuple[PressItem, PressItem]:
    """Make the buttons of every picture: delete, for its member, and report, for everybody else."""
    danger = discord.ButtonStyle.danger
    return button(say("button.delete"), "gdelete", *ids, style=danger), button(say("button.report"), "report", *ids, style=danger)


def aimed_at(message: discord.Message, face_id: int) -> ui.LayoutView:
    """Make such an answer as it stands, but with the buttons for this face, or `EVERYBODY`: nothing has to be drawn for that."""
    view, names = ui.LayoutView.from_message(message, timeout=None), {one.filename for one in message.attachments}
    for item in view.walk_children():
        if isinstance(item, ui.Button) and item.custom_id is not None and item.custom_id.startswith(f"{PREFIX}:g"):
            parts = item.custom_id.split(":")
            item.custom_id = ":".join((*parts[:_AIM], str(face_id), *parts[_AIM + 1 :]))
        elif isinstance(item, ui.Select):
            for option in item.options:
                option.default = option.value == str(face_id)
        elif isinstance(item, ui.MediaGallery):
            for picture in item.items:  # their addresses are signed and run out: the files of the message are named instead
                name = URL(picture.media.url).name
                if name in names:
                    picture.media = discord.UnfurledMediaItem(f"attachment://{name}")
    view.stop()  # its presses are found by their custom_ids: nothing is to be remembered
    return view


def shown_faces(message: discord.Message) -> set[int]:
    """Read which faces such an answer offers, by their numbers in the store."""
    parts = ui.LayoutView.from_message(message).walk_children()
    values = {option.value for part in parts if isinstance(part, ui.Select) for option in part.options}
    return {int(value) for value in values if whole(value)}


def _selects(say: Speaker, shown: GroupShown) -> Iterator[ui.Select[Any]]:
    """Make as many selects as the faces need: Discord lets one have 25 options."""
    options = [discord.SelectOption(label=say("group.everybody"), value=str(EVERYBODY), default=shown.aim == EVERYBODY)]
    for one in shown.faces:
        label = f"{_name(say, shown, one)}: {say.strength(one.strength)}"
        options.append(discord.SelectOption(label=label[:100], value=str(one.face_id), default=one.face_id == shown.aim))
    for start in range(0, len(options), OPTIONS):
        identity = custom_id("gface", shown.group_id, shown.member_id, start // OPTIONS, shown.expression)
        yield ui.Select(custom_id=identity, placeholder=say("group.select"), options=options[start : start + OPTIONS])


def _lines(say: Speaker, shown: GroupShown) -> Iterator[str]:
    strengths = {one.strength for one in shown.faces}
    if len(strengths) == 1:
        yield say("group.title", strength=say.strength_of(shown.expression, strengths.pop()), count=len(shown.faces))
    else:
        yield say("group.title.each", count=len(shown.faces))
        yield " · ".join(f"{_name(say, shown, one)} **{say.strength(one.strength)}**" for one in shown.faces)
    yield f"-# {caption_of(say, shown.member_id if shown.public else None, edited=shown.edited)}"
    if shown.expires is not None:
        yield f"-# {say('group.kept', until=f'<t:{int(shown.expires)}:f>')}"


def _text(say: Speaker, shown: GroupShown, lines: list[str]) -> ui.TextDisplay[Any]:
    """Make the words of an answer: these lines, then which faces stay as they are, as far as Discord lets a message be long."""
    more = 0
    for note, count in _notes(say, shown):
        if more or len("\n".join([*lines, note])) > TEXT_LETTERS:
            more += count
        else:
            lines.append(f"-# {note}")
    if more:
        lines.append(f"-# {say('group.left.more', count=more)}")
    return ui.TextDisplay("\n".join(lines))


def _notes(say: Speaker, shown: GroupShown) -> Iterator[tuple[str, int]]:
    """Say what else there is to say, and which faces stay as they are, once for each reason; and how many a sentence is about."""
    reasons: dict[str, list[str]] = {}
    for one in shown.faces:
        if one.trouble is not None:
            reasons.setdefault(say.error(one.trouble), []).append(_name(say, shown, one))
    for photo, face, error in shown.left_out:
        of_many = len(shown.photos) > 1 or face is None
        name = "" if face is None else say("face.unnamed", n=face + 1)
        where = say("group.photo", n=photo + 1) if of_many else ""
        reasons.setdefault(say.error(error), []).append(" ".join(filter(None, (where, name))))
    yield from ((note, 0) for note in shown.notes)
    if lacks := dict.fromkeys(one for photo in shown.photos for one in photo.left_out):
        yield say.leaves_out([*lacks]), 0
    for reason, names in reasons.items():
        yield say("group.left", names=", ".join(names), reason=reason), len(names)
    if shown.lost:
        yield say("group.lost", count=shown.lost), shown.lost


def _gallery(say: Speaker, shown: GroupShown, described: str = "alt.group") -> ui.MediaGallery[Any]:
    gallery = gallery_of([], spoiler=False)
    for part in shown.before:
        photo = shown.photos[0]
        gallery.add_item(
            media=f"attachment://{part.name}", description=_described(say("alt.photo"), photo), spoiler=photo.spoiler
        )
    for photo in shown.photos:
        each = ", ".join(f"{_name(say, shown, one)} {say.strength(one.strength)}" for one in photo.faces)
        text = say(described, faces=each) if any(one.strength for one in photo.faces) else say("alt.photo")
        gallery.add_item(media=f"attachment://{photo.part.name}", description=_described(text, photo), spoiler=photo.spoiler)
    return gallery


def _described(text: str, photo: PhotoShown) -> str:
    return (f"{text}. {photo.alt}" if photo.alt else text)[:ALT_LETTERS]


def _name(say: Speaker, shown: GroupShown, one: OneShown) -> str:
    name = say("face.unnamed", n=one.number + 1)
    return f"{say('group.picture', n=one.photo + 1)}, {name}" if len(shown.photos) > 1 else name
