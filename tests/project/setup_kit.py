"""An egao of a few kilobytes with the real set-up: packages that are stubs, from indexes on loopback."""

from __future__ import annotations

import _ctypes
import base64
import hashlib
import importlib.metadata
import io
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
# Any shared library will do for the one that the set-up opens; this one is of the Python that runs the tests.
LIBRARY = Path(_ctypes.__file__).read_bytes()
BACKEND = """
import pathlib, zipfile

def build_editable(folder, config_settings=None, metadata_directory=None):
    name = "egao-9.0-py3-none-any.whl"
    with zipfile.ZipFile(pathlib.Path(folder, name), "w") as wheel:
        wheel.writestr("egao-9.0.dist-info/METADATA", "Metadata-Version: 2.1\\nName: egao\\nVersion: 9.0\\n")
        wheel.writestr("egao-9.0.dist-info/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr("egao-9.0.dist-info/RECORD", "")
    return name
"""


def wheel(name: str, version: str, members: dict[str, bytes] | None = None) -> tuple[str, bytes]:
    """The file name and bytes of a wheel that pip installs."""
    info = f"{name}-{version}.dist-info"
    files = {
        **(members or {f"{name}.py": b""}),
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    lines = []
    for path, content in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        lines.append(f"{path},sha256={digest},{len(content)}")
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for path, content in files.items():
            archive.writestr(zipfile.ZipInfo(path), content)
        archive.writestr(zipfile.ZipInfo(f"{info}/RECORD"), "\n".join([*lines, f"{info}/RECORD,,"]))
    return f"{name}-{version}-py3-none-any.whl", out.getvalue()


CPU = wheel("torch", "2.13.0+cpu")
DEFAULT = wheel("torch", "2.13.0")
CUDA = wheel("nvidia_stub", "1.0")
OPENCV = wheel("opencv_stub", "1.0", {"cv2.py": b""})
MEDIAPIPE = wheel("mediapipe", "1.0", {"mediapipe/__init__.py": b"", "mediapipe/tasks/c/libmediapipe.so": LIBRARY})
OTHERS = dict([OPENCV, MEDIAPIPE])


def small_egao(folder: Path, spoilt: str = "") -> Path:
    """A folder with the real set-up and a lock of stubs. `spoilt` is the name of a package whose hash is wrong."""
    (folder / "data/setup").mkdir(parents=True)
    (folder / "data/__init__.py").touch()
    for file in ("__init__.py", "install.py", "pip_run.py"):
        shutil.copy(ROOT / "data/setup" / file, folder / "data/setup")
    (folder / "backend.py").write_text(BACKEND)
    build = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    (folder / "pyproject.toml").write_text(build + '[project]\nname = "egao"\nversion = "9.0"\n')
    (folder / "data/constraints.txt").write_text("torch==2.13.0\nopencv-stub==1.0\nmediapipe==1.0\nnvidia-stub==1.0\n")
    version = "{}.{}".format(*sys.version_info[:2])
    parts = {
        "torch, CPU build": [("torch==2.13.0+cpu", CPU)],
        "torch, default build": [("torch==2.13.0", DEFAULT)],
        "CUDA, for torch's default build on Linux": [("nvidia-stub==1.0 ; sys_platform == 'linux'", CUDA)],
        "everything else": [("opencv-stub==1.0", OPENCV), ("mediapipe==1.0", MEDIAPIPE)],
    }
    lines = [f"# linux {os.uname().machine} {version}: 1234 MB for torch's default build, 5 MB more"]
    for heading, packages in parts.items():
        lines.append(f"# -- {heading}")
        for requirement, (_, content) in packages:
            digest = "0" * 64 if spoilt and requirement.startswith(spoilt) else hashlib.sha256(content).hexdigest()
            lines += [f"{requirement} \\", f"    --hash=sha256:{digest}"]
    (folder / "data/requirements.lock").write_text("\n".join(lines) + "\n")
    return folder


def with_environment(egao: Path, bare: Path) -> Path:
    """Give it a copy of an environment that holds only pip, as an earlier set-up would have left it."""
    shutil.copytree(bare, egao / ".venv", symlinks=True)
    (egao / ".venv/.egao.json").write_text(json.dumps({"folder": str(egao / ".venv")}))
    return egao


def set_up(egao: Path, index: str, torch_index: str, *options: str, before: str = "") -> subprocess.CompletedProcess[str]:
    """Run the set-up, with `index` for the user's own package index; `before` is Python that runs first."""
    surroundings = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "PYTHON"))}
    surroundings |= {"PIP_CONFIG_FILE": os.devnull, "PIP_INDEX_URL": index, "PIP_NO_CACHE_DIR": "1"}
    code = f"import runpy, sys\n{before}\nrunpy.run_module('data.setup.install', run_name='__main__')"
    command = [sys.executable, "-c", code, "--torch-index", torch_index, *options]
    return subprocess.run(command, cwd=egao, env=surroundings, capture_output=True, text=True, check=False, timeout=300)


def installed(egao: Path) -> dict[str, str]:
    """Name -> version of what is in its environment, but for pip and what comes with it."""
    (packages,) = (egao / ".venv/lib").glob("python*/site-packages")
    found = importlib.metadata.distributions(path=[str(packages)])
    return {one.name: one.version for one in found if one.name not in ("pip", "setuptools")}
