"""Pulls with the real pip from a small index on loopback: what must go right, and everything that can go wrong."""

from __future__ import annotations

import os
import resource
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from core.errors import BadSetting, DiskFull, WeightsCorrupt, WeightsOffline
from core.pull import pull
from core.settings import Settings
from core.weights.cache import weights_folder
from core.weights.manifest import Manifest, load_manifest
from tests.core.weights.small_index import SmallIndex, entry, manifest_file, serve, source, wheel

pytestmark = pytest.mark.slow
LONG = pytest.mark.long  # each of pip's runs takes a second

WHEEL, SOURCE = "tiny_weights-1.0-py3-none-any.whl", "tiny_source-1.0.tar.gz"
ONE, TWO, THREE = b"first" * 1000, os.urandom(40_000), b"third" * 2000
EGAO = """
import sys, core.cli.models
from core.cli import main
from core.weights.manifest import load_manifest
manifest = load_manifest(__import__("pathlib").Path(sys.argv.pop(1)))
core.cli.models.load_manifest = lambda: manifest
main()
"""


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch) -> Iterator[SmallIndex]:
    """The only index that pip knows in this test. Two weights in a wheel, one in a source archive."""
    setup = b"import pathlib, os; pathlib.Path(os.environ['MARKER']).touch()\nfrom setuptools import setup; setup()\n"
    files = {
        WHEEL: wheel("tiny-weights", {"data/one": ONE, "data/two": TWO, "../../slip": ONE}),
        SOURCE: source("tiny-source", {"setup.py": setup, "data/three": THREE}, links={"link": "PKG-INFO"}),
    }
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    with serve(SmallIndex(files)) as served:
        monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
        monkeypatch.setenv("PIP_INDEX_URL", served.url)
        monkeypatch.setenv("PIP_RETRIES", "0")
        yield served


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("EGAO_CACHE", str(tmp_path / "cache"))
    return Settings.load({"EGAO_CACHE": str(tmp_path / "cache")})


def wheel_entry(index: SmallIndex, **wrong: object) -> str:
    weights = {"one": ("data/one", ONE), "two": ("data/two", TWO)}
    return entry("tiny-weights", WHEEL, index.files[WHEEL], weights, **wrong)


def source_entry(index: SmallIndex, path: str = "data/three") -> str:
    return entry("tiny-source", SOURCE, index.files[SOURCE], {"three": (f"tiny_source-1.0/{path}", THREE)})


def manifest_of(folder: Path, *entries: str) -> Manifest:
    return load_manifest(manifest_file(folder, *entries))


def wait_for_half(index: SmallIndex, process: subprocess.Popen[str]) -> None:
    """Until the process has received half of an archive; fails at once if it ends before."""
    while not index.half_sent.wait(0.05):
        assert process.poll() is None, process.communicate()


