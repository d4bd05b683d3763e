"""A process that writes to the store until it is killed: `python -m tests.core.store.writer HOME [wait]`.

With "wait" it begins at the first line that it is told, the store being open.
It prints "job|face|done NUMBER GUILD MEMBER" when that must outlive anything; "forgetting GUILD MEMBER", "forgot …".
"""

# ruff: noqa: T201 (its output is its purpose)
from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from core.store import Owner, Store
from tests.core.store.kit import keep_face, settings_at


def main(home: Path, wait: bool) -> None:
    with Store.open(settings_at(home)) as store:
        print("ready", flush=True)
        if wait:
            sys.stdin.readline()
        for step in range(100_000):
            owner = Owner(1 + step % 3, 1 + step % 5)
            job = store.jobs.create(owner, "photo", b"request", once=f"{os.getpid()}:{time.time()}:{step}")
            assert job is not None
            print("job", job.id, *owner.columns, flush=True)
            store.jobs.claim(job.id)
            face = keep_face(store, owner, photo=f"{step % 20:064x}", job=job.id, source_message_id=step)
            print("face", face.id, *owner.columns, flush=True)
            if store.jobs.finish(job.id, told=True):
                print("done", job.id, *owner.columns, flush=True)
            time.sleep(0.005)  # SQLite lets whoever asks first have the lock: leave the others a gap
            if step % 7 == 6:
                print("forgetting", *owner.columns, flush=True)
                store.forget(owner)
                print("forgot", *owner.columns, flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), wait=sys.argv[2:] == ["wait"])
