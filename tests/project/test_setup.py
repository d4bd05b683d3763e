"""`make`'s set-up, with the real pip and packages of a few bytes: which torch is taken, and when .venv is made anew."""

from __future__ import annotations

import importlib.metadata
import json
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.core.weights.small_index import SmallIndex, serve
from tests.project.setup_kit import CPU, CUDA, DEFAULT, OTHERS, installed, set_up, small_egao, wheel, with_environment

pytestmark = pytest.mark.slow

NOBODY = "http://127.0.0.1:9/whl/cpu"  # the port that discards: no index answers


@pytest.fixture
def user() -> Iterator[SmallIndex]:
    """The user's own package index. It has torch's default build, as the public one has."""
    with serve(SmallIndex({**OTHERS, **dict([DEFAULT, CUDA])})) as served:
        yield served


@pytest.fixture
def pytorch() -> Iterator[SmallIndex]:
    """The index of torch's CPU builds."""
    with serve(SmallIndex(dict([CPU]))) as served:
        yield served


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment that has only pip, that of these tests: a thousand files, which all its copies find in one place."""
    folder = tmp_path_factory.mktemp("bare") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    (packages,) = (folder / "lib").glob("python*/site-packages")
    ours = Path(str(importlib.metadata.distribution("pip").locate_file("")))
    for part in (ours / "pip", *ours.glob("pip-*.dist-info")):
        shutil.copytree(part, folder.parent / "pip" / part.name)
    (packages / "pip.pth").write_text(f"{folder.parent / 'pip'}\n")
    return folder


@pytest.fixture
def egao(tmp_path: Path, bare: Path) -> Path:
    return with_environment(small_egao(tmp_path / "egao"), bare)


# Python that leaves out what comes last, which the first test asks for: to install egao itself, and `pip check`.
WITHOUT_EGAO = """
from data.setup import pip_run
run = pip_run.Pip.run
pip_run.Pip.run = lambda pip, *arguments: "-e" in arguments or "check" in arguments or run(pip, *arguments)
"""


def test_the_users_own_cpu_build_comes_first(egao: Path, user: SmallIndex, pytorch: SmallIndex) -> None:
    user.files |= dict([CPU])
    done = set_up(egao, user.url, pytorch.url)
    assert done.returncode == 0, done
    assert installed(egao) == {"torch": "2.13.0+cpu", "opencv_stub": "1.0", "mediapipe": "1.0", "egao": "9.0"}
    assert pytorch.served == []
    place = rf"({user.url.split('/')[2]}|the default index)"  # newer versions of pip don't say its address
    assert re.search(rf"^egao: 3 packages, \d MB, from {place}$", done.stdout, re.M)
    again = set_up(egao, "http://127.0.0.1:9/simple/", NOBODY)
    assert (again.returncode, again.stdout, again.stderr) == (0, "", ""), "all is there: no index is asked"


def test_pytorchs_index_comes_second_and_gives_nothing_but_torch(egao: Path, user: SmallIndex, pytorch: SmallIndex) -> None:
    pytorch.files |= dict([wheel("mediapipe", "1.0", {"mediapipe/evil.py": b""})])
    done = set_up(egao, user.url, pytorch.url, before=WITHOUT_EGAO)
    assert done.returncode == 0, done
    assert installed(egao)["torch"] == "2.13.0+cpu"
    assert pytorch.served == [CPU[0]]
    assert sorted(user.served) == sorted(OTHERS)


def test_without_any_cpu_build_the_default_one_comes_and_its_size_is_said(egao: Path, user: SmallIndex) -> None:
    done = set_up(egao, user.url, NOBODY, before=WITHOUT_EGAO)
    assert done.returncode == 0, done
    assert installed(egao) | {"torch": "2.13.0", "nvidia_stub": "1.0"} == installed(egao)
    said = "no CPU build of torch: your package index has none, 127.0.0.1:9 does not answer. Taking the default index's build: "
    assert f"egao: {said}1234 MB with CUDA." in done.stdout


# Python that brings torch's CPU build and ends there: each of pip's further runs takes a second.
TORCH_ALONE = """
from data.setup import install, pip_run
pip = pip_run.Pip(install.PYTHON, install.VENV / "pip.log", install.say)
sys.exit(not install.cpu_build(pip, install.arguments(), install.sections()["torch, CPU build"]))
"""
WITH_ALL = pytest.param("", marks=pytest.mark.long)


def constrained(tmp_path: Path, to: str) -> str:
    """What to run first, so that pip's settings hold packages to `to`: pip then reports a missing one in other words."""
    file = tmp_path / "constraints.txt"
    file.write_text(f"{to}\n")
    return f"import os; os.environ['PIP_CONSTRAINT'] = {str(file)!r}"


