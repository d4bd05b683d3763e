"""Reading and checking message components, old style and Components V2."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from tests.discord.fake.errors import bad_form

ROW, BUTTON, STRING_SELECT, TEXT_INPUT = 1, 2, 3, 4
SECTION, TEXT, THUMBNAIL, GALLERY, FILE, SEPARATOR, CONTAINER = 9, 10, 11, 12, 13, 14, 17
LABEL, FILE_UPLOAD, RADIO, CHECKBOXES, CHECKBOX = 18, 19, 21, 22, 23
SELECTS = (3, 5, 6, 7, 8)
INPUTS = (*SELECTS, TEXT_INPUT, FILE_UPLOAD, RADIO, CHECKBOXES, CHECKBOX)
LINK = 5  # the button style that carries a URL in place of a custom_id
MOST_PARTS, MOST_TEXT = 40, 4000

Part = dict[str, Any]


def walk(components: Iterable[Part]) -> Iterator[Part]:
    """Every component, depth first, in the order in which a client draws them."""
    for part in components:
        yield part
        yield from walk(part.get("components") or ())
        for single in ("accessory", "component"):
            if part.get(single):
                yield from walk([part[single]])


def media(components: Iterable[Part]) -> Iterator[dict[str, Any]]:
    """The media items of galleries, thumbnails and files, in order."""
    for part in walk(components):
        if part["type"] == GALLERY:
            yield from (item["media"] for item in part["items"])
        elif part["type"] == THUMBNAIL:
            yield part["media"]
        elif part["type"] == FILE:
            yield part["file"]


def texts(components: Iterable[Part]) -> Iterator[str]:
    """Words of text components, and the descriptions (alt texts) of pictures."""
    for part in walk(components):
        if part["type"] == TEXT:
            yield part["content"]
        elif part["type"] == GALLERY:
            yield from (item["description"] for item in part["items"] if item.get("description"))
        elif part["type"] == THUMBNAIL and part.get("description"):
            yield part["description"]


def embed_texts(embeds: Iterable[dict[str, Any]]) -> Iterator[str]:
    for embed in embeds:
        yield from (embed[key] for key in ("title", "description") if embed.get(key))
        yield from (f"{field['name']}: {field['value']}" for field in embed.get("fields", ()))
        if embed.get("footer"):
            yield embed["footer"]["text"]


def label(part: Part) -> str:
    """What is written on a control."""
    return part.get("label") or (part.get("emoji") or {}).get("name") or part.get("placeholder") or ""


def check(components: list[Part], *, v2: bool) -> None:
    """Refuse what Discord refuses, and number the parts that have no id, as Discord does."""
    if not v2 and (len(components) > 5 or any(part["type"] != ROW for part in components)):
        raise bad_form("components", "BASE_TYPE_BAD_LENGTH", "Only up to 5 action rows without IS_COMPONENTS_V2")
    every = list(walk(components))
    if len(every) > MOST_PARTS:
        raise bad_form("components", "BASE_TYPE_BAD_LENGTH", f"Must be {MOST_PARTS} or fewer in length.")
    if sum(len(part["content"]) for part in every if part["type"] == TEXT) > MOST_TEXT:
        raise bad_form("components", "COMPONENT_DISPLAYABLE_TEXT_SIZE_EXCEEDED", f"Exceeds {MOST_TEXT} characters")
    taken: set[str] = set()
    for part in every:
        _check_part(part)
        custom_id = part.get("custom_id")
        if custom_id in taken:
            raise bad_form("components", "COMPONENT_CUSTOM_ID_DUPLICATED", "Component custom id cannot be duplicated")
        taken |= {custom_id} if custom_id else set()
    _number(every)


def _check_part(part: Part) -> None:
    kind = part["type"]
    if kind in (*SELECTS, *INPUTS) or (kind == BUTTON and part["style"] not in (LINK, 6)):
        _length(part, "custom_id", 1, 100)
    if kind == BUTTON:
        _length(part, "label", 0, 80)
        if not label(part):
            raise bad_form("components", "BUTTON_COMPONENT_NO_LABEL_OR_EMOJI", "A button needs a label or an emoji")
        if part["style"] == LINK and not str(part.get("url", "")).startswith(("http://", "https://", "discord://")):
            raise bad_form("components", "BUTTON_COMPONENT_URL_REQUIRED", "A link button needs a url")
    elif kind == ROW:
        inner = part["components"]
        if not 1 <= len(inner) <= 5 or (len(inner) > 1 and any(p["type"] != BUTTON for p in inner)):
            raise bad_form("components", "BASE_TYPE_BAD_LENGTH", "A row holds 1-5 buttons or one select")
    elif kind in SELECTS:
        _check_select(part)
    elif kind == GALLERY:
        _count("items", part["items"], 1, 10)
        for item in part["items"]:
            _length(item, "description", 0, 1024)
    elif kind == SECTION:
        _count("components", part["components"], 1, 3)
        if not part.get("accessory"):
            raise bad_form("components", "BASE_TYPE_REQUIRED", "A section needs an accessory")
    elif kind == TEXT:
        _length(part, "content", 1, MOST_TEXT)
    elif kind not in (THUMBNAIL, FILE, SEPARATOR, CONTAINER, LABEL, *INPUTS):
        raise bad_form("components", "UNKNOWN_COMPONENT", f"type {kind}")


def _check_select(part: Part) -> None:
    _length(part, "placeholder", 0, 150)
    if part["type"] == STRING_SELECT:
        _count("options", part["options"], 1, 25)
        for option in part["options"]:
            _length(option, "label", 1, 100)
            _length(option, "value", 1, 100)
            _length(option, "description", 0, 100)
        if len({option["value"] for option in part["options"]}) != len(part["options"]):
            raise bad_form("components", "SELECT_COMPONENT_OPTION_VALUE_DUPLICATED", "Option values must be unique")


def check_modal(modal: dict[str, Any]) -> None:
    """Refuse a modal that Discord would refuse."""
    _length(modal, "title", 1, 45)
    _length(modal, "custom_id", 1, 100)
    _count("components", modal["components"], 1, 5)
    every = list(walk(modal["components"]))
    if any(part["type"] not in (ROW, LABEL, TEXT, *INPUTS) for part in every):
        raise bad_form("components", "UNION_TYPE_CHOICES", "not allowed in a modal")
    for part in every:
        if part["type"] == LABEL:
            _length(part, "label", 1, 45)
            _length(part, "description", 0, 100)
        if part["type"] == TEXT_INPUT:
            _length(part, "placeholder", 0, 100)
    _number(every)


def _number(every: list[Part]) -> None:
    used = {part["id"] for part in every if part.get("id")}
    number = 0
    for part in every:
        if not part.get("id"):
            number = next(n for n in range(number + 1, number + 2 + len(used)) if n not in used)
            part["id"] = number


def _length(holder: dict[str, Any], key: str, least: int, most: int) -> None:
    value = holder.get(key)
    if value is None and least == 0:
        return
    if not isinstance(value, str) or not least <= len(value) <= most:
        raise bad_form(f"components.{key}", "BASE_TYPE_BAD_LENGTH", f"Must be between {least} and {most} in length.")


def _count(key: str, given: list[Any], least: int, most: int) -> None:
    if not least <= len(given) <= most:
        raise bad_form(f"components.{key}", "BASE_TYPE_BAD_LENGTH", f"Must be between {least} and {most} in length.")
