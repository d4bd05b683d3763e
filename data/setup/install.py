"""Make .venv and install egao's exact packages into it, saying which files come from where and how many megabytes.

Run by `make` with the Python that .venv is to have; needs nothing but that Python. Safe to run again at any time: where
all is in place, nothing happens; where .venv was left half-made, was moved or has another Python, it is made anew. The
packages come through the user's own pip settings and must be the files of data/requirements.lock, whatever index gives
them. torch is, on Linux, the CPU build of the user's index if it has one, else that of PyTorch's own index, else the
default index's build, which brings CUDA.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import urllib.parse
from pathlib import Path
from typing import NoReturn

from data.setup.pip_run import NotFound, Pip, PipFailed

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
DONE = VENV / ".egao.json"  # written last: without it, .venv is half-made
LOCK = ROOT / "data/requirements.lock"
INPUTS = (LOCK, ROOT / "data/constraints.txt", ROOT / "pyproject.toml")
# Asking an index that may not be reachable at all: give up after half a minute, where pip's defaults take minutes.
ASK_BRIEFLY = ("--timeout", "10", "--retries", "1")
# MediaPipe and OpenCV are linked against the system's OpenGL, even when they compute on the CPU.
OPEN_LIBRARIES = """
import ctypes, cv2, sys; from importlib.resources import files
library = "libmediapipe.dylib" if sys.platform == "darwin" else "libmediapipe.so"
ctypes.CDLL(str(files("mediapipe") / "tasks/c" / library))
"""


def main() -> None:
    """Do what is missing."""
    options = arguments()
    wanted = {"folder": str(VENV), "inputs": digest(), "torch": options.torch, "hashes": options.hashes}
    wanted |= {"cluster": "yes"} if options.cluster == "yes" else {}  # what is there may stay
    fault = what_is_wrong(asked_for=options.asked_for)
    if fault is None and json.loads(DONE.read_text()).items() >= wanted.items():
        return
    check_platform()
    if fault is not None:
        make_venv(fault)
    DONE.unlink(missing_ok=True)
    say(f"Python {platform.python_version()} on {sys.platform} {platform.machine()}; installing into {VENV}")
    pip = Pip(PYTHON, VENV / "pip.log", say)
    try:
        install(pip, options)
    except PipFailed as error:
        stop(f"{error}\nAll that pip said is in {pip.log}. What came so far is in pip's cache: run make again to go on.")
    check_libraries()
    DONE.write_text(json.dumps(wanted))
    say(f"{pip.files} packages, {pip.total:.0f} MB, from {', '.join(sorted(pip.places)) or 'nowhere: all were there'}")


def arguments() -> argparse.Namespace:
    """Read what the Makefile passes on."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--torch", default="auto", help="auto, or a version: 2.13.0 for the default index's build")
    parser.add_argument("--torch-index", required=True, help="index that has torch's CPU builds")
    parser.add_argument("--hashes", default="yes", choices=["yes", "no"], help="whether files must be those of the lock")
    parser.add_argument("--cluster", default="no", choices=["yes", "no"], help="whether to install Ray")
    parser.add_argument("--asked-for", action="store_true", help="the user named this Python: .venv must have it")
    return parser.parse_args()


def digest() -> str:
    """Changes when a file does that says what to install."""
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in INPUTS)).hexdigest()


def what_is_wrong(*, asked_for: bool) -> str | None:
    """Find why .venv can't be used as it is; None if it can. An empty reason: there is none yet."""
    if not VENV.exists():
        return ""
    if not DONE.exists() and any(VENV.glob(".ready-torch-*")):  # the mark that egao 0.1 left
        DONE.write_text(json.dumps({"folder": str(VENV)}))
    if not DONE.exists():
        return "its installation was not finished"
    made_in = json.loads(DONE.read_text()).get("folder")
    if made_in != str(VENV):  # its commands name their Python by the full path
        return f"it was made in {made_in}"
    try:
        command = [str(PYTHON), "-c", "import sys, pip; print('%d.%d' % sys.version_info[:2])"]
        run = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "its Python does not run"
    mine = "{}.{}".format(*sys.version_info[:2])
    if asked_for and run.stdout.strip() != mine:
        return f"it has Python {run.stdout.strip()}, and {mine} was asked for"
    return None


def check_platform() -> None:
    """Stop where it is known beforehand that packages are missing."""
    if not (3, 11) <= sys.version_info[:2] <= (3, 14):
        stop(f"Python 3.11 to 3.14 is needed, and {sys.executable} is {platform.python_version()}")
    if sys.platform == "darwin" and platform.machine() == "x86_64":
        stop("there are no packages of torch for Macs with Intel processors any more: egao can't be installed here")
    if importlib.util.find_spec("ensurepip") is None:
        version = "{}.{}".format(*sys.version_info[:2])
        stop(f"this Python can't make environments; on Debian and Ubuntu, type: apt-get install python{version}-venv")


