"""Buttons, selects and forms that work after a restart: all that they need is in their custom_id, as ids.

A custom_id has the form `egao:<verb>:<argument>:…` and is no secret: the handler of a verb asks the store whether the person
who pressed owns what the ids name. A press that its message does not offer is refused (`Press.offered`). Cogs register their
verbs with `Presses.on`.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from typing import Any, Final, Self

import discord
from discord import ui

from bot.text.refusals import Refused

PREFIX: Final = "egao"
LIMIT: Final = 100  # Discord's, in characters
DIGITS: Final = 19  # of a 64-bit number, rounded up; Python refuses to read some thousands
NUMBERS: Final = 2**63  # all of ours and Discord's are below; SQLite takes no larger ones
FORM_SECONDS: Final = 900  # a form that was never sent is forgotten after this

OPENED_BY: Final = {  # form: button
    "agreed": "agree", "exactly": "exact", "gexactly": "gexact", "reported": "report", "facenamed": "facename",
    "setnumbers": "setform", "photosent": "photoask",
}  # fmt: skip
OF_COMMANDS: Final = frozenset({"photosent"})  # forms that a command opens too: then no message has a button for them
NAMED: Final = 2  # arguments that identify a control; a third may change while a press is on its way

Handler = Callable[["Press"], Awaitable[None]]


def custom_id(verb: str, *arguments: int | str) -> str:
    """Build the custom_id of a verb and its arguments."""
    text = ":".join((PREFIX, verb, *map(str, arguments)))
    assert len(text) <= LIMIT, text
    return text


class Press:
    """One press of a button, choice in a select, or sent form, with the interaction."""

    def __init__(
        self,
        interaction: discord.Interaction[Any],
        text: str,
        values: dict[str, str],
        chosen: list[str],
        files: Sequence[discord.Attachment] = (),
    ) -> None:
        _, self.verb, *arguments = text.split(":")
        self.interaction = interaction
        self.arguments = tuple(arguments)
        self.values = values  # of a form, by the custom_id of the field
        self.chosen = chosen  # of a select
        self.files = files  # that were uploaded with a form

    def offered(self) -> bool:
        """Tell whether the message has this control (for a form, the button that opens it); else the press is forged.

        The form of a command has no message. Forged, it can ask for nothing that the command itself could not.
        """
        wanted = (OPENED_BY.get(self.verb, self.verb), *self.arguments[:NAMED])
        message = self.interaction.message
        if message is None and self.verb in OF_COMMANDS:
            return True
        return message is not None and any(_named(one) == wanted for one in _custom_ids(message.components))

    def numbers(self, count: int) -> tuple[int, ...]:
        """Parse the first `count` arguments as numbers. Raises Outdated for a forged or outdated custom_id."""
        try:
            found = tuple(int(argument) for argument in self.arguments[:count])
        except ValueError:
            raise Outdated from None
        if len(found) != count or any(abs(number) >= NUMBERS for number in found):
            raise Outdated
        return found

    def choice(self) -> int | None:
        """Return the number chosen in a select; None if it is none."""
        return whole(self.chosen[0]) if self.chosen else None

    def argument(self, index: int, otherwise: str) -> str:
        """Return an argument, or `otherwise` if the custom_id is of a version without it."""
        return self.arguments[index] if index < len(self.arguments) else otherwise


def _named(identity: str) -> tuple[str, ...]:
    """Return the verb of a custom_id and the arguments that say what it is about."""
    return tuple(identity.split(":")[1 : 2 + NAMED])


def _custom_ids(components: Iterable[Any]) -> Iterator[str]:
    """Yield the custom_ids of a message's components, including nested ones."""
    for component in components:
        identity = getattr(component, "custom_id", None)
        if identity is not None:
            yield str(identity)
        yield from _custom_ids(getattr(component, "children", ()))
        accessory = getattr(component, "accessory", None)
        if accessory is not None:
            yield from _custom_ids([accessory])


