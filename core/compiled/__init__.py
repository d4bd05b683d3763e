"""Pictures drawn by machine code that was compiled ahead, with eager torch wherever there is none that fits.

`kept` knows where it lies and what it belongs to, `background` has it built by a process of its own (`building`), and
`drawing` loads it and draws. Only the last two need torch.
"""

from __future__ import annotations
