"""The settings, as one typed object. Nothing is read at import; tests pass their own mapping.

    settings = Settings.load()                      # the process's environment and .env
    settings = Settings.load({"EGAO_HOME": "/x"})   # exactly this, nothing else

The token and the key may also be files of those names in the folder that CREDENTIALS_DIRECTORY names, as systemd's
LoadCredential makes it. A variable of the environment takes precedence over such a file. `.env.example` lists every
field, which a test checks.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, Self

from dotenv import dotenv_values
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator

from core.errors import BadSetting

PREFIX = "EGAO_"
SECRETS = ("DISCORD_TOKEN", "EGAO_KEY")
OPERATORS = {
    "EGAO_HOME",
    "EGAO_CACHE",
    "EGAO_CDN_HOSTS",
    "EGAO_HTTP_HOST",
    "EGAO_PLURALKIT",
}  # where files are, and who is talked to
log = logging.getLogger(__name__)


def _default_home() -> Path:
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share") / "egao"


def _default_cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "egao"


class Settings(BaseModel):
    """All settings. Field `x` is read from `EGAO_X`; only the token keeps Discord's usual name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    home: Path = Field(default_factory=_default_home, description="the database and the key live here")
    cache: Path = Field(default_factory=_default_cache, description="downloaded weights")
    generator: str = Field("mobilestylegan-ffhq", description="the face generator; `egao models list` shows those that are here")
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="where the networks run; auto takes a GPU if there is one")
    threads: int = Field(
        0, ge=0, description="CPU threads per worker; 0 keeps torch's own default, a share of the cores with several workers"
    )
    compile: Literal["auto", "kept", "off"] = Field(
        "auto", description="compiled code on a CPU: made in the background by the bot and used, only used, or neither"
    )
    wall: Literal["on", "off"] = Field(
        "on", description="whether workers are kept from files, network and processes (Linux); off to find a fault"
    )
    cluster: str = Field("", description="workers on other machines, over Ray: empty, auto, or the address of the head")
    c2pa: Literal["auto", "off"] = Field(
        "auto",
        description="content credentials (C2PA) in pictures, signed with a certificate that egao makes: auto signs where "
        "the extra c2pa is installed",
    )
    key: SecretStr | None = Field(None, description="encryption key of stored faces; else the file home/key is used")
    max_pixels: int = Field(51_000_000, ge=1, description="largest photo accepted, in pixels, read from its header")
    max_bytes: int = Field(25 * 2**20, ge=1, description="largest photo accepted, in bytes")
    gates: Literal["bot", "all", "off"] = Field(
        "bot", description="whose photos are checked before any work: the bot's, also those of the command line, or none"
    )
    gate_explicit: float = Field(0.5, gt=0, le=1, description="score from which a photo is refused as perhaps explicit")
    gate_young: float = Field(0.2, gt=0, le=1, description="share of an age estimate below 18 from which a photo is refused")
    http_host: str = Field("127.0.0.1", description="address of /healthz and /metrics, which ask for no password")
    http_port: int = Field(0, ge=0, le=65535, description="port of /healthz and /metrics; 0 turns them off")
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    cdn_hosts: str = Field(
        "cdn.discordapp.com,media.discordapp.net",
        description="hosts that photos may be downloaded from, with commas between; plain http only for loopback ones",
    )
    pluralkit: str = Field(
        "", description="address of PluralKit's API, which is asked for whom its webhooks posted a photo; empty: nobody is asked"
    )
    download_seconds: float = Field(20.0, gt=0, description="longest time that downloading one photo may take")
    progress_seconds: float = Field(3.0, gt=0, description="shortest pause between two progress edits of one message")
    close_seconds: float = Field(8.0, gt=0, description="longest time that stopping may take before work is put back")
    projection_steps: int = Field(0, ge=0, description="steps of the bot's projections; 0 means the method's own number")
    server_seconds: int = Field(
        1200, ge=60, description="seconds of the workers' time that the members of one server may have in 10 minutes"
    )
    discord_token: SecretStr | None = Field(None, description="the bot's token, read from DISCORD_TOKEN")

    @field_validator("home", "cache")
    @classmethod
    def _nameable(cls, folder: Path) -> Path:
        """Check that the system could look up this folder's name, whether it exists or not. Raises ValueError."""
        try:
            folder.lstat()
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            pass  # it may be created later; missing permission is reported on use
        except (OSError, ValueError) as error:
            raise ValueError(getattr(error, "strerror", None) or "it holds a null character") from None
        return folder

    @field_validator("cluster")
    @classmethod
    def _head(cls, cluster: str) -> str:
        """Check that this could be a head. Raises ValueError: a bot would look for its nodes for ever."""
        host, _, port = cluster.rpartition(":")
        number = int(port) if port.isascii() and port.isdecimal() and len(port) < 6 else 0
        if cluster in ("", "auto") or (host and 0 < number < 1 << 16):
            return cluster
        raise ValueError("name the head as HOST:PORT, or say auto on a machine that is a node itself")

    @classmethod
    def load(cls, environ: Mapping[str, str] | None = None, *, operator: bool = False) -> Self:
        """Read settings from `environ`, or else from the process's environment and, for what is not set there, from `.env`.

        `.env` is read in the working directory. `operator` is for commands of whoever runs a bot, in the bot's own folder.
        For other commands the folder may be anybody's, such as an unpacked download, so its `.env` may then set neither
        folders nor hosts. Raises BadSetting with the variable's name and what is wrong with it.
        """
        if environ is None:
            environ = {**_file(operator), **os.environ}
        environ = {**_credentials(environ.get("CREDENTIALS_DIRECTORY")), **{k: v for k, v in environ.items() if v}}
        raw = {k.removeprefix(PREFIX).lower(): v for k, v in environ.items() if k.startswith(PREFIX) and v != ""}
        if environ.get("DISCORD_TOKEN"):
            raw["discord_token"] = environ["DISCORD_TOKEN"]
        try:
            return cls.model_validate(raw)
        except ValidationError as error:
            first = error.errors()[0]
            name = PREFIX + "_".join(str(part) for part in first["loc"]).upper()
            raise BadSetting(name=name, reason=first["msg"]) from None


def _file(operator: bool) -> dict[str, str]:
    """Read the settings in `.env` of the working directory, without those of OPERATORS unless `operator`. Raises BadSetting."""
    try:
        values = dotenv_values(".env")
    except (UnicodeDecodeError, OSError) as error:
        reason = getattr(error, "strerror", None) or "it is no text in UTF-8; save it as one"
        raise BadSetting(name="file .env", reason=reason) from None
    found = {name: value for name, value in values.items() if value and name.startswith((PREFIX, *SECRETS))}
    for name in () if operator else OPERATORS & found.keys():
        log.warning("%s is left out: .env may name it for the bot and its upkeep only. Set it in the environment.", name)
        del found[name]
    return found


def _credentials(folder: str | None) -> dict[str, str]:
    """Read the secrets that a service manager has put into the folder; {} for None. Raises BadSetting for an unreadable file."""
    found = {}
    for name in SECRETS if folder else ():
        path = Path(folder or "", name)
        try:
            if path.is_file():
                found[name] = path.read_text().strip()
        except (OSError, ValueError) as error:
            raise BadSetting(name=name, reason=f"{path} can't be read: {error}") from None
    return found
