"""The service unit: what it starts is there, systemd takes it, and the doors that it shuts stay shut."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from bot.app import CONFIGURATION
from core.settings import SECRETS, Settings

ROOT = Path(__file__).parents[2]
UNIT = ROOT / "data/systemd/egao.service"
INSTALLED = "/opt/egao/"
EXPOSURE = 20  # tenths, of systemd's own count from 0 (shut) to 100; 14 was measured with version 252

SHUT = {
    "NoNewPrivileges": "yes", "CapabilityBoundingSet": "", "DynamicUser": "yes", "ProtectSystem": "strict",
    "ProtectHome": "yes", "PrivateTmp": "yes", "PrivateDevices": "yes", "PrivateUsers": "yes", "ProtectProc": "invisible",
    "ProtectKernelTunables": "yes", "ProtectKernelModules": "yes", "ProtectControlGroups": "yes", "ProtectClock": "yes",
    "RestrictNamespaces": "yes", "RestrictSUIDSGID": "yes", "RestrictAddressFamilies": "AF_INET AF_INET6 AF_UNIX",
    "LockPersonality": "yes", "SystemCallArchitectures": "native", "StateDirectoryMode": "0700", "UMask": "0077",
    "LimitCORE": "0", "MemorySwapMax": "0", "OOMPolicy": "continue", "KillMode": "mixed",
}  # fmt: skip


def directives(unit: Path = UNIT) -> dict[str, list[str]]:
    """Each directive with its values, in order."""
    found: dict[str, list[str]] = {}
    for line in unit.read_text().splitlines():
        if line and line[0] not in "#[":
            name, _, value = line.partition("=")
            found.setdefault(name, []).append(value)
    return found


def test_the_doors_are_shut() -> None:
    found = directives()
    assert {name: found.get(name) for name in SHUT} == {name: [value] for name, value in SHUT.items()}
    assert found["SystemCallFilter"] == ["@system-service", "~@privileged"]
    assert not {"MemoryDenyWriteExecute", "NoExecPaths"} & set(found), "convolutions, and drawing, are compiled for the processor"


def test_what_it_starts_is_in_the_project() -> None:
    found = directives()
    for (command,) in (found["ExecStart"], found["ExecStartPre"]):
        program, *_ = command.removeprefix(INSTALLED).split()
        assert command.startswith(INSTALLED)
        assert program == ".venv/bin/egao"
    (own,) = found["ExecStart"]
    assert own.endswith("egao bot")
    scripts = (ROOT / "pyproject.toml").read_text()
    assert 'egao = "core.cli:main"' in scripts
    assert 'bot = "bot.command:command"' in scripts


def test_it_agrees_with_the_code() -> None:
    found = directives()
    assert found["RestartPreventExitStatus"] == [str(CONFIGURATION)]
    assert int(found["TimeoutStopSec"][0]) > 2 * Settings.load({}).close_seconds
    variables = dict(pair.split("=") for pair in found["Environment"][0].split())
    assert variables["EGAO_HOME"].removeprefix("%S/") == found["StateDirectory"][0]
    assert variables["EGAO_CACHE"].removeprefix("%C/") == found["CacheDirectory"][0]
    assert all(value.split(":")[0] in SECRETS for value in found["LoadCredential"])
    assert not re.search(r"^Environment.*(TOKEN|KEY)", UNIT.read_text(), re.M), "the environment of a process can be read"


def judge() -> bool:
    """Whether systemd is here, and able to judge a file that is not installed (250 and later)."""
    if shutil.which("systemd-analyze") is None:
        return False
    told = subprocess.run(["systemd-analyze", "--version"], capture_output=True, text=True, check=True).stdout
    return int(told.split()[1]) >= 250


@pytest.mark.parametrize("name", ["egao", "egao-head", "egao-node"])
@pytest.mark.skipif(not judge(), reason="needs systemd's own judge; the directives are tested above")
def test_systemd_takes_it(tmp_path: Path, name: str) -> None:
    unit = UNIT.with_name(f"{name}.service")
    here = tmp_path / unit.name
    program = tmp_path / "egao"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    here.write_text(unit.read_text().replace(f"{INSTALLED}.venv/bin/egao", str(program)))
    judged = subprocess.run(["systemd-analyze", "verify", str(here)], capture_output=True, text=True, check=False)
    said = [line for line in judged.stderr.splitlines() if unit.name in line]
    assert (judged.returncode, said) == (0, [])
    command = ["systemd-analyze", "security", "--offline=yes", f"--threshold={EXPOSURE}", str(here)]
    judged = subprocess.run(command, capture_output=True, text=True, check=False)
    assert judged.returncode == 0, judged.stdout[-600:] + judged.stderr
