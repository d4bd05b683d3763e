"""Tells as JSON what can be erased on a full disk: `python -m tests.core.store.full_disk HOME with|without` (the reserve).

HOME must be a small disk of its own.
"""

# ruff: noqa: T201 (its output is its purpose)
from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

from core.errors import StoreUnwritable
from core.store import Owner, Store
from tests.core.store.kit import ALICE, BOB, SERVER, keep_face, settings_at

HERE, THERE = Owner(SERVER, ALICE), Owner(SERVER, BOB)


def main(home: Path, *, reserve: bool) -> None:
    with Store.open(settings_at(home)) as store:
        for number in range(4):
            keep_face(store, HERE, photo=f"{number:064x}", latent=os.urandom(500_000))
        keep_face(store, THERE, latent=os.urandom(20_000_000))  # so the file can't be rewritten within the reserve
        store.database.scrub(vacuum=False)
        if reserve:
            store.alone()
        told: dict[str, object] = {"room": _reserve(home)}
        _fill(home / "others")
        told["kept"] = _tried(lambda: keep_face(store, THERE, photo="cd" * 32, latent=os.urandom(2_000_000)))
        told["erased"] = _tried(lambda: store.forget(HERE))
        told |= {"room after": _reserve(home), "in WAL": (home / "egao.sqlite3-wal").stat().st_size}
        told["expired"] = _tried(store.expire)
        told |= {"left": len(store.faces.of(HERE)), "others": len(store.faces.of(THERE))}
    _fill(home / "more")
    told["opened"] = _tried(lambda: Store.open(settings_at(home)).close())
    for name in ("others", "more"):
        (home / name).unlink()
    with Store.open(settings_at(home)) as store:
        told["scrubbed"] = store.database.scrub(vacuum=True)
        told["problems"] = store.integrity()
        print(json.dumps(told))


def _tried(work: Callable[[], object]) -> str:
    try:
        work()
    except StoreUnwritable:
        return "refused"
    return "done"


def _fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        for size in (2**16, 1):
            try:
                while file.write(bytes(size)) == size:
                    pass
            except OSError:
                pass


def _reserve(home: Path) -> int:
    path = home / "erasures.reserve"
    return path.stat().st_size if path.exists() else 0


if __name__ == "__main__":
    main(Path(sys.argv[1]), reserve=sys.argv[2] == "with")
