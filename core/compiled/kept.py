"""Where compiled code is kept, what it belongs to, and whether it may be used. Without torch: the bot's process asks too.

Two files for a key in the folder `compiled` of the cache: a library of machine code, without any weights, and one of
JSON that tells about it. The library comes first, under a name that says what is in it; the JSON is replaced in one step
after it. So whoever finds the JSON finds what it tells about.

Loading a library runs it. Therefore only one is loaded that this machine's own builder made: folder and files must
belong to this process's user and be closed to others, what the JSON tells must be signed with the key of EGAO_HOME (see
core.compiled.signing), and every byte of the library is compared with the hash in it first.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import platform
import stat
import tempfile
from dataclasses import asdict, dataclass, fields, replace
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Final, Self

from core.compiled.signing import sign, signed
from core.settings import Settings
from core.weights.cache import sha256_of

BUILDING: Final = ".building-"  # prefix of temporary folders; whoever holds the lock may remove them all
# what a library was made of: when one of these files changes, what they made before fits no more
_SOURCES: Final = ("compiled/layout.py", "compiled/making.py", "generator/*.py")
_MOST: Final = 1 << 16  # bytes of JSON


class Unfit(Exception):
    """What is kept can't be used. Never a person's error: the picture is drawn without it."""


@dataclass(frozen=True)
class Kept:
    """What the JSON tells."""

    library: str  # name of the file beside it; empty where none is to be used, and `why` says why
    sha256: str  # of that file
    layout: str  # of the weights that it was compiled for, see core.compiled.layout
    ratio: float  # seconds of a picture, over eager's
    decibels: float  # between their pictures, where those are furthest apart
    seconds: float  # that the building took
    why: str = ""
    signature: str = ""  # of all the others, where there is a library

    def text(self, key: str) -> bytes:
        """Put together what is signed: all that is told, and the key that it belongs to."""
        return json.dumps([key, asdict(replace(self, signature=""))], sort_keys=True).encode()

    @classmethod
    def load(cls, text: str) -> Self:
        """Read what is told about a library, from its JSON. Raises Unfit for anything else."""
        try:
            data = json.loads(text)
            made = cls(**{field.name: data[field.name] for field in fields(cls)})
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise Unfit(f"what is told about it can't be read ({type(error).__name__})") from None
        texts, numbers = (
            (made.library, made.sha256, made.layout, made.why, made.signature),
            (made.ratio, made.decibels, made.seconds),
        )
        if not all(isinstance(one, str) for one in texts) or not all(isinstance(one, float | int) for one in numbers):
            raise Unfit("what is told about it is not what is expected")
        if made.library != Path(made.library).name:
            raise Unfit("it names a file in another folder")
        return made

    def dump(self) -> str:
        return json.dumps(asdict(self), indent=1) + "\n"

    def told(self) -> str:
        """Say it in words, for the log and the command line."""
        if not self.library:
            return f"pictures are drawn as before: {self.why}"
        much = f"{self.ratio:.2f} of the time that it took, {self.decibels:.0f} dB apart"
        return f"pictures are drawn with compiled code: {much}; it was made in {self.seconds:.0f} s"


@dataclass(frozen=True)
class CodeCache:
    """Where compiled code is, and whose signature it must have."""

    folder: Path
    home: Path  # EGAO_HOME, which holds the key

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Take the folders from the settings."""
        return cls(compiled_folder(settings), settings.home)


def compiled_folder(settings: Settings) -> Path:
    """Name the folder below EGAO_CACHE that holds compiled code. It need not exist."""
    return settings.cache / "compiled"


def key_of(digest: str) -> str:
    """Make a name for all that code for this generator depends on: its weights, torch, the processor, our own sources."""
    capability = os.environ.get("ATEN_CPU_CAPABILITY", "")  # by which a person makes torch use less of the processor
    parts = (digest, version("torch"), platform.machine(), _processor(), capability, _sources())
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


