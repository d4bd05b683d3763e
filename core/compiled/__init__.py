"""Draws pictures with machine code compiled ahead of time, or with eager torch if there is none that fits.

`kept` knows where the code is and what it belongs to. `background` has it built by a process of its own (`building`, which
uses `making`), and `drawing` loads it and draws. `layout` describes what the code assumes about the weights.
"""

from __future__ import annotations
