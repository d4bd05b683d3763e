"""Pictures drawn by machine code that was compiled ahead, with eager torch wherever there is none that fits.

`kept` knows where it lies and what it belongs to, `background` has it built by a process of its own (`building`, which
does it with `making`), and `drawing` loads it and draws; `layout` says what of the weights it takes for granted.
"""

from __future__ import annotations
