"""A page, for this machine only, that edits photos as `egao edit` does: nothing of them leaves the machine or its memory.

    async with PlayServer(Studio(PhotoEditor(Editor(Models(settings))))) as server:
        print(server.address)  # with the token, without which nothing is answered

`studio` edits, on the one thread of `worker`; `tabs` holds the photo of each open page; `guard` decides who may ask; `server`
speaks HTTP; `page/` runs in the browser.
"""

from __future__ import annotations

from core.play.server import PlayServer
from core.play.studio import Studio

__all__ = ["PlayServer", "Studio"]
