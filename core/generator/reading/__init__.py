"""Published model files read as data: nothing in them is run, whatever they hold.

    tree = read_published(Path("ffhq.pkl"))   # dicts, lists, numbers, arrays, tensors and Records

Three containers are known: plain pickles (NVIDIA's), and both of torch's own formats. All go through one unpickler
(`core.generator.reading.pickles`) that knows two dozen names and refuses every other.
"""

from __future__ import annotations

from core.generator.reading.files import read_published
from core.generator.reading.pickles import Record

__all__ = ["Record", "read_published"]
