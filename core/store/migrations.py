"""The tables, in numbered migrations. One that has shipped is never edited: the next change is a new one.

Columns of type BLOB are encrypted (see `vault.py`) or keyed hashes. `SEALED` and `HASHED` list them all, because the rotation
of the key must rewrite every one. A test compares the lists with the schema.
"""

# ruff: noqa: S608 (statements are put together from this file's own words; values are always bound)
from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from typing import Any, Final

import sqlite_utils
from sqlite_utils import Migrations

from core.store import old_extras
from core.store.vault import Unopened, Vault

APPLICATION_ID: Final = 0x6567616F  # "egao", in the file's header: a file of another program is refused

SEALED: Final[dict[str, tuple[str, ...]]] = {
    "checks": ("value",),
    "faces": ("details", "latent", "thumbnail", "name", "extras"),
    "jobs": ("request", "token", "checkpoint"),
    "blocks": ("member",),
    "uses": ("member",),
    "reports": ("reason",),
}
# What of a row a sealed value belongs to besides its place: moved to another owner's row, it doesn't open.
BOUND: Final[dict[str, tuple[str, ...]]] = {
    "checks": (),
    "faces": ("guild_id", "member_id"),
    "jobs": ("guild_id", "member_id"),
    "blocks": ("guild_id",),
    "uses": ("guild_id",),
    "reports": ("guild_id", "member_id"),
}
HASHED: Final[dict[str, str]] = {"faces": "photo", "blocks": "who", "uses": "who"}
HASHED_FROM: Final[dict[str, str]] = {"faces": "details", "blocks": "member", "uses": "member"}  # the sealed value hashed

steps: Final = Migrations("egao")


@steps(name="001 checks")
def _checks(db: sqlite_utils.Database) -> None:
    db.execute(f"pragma application_id = {APPLICATION_ID}")
    # One sealed word that only the right key opens: a wrong key is noticed at once and not at the first face.
    db.execute("create table checks (id integer primary key, value blob not null)")


@steps(name="002 faces")
def _faces(db: sqlite_utils.Database) -> None:
    # autoincrement, here and below: the number of an erased row is never given again, so an old button
    # can't point at a newer face.
    db.execute("""
        create table faces (
            id integer primary key autoincrement,
            guild_id integer not null, member_id integer not null,
            photo blob not null, face integer not null, generator text not null, method text not null,
            details blob not null, latent blob not null, thumbnail blob not null, name blob, extras blob,
            channel_id integer, message_id integer,
            created real not null, chosen real not null, last_used real not null, expires real,
            unique (guild_id, member_id, photo, face, generator, method)
        )""")
    db.execute("create index faces_expires on faces (expires) where expires is not null")
    db.execute("""
        create table sources (
            face_id integer not null references faces (id) on delete cascade,
            message_id integer not null, channel_id integer,
            primary key (face_id, message_id)
        ) without rowid""")
    db.execute("create index sources_message on sources (message_id)")


@steps(name="003 jobs")
def _jobs(db: sqlite_utils.Database) -> None:
    db.execute("""
        create table jobs (
            id integer primary key autoincrement,
            guild_id integer not null, member_id integer not null, kind text not null,
            state text not null check (state in ('queued', 'running', 'done', 'failed', 'cancelled')),
            once text unique, request blob, checkpoint blob,
            attempts integer not null, max_attempts integer not null, holder text, lease real,
            token blob, token_expires real,
            channel_id integer, message_id integer, source_message_id integer,
            created real not null, started real, finished real, expires real not null,
            error text, told integer not null
        )""")
    db.execute("create index jobs_state on jobs (state)")
    db.execute("create index jobs_owner on jobs (guild_id, member_id)")
    db.execute("create index jobs_source on jobs (source_message_id) where source_message_id is not null")


@steps(name="004 people")
def _people(db: sqlite_utils.Database) -> None:
    db.execute("""
        create table members (
            member_id integer primary key, consent_version integer, consent_at real, consent_locale text,
            locale text, visibility text check (visibility in ('public', 'private')), seen real not null
        )""")
    # Blocks and counted uses outlive an erasure (else erasing oneself would lift them), so they hold no plain id.
    db.execute("""
        create table blocks (
            id integer primary key autoincrement, guild_id integer not null,
            who blob not null unique, member blob not null, at real not null
        )""")
    db.execute("""
        create table uses (
            id integer primary key autoincrement, guild_id integer not null,
            who blob not null, member blob not null, at real not null, job_id integer
        )""")
    db.execute("create index uses_who on uses (who, at)")


@steps(name="005 servers")
def _servers(db: sqlite_utils.Database) -> None:
    db.execute("create table guilds (guild_id integer primary key, settings text not null, changed real not null)")
    db.execute("""
        create table reports (
            id integer primary key autoincrement, guild_id integer not null, member_id integer not null,
            channel_id integer, message_id integer, reason blob not null, created real not null
        )""")
    db.execute("create index reports_guild on reports (guild_id)")


@steps(name="006 directions")
def _directions(db: sqlite_utils.Database) -> None:
    db.execute("""
        create table directions (
            name text not null, generator text not null, sha256 text not null,
            provenance text not null, fitted_at real not null,
            primary key (name, generator)
        )""")


