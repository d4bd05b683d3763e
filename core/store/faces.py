"""Faces: a latent, a small picture and where the photo is. They are only reached through their owner.

All that derives from a face is encrypted. The photo's hash is kept as a keyed hash of owner and photo, so that equal photos
of two people leave no equal rows. An expired face can't be read any more, even before the next sweep erases it.
"""

# ruff: noqa: S608 (statements are put together from this file's own words; values are always bound)
from __future__ import annotations

import contextlib
import json
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

import sqlite_utils

from core.errors import JobCancelled, NoSuchStoredFace, StoreDamaged
from core.learned import NOTHING, Learned
from core.store.database import next_id
from core.store.face import FaceAndLatent, FaceCount, PhotoPlace, StoredFace
from core.store.guilds import retention_seconds
from core.store.owner import Owner
from core.store.part import Part, in_row, photo_index, to_json

log = logging.getLogger(__name__)

_OWNED = "guild_id = :guild and member_id = :member and (expires is null or expires > :now)"
_ABOUT = (
    "id, guild_id, member_id, face, generator, method, details, name, extras, channel_id, message_id, created, last_used, expires"
)
TYPED = 10**9  # ids of the command line's faces are below, ids of members' faces, which follow the time, above
MOMENT: Final = 60.0  # seconds to which it is known when a face was last used
_PLAIN = ("id", "face", "generator", "method", "channel_id", "message_id", "created", "last_used", "expires")


