"""Walls a worker in before it loads anything: it decodes strangers' pictures, and an attacker who controls it must get nothing.

It may still read libraries, egao's own code and data, the cache's weights and compiled code, and what the operator fitted and
trained; and use the socket that it was started with. It reaches no other file, no network, no program and no other process.
Landlock and seccomp do that, for good, before the first thread is started, since existing threads would be spared. Existence,
size and time of other files remain visible: Landlock does not cover that.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from core.executor.sandbox import landlock, seccomp
from core.executor.sandbox.landlock import READ, USE_DEVICE
from core.settings import Settings
from core.system import STATM

LEAST_LANDLOCK: Final = 4  # the version from which it knows the network: Linux 6.7
_LIBRARIES: Final = ("/usr", "/lib", "/lib32", "/lib64", "/opt/nvidia", "/opt/cuda")
_SYSTEM: Final = (
    "/etc/ld.so.cache", "/etc/localtime", "/etc/nsswitch.conf", "/etc/passwd", "/etc/group", "/etc/os-release", "/etc/glvnd",
    "/proc/cpuinfo", "/proc/meminfo", "/proc/sys/vm/overcommit_memory", STATM,
    "/sys/devices/system", "/sys/fs/cgroup/cpu.max",
)  # fmt: skip
# in EGAO_HOME: fitted and trained parts, and the public half of the key that signs compiled code
_SHARED: Final = ("directions", "generators", "compiled.pub")
_DEVICES: Final = ("/dev/null", "/dev/zero", "/dev/random", "/dev/urandom")
_GPU_SYSTEM: Final = ("/proc/driver/nvidia", "/proc/devices", "/sys/bus/pci", "/sys/devices", "/sys/module")


def wall_in(settings: Settings, modules: Iterable[str] = ()) -> str:
    """Wall this process in for good, and return in words what could not be done, or "". `modules` are to be imported later.

    Call it only while the process has one thread.
    """
    missing = lacks()
    if landlock.version():
        landlock.restrict(allowed(settings, modules))
    if seccomp.possible():
        seccomp.restrict()
    return missing


def lacks() -> str:
    """Say in words what this machine's kernel lacks for the wall; "" if nothing."""
    found = []
    if not (version := landlock.version()):
        found.append("Landlock (workers can read every file of their user)")
    elif version < LEAST_LANDLOCK:
        found.append(f"version {LEAST_LANDLOCK} of Landlock (it has {version})")
    if not seccomp.possible():
        found.append("a seccomp filter of egao's (workers can start programs and open connections)")
    return " and ".join(found)


def allowed(settings: Settings, modules: Iterable[str] = ()) -> Iterator[tuple[Path, int]]:
    """List the paths that a worker may reach, with its rights there. EGAO_HOME itself is never among them, wherever it is."""
    home = settings.home.resolve()
    cache = settings.cache.resolve()
    kept = [cache / "weights", cache / "compiled"]  # by name too: either may be a link to another disk
    if cache != home:
        kept.append(cache)
    readable = [*_libraries(), *_own_code(modules), *kept, *map(Path, _SYSTEM)]
    devices = list(map(Path, _DEVICES))
    if settings.device != "cpu":
        readable += map(Path, _GPU_SYSTEM)
        devices += Path("/dev").glob("nvidia*")
    for path in readable:
        yield from ((one, READ) for one in _without(path.resolve(), home))
    yield from ((home / name, READ) for name in _SHARED)
    for path in devices:
        yield path, USE_DEVICE


def _libraries() -> Iterator[Path]:
    """List the folders of Python, of installed packages, of the system, and those in LD_LIBRARY_PATH."""
    yield from {Path(prefix) for prefix in (sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix)}
    yield from (Path(entry) for entry in sys.path if entry and any(Path(entry).glob("*.dist-info")))
    yield from map(Path, _LIBRARIES)
    yield from (Path(entry) for entry in os.environ.get("LD_LIBRARY_PATH", "").split(":") if entry)


def _own_code(modules: Iterable[str]) -> Iterator[Path]:
    """List the packages of egao and of the modules, but not the folder they are in, which may have other files."""
    for name in {"core", "data", *(module.partition(".")[0] for module in modules)}:
        if (spec := importlib.util.find_spec(name)) is None:
            continue
        yield from map(Path, spec.submodule_search_locations or ())
        if spec.origin is not None and not spec.submodule_search_locations:
            yield Path(spec.origin)


def _without(path: Path, secret: Path) -> Iterator[Path]:
    """Yield the path or, if the secret folder is below it, everything else below it."""
    if path == secret:
        return
    if not secret.is_relative_to(path):
        yield path
        return
    for one in path.iterdir():
        yield from _without(one, secret)