@cache
def _processor() -> str:
    """Name the processor and all that it can do: machine code of one stops another with an illegal instruction."""
    told: dict[str, str] = {}
    try:
        for line in Path("/proc/cpuinfo").read_text(errors="replace").split("\n\n")[0].splitlines():
            name, _, value = line.partition(":")
            told[name.strip()] = value.strip()
    except OSError:
        return platform.processor()
    names = ("vendor_id", "model name", "cpu family", "model", "flags", "CPU implementer", "CPU part", "Features")
    return "\0".join(told.get(name, "") for name in names)


@cache
def _sources() -> str:
    core = Path(__file__).parent.parent
    found = [file for pattern in _SOURCES for file in sorted(core.glob(pattern))]
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in found)).hexdigest()


def told_in(folder: Path, key: str) -> Path:
    """Name the JSON file that describes the compiled code of a key."""
    return folder / f"{key}.json"


def read(cache: CodeCache, key: str) -> Kept | None:
    """Read what is kept for a key; None where nothing is. Raises Unfit, also for a library that was not made here."""
    folder = cache.folder
    file = told_in(folder, key)
    try:
        if not own(folder, stat.S_ISDIR) or not own(file, stat.S_ISREG):
            raise Unfit(f"{file} or its folder belongs to another user, or others may write it")
        with file.open(encoding="utf-8", errors="replace") as stream:
            kept = Kept.load(stream.read(_MOST))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Unfit(f"{file}: {error.strerror}") from None
    if kept.library and not signed(cache.home, kept.text(key), kept.signature):
        raise Unfit(f"{file} is not signed by this machine's key: it came from elsewhere, or EGAO_HOME is another")
    return kept


def library_of(folder: Path, kept: Kept) -> Path:
    """Find the library, and compare every byte of it with its hash. Raises Unfit."""
    file = folder / kept.library
    try:
        if not own(file, stat.S_ISREG):
            raise Unfit(f"{file} belongs to another user, or others may write it")
        found = sha256_of(file)
    except OSError as error:
        raise Unfit(f"{file}: {error.strerror}") from None
    if found != kept.sha256:
        raise Unfit(f"{file} is damaged")
    return file


def usable(cache: CodeCache, key: str) -> Kept | None:
    """Read what is kept for a key and compare its library with its hash; None where nothing is. Raises Unfit."""
    kept = read(cache, key)
    if kept is not None and kept.library:
        library_of(cache.folder, kept)
    return kept


def own(path: Path, kind: object) -> bool:
    """Tell whether a path is of this kind, no link, belongs to this process's user and can't be written by others."""
    found = path.lstat()
    return bool(kind(found.st_mode)) and found.st_uid == os.geteuid() and not found.st_mode & 0o022  # type: ignore[operator]


def make_folder(folder: Path) -> None:
    """Make the folder, or close it to others. Raises OSError, also where it is another's: nothing in it would be used."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder.chmod(0o700)
    if not own(folder, stat.S_ISDIR):
        raise PermissionError(errno.EPERM, "it belongs to another user, or is a link", str(folder))


def publish(cache: CodeCache, key: str, kept: Kept, library: Path | None) -> Kept:
    """Sign it, move the library to its place, then the JSON, and remove what is of other keys or older. Raises OSError."""
    folder = cache.folder
    if library is not None:
        kept = replace(kept, signature=sign(cache.home, kept.text(key)))
        library.chmod(0o600)
        _settle(library, folder / kept.library)
    handle, name = tempfile.mkstemp(dir=folder, prefix=BUILDING)
    with os.fdopen(handle, "w", encoding="utf-8") as stream:
        stream.write(kept.dump())
    _settle(Path(name), told_in(folder, key))
    for file in folder.iterdir():
        if file.suffix in (".json", ".so") and file.name not in (kept.library, told_in(folder, key).name):
            file.unlink(missing_ok=True)
    return kept


def _settle(made: Path, target: Path) -> None:
    with made.open("rb") as stream:
        os.fsync(stream.fileno())  # the name must not reach the disk before the bytes
    made.replace(target)
