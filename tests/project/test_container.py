"""The container: what its files name is there, nobody is root in it, nothing secret gets in, and it agrees with the code."""

from __future__ import annotations

import fnmatch
import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import yaml
from packaging.specifiers import SpecifierSet

from core.settings import Settings
from core.store import database_file

ROOT = Path(__file__).parents[2]
CONTAINERFILE = ROOT / "Containerfile"
PYTHON_OF = {"debian:12-slim": "3.11", "debian:13-slim": "3.13"}  # what python3 is there


def steps() -> list[tuple[str, str]]:
    """Each instruction with its arguments, lines joined, comments left out."""
    text = "\n".join(line for line in CONTAINERFILE.read_text().splitlines() if not line.startswith("#"))
    joined = [line.strip().partition(" ") for line in text.replace("\\\n", " ").splitlines() if line.strip()]
    return [(word, re.sub(r"\s+", " ", rest).strip()) for word, _, rest in joined]


def final() -> list[tuple[str, str]]:
    """The instructions of the last stage: what an image is made of."""
    found = steps()
    last = max(index for index, (word, _) in enumerate(found) if word == "FROM")
    return found[last:]


def values(found: list[tuple[str, str]], word: str) -> list[str]:
    return [rest for name, rest in found if name == word]


def environment() -> dict[str, str]:
    return dict(pair.split("=", 1) for line in values(final(), "ENV") for pair in line.split())


def compose() -> dict[str, Any]:
    """compose.yaml as an engine sees it, its anchors resolved."""
    found: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
    return found


def ignored(name: str) -> bool:
    """Whether .dockerignore keeps a file out of what the image is built from; the last line that fits decides."""
    out = False
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        if not line or line.startswith("#"):
            continue
        pattern = line.removeprefix("!")
        parents = [name, *(str(one) for one in Path(name).parents)]
        loose = pattern.removeprefix("**/")
        fits = any(
            fnmatch.fnmatch(one, pattern) or (fnmatch.fnmatch(Path(one).name, loose) and loose != pattern) for one in parents
        )
        if fits:
            out = not line.startswith("!")
    return out


def test_everything_that_is_copied_is_in_the_project_and_not_ignored() -> None:
    own = [line for line in values(steps(), "COPY") if not line.startswith("--from")]
    names = [name for line in own for name in line.split()[:-1]]
    assert names
    for name in names:
        assert (ROOT / name).exists(), name
        assert not ignored(name), name
    tracked = subprocess.run(
        ["git", "ls-files", "core", "bot", "cogs", "data"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert not [name for name in tracked.stdout.splitlines() if ignored(name)]


def test_the_scripts_that_are_run_are_in_the_project() -> None:
    (setup,) = (line for line in values(steps(), "RUN") if "make setup" in line)
    (script,) = re.findall(r"python -m (data[\w.]+)", setup)
    assert (ROOT / f"{script.replace('.', '/')}.py").is_file(), script
    assert "setup:" in (ROOT / "Makefile").read_text().splitlines()
    assert "TORCH=${TORCH}" in setup
    assert "TORCH=auto" in values(steps(), "ARG")


def test_no_secret_gets_in() -> None:
    for name in (
        ".env",
        "core/.env",
        ".git/config",
        "egao.sqlite3",
        "data/egao.sqlite3-wal",
        ".venv/bin/python",
        "out/demo/a.png",
    ):
        assert ignored(name), name
    assert not any(line.split()[0] == "." for line in values(steps(), "COPY")), "everything is copied by name"
    assert not re.search(r"TOKEN|EGAO_KEY", CONTAINERFILE.read_text())
    assert not re.search(r"^\s+(DISCORD_TOKEN|EGAO_KEY):", (ROOT / "compose.yaml").read_text(), re.M)


def test_the_python_of_its_base_is_one_that_egao_runs_on() -> None:
    (base,) = (line.removeprefix("DEBIAN=") for line in values(steps(), "ARG") if line.startswith("DEBIAN="))
    assert set(values(steps(), "FROM")) == {"${DEBIAN} AS build", "${DEBIAN}"}, "an environment holds only with its own Python"
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert PYTHON_OF[base] in SpecifierSet(project["requires-python"])


def test_nobody_is_root_and_only_the_volumes_can_be_written() -> None:
    (user,) = values(final(), "USER")
    (made,) = (line for line in values(final(), "RUN") if "useradd" in line)
    assert made.endswith("/var/lib/egao /var/cache/egao")
    assert f" {user} " in made
    assert f"--owner={user}" in made
    words = [word for word, _ in final()]
    assert words.index("USER") < words.index("ENTRYPOINT")
    volumes = set(values(final(), "VOLUME")[0].split())
    found = environment()
    assert {found["EGAO_HOME"], found["EGAO_CACHE"]} == volumes
    assert found["MPLCONFIGDIR"].startswith(tuple(volumes))
    for service in compose()["services"].values():
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert {line.split(":")[1] for line in service["volumes"]} == volumes
        assert "user" not in service
        assert "privileged" not in service


def test_the_pages_are_for_its_own_network_alone() -> None:
    bot = compose()["services"]["bot"]
    own = {name: str(value) for name, value in bot["environment"].items()}
    settings = Settings.load(own)
    assert settings.http_host == "0.0.0.0"
    assert [str(settings.http_port)] == bot["expose"]
    assert "ports" not in bot
    assert "EGAO_HTTP_HOST" not in environment(), "without compose it is the loopback address"
    assert environment()["EGAO_HTTP_PORT"] == str(settings.http_port), "the health check asks there"
    assert "/healthz" in values(final(), "HEALTHCHECK")[0]
    assert str(database_file(settings)).startswith("/var/lib/egao/")


def test_it_is_given_the_time_to_put_work_back_and_starts_with_its_weights() -> None:
    services = compose()["services"]
    assert int(services["bot"]["stop_grace_period"].removesuffix("s")) > 2 * Settings.load({}).close_seconds
    assert services["weights"]["command"] == ["models", "pull"]
    assert services["bot"]["depends_on"]["weights"]["condition"] == "service_completed_successfully"
    assert values(final(), "ENTRYPOINT") == ['["egao"]']
    assert values(final(), "CMD") == ['["bot"]']
