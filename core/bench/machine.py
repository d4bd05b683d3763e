"""Describes the machine that measurements are taken on."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from typing import Any

import torch

from core.system import usable_cores


def machine() -> dict[str, Any]:
    """Describe this machine: cores, threads, load, the processor's vector instructions, versions, GPU."""
    return {
        "cores": usable_cores(), "threads": torch.get_num_threads(), "load": os.getloadavg()[0],
        "capability": torch.backends.cpu.get_cpu_capability(), "python": platform.python_version(),
        "torch": torch.__version__, "openvino": version("openvino"),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
    }  # fmt: skip