class Faces(Part):
    """The kept faces: adds, finds and erases them."""

    def add(
        self,
        owner: Owner,
        *,
        photo_sha256: str,
        face: int,
        box: Sequence[float],
        quad: Sequence[Sequence[float]],
        latent: bytes,
        thumbnail: bytes,
        generator: str,
        method: str,
        source_message_id: int | None = None,
        source_channel_id: int | None = None,
        source: PhotoPlace | None = None,
        learned: Learned = NOTHING,
        job: int | None = None,
    ) -> StoredFace:
        """Keep a face. If photo, face, generator and method are those of a kept face, it replaces that one under its id.

        `latent` is an .npz file, `thumbnail` an encoded picture; the message of its `source` is noted. With `job`,
        JobCancelled is raised unless that job is still running: what was erased during the work must not come back.
        """
        details = {"photo": photo_sha256, "box": list(map(float, box)), "quad": [list(map(float, corner)) for corner in quad]}
        plain = {"details": to_json(details), "latent": latent, "thumbnail": thumbnail}
        key = self._key(owner, photo_sha256, face, generator, method)
        with self.database.writing() as db:
            _check_running(db, owner, job)
            # One that has run out, but was not swept yet, must not lend its number and name to the new one.
            db.execute("delete from faces where photo = ? and expires <= ?", [key["photo"], self.now()])
            known = self._numbers(db, owner, key)
            number = known[0] if known else self._next(db, owner)
            guild, member = owner.columns
            row = {"id": number, "guild_id": guild, "member_id": member, **key, **self._fresh(db, owner)}
            row |= {column: self._seal(value, "faces", column, row) for column, value in plain.items()}
            row["extras"] = self._known(row, source, learned)
            db.table("faces").upsert(row, pk="id")
            _add_source(db, owner, number, source_message_id, source_channel_id)
            if source is not None:
                _add_source(db, owner, number, source.message_id, source.channel_id, source.author_id)
            return self._one(db, owner, number)

    def find(self, owner: Owner, photo_sha256: str, face: int, *, generator: str, method: str) -> StoredFace | None:
        """Find the kept face of this very photo, so that it need not be projected again; None if none is kept."""
        key = self._key(owner, photo_sha256, face, generator, method)
        with self.database.reading() as db:
            known = self._numbers(db, owner, key)
            return next(self._readable(db, owner, known), None)

    def get(self, owner: Owner, face_id: int) -> StoredFace:
        """Read one face of the owner's. Raises NoSuchStoredFace, also for somebody else's face."""
        with self.database.reading() as db:
            return self._one(db, owner, face_id)

    def of(self, owner: Owner) -> list[StoredFace]:
        """List all faces of the owner, the one last given or picked first."""
        return self._select(owner, "order by chosen desc, id desc")

    def numbers(self, owner: Owner) -> list[int]:
        """List the ids of all faces of the owner."""
        with self.database.reading() as db:
            return [row[0] for row in db.execute(f"select id from faces where {_OWNED} order by id", self._who(owner))]

    def latent(self, owner: Owner, face_id: int) -> bytes:
        """Read the .npz file of a face. Raises NoSuchStoredFace."""
        return self._blob(owner, face_id, "latent")

    def thumbnail(self, owner: Owner, face_id: int) -> bytes:
        """Read the encoded small picture of a face. Raises NoSuchStoredFace."""
        return self._blob(owner, face_id, "thumbnail")

    def given_again(
        self, owner: Owner, photo_sha256: str, face: int, source: PhotoPlace, *, generator: str, method: str
    ) -> FaceAndLatent | None:
        """Restart a face's time because its photo was given again, now at `source`; it becomes the first of its owner's.

        The message is noted too: deleting either erases the face. None if the face is not kept.
        """
        key = self._key(owner, photo_sha256, face, generator, method)
        with self.database.writing() as db:
            known = next(self._readable(db, owner, self._numbers(db, owner, key)), None)
            if known is None:
                return None
            extras = self._known(in_row(owner, known.id), source, known.learned)
            db.table("faces").update(known.id, {"extras": extras, **self._fresh(db, owner)})
            _add_source(db, owner, known.id, source.message_id, source.channel_id, source.author_id)
            return self._with_latent(db, owner, known.id)

    def with_latent(self, owner: Owner, face_id: int) -> FaceAndLatent:
        """Read a face and its latent. Raises NoSuchStoredFace."""
        with self.database.reading() as db:
            return self._with_latent(db, owner, face_id)

    def pick(self, owner: Owner, face_id: int) -> StoredFace:
        """Make a face the first of its owner's, without changing how long it is kept. Raises NoSuchStoredFace."""
        with self.database.writing() as db:
            self._update(db, owner, face_id, {"chosen": self._after_all(db, owner)})
            return self._one(db, owner, face_id)

    def touch(self, owner: Owner, face_id: int) -> None:
        """Note, to MOMENT, that a picture was made of the face. Raises NoSuchStoredFace.

        The time at which it runs out stays: buttons must not keep it.
        """
        sql = f"select last_used from faces where {_OWNED} and id = :id"
        with self.database.reading() as db:
            row = db.execute(sql, {**self._who(owner), "id": face_id}).fetchone()
        if row is None:
            raise NoSuchStoredFace(face=face_id)
        if not 0 <= self.now() - row[0] < MOMENT:  # a write costs a sync of the disk
            self._change(owner, face_id, {"last_used": self.now()})

    def place(self, owner: Owner, face_id: int, channel_id: int | None, message_id: int | None) -> None:
        """Note the message that shows a face's result."""
        self._change(owner, face_id, {"channel_id": channel_id, "message_id": message_id})

    def rename(self, owner: Owner, face_id: int, name: str | None) -> None:
        """Give it a name that only its owner sees, or (None) remove the name. Raises NoSuchStoredFace."""
        sealed = None if name is None else self._seal(name.encode(), "faces", "name", in_row(owner, face_id))
        self._change(owner, face_id, {"name": sealed})

    def note(self, owner: Owner, face_id: int, learned: Learned) -> StoredFace:
        """Replace what was learned of the face, and return the changed face. Raises NoSuchStoredFace."""
        with self.database.writing() as db:
            source = self._one(db, owner, face_id).source
            db.table("faces").update(face_id, {"extras": self._known(in_row(owner, face_id), source, learned)})
            return self._one(db, owner, face_id)

    def refit(
        self, owner: Owner, face_id: int, *, latent: bytes, generator: str, method: str, learned: Learned, job: int | None = None
    ) -> FaceAndLatent:
        """Replace a face's latent by one of another generator, and all that was learned of the face with the old one.

        Its number, name, picture and time stay. If this photo's face is kept for that generator already, that one is returned
        and nothing is changed. Raises NoSuchStoredFace, and JobCancelled as `add` does.
        """
        with self.database.writing() as db:
            _check_running(db, owner, job)
            face = self._one(db, owner, face_id)
            key = self._key(owner, face.photo_sha256, face.face, generator, method)
            for known in self._numbers(db, owner, key):
                return self._with_latent(db, owner, known)
            row = in_row(owner, face_id)
            sealed = {"latent": self._seal(latent, "faces", "latent", row), "extras": self._known(row, face.source, learned)}
            db.table("faces").update(face_id, {"generator": generator, "method": method, **sealed})
            return self._with_latent(db, owner, face_id)

    def delete(self, owner: Owner, face_id: int) -> None:
        """Erase one face, from the file too. Raises NoSuchStoredFace."""
        with self.database.erasing() as db:
            self._check_there(db, owner, face_id)
            db.table("faces").delete(face_id)

    def of_message(self, message_id: int) -> list[StoredFace]:
        """List the faces of all owners whose photo was in a message."""
        sql = f"select {_ABOUT} from faces where id in (select face_id from sources where message_id = ?)"
        with self.database.reading() as db:
            return self._opened(db.query(sql, [message_id]))

    def sources(self, face_id: int) -> list[int]:
        """List the ids of the messages in which a face's photo was given."""
        with self.database.reading() as db:
            return [row[0] for row in db.execute("select message_id from sources where face_id = ?", [face_id])]

    def authors(self, owner: Owner, face_id: int) -> set[int]:
        """List the ids of members other than the owner who posted the photo of this face."""
        sql = f"select author_id from sources join faces on faces.id = face_id where {_OWNED} and face_id = :id and author_id > 0"
        with self.database.reading() as db:
            return {row[0] for row in db.execute(sql, {**self._who(owner), "id": face_id})}

    def count(self, guild_id: int | None = None) -> FaceCount:
        """Count the faces and members of a server, or (None) of all."""
        where = "" if guild_id is None else "and guild_id = :guild"
        sql = "select count(*), count(distinct member_id) from faces where (expires is null or expires > :now)"
        with self.database.reading() as db:
            return FaceCount(*db.execute(f"{sql} {where}", {"guild": guild_id, "now": self.now()}).fetchone())

    def _key(self, owner: Owner, photo_sha256: str, face: int, generator: str, method: str) -> dict[str, Any]:
        photo = photo_index(self.vault, owner, photo_sha256)
        return {"photo": photo, "face": face, "generator": generator, "method": method}

    def _next(self, db: sqlite_utils.Database, owner: Owner) -> int:
        """Choose the id of a new face. Those of the command line, which people type, are small."""
        if owner.member_id is not None:
            return next_id(db, "faces", self.now())
        return int(db.execute("select coalesce(max(id), 0) + 1 from faces where id < ?", [TYPED]).fetchone()[0])

    def _who(self, owner: Owner) -> dict[str, Any]:
        guild, member = owner.columns
        return {"guild": guild, "member": member, "now": self.now()}

    def _numbers(self, db: sqlite_utils.Database, owner: Owner, key: Mapping[str, Any]) -> list[int]:
        same = " and ".join(f"{column} = :{column}" for column in key)
        rows = db.execute(f"select id from faces where {_OWNED} and {same}", {**self._who(owner), **key})
        return [row[0] for row in rows]

    def _with_latent(self, db: sqlite_utils.Database, owner: Owner, face_id: int) -> FaceAndLatent:
        face = self._one(db, owner, face_id)
        sealed = db.execute("select latent from faces where id = ?", [face_id]).fetchone()[0]
        return FaceAndLatent(face, self._open(sealed, "faces", "latent", in_row(owner, face_id)))

    def _select(self, owner: Owner, rest: str, more: Mapping[str, Any] | None = None) -> list[StoredFace]:
        with self.database.reading() as db:
            rows = list(db.query(f"select {_ABOUT} from faces where {_OWNED} {rest}", {**self._who(owner), **(more or {})}))
        return self._opened(rows)

    def _opened(self, rows: Iterable[Mapping[str, Any]]) -> list[StoredFace]:
        """Decrypt the faces of these rows, leaving out damaged ones, which can only be erased."""
        faces = []
        for row in rows:
            try:
                faces.append(self._face(row))
            except StoreDamaged as error:
                log.error("face %d is left out: %s", row["id"], error)
        return faces

    def _readable(self, db: sqlite_utils.Database, owner: Owner, numbers: Iterable[int]) -> Iterator[StoredFace]:
        """Yield the undamaged faces: a damaged one doesn't prevent its photo from being projected again."""
        for number in numbers:
            with contextlib.suppress(StoreDamaged):
                self._with_latent(db, owner, number)
                yield self._one(db, owner, number)

    def _check_there(self, db: sqlite_utils.Database, owner: Owner, face_id: int) -> None:
        sql = f"select 1 from faces where {_OWNED} and id = :id"
        if db.execute(sql, {**self._who(owner), "id": face_id}).fetchone() is None:
            raise NoSuchStoredFace(face=face_id)

    def _one(self, db: sqlite_utils.Database, owner: Owner, face_id: int) -> StoredFace:
        """Read a face of the owner. Raises NoSuchStoredFace."""
        sql = f"select {_ABOUT} from faces where {_OWNED} and id = :id"
        for row in db.query(sql, {**self._who(owner), "id": face_id}):
            return self._face(row)
        raise NoSuchStoredFace(face=face_id)

    def _blob(self, owner: Owner, face_id: int, column: str) -> bytes:
        """Read and decrypt a column of a face of the owner. Raises NoSuchStoredFace, StoreDamaged."""
        sql = f"select {column} from faces where {_OWNED} and id = :id"
        with self.database.reading() as db:
            row = db.execute(sql, {**self._who(owner), "id": face_id}).fetchone()
        if row is None:
            raise NoSuchStoredFace(face=face_id)
        return self._open(row[0], "faces", column, in_row(owner, face_id))

    def _change(self, owner: Owner, face_id: int, changes: Mapping[str, Any]) -> None:
        with self.database.writing() as db:
            self._update(db, owner, face_id, changes)

    def _update(self, db: sqlite_utils.Database, owner: Owner, face_id: int, changes: Mapping[str, Any]) -> None:
        self._check_there(db, owner, face_id)
        db.table("faces").update(face_id, dict(changes))

    def _fresh(self, db: sqlite_utils.Database, owner: Owner) -> dict[str, float | None]:
        now, span = self.now(), retention_seconds(db, owner)
        expires = None if span is None else now + span
        return {"created": now, "last_used": now, "expires": expires, "chosen": self._after_all(db, owner)}

    def _after_all(self, db: sqlite_utils.Database, owner: Owner) -> float:
        """Choose a value of `chosen` larger than all others of the owner, even if the clock was set back."""
        sql = f"select coalesce(max(chosen), 0) from faces where {_OWNED}"
        last: float = db.execute(sql, self._who(owner)).fetchone()[0]
        return max(self.now(), last + 0.001)

    def _known(self, row: Mapping[str, Any], source: PhotoPlace | None, learned: Learned) -> bytes | None:
        """Encrypt the column `extras`: the photo's place and what was learned; None if there is neither."""
        if source is None and learned == NOTHING:
            return None
        packed = {"photo": None if source is None else asdict(source), **learned.dump()}
        return self._seal(to_json(packed), "faces", "extras", row)

    def _face(self, row: Mapping[str, Any]) -> StoredFace:
        plain = {
            column: None if row[column] is None else self._open(row[column], "faces", column, row)
            for column in ("details", "extras")
        }
        name = None
        with contextlib.suppress(StoreDamaged):  # its name is not worth a face
            name = None if row["name"] is None else self._open(row["name"], "faces", "name", row).decode()
        details = json.loads(plain["details"] or b"")
        return StoredFace(
            owner=Owner.of_columns(row["guild_id"], row["member_id"]),
            box=tuple(details["box"]),
            quad=tuple((x, y) for x, y in details["quad"]),
            name=name,
            **_unpacked(plain["extras"]),
            photo_sha256=details["photo"],
            **{column: row[column] for column in _PLAIN},
        )


