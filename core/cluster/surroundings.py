"""Makes the surroundings that every process of Ray gets: its token and its certificates, as files; TLS and the token on."""

from __future__ import annotations

import os
import socket
import struct
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from core.cluster.secret import Secret
from core.errors import BadSetting, ClusterUnreachable
from core.settings import Settings

_SIOCGIFADDR: Final = 0x8915  # of netdevice(7): the address of an interface
_NAME: Final = 15  # bytes of an interface's name


def surroundings(
    settings: Settings, secret: Secret, who: str, inherited: Mapping[str, str] = os.environ, *, also: tuple[str, ...] = ()
) -> dict[str, str]:
    """Make the environment of a process of Ray on this machine, and write the files that it names.

    `who` names their folder below EGAO_HOME/cluster; each process that may run beside another needs its own. `also` are
    addresses of this machine that others know it by, behind a translation for example. Raises BadSetting.
    """
    folder = settings.home / "cluster" / who
    key, certificate = secret.certificate((*own_addresses(), *also))
    contents = {"token": secret.token.encode(), "node.key": key, "node.pem": certificate, "ca.pem": secret.authority()}
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for name, content in contents.items():
            _write(folder / name, content)
    except OSError as error:
        raise BadSetting(name="EGAO_HOME", reason=f"{folder} can't be written: {error.strerror}") from None
    kept = {name: value for name, value in inherited.items() if not name.startswith("RAY_") and name != "DISCORD_TOKEN"}
    return {
        **kept,
        "PYTHONPATH": os.pathsep.join(str(Path(path or ".").resolve()) for path in sys.path),
        "EGAO_HOME": str(settings.home.resolve()),
        "EGAO_CACHE": str(settings.cache.resolve()),
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str((folder / "token").resolve()),
        "RAY_USE_TLS": "1",
        "RAY_TLS_SERVER_CERT": str((folder / "node.pem").resolve()),
        "RAY_TLS_SERVER_KEY": str((folder / "node.key").resolve()),
        "RAY_TLS_CA_CERT": str((folder / "ca.pem").resolve()),
        "RAY_usage_stats_enabled": "0",  # Ray would report its use to its makers
        "RAY_DISABLE_IMPORT_WARNING": "1",
        "RAY_worker_niceness": "0",  # Ray's is 15: anything else on a node would go before members' pictures
        "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",  # a node runs its own egao, never one that is sent
    }


def numeric(address: str) -> str:
    """Replace a name in HOST:PORT by its IPv4 address, as certificates name no hosts. Raises ClusterUnreachable."""
    host, _, port = address.rpartition(":")
    try:
        found = socket.getaddrinfo(host, None, socket.AF_INET, socket.SOCK_STREAM)
    except OSError:
        raise ClusterUnreachable(address=address) from None
    return f"{found[0][4][0]}:{port}"


def own_addresses() -> tuple[str, ...]:
    """List the IPv4 addresses of this machine's interfaces."""
    return tuple(sorted({"127.0.0.1", *_addresses()}))


def _addresses() -> Iterator[str]:
    if sys.platform != "linux":
        yield from (str(one[4][0]) for one in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET))
        return
    import fcntl

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        for _, name in socket.if_nameindex():
            try:
                told = fcntl.ioctl(asking, _SIOCGIFADDR, struct.pack("256s", name.encode()[:_NAME]))
            except OSError:  # an interface without an address
                continue
            yield socket.inet_ntoa(told[20:24])


def _write(path: Path, content: bytes) -> None:
    """Write a file that this user alone can read, whole or not at all."""
    made = path.with_name(f".{path.name}.{os.getpid()}")
    made.unlink(missing_ok=True)
    with os.fdopen(os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
    made.replace(path)
