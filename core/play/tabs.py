"""The open pages and the photo that each holds. A page that is closed takes its photo and faces with it."""

from __future__ import annotations

import secrets
from collections import OrderedDict

from core.play.held import Held
from core.play.refusal import no_such_page, not_held, too_busy

MOST_TABS = 16  # open pages
MOST_PHOTOS = 4  # each takes up to half a gigabyte at the limit of pixels; the one not used for longest goes


class Tabs:
    """By the name that a page was given when it connected."""

    def __init__(self) -> None:
        self._held: OrderedDict[str, Held | None] = OrderedDict()  # the one used last is last

    def __len__(self) -> int:
        return len(self._held)

    @property
    def photos(self) -> int:
        """How many are held."""
        return sum(one is not None for one in self._held.values())

    def open(self) -> str:
        """Begin a new page and return its name. Raises Refusal."""
        if len(self._held) >= MOST_TABS:
            raise too_busy()
        name = secrets.token_urlsafe(12)
        self._held[name] = None
        return name

    def close(self, tab: str) -> None:
        """Forget a page and its photo."""
        self._held.pop(tab, None)

    def put(self, tab: str, held: Held) -> None:
        """Hold a photo for a page, in place of the one before. Raises Refusal where the page is closed by now."""
        self._known(tab)
        self._held[tab] = held
        self._held.move_to_end(tab)
        holding = [name for name, one in self._held.items() if one is not None]
        for name in holding[: max(0, len(holding) - MOST_PHOTOS)]:
            self._held[name] = None

    def held(self, tab: str) -> Held:
        """Look up a page's photo. Raises Refusal."""
        self._known(tab)
        found = self._held[tab]
        if found is None:
            raise not_held()
        self._held.move_to_end(tab)
        return found

    def drop(self, tab: str) -> None:
        """Forget a page's photo and its faces; nothing happens where it has none. Raises Refusal."""
        self._known(tab)
        self._held[tab] = None

    def _known(self, tab: str) -> None:
        if tab not in self._held:
            raise no_such_page()
