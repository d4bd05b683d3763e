"""Reads published model files as data: nothing in them is run, whatever they contain.

    tree = read_published(Path("ffhq.pkl"))   # dicts, lists, numbers, arrays, tensors and Records

Three containers are supported: plain pickles (NVIDIA's) and both of torch's own formats. All go through one unpickler
(`core.generator.reading.pickles`) that knows two dozen names and refuses all others.
"""

from __future__ import annotations

from core.generator.reading.files import read_published
from core.generator.reading.pickles import Record

__all__ = ["Record", "read_published"]
