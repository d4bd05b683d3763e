"""The settings of a server: one typed object, kept as JSON in one row, checked when written and when read."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

import sqlite_utils
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from core.errors import BadServerSetting
from core.languages import AUTO, names
from core.store.owner import Owner
from core.store.part import Part, to_json

HOUR = 3600.0

log = logging.getLogger(__name__)


def _spoken(language: str) -> str:
    if language != AUTO and language not in names():
        raise ValueError("egao does not speak that language")
    return language


Language = Annotated[str, Field(max_length=16), AfterValidator(_spoken)]  # by its name in core.languages
Ids = Annotated[tuple[Annotated[int, Field(gt=0)], ...], Field(max_length=100)]


class GuildSettings(BaseModel):
    """The settings of one server. The defaults apply where nothing was set, and in direct messages."""

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, extra="forbid")

    channels: Ids = ()  # where a photo gets a reply by itself; none until an admin opens one
    roles: Ids = ()  # that may use the bot; none: everyone
    auto_replies: bool = True
    whose_photos: Literal["own", "consented", "any"] = "own"  # the strictest, since faces are other people's too
    refused_face: Literal["photo", "face"] = "photo"  # what a refused face bars; by default the strictest again
    strength_max: float = Field(default=3.0, ge=0.5, le=5.0)  # beyond 3 hardly anything changes
    cooldown_seconds: int = Field(default=10, ge=0, le=3600)
    daily_quota: int = Field(default=50, ge=1, le=1000)  # edits per member in any 24 hours
    # Of the image worker, per member in any 10 minutes, for all kinds of work together: about 15 photos, or hundreds of pictures,
    # on a slow processor. It bounds what is no edit: other strengths, full sizes, looks at photos that come to nothing.
    work_seconds: int = Field(default=600, ge=30, le=3600)  # in ten minutes: who asks one thing after the other never meets it
    queue_share: int = Field(default=8, ge=1, le=100)  # requests of the whole server waiting at once
    longest_wait_seconds: int = Field(default=600, ge=30, le=3600)  # refused at the door beyond; a token lives 900 s
    retention_hours: int = Field(default=48, ge=1, le=720)
    spoiler: bool = False
    language: Language = AUTO  # each member's own
    generator: str = Field(default="", max_length=64)  # by its name; "": the deployment's
    report_channel: int | None = Field(default=None, gt=0)

    @property
    def alone(self) -> bool:
        """Whether a face that the checks refuse bars only itself, and not the whole photo."""
        return self.refused_face == "face"

    @classmethod
    def bounds(cls, name: str) -> tuple[float, float]:
        """Return the smallest and the largest value of a numeric setting."""
        schema = cls.model_json_schema()["properties"][name]
        return schema["minimum"], schema["maximum"]

    def changed(self, changes: Mapping[str, Any]) -> GuildSettings:
        """Return a copy with the changes, checked. Raises BadServerSetting with the first one that is invalid."""
        try:
            return GuildSettings.model_validate({**self.model_dump(), **changes})
        except ValidationError as error:
            first = error.errors()[0]
            raise BadServerSetting(name=str(first["loc"][0]), value=first["input"], reason=first["msg"]) from None


class Guilds(Part):
    """The settings of all servers."""

    def get(self, guild_id: int | None) -> GuildSettings:
        """Read a server's settings; the defaults for a server that set nothing, and for None (direct messages)."""
        if guild_id is None:
            return GuildSettings()
        with self.database.reading() as db:
            return _read(db, guild_id)

    def set(self, guild_id: int, **changes: Any) -> GuildSettings:
        """Change some settings, keep the rest, and return all. It applies from the next request on. Raises BadServerSetting.

        A changed retention also applies to what is kept already: a shorter promise counts for yesterday's faces too.
        """
        with self.database.writing() as db:
            before = _read(db, guild_id)
            after = before.changed(changes)
            row = {"guild_id": guild_id, "settings": to_json(after.model_dump()).decode(), "changed": self.now()}
            db.table("guilds").insert(row, pk="guild_id", replace=True)
            if after.retention_hours != before.retention_hours:
                span = after.retention_hours * HOUR
                db.execute("update faces set expires = created + ? where guild_id = ?", [span, guild_id])
                db.execute("update jobs set expires = min(expires, created + ?) where guild_id = ?", [span, guild_id])
        return after

    def note(self, guild_id: int) -> bool:
        """Note that the bot is in a server, without changing its settings. Returns whether that was unknown."""
        row = {"guild_id": guild_id, "settings": "{}", "changed": self.now()}
        with self.database.writing() as db:
            known = db.execute("select 1 from guilds where guild_id = ?", [guild_id]).fetchone()
            db.table("guilds").insert(row, pk="guild_id", ignore=True)
        return known is None

    def all(self) -> dict[int, GuildSettings]:
        """Read the settings of every known server, by its id."""
        with self.database.reading() as db:
            rows = list(db.query("select guild_id, settings from guilds"))
        return {row["guild_id"]: _parsed(row["settings"], row["guild_id"]) for row in rows}


def retention_seconds(db: sqlite_utils.Database, owner: Owner) -> float | None:
    """Return how many seconds data of this owner is kept; None for the command line's, which is kept until erased."""
    if owner.member_id is None:
        return None
    settings = GuildSettings() if owner.guild_id is None else _read(db, owner.guild_id)
    return settings.retention_hours * HOUR


def _read(db: sqlite_utils.Database, guild_id: int) -> GuildSettings:
    row = db.execute("select settings from guilds where guild_id = ?", [guild_id]).fetchone()
    return _parsed(row[0], guild_id) if row else GuildSettings()


def _parsed(text: str, guild_id: int) -> GuildSettings:
    """Parse kept settings. A value that this version doesn't accept becomes its default; the others stay."""
    kept = {name: value for name, value in json.loads(text).items() if name in GuildSettings.model_fields}
    try:
        return GuildSettings.model_validate(kept)
    except ValidationError as error:
        bad = {str(problem["loc"][0]) for problem in error.errors()}
        log.warning("server %d: stored settings not usable any more: %s", guild_id, ", ".join(sorted(bad)))
        return GuildSettings.model_validate({name: value for name, value in kept.items() if name not in bad})
