"""What `make` installs: exact versions, each file known by its hash, from whatever index the user has."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from data.setup import lock as the_lock
from tests.core.weights.small_index import SmallIndex, serve

ROOT = Path(__file__).parents[2]
LOCK = (ROOT / "data/requirements.lock").read_text()
SHA256 = re.compile(r" {4}--hash=sha256:[0-9a-f]{64}( \\)?")


def pins(text: str) -> dict[str, str]:
    """Name -> version of every line that is a requirement."""
    lines = (line.split("#")[0].rstrip("\\ ") for line in text.splitlines() if line[:1].isalnum())
    found = [Requirement(line) for line in lines]
    return {canonicalize_name(one.name): str(one.specifier).removeprefix("==") for one in found}


def part(heading: str) -> str:
    """The lines of the lock under a heading."""
    return re.split(r"^# -- .+\n", LOCK.split(f"# -- {heading}\n")[1], flags=re.M)[0]


def test_the_lock_holds_the_constraints_and_nothing_else() -> None:
    constraints = pins((ROOT / "data/constraints.txt").read_text())
    assert pins(LOCK.replace("torch==2.13.0+cpu", "torch==2.13.0")) == constraints, "run: make lock"
    assert all(re.fullmatch(r"[0-9][0-9a-z.+]*", version) for version in constraints.values())


def test_every_file_has_its_hash_and_no_place_is_named() -> None:
    lines = "\n".join(line for line in LOCK.splitlines() if not line.startswith("#"))
    entries = re.split(r"\n(?=\S)", lines)
    for entry in entries:
        head, *hashes = entry.split("\n")
        assert hashes, head
        assert all(SHA256.fullmatch(line) for line in hashes), head
    assert not re.search(r"://|^-|--(?!hash)", lines, re.M)


def test_every_direct_dependency_is_locked() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    direct = [*project["dependencies"], *(one for extra in project["optional-dependencies"].values() for one in extra)]
    locked = pins(LOCK)
    for one in map(Requirement, direct):
        if one.name == "pip":  # whichever the user's Python brings
            continue
        assert one.specifier.contains(locked[canonicalize_name(one.name)].split("+")[0]), one.name


def test_torchs_default_build_brings_cuda_on_linux_alone() -> None:
    cuda = [line.rstrip(" \\") for line in part("CUDA, for torch's default build on Linux").splitlines() if line[0] != " "]
    assert "triton" in {Requirement(line).name for line in cuda}
    mac = {"sys_platform": "darwin", "platform_machine": "arm64", "python_full_version": "3.13.0"}
    for line in cuda:
        marker = Requirement(line).marker
        assert marker is not None, line
        assert not marker.evaluate(mac), line
    assert not re.search(r"^(nvidia|cuda|triton)", part("everything else"), re.M)


PLACES = [(system, python) for system in ("linux x86_64", "linux aarch64", "darwin arm64") for python in range(11, 15)]


@pytest.mark.parametrize(("system", "python"), PLACES)
def test_every_claimed_platform_and_python_has_its_files(system: str, python: int) -> None:
    """`make lock` writes this line only where every package has a wheel; and torch's CPU builds are known by hash."""
    assert re.search(rf"^# {system} 3\.{python}: \d+ MB for torch's default build, \d+ MB more$", LOCK, re.M)
    if system.startswith("linux"):
        known = (ROOT / "data/setup/torch-cpu.sha256").read_text()
        wheel = rf"^([0-9a-f]{{64}})  torch-2\.13\.0\+cpu-cp3{python}-cp3{python}-manylinux\w+_{system.split()[1]}\.whl$"
        found = re.search(wheel, known, re.M)
        assert found is not None
        assert f"sha256:{found[1]}" in part("torch, CPU build")


@pytest.fixture
def lock(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    """The program that writes the lock, with a copy of the known hashes."""
    known = tmp_path / "torch-cpu.sha256"
    known.write_text(the_lock.KNOWN.read_text())
    monkeypatch.setattr(the_lock, "KNOWN", known)
    return the_lock


def wheels(*tags: str) -> dict[str, Any]:
    """A package of the resolution with a wheel for each of these tags, of 1, 2, 3 ... bytes."""
    files = [{"url": f"https://host/thing-1.0-{tag}.whl", "size": size} for size, tag in enumerate(tags, 1)]
    return {"name": "thing", "version": "1.0", "wheels": files}


def test_make_lock_refuses_a_version_without_a_wheel_for_a_claimed_place(lock: ModuleType) -> None:
    some = wheels("cp311-abi3-manylinux_2_28_x86_64", "py3-none-macosx_11_0_arm64", "cp313-cp313-manylinux_2_28_x86_64")
    assert lock.size(some, "linux", "x86_64", (2, 28), (3, 12)) == 1
    assert lock.size(some, "linux", "x86_64", (2, 28), (3, 13)) == 3, "the one made for this Python"
    assert lock.size(some, "darwin", "arm64", (15, 0), (3, 14)) == 2
    with pytest.raises(SystemExit, match=r"no wheel of thing 1\.0 for linux aarch64, Python 3\.11"):
        lock.size(some, "linux", "aarch64", (2, 35), (3, 11))
    with pytest.raises(SystemExit, match="no wheel"):
        lock.size(wheels("cp311-abi3-manylinux_2_34_x86_64"), "linux", "x86_64", (2, 28), (3, 12))
    assert lock.size({**wheels(), "marker": "sys_platform == 'win32'"}, "linux", "x86_64", (2, 28), (3, 11)) == 0


def test_make_lock_takes_new_hashes_from_pytorchs_index_and_misses_none(lock: ModuleType) -> None:
    names = [f"torch-9.9.0+cpu-cp3{p}-cp3{p}-manylinux_2_28_{m}.whl" for p in range(11, 15) for m in ("x86_64", "aarch64")]
    page = [f'<a href="/whl/cpu/{name.replace("+", "%2B")}#sha256={number:064x}">x</a>' for number, name in enumerate(names)]
    with serve(SmallIndex(pages={"torch": "".join(page)})) as index:
        assert lock.cpu_hashes("9.9.0", index.url.rstrip("/")) == [f"{number:064x}" for number in range(8)]
        assert "2.13.0" not in lock.KNOWN.read_text()
    assert len(lock.cpu_hashes("9.9.0", index.url.rstrip("/"))) == 8, "known from then on"
    with pytest.raises(SystemExit, match=r"no hash known of torch 9.9.1\+cpu for x86_64, Python 3.11"):
        lock.cpu_hashes("9.9.1", index.url.rstrip("/"))
