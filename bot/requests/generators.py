"""The face generators of this deployment: which one draws for a server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

from core.settings import Settings
from core.store import GuildSettings
from core.weights.installed import chosen, installed, offered


@dataclass(frozen=True)
class Generators:
    """The generators that were here when the bot started. A kept face belongs to one of them, by its digest."""

    usual: str  # digest of the deployment's own, which EGAO_GENERATOR names
    offered: Mapping[str, str] = field(default_factory=dict)  # name -> digest of those that a server may choose
    here: frozenset[str] = frozenset()  # digests of all that can draw
    name: str = ""  # of the usual one

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Look up what is installed. Raises NoSuchGenerator, WeightsMissing, WeightsCorrupt for the deployment's own."""
        usual, known = chosen(settings), installed(settings)
        here = frozenset(entry.digest for entry in known if entry.file.is_file())
        return cls(usual.digest, {entry.name: entry.digest for entry in offered(settings)}, here, usual.name)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the usual one and, after it, of those that a server may choose instead; () where there is no choice."""
        others = tuple(name for name in self.offered if name != self.name)
        return (self.name, *others) if others else ()

    def of_server(self, settings: GuildSettings) -> str:
        """Return the digest of the one that draws for a server: its admins' choice, or the usual one if that is not here."""
        return self.offered.get(settings.generator, self.usual)
