"""Where compiled code is kept, what it belongs to, and whether it may be used. Imports no torch: the bot's process uses it.

There are two files for a key in the folder `compiled` of the cache: a library of machine code without weights, and JSON that
describes it. The library is written first, with its hash in its name; then the JSON is replaced atomically. So whoever finds
the JSON finds the library that it describes.

Loading a library runs it. Therefore only one built on this machine is loaded: folder and files must belong to this process's
user and be writable by nobody else, the JSON must be signed with the key of EGAO_HOME (see core.compiled.signing), and the
library must have the hash in the JSON.
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
from typing import TYPE_CHECKING, Final, Literal, Self, get_args

from core.compiled.signing import sign, signed
from core.weights.cache import sha256_of

if TYPE_CHECKING:
    from core.settings import Settings

# a whole drawing for one generator, by torch's compiler; or layers of our own, which projections use too
Kind = Literal["drawing", "layers"]

BUILDING: Final = ".building-"  # prefix of temporary folders; whoever holds the lock may remove them all
# sources of a library: if one of these files changes, older libraries don't fit
_SOURCES: Final = ("compiled/layout.py", "compiled/making.py", "compiled/compiler.py", "compiled/layers.*", "generator/*.py")
_MOST: Final = 1 << 16  # bytes of JSON


class Unfit(Exception):
    """Kept code can't be used. It is never shown to a person: the picture is drawn without it."""


@dataclass(frozen=True)
class Kept:
    """The content of the JSON about a library."""

    library: str  # name of the file beside it; empty where none is to be used, and `why` says why
    sha256: str  # of that file
    layout: str  # of the weights that a drawing was compiled for, see core.compiled.layout; layers take any
    ratio: float  # seconds over eager's: of a picture, or for layers of a picture and its gradient
    decibels: float  # between their pictures and gradients, for the most different pair
    seconds: float  # that the building took
    why: str = ""
    kind: Kind = "drawing"
    signature: str = ""  # of all the others, where there is a library

    def text(self, key: str) -> bytes:
        """Return the bytes that are signed: everything in the JSON but the signature, and the key that it belongs to."""
        return json.dumps([key, asdict(replace(self, signature=""))], sort_keys=True).encode()

    @classmethod
    def load(cls, text: str) -> Self:
        """Parse the JSON about a library. Raises Unfit for any other text."""
        try:
            data = json.loads(text)
            made = cls(**{field.name: data[field.name] for field in fields(cls)})
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise Unfit(f"what is told about it can't be read ({type(error).__name__})") from None
        if made.kind not in get_args(Kind):
            raise Unfit("it is of no kind that is known")
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
        """Describe it in words, for the log and the command line."""
        if not self.library:
            return f"pictures are drawn as before: {self.why}"
        what = "projected and drawn with compiled layers" if self.kind == "layers" else "drawn with compiled code"
        much = f"{self.ratio:.2f} of the time that it took, {self.decibels:.0f} dB apart"
        return f"pictures are {what}: {much}; it was made in {self.seconds:.0f} s"


@dataclass(frozen=True)
class CodeCache:
    """The folder of compiled code, and the EGAO_HOME whose key must have signed it."""

    folder: Path
    home: Path  # EGAO_HOME, which holds the key

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Take both folders from the settings."""
        return cls(compiled_folder(settings), settings.home)


def compiled_folder(settings: Settings) -> Path:
    """Return the folder below EGAO_CACHE for compiled code. It need not exist."""
    return settings.cache / "compiled"


def key_of(digest: str) -> str:
    """Compute the key of a generator's code, 16 hex digits, from all that the code depends on.

    That is the digest of the generator's weights, torch's version, the processor and egao's own sources.
    """
    capability = os.environ.get("ATEN_CPU_CAPABILITY", "")  # by which a person makes torch use less of the processor
    parts = (digest, version("torch"), platform.machine(), _processor(), capability, _sources())
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


@cache
def _processor() -> str:
    """Describe the processor with all its features: machine code for one stops another with an illegal instruction."""
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
    """Return the path of the JSON about a key's code."""
    return folder / f"{key}.json"


def read(cache: CodeCache, key: str) -> Kept | None:
    """Read what is kept for a key; None if there is nothing. Raises Unfit, also for code that this machine did not make."""
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
    """Return the library's file after checking its owner and its hash. Raises Unfit."""
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
    """Read what is kept for a key and check its library; None if there is nothing. Raises Unfit."""
    kept = read(cache, key)
    if kept is not None and kept.library:
        library_of(cache.folder, kept)
    return kept


def own(path: Path, kind: object) -> bool:
    """Tell whether a path is of this kind, no link, of this process's user, and writable by nobody else."""
    found = path.lstat()
    return bool(kind(found.st_mode)) and found.st_uid == os.geteuid() and not found.st_mode & 0o022  # type: ignore[operator]


def make_folder(folder: Path) -> None:
    """Create the folder, or close it to other users. Raises OSError, also if it is another user's: it would not be used."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder.chmod(0o700)
    if not own(folder, stat.S_ISDIR):
        raise PermissionError(errno.EPERM, "it belongs to another user, or is a link", str(folder))


def publish(cache: CodeCache, key: str, kept: Kept, library: Path | None) -> Kept:
    """Sign the description, move the library to its place, then the JSON, and remove files of other keys or older ones.

    Returns the signed description. Raises OSError.
    """
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