def contents(settings: Settings) -> dict[str, bytes]:
    """Every file below the weights folder but the lock."""
    folder = weights_folder(settings)
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file() and p.name != ".lock"}


Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def egao(tmp_path: Path) -> Iterator[Start]:
    """Starts `egao models pull` over a manifest of some archives, in a process group of its own."""
    started: list[subprocess.Popen[str]] = []

    def start(*entries: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", EGAO, str(manifest_file(tmp_path, *entries)), "models", "pull"]
        pipe = subprocess.PIPE
        # whoever runs the tests in the background of a shell hands down an ignored SIGINT, and Python would keep to that
        heed = lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)  # noqa: E731
        start_one = subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, start_new_session=True, preexec_fn=heed)
        started.append(start_one)
        return started[-1]

    yield start
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def test_a_pull_brings_every_member_and_leaves_nothing_else(
    index: SmallIndex, cache: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MARKER", str(tmp_path / "setup-was-run"))
    lines: list[str] = []
    manifest = manifest_of(tmp_path, wheel_entry(index), source_entry(index))
    assert pull(cache, manifest, say=lines.append) == list(manifest.weights)
    assert contents(cache) == {"one.bin": ONE, "two.bin": TWO, "three.bin": THREE}
    assert [p.name for p in weights_folder(cache).iterdir() if p.is_dir()] == []
    assert sorted(index.served) == [SOURCE, WHEEL], "an archive with two members is fetched once"
    assert not (tmp_path / "setup-was-run").exists(), "the source archive's setup.py ran"
    assert {p.stat().st_mode & 0o777 for p in weights_folder(cache).glob("*.bin")} == {0o644}


def test_only_what_is_missing_or_damaged_is_fetched_again(index: SmallIndex, cache: Settings, tmp_path: Path) -> None:
    manifest = manifest_of(tmp_path, wheel_entry(index), source_entry(index))
    folder = weights_folder(cache)
    folder.mkdir(parents=True)
    (folder / "one.bin").write_bytes(ONE)
    (folder / "two.bin").write_bytes(TWO[:-1] + b"?")
    (folder / "three.bin").write_bytes(THREE)
    assert [weight.name for weight in pull(cache, manifest)] == ["two"]
    (folder / "three.bin").unlink()
    assert [weight.name for weight in pull(cache, manifest)] == ["three"]
    assert index.served == [WHEEL, SOURCE]
    assert pull(cache, manifest) == []
    assert index.served == [WHEEL, SOURCE]
    (folder / "three.bin").unlink()
    whole = manifest_of(tmp_path, wheel_entry(index))
    assert [weight.name for weight in pull(cache, whole, force=True)] == ["one", "two"]
    assert index.served == [WHEEL, SOURCE, WHEEL]
    (folder / "three.bin").write_bytes(THREE)
    assert contents(cache) == {"one.bin": ONE, "two.bin": TWO, "three.bin": THREE}


@pytest.mark.parametrize(
    "wrong",
    [{"archive_sha256": "0" * 64}, {"sha256": "0" * 64}, *(pytest.param({"bytes": len(ONE) + n}, marks=LONG) for n in (-1, 1))],
    ids=["archive", "member", "member is longer", "member is shorter"],
)
def test_a_wrong_hash_or_size_writes_nothing(
    index: SmallIndex, cache: Settings, tmp_path: Path, wrong: dict[str, object]
) -> None:
    with pytest.raises(WeightsCorrupt) as caught:
        pull(cache, manifest_of(tmp_path, wheel_entry(index, **wrong)))
    assert "egao models pull" in str(caught.value)
    assert contents(cache) == {}


def test_a_failed_pull_keeps_the_file_that_was_there(index: SmallIndex, cache: Settings, tmp_path: Path) -> None:
    manifest = manifest_of(tmp_path, wheel_entry(index))
    pull(cache, manifest)
    index.files[WHEEL] = wheel("tiny-weights", {"data/one": THREE, "data/two": THREE})
    with pytest.raises(WeightsCorrupt):
        pull(cache, manifest, force=True)
    assert contents(cache) == {"one.bin": ONE, "two.bin": TWO}


@pytest.mark.parametrize("path", ["link", *(pytest.param(path, marks=LONG) for path in ("data/absent", "data"))])
def test_a_member_that_is_no_plain_file_is_refused(index: SmallIndex, cache: Settings, tmp_path: Path, path: str) -> None:
    with pytest.raises(WeightsCorrupt):
        pull(cache, manifest_of(tmp_path, source_entry(index, path)))
    assert contents(cache) == {}


def test_a_member_named_to_escape_lands_inside(index: SmallIndex, cache: Settings, tmp_path: Path) -> None:
    escaping = entry("tiny-weights", WHEEL, index.files[WHEEL], {"slip": ("../../slip", ONE)})
    pull(cache, manifest_of(tmp_path, escaping))
    assert [p for p in tmp_path.parent.rglob("slip*") if p.is_file()] == [weights_folder(cache) / "slip.bin"]


def test_offline_is_one_sentence(index: SmallIndex, cache: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:  # bound but not listening: a port that refuses
        taken.bind(("127.0.0.1", 0))
        monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{taken.getsockname()[1]}/simple/")
        with pytest.raises(WeightsOffline, match="does not answer"):
            pull(cache, manifest_of(tmp_path, wheel_entry(index)))
    assert contents(cache) == {}


def test_a_connection_that_breaks_in_the_middle_is_one_sentence(index: SmallIndex, cache: Settings, tmp_path: Path) -> None:
    index.hang_up = True
    with pytest.raises((WeightsOffline, WeightsCorrupt), match="egao models pull") as caught:
        pull(cache, manifest_of(tmp_path, wheel_entry(index)))
    assert "\n" not in str(caught.value)
    assert contents(cache) == {}


def test_a_release_that_the_index_lacks_is_said(index: SmallIndex, cache: Settings, tmp_path: Path) -> None:
    manifest = manifest_of(tmp_path, wheel_entry(index))
    del index.files[WHEEL]
    with pytest.raises(WeightsOffline, match=f"has no {WHEEL}"):
        pull(cache, manifest)


def test_a_python_without_pip_is_said(
    index: SmallIndex, cache: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "bare"], check=True)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "bare/bin/python"))
    with pytest.raises(WeightsOffline, match="ensurepip"):
        pull(cache, manifest_of(tmp_path, wheel_entry(index)))


