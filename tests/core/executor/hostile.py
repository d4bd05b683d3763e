"""A worker in an attacker's hands: whatever a photo that took a decoder over could do, in plain Python and raw system calls.

A request's `photo` names the attack, a line of words; what it got is the answer's thumbnail, or why it got nothing.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from core.executor import FindFaces, FoundFace, FoundFaces
from core.settings import Settings

BOT = os.getppid()
ATTACKS: dict[str, Callable[..., object]] = {}
LIBC = ctypes.CDLL(None, use_errno=True)
FORKER = ctypes.PyDLL(None, use_errno=True)  # keeps Python's lock during a call: a copied process could not get it back


def attack(function: Callable[..., object]) -> Callable[..., object]:
    ATTACKS[function.__name__] = function
    return function


class Bench:
    """Answers with what an attack got."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def find_faces(self, request: FindFaces) -> Iterator[FoundFaces]:
        name, *words = request.photo.decode().split()
        got: list[bytes] = []

        def run() -> None:
            try:
                got.append(b"got " + repr(ATTACKS[name](self.settings, *words)).encode()[:500])
            except (OSError, subprocess.SubprocessError) as error:
                got.append(b"denied " + repr(error).encode())

        thread = threading.Thread(target=run)  # from a thread that was not there when the wall was built
        thread.start()
        thread.join()
        yield FoundFaces((FoundFace(0, (0, 0, 1, 1), got[0]),))


create = Bench


def call(number: int, *arguments: object) -> int:
    """A system call by its number. Of a plain int ctypes passes half a register, and whatever was in the other half."""
    whole = [ctypes.c_long(one) if isinstance(one, int) else one for one in arguments]
    result = int(LIBC.syscall(ctypes.c_long(number), *whole))
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


@attack
def read_the_key(settings: Settings) -> object:
    return (settings.home / "key").read_bytes()


@attack
def list_the_home(settings: Settings) -> object:
    return list(settings.home.iterdir())


@attack
def read_the_store(settings: Settings) -> object:
    return (settings.home / "egao.sqlite3").read_bytes()


@attack
def write_into_the_home(settings: Settings) -> object:
    return (settings.home / "key").write_bytes(b"mine")


@attack
def remove_the_key(settings: Settings) -> None:
    (settings.home / "key").unlink()


@attack
def open_the_key_to_all(settings: Settings) -> None:
    (settings.home / "key").chmod(0o666)


@attack
def date_the_key(settings: Settings) -> None:
    os.utime(settings.home / "key", (0, 0))


@attack
def poison_the_cache(settings: Settings) -> object:
    return (settings.cache / "library.so").write_bytes(b"code")


@attack
def leave_a_file(settings: Settings) -> None:
    path = Path("/dev/shm", f"egao-{os.getpid()}")
    path.write_bytes(b"for later")
    path.unlink()


@attack
def read_the_hosts_files(settings: Settings) -> object:
    return Path("/etc/fstab").read_bytes(), Path("/proc/net/tcp").read_bytes()


@attack
def read_the_bots_environment(settings: Settings) -> object:
    return re.search(rb"PATH=", Path(f"/proc/{BOT}/environ").read_bytes())


@attack
def read_the_bots_memory_as_a_file(settings: Settings) -> object:
    address = int(Path(f"/proc/{BOT}/maps").read_text().partition("-")[0], 16)
    with Path(f"/proc/{BOT}/mem").open("rb") as memory:
        memory.seek(address)
        return memory.read(16)


@attack
def read_the_bots_memory_by_a_call(settings: Settings, address: str) -> object:
    room = ctypes.create_string_buffer(16)
    here = struct.pack("@PN", ctypes.addressof(room), 16)
    there = struct.pack("@PN", int(address), 16)
    call(310, BOT, here, 1, there, 1, 0)  # process_vm_readv
    return room.raw


@attack
def trace_the_bot(settings: Settings) -> object:
    return call(101, 0x4206, BOT, 0, 0)  # PTRACE_SEIZE; let go of when this thread ends


@attack
def hold_the_bot(settings: Settings) -> object:
    return call(434, BOT, 0)  # pidfd_open