def make_venv(fault: str) -> None:
    """Make an empty .venv, in place of one that can't be used."""
    if fault:
        if not (VENV / "pyvenv.cfg").exists() and any(VENV.iterdir()):
            stop(f"{VENV} is no Python environment: move it out of the way")
        say(f"making .venv anew: {fault}")
        shutil.rmtree(VENV)
    made = subprocess.run([sys.executable, "-m", "venv", VENV], capture_output=True, text=True, check=False)
    if made.returncode:
        shutil.rmtree(VENV, ignore_errors=True)
        stop(f"{sys.executable} can't make .venv:\n{(made.stdout + made.stderr).strip()}")


def install(pip: Pip, options: argparse.Namespace) -> None:
    """torch first, since most is decided by which build there is; then the rest, then egao itself.

    With the hashes, nothing is resolved and nothing is built with tools from outside .venv; `pip check` says if something
    were missing. Raises PipFailed.
    """
    lock = sections()
    cluster = lock["the extra cluster, which `make` does not install"] if options.cluster == "yes" else ""
    version = re.search(r"^torch==(\S+)", lock["torch, default build"], re.M)[1]  # type: ignore[index]
    if options.torch not in ("auto", version, f"{version}+cpu"):
        pip.install("--no-deps", f"torch==={options.torch}")  # the user's choice, of which no hash is known
        pip.install(*locked("others", lock["everything else"] + cluster, options.hashes))
        pip.install("-c", str(without_torch()), "-e", f"{ROOT}[eval,dev]")
        return
    rest = lock["everything else"] + cluster
    if options.torch == version or not cpu_build(pip, options, lock["torch, CPU build"]):
        exactly = lock["torch, default build"].replace("==", "===", 1)  # or a CPU build that is there would do for pip
        pip.install(*locked("torch", exactly, options.hashes))
        rest += lock["CUDA, for torch's default build on Linux"]
    pip.install(*locked("others", rest, options.hashes))
    pip.install("--no-deps", "--no-build-isolation", "-e", str(ROOT))
    pip.run("check")


def sections() -> dict[str, str]:
    """Read the lock's parts by their headings."""
    parts = re.split(r"^# -- (.+)\n", LOCK.read_text(), flags=re.M)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def locked(name: str, part: str, hashes: str) -> list[str]:
    """Arguments of pip that install a part of the lock, and nothing else than its files if `hashes` is yes."""
    file = VENV / f"{name}.lock"
    file.write_text(part if hashes == "yes" else re.sub(r" \\\n +--hash=\S+", "", part))
    return ["--no-deps", *(["--require-hashes"] if hashes == "yes" else []), "-r", str(file)]


def without_torch() -> Path:
    """Return the constraints, less torch and what only its default build brings."""
    file = VENV / "constraints.txt"
    lines = (ROOT / "data/constraints.txt").read_text().splitlines()
    file.write_text("\n".join(line for line in lines if not line.startswith(("torch==", "nvidia-", "cuda-", "triton"))))
    return file


def cpu_build(pip: Pip, options: argparse.Namespace, part: str) -> bool:
    """Install torch's CPU build, from wherever it is found first. False if the default index's build is to be taken.

    Only Linux has two builds; elsewhere the default one computes on the CPU.
    """
    if sys.platform != "linux":
        return False
    host = urllib.parse.urlsplit(options.torch_index).netloc
    places = {"your package index": [], host: ["--index-url", options.torch_index]}
    answers: list[str] = []
    for place, index in places.items():
        try:
            pip.install(*ASK_BRIEFLY, *index, *locked("torch", part, options.hashes))
        except NotFound as error:
            answers.append(f"{place} {'does not answer' if error.unreachable else 'has none'}")
        else:
            return True
    told = f"no CPU build of torch: {', '.join(answers)}"
    if options.torch != "auto":
        stop(told)
    say(f"{told}. Taking the default index's build: {megabytes()}. Another index is named by make TORCH_INDEX=…")
    return False


def megabytes() -> str:
    """Say how much torch's default build and all that it brings is, as `make lock` has added up."""
    version = "{}.{}".format(*sys.version_info[:2])
    found = re.search(rf"^# {sys.platform} {platform.machine()} {version}: (\d+) MB", LOCK.read_text(), re.M)
    return f"{found[1]} MB" + (" with CUDA" if sys.platform == "linux" else "") if found else "of unknown size"


def check_libraries() -> None:
    """Stop with the line to type where MediaPipe and OpenCV lack libraries of the system."""
    opened = subprocess.run([PYTHON, "-c", OPEN_LIBRARIES], capture_output=True, text=True, check=False)
    if not opened.returncode:
        return
    reason = "".join(opened.stderr.strip().splitlines()[-1:])
    if "cannot open shared object file" not in reason:
        stop(f"the face finder can't be loaded: {reason}")
    stop(
        f"the face finder needs libraries of the system that pip can't bring ({reason}); on Debian and Ubuntu, "
        "type: apt-get install libgl1 libegl1 libgles2 libglib2.0-0"
    )


def say(line: str) -> None:
    """Print a line of progress."""
    print(f"egao: {line}", flush=True)


def stop(sentence: str) -> NoReturn:
    """End with a sentence for the user."""
    sys.exit(f"egao: {sentence}")


if __name__ == "__main__":
    main()
