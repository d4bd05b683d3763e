"""Chooses the devices that get workers, and makes each worker's settings and environment."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence

from core.settings import Settings
from core.system import WAITING, usable_cores

# A worker needs to find programs and libraries and to know how to use the processor: nothing else is handed on.
_NAMES = frozenset(
    {"PATH", "HOME", "USER", "LOGNAME", "LANG", "LANGUAGE", "TZ", "TMPDIR", "TEMP", "TMP", "VIRTUAL_ENV"}
    | {"CC", "CXX", "CPATH", "LIBRARY_PATH"}
)
_PREFIXES = (
    *("LC_", "LD_", "DYLD_", "XDG_CACHE_", "PYTHON", "OMP_", "GOMP_", "KMP_", "MKL_", "OPENBLAS_", "NUMEXPR_", "ATEN_"),
    *("CUDA_", "CUDNN_", "CUBLAS_", "NVIDIA_", "TORCH", "PYTORCH_", "TRITON_", "MALLOC_", "GLIBC_", "GLOG_", "TF_CPP_"),
)
_SECRET = ("TOKEN", "SECRET", "PASSWORD", "PASSWD", "CREDENTIAL", "_KEY")
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def devices(settings: Settings) -> tuple[str, ...]:
    """Name the device for each worker: "cuda:0", "cuda:1", ... for every usable GPU, or "cpu" alone.

    It asks the driver's own tool, so that the bot's process need not load torch. Blocks for up to some seconds.
    """
    if settings.device == "cpu" or _torch_without_gpu():
        return (settings.device if settings.device == "cuda" else "cpu",)
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    count = _count_gpus() if visible is None else sum(name.strip() not in ("", "-1") for name in visible.split(","))
    if count:
        return tuple(f"cuda:{number}" for number in range(count))
    return (settings.device if settings.device == "cuda" else "cpu",)


def _torch_without_gpu() -> bool:
    try:
        return importlib.metadata.version("torch").endswith("+cpu")
    except importlib.metadata.PackageNotFoundError:
        return False


def _count_gpus() -> int:
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return 0
    try:
        answer = subprocess.run([tool, "-L"], capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return 0
    return sum(line.startswith("GPU ") for line in answer.stdout.splitlines()) if answer.returncode == 0 else 0


def worker_settings(settings: Settings, device: str, workers: int) -> Settings:
    """Make the settings that a worker may see: without token and key, with its device and its share of the threads."""
    threads = settings.threads
    if not threads and workers > 1:
        threads = max(1, usable_cores() // workers)
    plain = "cuda" if device.startswith("cuda") else device
    return settings.model_copy(update={"discord_token": None, "key": None, "threads": threads, "device": plain})


def worker_environment(settings: Settings, device: str, inherited: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Make the environment of a worker from its `settings`, its device and the harmless part of what is `inherited`."""
    environment = {name: value for name, value in inherited.items() if _harmless(name)}
    environment["PYTHONPATH"] = os.pathsep.join(_import_paths(sys.path))
    environment["PYTHONUNBUFFERED"] = "1"
    for name, value in WAITING.items():
        environment.setdefault(name, value)
    if settings.threads:
        environment.update(dict.fromkeys(_THREADS, str(settings.threads)))
    if ":" in device:
        visible = [name for name in inherited.get("CUDA_VISIBLE_DEVICES", "").split(",") if name.strip()]
        number = int(device.partition(":")[2])
        environment["CUDA_VISIBLE_DEVICES"] = visible[number].strip() if number < len(visible) else str(number)
    return environment


def _harmless(name: str) -> bool:
    wanted = name in _NAMES or name.startswith(_PREFIXES)
    return wanted and not any(part in name.upper() for part in _SECRET)


def _import_paths(paths: Sequence[str]) -> list[str]:
    return [path or os.getcwd() for path in paths]  # noqa: PTH109