@pytest.mark.parametrize(
    ("member", "limit"),
    [(os.urandom(200_000), 100_000), (bytes(300_000), 100_000)],
    ids=["while pip writes the archive", "while the member is taken out"],
)
def test_a_disk_without_room_is_one_sentence_and_nothing_half_written(
    index: SmallIndex, cache: Settings, tmp_path: Path, member: bytes, limit: int
) -> None:
    index.files[WHEEL] = wheel("tiny-weights", {"data/big": member})
    manifest = manifest_of(tmp_path, entry("tiny-weights", WHEEL, index.files[WHEEL], {"big": ("data/big", member)}))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))  # writes past it fail, for pip as well
    try:
        with pytest.raises(DiskFull, match="EGAO_CACHE"):
            pull(cache, manifest)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert contents(cache) == {}


def test_a_cache_that_cannot_be_made_names_the_setting(index: SmallIndex, cache: Settings, tmp_path: Path) -> None:
    cache.cache.write_text("a file where the folder should be")
    with pytest.raises(BadSetting, match="EGAO_CACHE"):
        pull(cache, manifest_of(tmp_path, wheel_entry(index)))


def test_a_killed_pull_leaves_no_file_and_the_next_one_completes(
    index: SmallIndex, cache: Settings, tmp_path: Path, egao: Start
) -> None:
    index.hold = True
    killed = egao(wheel_entry(index))
    wait_for_half(index, killed)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.wait()
    assert list(weights_folder(cache).glob("*.bin")) == []
    assert list(weights_folder(cache).glob(".incoming-*")) != [], "the pull was not in the middle of it"
    index.hold = False
    pull(cache, manifest_of(tmp_path, wheel_entry(index)))
    assert contents(cache) == {"one.bin": ONE, "two.bin": TWO}
    assert list(weights_folder(cache).glob(".incoming-*")) == []


def test_an_interrupted_pull_ends_with_one_sentence(index: SmallIndex, cache: Settings, egao: Start) -> None:
    index.hold = True
    interrupted = egao(wheel_entry(index))
    wait_for_half(index, interrupted)
    os.killpg(interrupted.pid, signal.SIGINT)  # what a terminal does on Ctrl-C
    _, errors = interrupted.communicate(timeout=60)
    assert interrupted.returncode == 130
    assert errors.strip().splitlines() == [
        "egao: interrupted. Every file that is there is whole; to go on, run: egao models pull"
    ]
    assert contents(cache) == {}


def test_two_pulls_at_once_share_one_download(index: SmallIndex, cache: Settings, egao: Start) -> None:
    index.hold = True
    first = egao(wheel_entry(index))
    wait_for_half(index, first)
    second = egao(wheel_entry(index))
    assert second.stdout is not None
    assert "waiting" in second.stdout.readline()
    index.release.set()
    outputs = [process.communicate(timeout=60) for process in (first, second)]
    assert (first.returncode, second.returncode) == (0, 0), outputs
    assert "nothing to fetch" in outputs[1][0]
    assert index.served == [WHEEL]
    assert contents(cache) == {"one.bin": ONE, "two.bin": TWO}


def test_a_failure_on_the_command_line_is_one_line_and_status_one(index: SmallIndex, cache: Settings, egao: Start) -> None:
    failed = egao(wheel_entry(index, sha256="0" * 64))
    _, errors = failed.communicate(timeout=60)
    assert failed.returncode == 1
    assert len(errors.strip().splitlines()) == 1
    assert errors.startswith("egao: one is not the file it should be")
