"""A network of namespaces: machines on one machine, each with an address, a cable that can be pulled, and a listener.

Needs root. Everything that is made is named by the process that makes it, and taken away at the end.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import threading
from types import TracebackType
from typing import Final, Self

PREFIX: Final = "10.77.91"
_EVERYTHING: Final = 0x0003  # ETH_P_ALL of <linux/if_ether.h>


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)


class Net:
    """`with Net(3) as net`: this machine has the address net.here, the namespaces net.address(0) and so on."""

    def __init__(self, count: int) -> None:
        self.count = count
        self._tag = f"eg{os.getpid() % 100000}"
        self.bridge = f"{self._tag}b"
        self.here = f"{PREFIX}.1"

    def space(self, number: int) -> str:
        return f"{self._tag}n{number}"

    def address(self, number: int) -> str:
        return f"{PREFIX}.{number + 2}"

    def inside(self, number: int) -> list[str]:
        """What a command is put behind to run on this machine of the network."""
        return ["ip", "netns", "exec", self.space(number)]

    def cut(self, number: int) -> None:
        ip("link", "set", f"{self._tag}v{number}", "down")

    def mend(self, number: int) -> None:
        ip("link", "set", f"{self._tag}v{number}", "up")

    def __enter__(self) -> Self:
        try:
            self._make()
        except subprocess.CalledProcessError:
            self.__exit__(None, None, None)  # what was made before
            raise
        return self

    def _make(self) -> None:
        ip("link", "add", self.bridge, "type", "bridge")
        ip("addr", "add", f"{self.here}/24", "dev", self.bridge)
        ip("link", "set", self.bridge, "up")
        for number in range(self.count):
            space, cable, end = self.space(number), f"{self._tag}v{number}", f"{self._tag}e{number}"
            ip("netns", "add", space)
            ip("link", "add", cable, "type", "veth", "peer", "name", end, "netns", space)
            ip("link", "set", cable, "master", self.bridge, "up")
            for words in (f"addr add {self.address(number)}/24 dev {end}", f"link set {end} up", "link set lo up"):
                ip("-n", space, *words.split())

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None) -> None:
        for number in range(self.count):
            subprocess.run(["ip", "netns", "del", self.space(number)], check=False, capture_output=True)
        subprocess.run(["ip", "link", "del", self.bridge], check=False, capture_output=True)


def why_not() -> str:
    """Say why no such network can be made on this machine; "" if one can."""
    if os.geteuid() != 0 or shutil.which("ip") is None:
        return "network namespaces need root, and the command ip"
    try:
        with Net(1):
            return ""
    except subprocess.CalledProcessError as error:
        return f"no network namespaces can be made here: {error.stderr.strip()}"


class Wiretap:
    """Listens to all that passes over a network's bridge, and counts what it was told to look for."""

    def __init__(self, interface: str, marks: tuple[bytes, ...]) -> None:
        self.found = dict.fromkeys(marks, 0)
        self.bytes = 0
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_EVERYTHING))
        self._socket.bind((interface, 0))
        self._socket.settimeout(0.2)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._listen)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        self._socket.close()

    def _listen(self) -> None:
        while not self._over.is_set():
            try:
                packet = self._socket.recv(1 << 17)
            except TimeoutError:
                continue
            self.bytes += len(packet)
            for mark in self.found:
                self.found[mark] += packet.count(mark)
