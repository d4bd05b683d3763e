"""Draws pictures with machine code compiled ahead of time, or with eager torch if there is none that fits.

`kept` knows where the code is and what it belongs to. `background` has it built by a process of its own (`building`, which
uses `making`), and `drawing` loads it. It is either layers of our own (`layers.cpp`, compiled by `compiler`, used by `layers`;
for projections too) or a whole drawing by torch's compiler, whose weights `layout` describes.
"""

from __future__ import annotations
