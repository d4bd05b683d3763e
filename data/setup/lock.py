"""Write data/requirements.lock from what `uv pip compile --universal` resolved: run by `make lock`.

Every file of each version is listed by its hash, also those of other machines and Pythons. Also checked: each claimed
platform and Python finds a ready-made wheel of every package; and the megabytes that each of them downloads are noted, so
that the set-up can say them beforehand. The CPU builds of torch are on PyTorch's own index alone, which not everybody can
reach: their hashes are kept in torch-cpu.sha256, and read from that index anew whenever it answers.
"""

from __future__ import annotations

import argparse
import re
import ssl
import sys
import tomllib
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from packaging.markers import Marker
from packaging.tags import Tag, compatible_tags, cpython_tags, mac_platforms
from packaging.utils import parse_wheel_filename

ROOT = Path(__file__).resolve().parents[2]
KNOWN = Path(__file__).with_name("torch-cpu.sha256")
PYTHONS = ((3, 11), (3, 12), (3, 13), (3, 14))
# The oldest system of each kind that all pinned wheels run on: its C library, or its macOS.
PLATFORMS = {("linux", "x86_64"): (2, 28), ("linux", "aarch64"): (2, 35), ("darwin", "arm64"): (15, 0)}
CUDA = ("nvidia-", "cuda-", "triton")  # what torch's default build, and nothing else here, brings on Linux
OF_C2PA = ("c2pa-python", "toml")  # brought by the extra c2pa alone; what else `make` does not install is of the extra cluster
OURS = ("egao", "pip")  # pip is whichever the user's Python brings
CPU_LINK = re.compile(r'href="[^"]*/(torch-[^"#/]+)#sha256=([0-9a-f]{64})"')


def main() -> None:
    """Read the resolution named on the command line and write the lock."""
    parser = argparse.ArgumentParser()
    parser.add_argument("resolved", type=Path, help="a pylock.toml")
    parser.add_argument("without", type=Path, help="another, without the extras c2pa and cluster")
    parser.add_argument("--torch-index", required=True)
    options = parser.parse_args()
    packages = [one for one in tomllib.loads(options.resolved.read_text())["packages"] if one["name"] not in OURS]
    torch = [one for one in packages if one["name"] == "torch"]
    cuda = [one for one in packages if one["name"].startswith(CUDA)]
    usual = {one["name"] for one in tomllib.loads(options.without.read_text())["packages"]}
    extras = [one for one in packages if one["name"] not in usual]
    c2pa = [one for one in extras if one["name"] in OF_C2PA]
    cluster = [one for one in extras if one not in c2pa]
    rest = [one for one in packages if one not in torch + cuda + extras]
    version = torch[0]["version"]
    list(sizes([], extras))  # nothing but a check that there are wheels
    text = ["# Made by: make lock. The files that `make` may install, by version and hash.", *sizes(torch + cuda, rest)]
    text += ["# -- torch, CPU build", *entry(f"torch=={version}+cpu", cpu_hashes(version, options.torch_index))]
    text += ["# -- torch, default build", *entries(torch)]
    text += ["# -- CUDA, for torch's default build on Linux", *entries(cuda)]
    text += ["# -- everything else", *entries(rest)]
    text += ["# -- the extra cluster, which `make` does not install", *entries(cluster)]
    text += ["# -- the extra c2pa, which `make` does not install", *entries(c2pa)]
    (ROOT / "data/requirements.lock").write_text("\n".join(text) + "\n")


def entries(packages: list[dict[str, Any]]) -> Iterator[str]:
    """List the requirement and hashes of each package."""
    for one in packages:
        marker = f" ; {one['marker']}" if "marker" in one else ""
        yield from entry(f"{one['name']}=={one['version']}{marker}", [file["hashes"]["sha256"] for file in files(one)])


def entry(requirement: str, hashes: list[str]) -> list[str]:
    """Write one requirement with its hashes, a line each, as pip reads them."""
    lines = [requirement, *(f"    --hash=sha256:{one}" for one in sorted(set(hashes)))]
    return [line + " \\" for line in lines[:-1]] + lines[-1:]


def files(package: dict[str, Any]) -> list[dict[str, Any]]:
    """List every wheel, and the source archive."""
    return [*package.get("wheels", []), *([package["sdist"]] if "sdist" in package else [])]


