"""With millions of rows the store's chores stay quick: what they look for is found by an index, not by reading all."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from core.store import Owner, Store
from core.store.guilds import GuildSettings
from tests.core.store.kit import ALICE, SERVER, Clock, keep_face

LARGE = {"jobs", "uses", "faces"}
OWNER = Owner(SERVER, ALICE)


def scanned(store: Store, work: str, clock: Clock) -> list[str]:
    """The large tables that a piece of work reads from end to end, each with the statement that does.

    The index jobs_untold may be: it has the few requests whose members have no answer yet.
    """
    asked: list[str] = []
    with store.database.reading() as db:
        reader = db.conn
    for conn in (reader, store.database._writer.conn):
        conn.set_trace_callback(asked.append)
    jobs = store.jobs
    job = jobs.create(OWNER, "photo", b"request", limits=GuildSettings(), token="t", token_expires=clock() + 900)
    assert job is not None
    works: dict[str, Callable[[], object]] = {
        "expire": store.expire, "recover": jobs.recover, "refund": lambda: jobs.finish(job.id, "failed", refund=True),
    }  # fmt: skip
    works[work]()
    for conn in (reader, store.database._writer.conn):
        conn.set_trace_callback(None)
    assert len(asked) > 3
    found = []
    with store.database.reading() as db:
        for statement in (one for one in asked if re.match(r"\s*(select|update|delete|insert)", one, re.I)):
            plain = re.sub(r"\bInf\b", "9e999", statement)
            for *_, step in db.execute(f"explain query plan {plain}"):
                through = re.match(r"SCAN (\w+)(?! USING INDEX jobs_untold)\b", step)
                if through and through[1] in LARGE:
                    found.append(f"{step}: {statement}")
    return found


@pytest.mark.parametrize("work", ["expire", "recover", "refund"])
def test_no_chore_reads_a_large_table_through(store: Store, clock: Clock, work: str) -> None:
    keep_face(store, OWNER)
    assert scanned(store, work, clock) == []
