"""`python -m bot`: the same as `egao bot`."""

import sys

from core.system import stop_on_windows

if __name__ == "__main__":
    stop_on_windows()
    from bot.app import main  # only now: on Windows its imports fail

    sys.exit(main())
