"""A page on this machine alone that does with photos what `egao edit` does: nothing of them leaves memory, nor the machine.

    async with PlayServer(Studio(PhotoEditor(Editor(Models(settings))))) as server:
        print(server.address)  # with the token without which nothing is answered

`studio` edits, on the one thread of `worker`; `tabs` holds the photo of each open page; `guard` says who may ask; `server`
speaks HTTP; `page/` is what the browser runs.
"""

from __future__ import annotations

from core.play.server import PlayServer
from core.play.studio import Studio

__all__ = ["PlayServer", "Studio"]
