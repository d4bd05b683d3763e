"""A package index of a few kilobytes on loopback, for pulls that must go wrong on purpose."""

from __future__ import annotations

import gzip
import hashlib
import http.server
import io
import tarfile
import threading
import urllib.parse
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

METADATA = "Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def wheel(package: str, members: dict[str, bytes]) -> bytes:
    """A wheel of version 1.0 that pip accepts."""
    name = package.replace("-", "_")
    info = f"{name}-1.0.dist-info"
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in members.items():
            archive.writestr(path, content)
        archive.writestr(f"{info}/METADATA", METADATA.format(name=package))
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    return out.getvalue()


def source(package: str, members: dict[str, bytes], links: dict[str, str] | None = None) -> bytes:
    """A source archive of version 1.0, with symbolic links if any."""
    folder = f"{package.replace('-', '_')}-1.0"
    out = io.BytesIO()
    with gzip.GzipFile(fileobj=out, mode="wb", mtime=0) as packed, tarfile.open(fileobj=packed, mode="w") as archive:
        for path, content in {"PKG-INFO": METADATA.format(name=package).encode(), **members}.items():
            entry = tarfile.TarInfo(f"{folder}/{path}")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
        for path, target in (links or {}).items():
            entry = tarfile.TarInfo(f"{folder}/{path}")
            entry.type, entry.linkname = tarfile.SYMTYPE, target
            archive.addfile(entry)
    return out.getvalue()


def entry(package: str, file: str, content: bytes, weights: dict[str, tuple[str, bytes]], **wrong: Any) -> str:
    """The manifest's lines of one archive; `weights` maps a name to its member's path and content.

    `wrong` replaces archive_sha256, sha256 or bytes by something untrue.
    """
    lines = [
        f'[[archive]]\npackage = "{package}"\nversion = "1.0"\nfile = "{file}"\nbytes = {len(content)}',
        f'sha256 = "{wrong.get("archive_sha256", sha256(content))}"',
    ]
    for name, (path, data) in weights.items():
        size, digest = wrong.get("bytes", len(data)), wrong.get("sha256", sha256(data))
        lines.append(f'[[archive.weight]]\nname = "{name}"\ngroup = "core"\npurpose = "test"\nlicence = "none"')
        lines.append(f'file = "{name}.bin"\nmembers = [{{ path = "{path}", bytes = {size}, sha256 = "{digest}" }}]')
    return "\n".join(lines) + "\n"


@dataclass
class SmallIndex:
    """Files by name, served as pip expects; `pages` replaces the page of a package.

    With `hold` each archive stops half-way until `release` is set; with `hang_up` it ends there.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    pages: dict[str, str] = field(default_factory=dict)
    hold: bool = False
    hang_up: bool = False
    half_sent: threading.Event = field(default_factory=threading.Event)
    release: threading.Event = field(default_factory=threading.Event)
    served: list[str] = field(default_factory=list)
    url: str = ""

    def package_page(self, package: str) -> bytes:
        if package in self.pages:
            return self.pages[package].encode()
        mine = [name for name in self.files if name.startswith(package.replace("-", "_") + "-")]
        return "".join(f'<a href="/files/{name}">{name}</a>' for name in mine).encode()


@contextmanager
def serve(index: SmallIndex) -> Iterator[SmallIndex]:
    """Serve on a free port of loopback while the block runs."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            _, kind, name, *_ = urllib.parse.unquote(self.path).split("/")
            content = index.files[name] if kind == "files" else index.package_page(name)
            self.send_response(200)
            self.send_header("Content-Type", "application/octet-stream" if kind == "files" else "text/html")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            middle = len(content) // 2
            self.wfile.write(content[:middle])
            if kind == "files":
                index.served.append(name)
                if index.hold:
                    self.wfile.flush()
                    index.half_sent.set()
                    index.release.wait(60)
                if index.hang_up:
                    return
            self.wfile.write(content[middle:])

        def log_message(self, format: str, *args: Any) -> None:
            pass

    class Server(http.server.ThreadingHTTPServer):
        def handle_error(self, request: Any, client_address: Any) -> None:
            pass  # a client that was killed hangs up: that is the test

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    index.url = f"http://127.0.0.1:{server.server_address[1]}/simple/"
    try:
        yield index
    finally:
        index.release.set()
        server.shutdown()
        server.server_close()
        thread.join()


def manifest_file(folder: Path, *entries: str) -> Path:
    """Write a manifest of these archives."""
    path = folder / "models.toml"
    path.write_text("\n".join(entries))
    return path
