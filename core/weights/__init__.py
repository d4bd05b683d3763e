"""Where the weights of every network come from, and where they are on this machine.

weight_path(settings, "landmarks")     # a file that `egao models pull` (core.pull) has brought and checked
"""

from core.weights.cache import State, check, state, weight_bytes, weight_path, weights_folder
from core.weights.manifest import Archive, Group, Manifest, Member, Weight, load_manifest

__all__ = [
    "Archive", "Group", "Manifest", "Member", "State", "Weight",
    "check", "load_manifest", "state", "weight_bytes", "weight_path", "weights_folder",
]  # fmt: skip
