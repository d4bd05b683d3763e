"""Denies a process, for good, the system calls that affect anything outside it: a seccomp filter.

The filter is a program of classic BPF over the call's number and arguments (struct seccomp_data of <linux/seccomp.h>, opcodes
of <linux/bpf_common.h>). System call numbers are those of the kernel's tables for x86-64 and for arm64. A denied call fails
with EPERM, so that a library that only tries it continues; a call in another architecture's numbering ends the process.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
import sys
from typing import Final

_LOAD, _EQUAL, _ANY_BIT, _AT_LEAST, _RETURN = 0x20, 0x15, 0x45, 0x35, 0x06  # BPF_LD|W|ABS, BPF_JMP|JEQ/JSET/JGE|K, BPF_RET|K
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16  # offsets in struct seccomp_data; an argument's low half comes first
_ALLOW, _KILL, _FAIL = 0x7FFF0000, 0x80000000, 0x00050000
_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _MODE_FILTER = 38, 22, 2
_X32: Final = 0x40000000  # system calls of x86-64 with 32 bit pointers: the same table again under other numbers
_CLONE_THREAD: Final = 0x00010000

_ARCHITECTURES: Final = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
# name: number on x86-64, number on arm64 (None: no such call there)
_DENIED: Final[dict[str, tuple[int | None, int | None]]] = {
    # other processes: to start programs, to look into them, to stop them
    "execve": (59, 221), "execveat": (322, 281), "fork": (57, None), "vfork": (58, None),
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "kcmp": (312, 272),
    "pidfd_open": (434, 434), "pidfd_getfd": (438, 438), "pidfd_send_signal": (424, 424), "process_madvise": (440, 440),
    "process_mrelease": (448, 448), "tkill": (200, 130), "rt_sigqueueinfo": (129, 138), "rt_tgsigqueueinfo": (297, 240),
    "move_pages": (279, 239), "migrate_pages": (256, 238), "sched_setattr": (314, 274), "sched_setscheduler": (144, 119),
    "sched_setparam": (142, 118), "ioprio_set": (251, 30),
    # the network, and every other socket but those that are open
    "socket": (41, 198), "connect": (42, 203), "bind": (49, 200), "listen": (50, 201), "accept": (43, 202), "accept4": (288, 242),
    # shared memory, queues and keys by name
    "shmget": (29, 194), "shmat": (30, 196), "shmctl": (31, 195), "semget": (64, 190), "semctl": (66, 191), "semop": (65, 193),
    "semtimedop": (220, 192), "msgget": (68, 186), "msgsnd": (69, 189), "msgrcv": (70, 188), "msgctl": (71, 187),
    "mq_open": (240, 180), "mq_unlink": (241, 181), "add_key": (248, 217), "request_key": (249, 218), "keyctl": (250, 219),
    # what files are, which Landlock lets pass
    "chmod": (90, None), "fchmod": (91, 52), "fchmodat": (268, 53), "fchmodat2": (452, 452), "chown": (92, None),
    "lchown": (94, None), "fchown": (93, 55), "fchownat": (260, 54), "utime": (132, None), "utimes": (235, None),
    "futimesat": (261, None), "utimensat": (280, 88), "setxattr": (188, 5), "lsetxattr": (189, 6), "fsetxattr": (190, 7),
    "removexattr": (197, 14), "lremovexattr": (198, 15), "fremovexattr": (199, 16), "setxattrat": (463, 463),
    "removexattrat": (466, 466), "inotify_init": (253, None), "inotify_init1": (294, 26), "fanotify_init": (300, 262),
    "name_to_handle_at": (303, 264), "open_by_handle_at": (304, 265),
    # where files are
    "chroot": (161, 51), "pivot_root": (155, 41), "mount": (165, 40), "umount2": (166, 39), "unshare": (272, 97),
    "setns": (308, 268), "open_tree": (428, 428), "move_mount": (429, 429), "fsopen": (430, 430), "fsconfig": (431, 431),
    "fsmount": (432, 432), "fspick": (433, 433), "mount_setattr": (442, 442), "open_tree_attr": (467, 467),
    "swapon": (167, 224), "swapoff": (168, 225), "quotactl": (179, 60), "quotactl_fd": (443, 443), "acct": (163, 89),
    # the kernel itself
    "bpf": (321, 280), "perf_event_open": (298, 241), "io_uring_setup": (425, 425), "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427), "userfaultfd": (323, 282), "init_module": (175, 105), "finit_module": (313, 273),
    "delete_module": (176, 106), "kexec_load": (246, 104), "kexec_file_load": (320, 294), "reboot": (169, 142),
    "syslog": (103, 116), "iopl": (172, None), "ioperm": (173, None), "modify_ldt": (154, None), "lookup_dcookie": (212, 18),
    "personality": (135, 92), "settimeofday": (164, 170), "clock_settime": (227, 112), "clock_adjtime": (305, 266),
    "adjtimex": (159, 171), "sethostname": (170, 161), "setdomainname": (171, 162), "vhangup": (153, 58),
    # who it is
    "setuid": (105, 146), "setgid": (106, 144), "setreuid": (113, 145), "setregid": (114, 143), "setresuid": (117, 147),
    "setresgid": (119, 149), "setfsuid": (122, 151), "setfsgid": (123, 152), "setgroups": (116, 159), "capset": (126, 91),
}  # fmt: skip
_CLONE, _CLONE3 = (56, 220), (435, 435)
# calls that name a process in their first, or second, argument
_OWN_ALONE: Final = {"kill": (62, 129), "tgkill": (234, 131), "prlimit64": (302, 261), "sched_setaffinity": (203, 122)}
_SECOND: Final = {"setpriority": (141, 140)}


def possible() -> bool:
    """Tell whether there is a filter for this machine."""
    return sys.platform == "linux" and platform.machine() in _ARCHITECTURES and sys.byteorder == "little"


def restrict() -> None:
    """Deny the calls to this thread and to all that it starts from now on. Raises OSError."""
    program = _program(platform.machine(), os.getpid())
    code = ctypes.create_string_buffer(program, len(program))
    header = ctypes.create_string_buffer(struct.pack("@HP", len(program) // 8, ctypes.addressof(code)))
    libc = ctypes.CDLL(None, use_errno=True)
    for arguments in ((_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), (_PR_SET_SECCOMP, _MODE_FILTER, header, 0, 0)):
        if libc.prctl(*arguments) != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _program(machine: str, pid: int) -> bytes:
    """Assemble the filter's program. Each test either returns or continues with the next."""
    column = list(_ARCHITECTURES).index(machine)
    deny = _FAIL | errno.EPERM
    lines = [_line(_LOAD, _ARCHITECTURE), _line(_EQUAL, _ARCHITECTURES[machine], 1, 0), _line(_RETURN, _KILL)]
    lines += [_line(_LOAD, _NUMBER)]
    if machine == "x86_64":
        lines += [_line(_AT_LEAST, _X32, 0, 1), _line(_RETURN, _KILL)]
    for pair in _DENIED.values():
        if (number := pair[column]) is not None:
            lines += [_line(_EQUAL, number, 0, 1), _line(_RETURN, deny)]
    # threads are allowed: the flags of clone are tested; those of clone3 can't be, and the C library then uses clone
    lines += [_line(_EQUAL, _CLONE3[column], 0, 1), _line(_RETURN, _FAIL | errno.ENOSYS)]
    lines += [_line(_EQUAL, _CLONE[column], 0, 4), _line(_LOAD, _ARGUMENTS), _line(_ANY_BIT, _CLONE_THREAD, 0, 1)]
    lines += [_line(_RETURN, _ALLOW), _line(_RETURN, deny)]
    # calls about a process, by its number in an argument: only about this one, which 0 says too
    about = [(pair, _ARGUMENTS) for pair in _OWN_ALONE.values()] + [(pair, _ARGUMENTS + 8) for pair in _SECOND.values()]
    for numbers, argument in about:
        lines += [_line(_EQUAL, numbers[column], 0, 5), _line(_LOAD, argument)]
        lines += [_line(_EQUAL, pid, 1, 0), _line(_EQUAL, 0, 0, 1), _line(_RETURN, _ALLOW), _line(_RETURN, deny)]
    return b"".join([*lines, _line(_RETURN, _ALLOW)])


def _line(code: int, value: int, then: int = 0, otherwise: int = 0) -> bytes:
    """Pack a struct sock_filter. `then` and `otherwise` are how many lines a test skips."""
    return struct.pack("=HBBI", code, then, otherwise, value)