def _unpacked(extras: bytes | None) -> dict[str, Any]:
    """Convert the content of `extras` to fields of a StoredFace."""
    if extras is None:
        return {"source": None, "learned": NOTHING}
    data = json.loads(extras)
    source = None if data["photo"] is None else PhotoPlace(**data["photo"])
    return {"source": source, "learned": Learned.load(data)}


def _check_running(db: sqlite_utils.Database, owner: Owner, job: int | None) -> None:
    sql = "select 1 from jobs where id = ? and state = 'running' and guild_id = ? and member_id = ?"
    if job is not None and db.execute(sql, [job, *owner.columns]).fetchone() is None:
        raise JobCancelled


def _add_source(
    db: sqlite_utils.Database,
    owner: Owner,
    face_id: int,
    message_id: int | None,
    channel_id: int | None,
    author_id: int | None = None,
) -> None:
    """Note a message that the photo was in. `author_id` is noted unless it is the face's owner."""
    if message_id is not None:
        other = None if author_id == owner.member_id else author_id
        known = "on conflict do update set author_id = coalesce(excluded.author_id, author_id)"
        sql = f"insert into sources (face_id, message_id, channel_id, author_id) values (?, ?, ?, ?) {known}"
        db.execute(sql, [face_id, message_id, channel_id, other])