def whole(text: str) -> int | None:
    """Parse a number of 0 or more; None for any other text, and for a number larger than all of ours and Discord's."""
    number = int(text) if len(text) <= DIGITS and text.isdecimal() else NUMBERS
    return number if number < NUMBERS else None


class Outdated(Refused):
    """A custom_id that no handler understands (any more)."""

    def __init__(self) -> None:
        super().__init__("trouble.old")


class Presses:
    """The handlers of presses, by verb."""

    def __init__(self) -> None:
        self._handlers: dict[str, Handler] = {}

    def on(self, verb: str, handler: Handler) -> None:
        """Register the handler of a verb. Only one handler per verb."""
        assert verb not in self._handlers, verb
        self._handlers[verb] = handler

    async def handle(self, press: Press) -> None:
        """Call the handler of a press. Raises Outdated for an unknown verb, and for a press that the message does not offer."""
        handler = self._handlers.get(press.verb)
        if handler is None or not press.offered():
            raise Outdated
        await handler(press)


class PressItem(ui.DynamicItem[ui.Item[Any]], template=re.compile(rf"{PREFIX}:[a-z]+(?::[0-9A-Za-z-]*)*")):
    """Any of our buttons and selects, rebuilt by discord.py from its custom_id."""

    @classmethod
    async def from_custom_id(cls, interaction: discord.Interaction[Any], item: ui.Item[Any], match: re.Match[str], /) -> Self:
        return cls(item)

    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        data: Any = interaction.data or {}
        press = Press(interaction, self.custom_id, {}, [str(value) for value in data.get("values", ())])
        await interaction.client.pressed(press)


class Form(ui.Modal):
    """A form that is handled by its custom_id, like a button, so that it works after a restart too."""

    def __init__(self, title: str, identity: str) -> None:
        super().__init__(title=title[:45], custom_id=identity, timeout=FORM_SECONDS)

    def field(self, name: str, label: str, *, hint: str = "", **options: Any) -> Self:
        """Add a text field, called `name` in `Press.values`."""
        return self.part(label, ui.TextInput(custom_id=name, **options), hint)

    def part(self, label: str, component: ui.Item[Any], hint: str = "") -> Self:
        """Add any part that a form may have; what is chosen is in `Press.values` by its custom_id, with spaces between."""
        self.add_item(ui.Label(text=label[:45], description=hint[:100] or None, component=component))
        return self


def form_press(interaction: discord.Interaction[Any]) -> Press | None:
    """Make the press of a sent form; None if the form is not one of ours."""
    data: Any = interaction.data or {}
    text = str(data.get("custom_id", ""))
    if not PressItem.__discord_ui_compiled_template__.fullmatch(text):
        return None
    values: dict[str, str] = {}
    _collect(data.get("components", ()), values)
    uploaded = data.get("resolved", {}).get("attachments", {}).values()
    files = [discord.Attachment(data=one, state=interaction._state) for one in uploaded]
    return Press(interaction, text, values, [], files)


def _collect(components: Any, values: dict[str, str]) -> None:
    for component in components:
        given = component.get("value", component.get("values"))
        if given is not None and "custom_id" in component:
            words = given if isinstance(given, list) else [given]
            # JSON may hold half of a surrogate pair, which is no character and can neither be stored nor sent
            values[component["custom_id"]] = " ".join(map(str, words)).encode(errors="replace").decode()
        _collect(component.get("components", ()), values)
        if isinstance(component.get("component"), dict):
            _collect([component["component"]], values)


def button(
    label: str,
    verb: str,
    *arguments: int | str,
    style: discord.ButtonStyle = discord.ButtonStyle.secondary,
    emoji: str | None = None,
    disabled: bool = False,
) -> PressItem:
    """Make one of our buttons."""
    return PressItem(ui.Button(label=label, custom_id=custom_id(verb, *arguments), style=style, emoji=emoji, disabled=disabled))


def row(*items: ui.Item[Any]) -> ui.ActionRow[Any]:
    """Make a row of at most five buttons, or of one select."""
    return ui.ActionRow(*items)
