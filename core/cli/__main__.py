"""`python -m core.cli`: the same as `egao`."""

from core.cli import main

if __name__ == "__main__":
    main()