@pytest.mark.parametrize("then", [TORCH_ALONE, WITH_ALL], ids=["torch alone", "all"])
def test_a_constraint_in_pips_settings_keeps_no_index_from_being_asked(
    tmp_path: Path, egao: Path, user: SmallIndex, pytorch: SmallIndex, then: str
) -> None:
    before = f"{constrained(tmp_path, 'torch<=2.14.1')}\n{then}"
    assert set_up(egao, user.url, pytorch.url, before=before).returncode == 0
    assert installed(egao)["torch"] == "2.13.0+cpu"


@pytest.mark.long  # pip's other words are read in the test before, and the default build is taken in the one before that
def test_with_a_constraint_too_the_default_build_comes_where_there_is_no_other(
    tmp_path: Path, egao: Path, user: SmallIndex
) -> None:
    done = set_up(egao, user.url, NOBODY, before=constrained(tmp_path, "torch<=2.14.1"))
    assert done.returncode == 0, done
    assert installed(egao)["torch"] == "2.13.0"
    assert "your package index has none, 127.0.0.1:9 does not answer" in done.stdout


def test_a_constraint_that_leaves_nothing_is_named(tmp_path: Path, egao: Path, user: SmallIndex, pytorch: SmallIndex) -> None:
    done = set_up(egao, user.url, pytorch.url, before=constrained(tmp_path, "torch<2"))
    assert done.returncode == 1
    assert "pip's own settings also want torch<2" in done.stderr


@pytest.mark.long  # that a build is asked for by name is tried below, with one that is not to be had
@pytest.mark.parametrize("first", [TORCH_ALONE, WITH_ALL], ids=["torch alone", "all"])
def test_the_default_build_can_be_asked_for_and_replaces_the_other(
    egao: Path, user: SmallIndex, pytorch: SmallIndex, first: str
) -> None:
    assert set_up(egao, user.url, pytorch.url, before=first).returncode == 0
    done = set_up(egao, user.url, pytorch.url, "--torch", "2.13.0")
    assert done.returncode == 0, done
    assert installed(egao)["torch"] == "2.13.0"


def test_a_cpu_build_that_was_asked_for_is_not_replaced_by_another(egao: Path, user: SmallIndex) -> None:
    done = set_up(egao, user.url, NOBODY, "--torch", "2.13.0+cpu")
    assert done.returncode == 1
    assert done.stderr == "egao: no CPU build of torch: your package index has none, 127.0.0.1:9 does not answer\n"


@pytest.mark.parametrize("spoilt", ["torch==2.13.0+cpu", pytest.param("mediapipe", marks=pytest.mark.long)])
def test_a_file_that_is_not_the_locks_is_refused(
    tmp_path: Path, bare: Path, user: SmallIndex, pytorch: SmallIndex, spoilt: str
) -> None:
    egao = with_environment(small_egao(tmp_path / "egao", spoilt), bare)
    done = set_up(egao, user.url, pytorch.url)
    assert done.returncode == 1
    assert "gave another file than the one that egao was tested with" in done.stderr
    assert "make HASHES=no" in done.stderr
    assert spoilt.split("==")[0] not in installed(egao)


@pytest.mark.long  # a venv takes ten seconds; what makes one needed, and what HASHES=no allows, is asked in tests of its copy
def test_the_user_may_trust_their_index(tmp_path: Path, user: SmallIndex, pytorch: SmallIndex) -> None:
    """And what a refusal, like every interruption, has left is made anew: here the real way, with the real venv."""
    egao = small_egao(tmp_path / "egao", "mediapipe")
    (egao / ".venv").mkdir()
    (egao / ".venv/pyvenv.cfg").touch()
    done = set_up(egao, user.url, pytorch.url, "--hashes", "no")
    assert done.returncode == 0, done
    assert "making .venv anew: its installation was not finished" in done.stdout
    assert installed(egao)["mediapipe"] == "1.0"


ONCE_MORE = "import os; os.environ['PIP_RETRIES'] = '1'"  # by itself pip tries five times, and waits ever longer in between


@pytest.mark.parametrize("before", [ONCE_MORE, pytest.param("", marks=pytest.mark.long)])
def test_without_a_network_one_sentence_says_so(egao: Path, before: str) -> None:
    done = set_up(egao, "http://127.0.0.1:9/simple/", NOBODY, before=before)
    assert done.returncode == 1
    assert "the package index does not answer: check the network and pip's settings" in done.stderr


def test_libraries_of_the_system_that_are_missing_are_named(egao: Path, user: SmallIndex, pytorch: SmallIndex) -> None:
    needs_opengl = b"raise ImportError('libGL.so.1: cannot open shared object file: No such file or directory')"
    user.files |= dict([wheel("opencv_stub", "1.0", {"cv2.py": needs_opengl})])
    done = set_up(egao, user.url, pytorch.url, "--hashes", "no", before=WITHOUT_EGAO)
    assert done.returncode == 1
    assert "type: apt-get install libgl1 libegl1 libgles2 libglib2.0-0" in done.stderr


def interrupted(egao: Path) -> None:
    (egao / ".venv/.egao.json").unlink()


def moved(egao: Path) -> None:
    mark = egao / ".venv/.egao.json"
    mark.write_text(json.dumps(json.loads(mark.read_text()) | {"folder": "/elsewhere/.venv"}))


