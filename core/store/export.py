"""Exports all that is kept of a member as zips: about.json, and for each face its picture and its latent."""

# ruff: noqa: S608 (statements are put together from this file's own words; values are always bound)
from __future__ import annotations

import contextlib
import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import sqlite_utils

from core.errors import NoSuchStoredFace, StoreDamaged
from core.store.erasure import PERSONAL
from core.store.face import StoredFace
from core.store.faces import Faces
from core.store.groups import Groups
from core.store.job import Job
from core.store.jobs import Jobs
from core.store.limits import Limits
from core.store.members import Members
from core.store.owner import Owner
from core.store.reports import Reports

_TIMES = {
    "created", "started", "finished", "last_used", "expires", "lease", "token_expires", "consent_at", "seen", "at",
}  # fmt: skip
_ROW = 300  # bytes, an upper bound of a zip's overhead for a file: its name twice, sizes, times
_PICTURES = ((b"\x89PNG", "png"), (b"\xff\xd8", "jpg"), (b"RIFF", "webp"))


@dataclass(frozen=True)
class _Entry:
    """A face or a request in the export: its part of about.json, under `section` of its place, and its files."""

    place: Owner
    section: str
    about: dict[str, Any]
    files: Mapping[str, bytes]


class _Archive:
    """One zip that is being written."""

    def __init__(self, about: dict[str, Any]) -> None:
        self._about = about  # of about.json, but the places
        self._places: dict[Owner, dict[str, Any]] = {}
        self._held = io.BytesIO()
        self._zip = zipfile.ZipFile(self._held, "w", zipfile.ZIP_DEFLATED)
        self._said = len(_json(about))

    def open(self, owner: Owner, about: dict[str, Any]) -> None:
        """Begin the part of about.json about a place (a server or direct messages)."""
        self._places[owner] = {"server": owner.guild_id, **about, "faces": [], "requests": []}
        self._said += len(_json(self._places[owner])) + _ROW

    def size_with(self, entry: _Entry) -> int:
        """Bound the size of the zip, in bytes, with one more entry, as if nothing could be compressed."""
        return self._held.tell() + self._said + len(_json(entry.about)) + sum(map(len, entry.files.values())) + self._rows(entry)

    def _rows(self, entry: _Entry) -> int:
        return _ROW * (len(self._zip.namelist()) + len(entry.files) + 2)

    @property
    def empty(self) -> bool:
        """Whether it has no entry yet."""
        return not any(place["faces"] or place["requests"] for place in self._places.values())

    def add(self, entry: _Entry) -> None:
        if entry.place not in self._places:
            self.open(entry.place, {})
        self._places[entry.place][entry.section].append(entry.about)
        self._said += len(_json(entry.about)) + 2
        for name, content in entry.files.items():
            self._zip.writestr(name, content)

    def close(self) -> bytes:
        """Finish the zip and return its bytes."""
        self._zip.writestr("about.json", _json({**self._about, "places": list(self._places.values())}))
        self._zip.close()
        return self._held.getvalue()


class Exporter:
    """Collects what every part of the store keeps of a member."""

    def __init__(self, faces: Faces, groups: Groups, jobs: Jobs, members: Members, limits: Limits, reports: Reports) -> None:
        self._faces, self._jobs, self._members, self._limits, self._reports = faces, jobs, members, limits, reports
        self._groups = groups
        self._database = faces.database

    def of_member(self, member_id: int, most: int) -> Iterator[bytes]:
        """Yield all that is kept of a member as zips of at most `most` bytes; none if nothing is kept.

        A larger entry has its own zip.

        Each zip is made when it is asked for, from one face or request after the other, so only one is in memory.
        """
        with self._database.reading() as db:
            places = self._places(db, member_id)
            known = db.execute("select 1 from members where member_id = ?", [member_id]).fetchone()
        if not places and not known:
            return
        made: dict[str, Any] = {"made": _time(self._faces.now()), "member": _plain(asdict(self._members.get(member_id)))}
        part = 1
        archive = _Archive({**made, "part": part})
        for owner in places:
            archive.open(owner, self._place(owner, member_id))
            for entry in self._entries(owner):
                if not archive.empty and archive.size_with(entry) > most:
                    yield archive.close()
                    part += 1
                    archive = _Archive({**made, "part": part})
                archive.add(entry)
        yield archive.close()

    def _place(self, owner: Owner, member_id: int) -> dict[str, Any]:
        return {
            "uses": [_time(at) for at in self._limits.times(owner)],
            "blocked": self._members.is_blocked(owner.guild_id, member_id),
            "reports": [_plain(asdict(report)) for report in self._reports.by(owner)],
        }

    def _entries(self, owner: Owner) -> Iterator[_Entry]:
        """Yield an owner's faces and requests one by one, without those erased meanwhile or damaged."""
        for number in self._faces.numbers(owner):
            with contextlib.suppress(NoSuchStoredFace, StoreDamaged):
                yield self._face(owner, self._faces.get(owner, number))
        for number in self._jobs.numbers(owner):
            if (job := self._jobs.get(number)) is not None:
                yield self._job(owner, job)

    def _face(self, owner: Owner, face: StoredFace) -> _Entry:
        files = {}
        with contextlib.suppress(StoreDamaged):
            picture = self._faces.thumbnail(owner, face.id)
            files[f"faces/{face.id}.{picture_ending(picture)}"] = picture
        with contextlib.suppress(StoreDamaged):
            files[f"faces/{face.id}.npz"] = self._faces.latent(owner, face.id)
        about = {**_plain(asdict(face)), "messages": self._faces.sources(face.id), "files": sorted(files)}
        about["together"] = self._groups.with_face(face.id)
        return _Entry(owner, "faces", about, files)

    def _job(self, owner: Owner, job: Job) -> _Entry:
        about = asdict(job)
        blobs = {name: about.pop(name) for name in ("request", "checkpoint")}
        files = {f"requests/{job.id}.{name}": blob for name, blob in blobs.items() if blob is not None}
        about["token"] = job.token is not None  # that there is one; it is a key to Discord, not data about the member
        return _Entry(owner, "requests", {**_plain(about), "files": sorted(files)}, files)

    def _places(self, db: sqlite_utils.Database, member_id: int) -> list[Owner]:
        """List every owner that this member is. Blocks and uses hold no id, so the servers that have any are tried."""
        member_tables = " union ".join(f"select guild_id from {table} where member_id = :member" for table in PERSONAL)
        others = "select guild_id from blocks union select guild_id from uses"
        sure = {row[0] for row in db.execute(member_tables, {"member": member_id})}
        maybe = {row[0] for row in db.execute(others)} - sure
        found = sorted(sure | {guild for guild in maybe if self._has_traces(guild, member_id)})
        return [Owner.of_columns(guild, member_id) for guild in found]

    def _has_traces(self, guild_id: int, member_id: int) -> bool:
        owner = Owner.of_columns(guild_id, member_id)
        return self._members.is_blocked(owner.guild_id, member_id) or bool(self._limits.times(owner))


def picture_ending(picture: bytes) -> str:
    """Choose the ending of a picture's file name by its first bytes: "png", "jpg", "webp" or "bin"."""
    return next((ending for start, ending in _PICTURES if picture.startswith(start)), "bin")


def _plain(about: dict[str, Any]) -> dict[str, Any]:
    about.pop("owner", None)
    return {name: _time(value) if name in _TIMES and value is not None else value for name, value in about.items()}


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def _json(about: Mapping[str, Any]) -> bytes:
    return json.dumps(about, ensure_ascii=False, indent=1).encode()
