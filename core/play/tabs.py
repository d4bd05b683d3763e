"""The open pages, and the photo of each. When a page is closed, its photo and faces are forgotten."""

from __future__ import annotations

import secrets
from collections import OrderedDict

from core.play.held import Held
from core.play.refusal import no_such_page, not_held, too_busy

MOST_TABS = 16  # open pages
MOST_PHOTOS = 4  # each takes up to half a gigabyte at the limit of pixels; the one not used for longest goes


class Tabs:
    """The open pages, by the name that each got when it connected."""

    def __init__(self) -> None:
        self._held: OrderedDict[str, Held | None] = OrderedDict()  # the one used last is last

    def __len__(self) -> int:
        return len(self._held)

    @property
    def photos(self) -> int:
        """The number of photos held."""
        return sum(one is not None for one in self._held.values())

    def open(self) -> str:
        """Begin a page and return its name, a random text. Raises Refusal if too many are open."""
        if len(self._held) >= MOST_TABS:
            raise too_busy()
        name = secrets.token_urlsafe(12)
        self._held[name] = None
        return name

    def close(self, tab: str) -> None:
        """Forget a page and its photo."""
        self._held.pop(tab, None)

    def put(self, tab: str, held: Held) -> None:
        """Hold a photo for a page, in place of an earlier one. Raises Refusal if the page was closed meanwhile.

        If there are more than MOST_PHOTOS then, the one not used for longest is forgotten.
        """
        self.check(tab)
        self._held[tab] = held
        self._held.move_to_end(tab)
        holding = [name for name, one in self._held.items() if one is not None]
        for name in holding[: max(0, len(holding) - MOST_PHOTOS)]:
            self._held[name] = None

    def held(self, tab: str) -> Held:
        """Return a page's photo. Raises Refusal if it has none."""
        self.check(tab)
        found = self._held[tab]
        if found is None:
            raise not_held()
        self._held.move_to_end(tab)
        return found

    def drop(self, tab: str) -> None:
        """Forget a page's photo and faces, if it has any. Raises Refusal if there is no such page."""
        self.check(tab)
        self._held[tab] = None

    def check(self, tab: str) -> None:
        """Check that there is such a page. Raises Refusal."""
        if tab not in self._held:
            raise no_such_page()
