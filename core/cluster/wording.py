"""Lists what passes between the bot, its bridge and the keepers: records and their bounds."""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import Final

BEAT: Final = 1.0  # seconds after which a keeper with nothing to say says so
SILENCE: Final = 8.0  # seconds without a record after which the bot takes a node for lost
ORPHANED: Final = 12.0  # seconds without a question after which a keeper ends its worker: later than SILENCE, never before
PIECE: Final = 4 << 20  # bytes of a stream in one record at most: a usual photo is one, as each call of Ray costs milliseconds
RECORD: Final = struct.Struct("!I")  # length of a sealed record, before it on the socket between the bot and its bridge
LARGEST: Final = PIECE + 64  # bytes of a sealed record
RESOURCE: Final = "egao"  # what Ray counts workers of a node in
LABELS: Final = ("egao-version", "egao-weights", "egao-devices")


class Record(IntEnum):
    """The first byte of each record that a keeper sends, once opened."""

    STREAM = 0  # the next bytes of the worker's frames
    BEAT = 1
    ENDED = 2  # the worker has ended; how, in words