def sizes(torch: list[dict[str, Any]], rest: list[dict[str, Any]]) -> Iterator[str]:
    """Write a line for each platform and Python: how many megabytes come. Ends the program where a package has no wheel."""
    for (system, machine), oldest in PLATFORMS.items():
        for python in PYTHONS:
            mb = [sum(size(one, system, machine, oldest, python) for one in some) / 1e6 for some in (torch, rest)]
            version = ".".join(map(str, python))
            yield f"# {system} {machine} {version}: {mb[0]:.0f} MB for torch's default build, {mb[1]:.0f} MB more"


def size(package: dict[str, Any], system: str, machine: str, oldest: tuple[int, int], python: tuple[int, int]) -> int:
    """Find bytes of the file that pip would take there; 0 where the package isn't wanted."""
    version = ".".join(map(str, python))
    where = {
        "python_version": version, "python_full_version": f"{version}.0", "sys_platform": system,
        "platform_system": {"linux": "Linux", "darwin": "Darwin"}[system], "platform_machine": machine,
        "platform_python_implementation": "CPython", "implementation_name": "cpython",
    }  # fmt: skip
    if "marker" in package and not Marker(package["marker"]).evaluate(where):
        return 0
    ranks = {tag: rank for rank, tag in enumerate(tags(system, machine, oldest, python))}
    found: list[tuple[int, int]] = []
    for wheel in package.get("wheels", []):
        name = urllib.parse.unquote(wheel["url"].rsplit("/", 1)[1])
        found += [(ranks[tag], wheel["size"]) for tag in parse_wheel_filename(name)[3] if tag in ranks]
    if not found:
        sys.exit(f"egao: no wheel of {package['name']} {package['version']} for {system} {machine}, Python {version}")
    return min(found)[1]


def tags(system: str, machine: str, oldest: tuple[int, int], python: tuple[int, int]) -> Iterator[Tag]:
    """List the tags of wheels that fit there, best first."""
    if system == "darwin":
        platforms = list(mac_platforms(oldest, machine))
    else:
        old = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}
        names = [name for minor in range(oldest[1], 4, -1) for name in (f"manylinux_2_{minor}", old.get(minor)) if name]
        platforms = [f"{name}_{machine}" for name in (*names, "linux")]
    yield from cpython_tags(python, platforms=platforms)
    yield from compatible_tags(python, f"cp{python[0]}{python[1]}", platforms)


def cpu_hashes(version: str, index: str) -> list[str]:
    """Fetch the hashes (SHA-256, hex) of torch's CPU builds of this version for Linux from the `index`, and keep them in KNOWN.

    If it does not answer, those kept there are taken. Ends the program if a Python and processor that egao supports has none.
    """
    known = {name: digest for digest, name in (line.split() for line in KNOWN.read_text().splitlines())}
    try:
        with urllib.request.urlopen(f"{index}/torch/", timeout=10, context=ssl.create_default_context()) as page:
            links = CPU_LINK.findall(page.read().decode())
    except (OSError, urllib.error.URLError) as error:
        print(f"egao: {index} does not answer ({error}): the hashes of torch's CPU builds are those of {KNOWN.name}")
        links = []
    for name, digest in links:
        file = urllib.parse.unquote(name)
        if re.fullmatch(rf"torch-{re.escape(version)}\+cpu-(cp3\d+)-\1-manylinux_\d+_\d+_(x86_64|aarch64)\.whl", file):
            known[file] = digest
    wanted = {name: digest for name, digest in known.items() if name.startswith(f"torch-{version}+cpu-")}
    for (system, machine), python in ((one, two) for one in PLATFORMS for two in PYTHONS):
        tag = f"-cp{python[0]}{python[1]}-"
        if system == "linux" and not any(tag in name and name.endswith(f"_{machine}.whl") for name in wanted):
            sys.exit(f"egao: no hash known of torch {version}+cpu for {machine}, Python {python[0]}.{python[1]}")
    KNOWN.write_text("".join(f"{digest}  {name}\n" for name, digest in sorted(wanted.items())))
    return list(wanted.values())


if __name__ == "__main__":
    main()