@attack
def signal_the_bot(settings: Settings) -> None:
    os.kill(BOT, 0)


@attack
def signal_a_thread_of_the_bot(settings: Settings) -> object:
    return call(234, BOT, BOT, 0)  # tgkill


@attack
def slow_the_bot(settings: Settings) -> None:
    os.setpriority(os.PRIO_PROCESS, BOT, os.getpriority(os.PRIO_PROCESS, BOT))


@attack
def limit_the_bot(settings: Settings) -> object:
    room = ctypes.create_string_buffer(16)
    return call(302, BOT, 7, None, room)  # prlimit64


@attack
def connect(settings: Settings, port: str) -> object:
    with socket.create_connection(("127.0.0.1", int(port)), timeout=5) as connection:
        return connection.send(b"exfiltrated")


@attack
def listen(settings: Settings) -> object:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()


@attack
def send_a_datagram(settings: Settings, port: str) -> object:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        return sender.sendto(b"exfiltrated", ("127.0.0.1", int(port)))


@attack
def open_a_local_socket(settings: Settings) -> object:
    with socket.socket(socket.AF_UNIX) as one:
        return one.fileno()


@attack
def ask_the_kernel_about_the_network(settings: Settings) -> object:
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as one:
        return one.fileno()


@attack
def start_a_program(settings: Settings) -> object:
    return subprocess.run([sys.executable, "-c", ""], check=True)


@attack
def spawn_a_program(settings: Settings) -> object:
    pid = os.posix_spawn("/bin/true", ["/bin/true"], {})
    return os.waitpid(pid, 0)


@attack
def fork(settings: Settings) -> object:
    pid = os.fork()
    if not pid:
        os._exit(0)
    return os.waitpid(pid, 0)


@attack
def become_a_program(settings: Settings) -> object:
    sys.setswitchinterval(1000.0)  # no thread may ask for Python's lock now: the copy would wait for that thread to take it
    time.sleep(0.02)  # whoever asked before has had it since
    pid = FORKER.syscall(56, signal.SIGCHLD, 0, 0, 0, 0)  # clone as fork does it
    if pid < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    if not pid:
        os.execv("/bin/true", ["/bin/true"])
    return os.waitpid(pid, 0)


@attack
def make_shared_memory(settings: Settings) -> object:
    return call(31, call(29, 0, 4096, 0o1600), 0, 0)  # shmget, and its removal


@attack
def ask_for_a_ring(settings: Settings) -> None:
    room = ctypes.create_string_buffer(120)
    os.close(call(425, 1, room))  # io_uring_setup


@attack
def load_a_kernel_program(settings: Settings) -> None:
    attributes = struct.pack("=IIIII", 2, 4, 4, 1, 0) + bytes(100)  # a small map
    os.close(call(321, 0, attributes, len(attributes)))  # bpf


@attack
def keep_a_key_in_the_kernel(settings: Settings) -> object:
    return call(248, b"user", b"egao", b"x", 1, ctypes.c_int(-2))  # add_key, into the process's own ring


@attack
def leave_the_namespace(settings: Settings) -> object:
    return call(272, 0x04000000)  # unshare of the host's name


@attack
def count_descriptors(settings: Settings) -> object:
    """What is open besides standard streams and the link. (libffi from 3.5 on keeps its own library open.)"""
    libraries = [Path(name) for name in getattr(ctypes.util, "dllist", list)()]
    loaded = {library.stat().st_ino for library in libraries if library.is_file()}
    found = []
    for number in range(3, 256):
        try:
            about = os.fstat(number)
        except OSError:
            continue
        if about.st_ino not in loaded:
            found.append((number, oct(about.st_mode)))
    if len(found) > 1:
        return found
    raise OSError(f"only the link: {found}")


@attack
def say_nonsense(settings: Settings, text: str) -> object:
    """To the bot, over the link, past everything that would check it."""
    for number in range(3, 64):
        try:
            link = socket.socket(fileno=os.dup(number))
        except OSError:
            continue
        with link:
            link.sendall(bytes.fromhex(text))
    return "said"