def python_gone(egao: Path) -> None:
    python = egao / ".venv/bin/python"
    python.unlink()
    python.symlink_to("/nowhere/python3")


def no_pip(egao: Path) -> None:
    (pip,) = (egao / ".venv/lib").glob("python*/site-packages/pip.pth")
    pip.unlink()


def whole(egao: Path) -> None:
    pass


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (whole, None),
        (interrupted, "its installation was not finished"),
        (moved, "it was made in /elsewhere/.venv"),
        (python_gone, "its Python does not run"),
        (no_pip, "its Python does not run"),
    ],
    ids=["whole", "interrupted", "moved", "another Python", "no pip"],
)
def test_why_an_environment_cannot_be_used(egao: Path, spoil: Callable[[Path], None], reason: str | None) -> None:
    spoil(egao)
    look = "from data.setup import install; print(install.what_is_wrong(asked_for=True)); sys.exit()"
    assert set_up(egao, NOBODY, NOBODY, before=look).stdout == f"{reason}\n"


def test_an_environment_with_another_python_is_kept_unless_one_was_asked_for(egao: Path) -> None:
    other = 12 if sys.version_info.minor == 14 else 14
    look = "from data.setup import install; print(install.what_is_wrong(asked_for={})); sys.exit()"
    look = f"sys.version_info = (3, {other}, 0); {look}"
    assert set_up(egao, NOBODY, NOBODY, before=look.format(False)).stdout == "None\n"
    assert f"and 3.{other} was asked for" in set_up(egao, NOBODY, NOBODY, before=look.format(True)).stdout


def test_a_folder_of_the_users_own_is_not_removed(egao: Path) -> None:
    shutil.rmtree(egao / ".venv")
    (egao / ".venv").mkdir()
    (egao / ".venv/thesis.txt").write_text("mine")
    done = set_up(egao, NOBODY, NOBODY)
    assert (done.returncode, "move it out of the way" in done.stderr) == (1, True)
    assert (egao / ".venv/thesis.txt").read_text() == "mine"


def test_a_python_that_cannot_make_environments_is_told_what_to_type(tmp_path: Path) -> None:
    egao = small_egao(tmp_path / "egao")
    done = set_up(egao, NOBODY, NOBODY, before="sys.modules['ensurepip'] = None")
    assert done.returncode == 1
    assert f"type: apt-get install python3.{sys.version_info.minor}-venv" in done.stderr
    assert not (egao / ".venv").exists()


@pytest.mark.parametrize("version", [(3, 10, 9), (3, 15, 0)])
def test_another_python_is_refused(egao: Path, version: tuple[int, int, int]) -> None:
    done = set_up(egao, NOBODY, NOBODY, before=f"sys.version_info = {version}")
    assert done.returncode == 1
    assert "Python 3.11 to 3.14 is needed" in done.stderr


def test_a_mac_with_an_intel_processor_is_told_so(egao: Path) -> None:
    done = set_up(egao, NOBODY, NOBODY, before="import platform; sys.platform = 'darwin'; platform.machine = lambda: 'x86_64'")
    assert done.returncode == 1
    assert "no packages of torch for Macs with Intel processors" in done.stderr


@pytest.mark.long
def test_an_index_that_is_silent_is_not_waited_for_for_minutes(egao: Path, user: SmallIndex) -> None:
    with socket.socket() as silent:  # takes connections and never says a word
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        done = set_up(egao, user.url, f"http://127.0.0.1:{silent.getsockname()[1]}/whl/cpu")
    assert done.returncode == 0, done
    assert "does not answer. Taking the default index's build" in done.stdout
    waits = (egao / ".venv/pip.log").read_text().count("Retrying")
    assert waits == 1, "pip's own five tries of 15 seconds take minutes"


def test_make_finds_a_python_that_fits(tmp_path: Path) -> None:
    """The first of python3.11 to python3.14, python3 that runs and fits: those of pyenv are there and don't run."""
    root = Path(__file__).parents[2]
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("make", "bash", "test", "echo"):
        (tools / name).symlink_to(str(shutil.which(name)))
    for name, script in {
        "python3.11": "exit 127",
        "python3.12": "exit 0",
        "python3": "[ $1 = -V ] && echo Python 3.9.2; exit 1",
    }.items():
        (tools / name).write_text(f"#!{shutil.which('bash')}\n{script}\n")
        (tools / name).chmod(0o755)
    command = ["make", "-n", "setup"]
    plan = subprocess.run(command, cwd=root, env={"PATH": str(tools)}, capture_output=True, text=True, check=True).stdout
    assert "\npython3.12 -m data.setup.install --torch 'auto'" in plan
    (tools / "python3.12").unlink()
    refused = subprocess.run(["make", "setup"], cwd=root, env={"PATH": str(tools)}, capture_output=True, text=True, check=False)
    assert refused.returncode != 0
    assert "no Python 3.11 to 3.14 is here (python3 is: Python 3.9.2)" in refused.stderr
