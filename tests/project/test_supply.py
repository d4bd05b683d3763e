"""What `make` installs: exact versions, each file known by its hash, from whatever index the user has."""

from __future__ import annotations

import os
import re
import subprocess
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
LOCK = (ROOT / "data/requirements.lock").read_text()
SHA256 = re.compile(r" {4}--hash=sha256:[0-9a-f]{64}( \\)?")


def pins(text: str) -> dict[str, str]:
    """Name -> version of every line that is a requirement."""
    lines = (line.split("#")[0].rstrip("\\ ") for line in text.splitlines() if line[:1].isalnum())
    found = [Requirement(line) for line in lines]
    return {canonicalize_name(one.name): str(one.specifier).removeprefix("==") for one in found}


def test_the_lock_holds_the_constraints_and_nothing_else() -> None:
    constraints = pins((ROOT / "data/constraints.txt").read_text())
    assert pins(LOCK) == constraints, "run: make lock"
    assert all(re.fullmatch(r"[0-9][0-9a-z.+]*", version) for version in constraints.values())


def test_every_file_has_its_hash_and_no_place_is_named() -> None:
    entries = re.split(r"\n(?=\S)", LOCK.strip())[1:]
    for entry in entries:
        head, *hashes = entry.split("\n")
        assert hashes, head
        assert all(SHA256.fullmatch(line) for line in hashes), head
    assert not re.search(r"://|^-|--(?!hash)", LOCK, re.M)


def test_every_direct_dependency_is_locked() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    direct = [*project["dependencies"], *(one for extra in project["optional-dependencies"].values() for one in extra)]
    locked = pins(LOCK)
    for one in map(Requirement, direct):
        assert one.specifier.contains(locked[canonicalize_name(one.name)].split("+")[0]), one.name


def installs(*variables: str) -> list[str]:
    """The commands of pip that `make setup` would run here."""
    command = ["make", "-n", "-B", "setup", *variables]
    own = {"MAKEFLAGS", "MAKEOVERRIDES", "MFLAGS", "MAKELEVEL", "TORCH", "HASHES"}  # of the make that runs the tests
    environment = {name: value for name, value in os.environ.items() if name not in own}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    return [line for line in done.stdout.splitlines() if "pip" in line and " install " in line]


def test_make_installs_nothing_without_a_hash() -> None:
    torch, again, others, own = installs()
    assert "--require-hashes -r .venv/torch.lock" in torch
    assert "--no-deps 'torch===2.13.0+cpu'" in again, "nothing to do where the first line found the build that the lock names"
    assert "--no-deps --require-hashes -r .venv/others.lock" in others
    assert "--no-deps --no-build-isolation -e ." in own, "isolation would bring a setuptools without a hash"


def test_another_torch_comes_unhashed_and_the_rest_does_not() -> None:
    torch, others, own = installs("TORCH=2.13.0")
    assert "--no-deps 'torch===2.13.0'" in torch
    assert "--require-hashes" not in torch
    assert "--require-hashes" in others
    assert "-c .venv/constraints.txt -e '.[eval,dev]'" in own


def test_the_user_may_trust_their_index() -> None:
    assert not any("--require-hashes" in line for line in installs("HASHES=no"))
