"""Which kept faces are edited together, and how strong each is: what the buttons under such a picture go on from.

A group has the number of the request that made it, which no other ever gets. It has no row of its own: it is its faces, of
one owner, and a face that is erased is gone from every group at once.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from core.errors import NoSuchStoredFace, StoreDamaged
from core.store.database import Database
from core.store.face import StoredFace
from core.store.faces import Faces
from core.store.owner import Owner
from core.store.part import Part
from core.store.vault import Vault


class Member(NamedTuple):
    """A face of a group, and the strength that it is shown at."""

    face: StoredFace
    strength: float


class Groups(Part):
    """Notes and finds groups, always through the owner of their faces."""

    def __init__(self, database: Database, vault: Vault, now: Callable[[], float], faces: Faces) -> None:
        super().__init__(database, vault, now)
        self._faces = faces

    def set(self, owner: Owner, group_id: int, strengths: Sequence[tuple[int, float]]) -> None:
        """Note the faces of a group in their order, each with its strength; what is not kept of this owner is left out."""
        mine = "select id from faces where id = :face and guild_id = :guild and member_id = :member"
        guild, member = owner.columns
        with self.database.writing() as db:
            for place, (face_id, strength) in enumerate(strengths):
                values = {"face": face_id, "group": group_id, "strength": strength, "place": place}
                if db.execute(mine, {**values, "guild": guild, "member": member}).fetchone():
                    db.execute("insert or replace into together values (:group, :face, :place, :strength)", values)

    def of(self, owner: Owner, group_id: int) -> list[Member]:
        """List a group's faces that are kept still. Raises NoSuchStoredFace where there is none, also for another's group."""
        sql = "select face_id, strength from together where group_id = ? order by place"
        found = []
        with self.database.reading() as db:
            for face_id, strength in db.execute(sql, [group_id]).fetchall():
                with contextlib.suppress(NoSuchStoredFace, StoreDamaged):
                    found.append(Member(self._faces.get(owner, face_id), strength))
        if not found:
            raise NoSuchStoredFace(face=group_id)
        return found

    def erase(self, owner: Owner, group_id: int) -> int:
        """Erase the faces of a group that were kept for it; how many there were."""
        guild, member = owner.columns
        sql = "delete from faces where guild_id = ? and member_id = ? and id in (select face_id from together where group_id = ?)"
        with self.database.erasing() as db:
            return int(db.execute(sql, [guild, member, group_id]).rowcount)

    def with_face(self, face_id: int) -> list[dict[str, Any]]:
        """List the groups that a face is in, with its strength in each: for the copy that a member gets."""
        with self.database.reading() as db:
            return list(db.query('select group_id as "group", strength from together where face_id = ?', [face_id]))
