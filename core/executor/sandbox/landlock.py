"""Restricts a process, for good, to a list of allowed files: Landlock, through its three system calls.

Numbers, flags and structures are those of the kernel's <linux/landlock.h> (see docs.kernel.org/userspace-api/landlock.html);
the three calls have the same numbers on every architecture. No privilege is needed.
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # system calls
_VERSION: Final = 1  # flag of the first: tell the version, make nothing
_PATH_BENEATH: Final = 1  # kind of a rule
_PR_SET_NO_NEW_PRIVS: Final = 38

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
REFER, TRUNCATE, IOCTL_DEV = 1 << 13, 1 << 14, 1 << 15
_FILES: Final = {1: (1 << 13) - 1, 2: REFER, 3: TRUNCATE, 5: IOCTL_DEV}  # rights over files, by the version that knows them first
_NETWORK: Final = {4: 0b11}  # to bind and to connect by TCP
_SCOPES: Final = {6: 0b11}  # abstract sockets, and signals, to processes that are not as restricted
_OF_A_FILE: Final = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV  # rights that a rule about a file may name

READ: Final = READ_FILE | READ_DIR
USE_DEVICE: Final = READ_FILE | WRITE_FILE | IOCTL_DEV


def version() -> int:
    """Return the kernel's version of Landlock; 0 if there is none, or it is turned off."""
    if sys.platform != "linux":
        return 0
    return max(0, int(_libc().syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(_VERSION))))


def restrict(allowed: Iterable[tuple[Path, int]]) -> None:
    """Deny this thread, and all that it starts from now on, every file except those at and below the allowed paths.

    `allowed` are paths with the rights there; paths that don't exist are left out. TCP, abstract sockets and signals to
    others are denied as far as the kernel's version supports that. Raises OSError.
    """
    libc, known = _libc(), version()
    handled = _sum(_FILES, known)
    attributes = struct.pack("=QQQ", handled, _sum(_NETWORK, known), _sum(_SCOPES, known))
    size = 24 if known >= 6 else 16 if known >= 4 else 8
    ruleset = _checked(libc.syscall(_CREATE_RULESET, attributes, ctypes.c_size_t(size), ctypes.c_uint32(0)))
    try:
        for path, rights in allowed:
            with suppress(FileNotFoundError, NotADirectoryError, PermissionError):
                _allow(ruleset, path, rights & handled)
        _checked(libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
        _checked(libc.syscall(_RESTRICT_SELF, ctypes.c_int(ruleset), ctypes.c_uint32(0)))
    finally:
        os.close(ruleset)


def _allow(ruleset: int, path: Path, rights: int) -> None:
    handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        if not path.is_dir():
            rights &= _OF_A_FILE
        rule = struct.pack("=Qi", rights, handle)
        _checked(_libc().syscall(_ADD_RULE, ctypes.c_int(ruleset), ctypes.c_int(_PATH_BENEATH), rule, ctypes.c_uint32(0)))
    finally:
        os.close(handle)


def _sum(rights: dict[int, int], known: int) -> int:
    return sum(bits for since, bits in rights.items() if since <= known)


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _checked(result: int) -> int:
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result