@steps(name="007 one key for a method")
def _methods(db: sqlite_utils.Database) -> None:
    # A method's own number of steps is not part of its key, and what the bot called "default" has a name.
    db.execute("update or replace faces set method = 'fast' where method = 'default'")
    db.execute("update or replace faces set method = substr(method, 1, length(method) - 8) where method like '%/default'")


@steps(name="008 kinds without an expression's name")
def _kinds(db: sqlite_utils.Database) -> None:
    db.execute("update jobs set kind = 'edit' where kind = 'smile'")


@steps(name="010 what nothing uses")
def _unused(db: sqlite_utils.Database) -> None:
    """Drop a table of directions and a column for a language, which no version ever wrote."""
    db.execute("drop table directions")
    db.execute("alter table members drop column locale")


@steps(name="011 facts of errors")
def _error_facts(db: sqlite_utils.Database) -> None:
    """Add the facts of the error that ended a job, as JSON beside its code, to make its sentence again."""
    db.execute("alter table jobs add column facts text")


@steps(name="013 authors of photos")
def _authors(db: sqlite_utils.Database) -> None:
    """Add who posted the photo, if that is not who asked; unknown for older rows."""
    db.execute("alter table sources add column author_id integer")
    db.execute("alter table jobs add column author_id integer")
    db.execute("create index sources_author on sources (author_id) where author_id is not null")
    db.execute("create index jobs_author on jobs (author_id) where author_id is not null")


@steps(name="014 whose answer a message is")
def _answers(db: sqlite_utils.Database) -> None:
    """Add indexes for the messages that show results: each press of a button looks for one, and rows of faces are long."""
    for table in ("faces", "jobs"):
        db.execute(f"create index {table}_message on {table} (message_id, guild_id, member_id) where message_id is not null")


@steps(name="015 faces edited together")
def _together(db: sqlite_utils.Database) -> None:
    """Add the groups: the number of the request that made it, its faces in their order, the strength of each."""
    db.execute("""
        create table together (
            group_id integer not null, face_id integer not null references faces (id) on delete cascade,
            place integer not null, strength real not null,
            primary key (group_id, face_id)
        ) without rowid""")
    db.execute("create index together_face on together (face_id)")


@steps(name="016 times that are looked for")
def _times(db: sqlite_utils.Database) -> None:
    """Add indexes for what the chores look for every minute or five, while nobody else can write.

    Without them each reads every request of the last day, and of each kept face all the pages that its pictures fill.
    """
    for table, column in (("jobs", "created"), ("jobs", "started"), ("jobs", "finished"), ("uses", "at"), ("uses", "job_id")):
        db.execute(f"create index {table}_{column} on {table} ({column})")
    for column in ("created", "last_used"):
        db.execute(f"create index faces_{column} on faces ({column})")
    db.execute("create index jobs_open on jobs (expires) where finished is null")
    db.execute("create index jobs_untold on jobs (id) where told = 0")
    db.execute("create index jobs_asked on jobs (expires) where request is not null")
    db.execute("create index jobs_token on jobs (token_expires) where token is not null")


def sealed_steps(vault: Vault | None) -> Migrations:
    """Collect the migrations that rewrite encrypted values. They are applied once the key is known, after all others.

    A value that can't be decrypted is left as it is, so that only its row is lost. With None for `vault` they can only be
    named.
    """
    later = Migrations("egao")

    @later(name="009 one shape of what is learned")
    def _learned(db: sqlite_utils.Database) -> None:
        assert vault is not None
        for number, extras in db.execute("select id, extras from faces where extras is not null").fetchall():
            where = f"faces.extras:{number}"
            with contextlib.suppress(Unopened):
                plain = old_extras.as_learned(json.loads(vault.open(extras, where)))
                db.table("faces").update(number, {"extras": vault.seal(json.dumps(plain).encode(), where)})

    @later(name="012 values bound to their owner")
    def _bound(db: sqlite_utils.Database) -> None:
        assert vault is not None
        for table, columns in SEALED.items():
            for (number,) in db.execute(f"select id from {table}").fetchall() if BOUND[table] else ():
                row = next(iter(db.query(f"select * from {table} where id = ?", [number])))
                for column in columns:
                    if row[column] is None:
                        continue
                    with contextlib.suppress(Unopened):
                        plain = vault.open(row[column], f"{table}.{column}:{number}")
                        db.table(table).update(number, {column: vault.seal(plain, place(table, column, row))})

    return later


def apply_sealed(db: sqlite_utils.Database, vault: Vault) -> None:
    """Apply those migrations of encrypted values that are due."""
    later = sealed_steps(vault)
    if later.pending(db):
        later.apply(db)


def place(table: str, column: str, row: Mapping[str, Any]) -> str:
    """Describe where an encrypted value is and whose it is: the text it is bound to (see `vault.py`)."""
    return ":".join((f"{table}.{column}", str(row["id"]), *(str(row[name]) for name in BOUND[table])))


def names() -> list[str]:
    """List the names of all migrations that this version knows."""
    with sqlite_utils.Database(memory=True) as nothing:
        return [step.name for known in (steps, sealed_steps(None)) for step in known.pending(nothing)]
