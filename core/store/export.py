"""All that is kept of a member, as a zip: about.json, and per face its picture and its latent."""

# ruff: noqa: S608 (statements are put together from this file's own words; values are always bound)
from __future__ import annotations

import contextlib
import io
import json
import zipfile
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import sqlite_utils

from core.errors import StoreDamaged
from core.store.erasure import PERSONAL
from core.store.faces import Faces, StoredFace
from core.store.job import Job
from core.store.jobs import Jobs
from core.store.limits import Limits
from core.store.members import Members
from core.store.owner import Owner
from core.store.reports import Reports

_TIMES = {
    "created", "started", "finished", "last_used", "expires", "lease", "token_expires", "consent_at", "seen", "at",
}  # fmt: skip
_PICTURES = ((b"\x89PNG", "png"), (b"\xff\xd8", "jpg"), (b"RIFF", "webp"))


class Exporter:
    """Gathers from every part of the store."""

    def __init__(self, faces: Faces, jobs: Jobs, members: Members, limits: Limits, reports: Reports) -> None:
        self._faces, self._jobs, self._members, self._limits, self._reports = faces, jobs, members, limits, reports
        self._database = faces.database

    def of_owner(self, owner: Owner) -> bytes:
        """What is kept of a member in one server, in direct messages, or of the command line."""
        return self._zipped(owner.member_id, [owner])

    def of_member(self, member_id: int) -> bytes | None:
        """What is kept of a member everywhere; None if that is nothing."""
        with self._database.reading() as db:
            places = self._places(db, member_id)
            known = db.execute("select 1 from members where member_id = ?", [member_id]).fetchone()
        return self._zipped(member_id, places) if places or known else None

    def _zipped(self, member_id: int | None, owners: list[Owner]) -> bytes:
        held = io.BytesIO()
        with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
            about: dict[str, Any] = {"made": _time(self._faces.now()), "places": []}
            if member_id is not None:
                about["member"] = _plain(asdict(self._members.get(member_id)))
            for owner in owners:
                about["places"].append(self._place(owner, archive))
            archive.writestr("about.json", json.dumps(about, ensure_ascii=False, indent=1))
        return held.getvalue()

    def _place(self, owner: Owner, archive: zipfile.ZipFile) -> dict[str, Any]:
        place: dict[str, Any] = {"server": owner.guild_id}
        place["faces"] = [self._face(owner, face, archive) for face in self._faces.of(owner)]
        place["requests"] = [self._job(job, archive) for job in self._jobs.kept(owner)]
        if owner.member_id is not None:
            place["uses"] = [_time(at) for at in self._limits.times(owner)]
            place["blocked"] = self._members.is_blocked(owner.guild_id, owner.member_id)
            place["reports"] = [_plain(asdict(report)) for report in self._reports.by(owner)]
        return place

    def _face(self, owner: Owner, face: StoredFace, archive: zipfile.ZipFile) -> dict[str, Any]:
        files = {}
        with contextlib.suppress(StoreDamaged):
            picture = self._faces.thumbnail(owner, face.id)
            files[f"faces/{face.id}.{picture_ending(picture)}"] = picture
        with contextlib.suppress(StoreDamaged):
            files[f"faces/{face.id}.npz"] = self._faces.latent(owner, face.id)
        for name, content in files.items():
            archive.writestr(name, content)
        return {**_plain(asdict(face)), "messages": self._faces.sources(face.id), "files": sorted(files)}

    def _job(self, job: Job, archive: zipfile.ZipFile) -> dict[str, Any]:
        about = asdict(job)
        blobs = {name: about.pop(name) for name in ("request", "checkpoint")}
        files = {f"requests/{job.id}.{name}": blob for name, blob in blobs.items() if blob is not None}
        for name, blob in files.items():
            archive.writestr(name, blob)
        about["token"] = job.token is not None  # that there is one; it is a key to Discord, not data about the member
        return {**_plain(about), "files": sorted(files)}

    def _places(self, db: sqlite_utils.Database, member_id: int) -> list[Owner]:
        """Every owner that this member is. Blocks and uses hold no id: the servers that have any are tried."""
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
    """What the name of a kept picture's file ends in."""
    return next((ending for start, ending in _PICTURES if picture.startswith(start)), "bin")


def _plain(about: dict[str, Any]) -> dict[str, Any]:
    about.pop("owner", None)
    return {name: _time(value) if name in _TIMES and value is not None else value for name, value in about.items()}


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
