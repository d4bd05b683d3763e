"""Remove from the environment of this Python what only egao's tests and measurements need: an image has no use for it."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import distribution, distributions

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name


def needed(root: str, *extras: str) -> set[str]:
    """Canonical names of a package and of all that it requires here, with these extras of its own alone."""
    found: set[tuple[str, str]] = set()
    waiting = [(root, extra) for extra in ("", *extras)]
    while waiting:
        one = waiting.pop()
        if one in found:
            continue
        found.add(one)
        name, extra = one
        for requirement in map(Requirement, distribution(name).requires or ()):
            if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
                waiting += [(canonicalize_name(requirement.name), wanted) for wanted in ("", *requirement.extras)]
    return {name for name, _ in found}


def main() -> None:
    """Uninstall the others, but for pip itself."""
    there = {canonicalize_name(one.metadata["Name"]) for one in distributions()}
    extras = ["cluster"] if "ray" in there else []
    others = sorted(there - needed("egao", *extras) - {"pip"})
    print(f"egao: leaving out {', '.join(others)}")
    subprocess.run([sys.executable, "-m", "pip", "uninstall", "--yes", "-qq", *others], check=True)
    subprocess.run([sys.executable, "-m", "pip", "check"], check=True)


if __name__ == "__main__":
    main()
