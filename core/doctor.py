"""The checks of `egao doctor`: each part that an edit or the bot needs, and what to do if one is not right.

The checks create nothing, except a probe file without a name. Opening the store erases what has expired, as always.
"""

from __future__ import annotations

import ctypes
import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, Final, Literal

from core.compiled.compiler import compiler
from core.compiled.kept import CodeCache, Unfit, key_of, usable
from core.errors import EgaoError
from core.executor.sandbox.wall import lacks
from core.settings import Settings
from core.weights.cache import check, weights_folder
from core.weights.installed import DEFAULT, chosen_digest
from core.weights.manifest import load_manifest
from core.weights.parts import find_made, shipped_folder

LEAST_FREE: Final = 500 * 10**6  # bytes: the weights in the making take 250 MB at their peak, a vacuum twice the store
NO_TABLE: Final = (
    4096  # bytes, a page: of a store whose making broke off, as on a full disk, there is no more and nothing to lose
)


@dataclass(frozen=True)
class Finding:
    """One line of the report: `text` says what was found and, if it is "wrong", also what to do."""

    name: str
    state: Literal["ok", "note", "wrong"]  # a note is no failure: something that one may want to know
    text: str

    @classmethod
    def of(cls, name: str, look: Callable[[], str]) -> Finding:
        """Make a finding of a check: "ok" with the text that `look` returns, or "wrong" with the EgaoError that it raises."""
        try:
            return cls(name, "ok", look())
        except EgaoError as error:
            return cls(name, "wrong", str(error))


def findings(settings: Settings) -> Iterator[Finding]:
    """Run all checks but those of Discord, and yield each finding when it is made. Hashing the weights takes about a second."""
    yield Finding("python", "ok", f"{sys.version.split()[0]}")
    yield _folder("home", settings.home, "EGAO_HOME")
    yield _folder("cache", settings.cache, "EGAO_CACHE")
    yield Finding.of("weights", lambda: _weights(settings))
    yield Finding.of("key", lambda: _key(settings))
    yield _store(settings)
    yield _wall(settings)
    yield _torch(settings)
    yield _compiled(settings)
    yield _libraries()
    yield from _trained(settings)
    yield _gates(settings)


def cluster(settings: Settings) -> Iterator[Finding]:
    """Check what this machine needs as a part of a cluster, ask the head, and yield a finding for each node."""
    from core.cluster.ask import nodes_of
    from core.cluster.identity import Identity
    from core.cluster.node import need_ray
    from core.cluster.secret import read_secret, secret_file

    try:
        need_ray()
        secret = read_secret(settings)
        own = Identity.of(settings)
        yield Finding("cluster", "ok", f"Ray is installed, and the secret is {secret_file(settings)}")
        if ":" not in settings.cluster:
            yield Finding("head", "note", "name it in EGAO_CLUSTER as HOST:PORT, and its nodes are looked at")
            return
    except EgaoError as error:
        yield Finding("cluster", "wrong", str(error))
        return
    try:
        nodes = nodes_of(settings, secret, settings.cluster)
    except EgaoError as error:
        yield Finding("head", "wrong", str(error))
        return
    yield Finding("head", "ok", f"{settings.cluster} answers; {sum(bool(node.devices) for node in nodes)} nodes work")
    for node in nodes:
        why = own.refusal(node.identity)
        yield Finding("node", "wrong" if why else "ok", f"{node.address}: {why or ', '.join(node.devices) or 'does not work'}")


def _folder(name: str, folder: Path, variable: str) -> Finding:
    """Check that a folder, or the one that it will be created in, can be written and has LEAST_FREE bytes free.

    `variable` is the setting that names the folder.
    """
    there = next(path for path in (folder, *folder.parents) if path.exists())
    try:
        with tempfile.TemporaryFile(dir=there):
            free = shutil.disk_usage(there).free
    except OSError as error:
        return Finding(name, "wrong", f"{there} can't be written ({error.strerror}). Set {variable} to a folder of your own.")
    room = f"{free / 1e9:.1f} GB free"
    if free < LEAST_FREE:
        wish = f"at least {LEAST_FREE / 1e9:.1f} are needed"
        return Finding(name, "wrong", f"{there} has {room}, {wish}. Free some space, or set {variable} to another disk.")
    if folder.is_dir() and name == "home" and folder.stat().st_mode & 0o077:
        return Finding(name, "note", f"{folder}, {room}; other users of this machine can look into it: chmod 700 {folder}")
    return Finding(name, "ok", f"{folder}, {room}" + ("" if folder.exists() else "; it is made on first use"))


def _wall(settings: Settings) -> Finding:
    """Check whether workers are kept from everything that they do not need."""
    if settings.wall == "off":
        return Finding("wall", "note", "EGAO_WALL is off: whoever takes a worker over with a photo can do what egao can")
    if missing := lacks():
        return Finding("wall", "note", f"the kernel lacks {missing}: run the bot as a user who has nothing else")
    return Finding("wall", "ok", "workers reach no file but their own, no network, no other process")


def _weights(settings: Settings) -> str:
    """Check the hash of every weight file that an edit and the bot need. Raises WeightsMissing, WeightsCorrupt."""
    wanted = load_manifest().of_groups(("core",))
    for weight in wanted:
        check(settings, weight)
    return f"{len(wanted)} in {weights_folder(settings)}, every hash right"


def _key(settings: Settings) -> str:
    """Check the key that faces are encrypted with. Raises BadSetting, KeyExposed, WrongKey."""
    from core.store import database_file
    from core.store.keys import key_file, read_keys

    if settings.key is None and not key_file(settings).exists() and _written(database_file(settings)) <= NO_TABLE:
        return f"none yet; it is made with the store, in {key_file(settings)}"
    keys = read_keys(settings, create=False)
    more = f"; of {len(keys.secrets)}, a rotation is not finished: egao keys rotate" if len(keys.secrets) > 1 else ""
    return f"{keys.source}{more}"


def _written(database: Path) -> int:
    """Count the bytes of a store and its write-ahead log; 0 where there is none."""
    files = (database, database.with_name(f"{database.name}-wal"))
    return sum(file.stat().st_size for file in files if file.is_file())


def _store(settings: Settings) -> Finding:
    from core.store import Store, database_file

    path = database_file(settings)
    if not path.exists():
        return Finding("store", "ok", f"none yet; it is made on first use, in {path}")
    try:
        with Store.open(settings) as store:
            if problems := store.integrity():
                more = f"{len(problems)} problems, the first: {problems[0]}"
                return Finding("store", "wrong", f"{path} is damaged ({more}). Put a backup back: egao db restore FILE")
            return Finding("store", "ok", f"{path}, {store.size() / 1e6:.1f} MB, sound; what had run out is erased")
    except EgaoError as error:
        return Finding("store", "wrong", str(error))


def _torch(settings: Settings) -> Finding:
    import torch

    from core.device import choose_device, fast_dtype

    try:
        device = choose_device(settings)
    except EgaoError as error:
        return Finding("torch", "wrong", str(error))
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else f"CPU, {torch.get_num_threads()} threads"
    precision = str(fast_dtype(device)).removeprefix("torch.")
    return Finding("torch", "ok", f"{torch.__version__} on {name}, pictures in {precision}")


def _compiled(settings: Settings) -> Finding:
    """Report whether compiled code draws in torch's place. Without it the pictures are the same, but slower."""
    if settings.compile == "off":
        return Finding("compiled", "ok", "compiled code is off (EGAO_COMPILE)")
    try:
        kept = usable(CodeCache.of(settings), key_of(chosen_digest(settings)))
        if kept is None:
            who = "" if compiler() else ", and no C++ compiler to make it with"
            return Finding("compiled", "ok", f"none here yet{who}; by hand: egao models compile")
    except Unfit as unfit:
        return Finding("compiled", "note", f"it is not used: {unfit}. To make it anew: egao models compile --force")
    return Finding("compiled", "ok", kept.told())


def _libraries() -> Finding:
    """Check that the system has OpenGL: MediaPipe is linked against it even if it computes on the CPU."""
    try:
        library = "libmediapipe.dylib" if sys.platform == "darwin" else "libmediapipe.so"
        ctypes.CDLL(str(files("mediapipe") / "tasks/c" / library))
        import cv2  # noqa: F401 - whether it can be imported is the question
    except (OSError, ImportError) as error:
        return Finding(
            "libraries", "wrong",
            f"the face finder can't start ({error}). On Debian: apt-get install libgl1 libegl1 libgles2 libglib2.0-0",
        )  # fmt: skip
    return Finding("libraries", "ok", "the face finder's system libraries are there")


def _trained(settings: Settings) -> Iterator[Finding]:
    """Check that the parts trained for the chosen generator, on this machine or shipped with egao, belong to it."""
    try:
        expected = chosen_digest(settings)
    except EgaoError as error:
        yield Finding("generator", "wrong", str(error))
        return
    folders = [folder for folder in (find_made(settings, expected), shipped_folder(expected)) if folder is not None]
    for name, part in {"projection": "fast", "directions": "directions", "starts": "starts"}.items():
        found = [file for folder in folders for file in sorted((folder / part).glob("*.safetensors"))]
        strange = [file.name for file in found if _generator_of(file) != expected]
        if strange:
            what = f"of another generator: {', '.join(strange)}"
            yield Finding(name, "wrong", f"{what}. Install egao anew, or make them again: egao train, egao directions fit")
        elif found:
            yield Finding(name, "ok", f"{len(found)} of this generator")
        elif settings.generator == DEFAULT:
            yield Finding(name, "wrong", "they ship with egao and are not there. Install egao anew")
        else:
            yield Finding(name, "note", f"none yet for {settings.generator}. To make them: egao train, egao directions fit")


def _generator_of(file: Path) -> str | None:
    """Read the generator's digest from the metadata of a trained part, a direction or a table of starts; None if there is
    none or the file can't be read.
    """
    from safetensors import safe_open

    from core.untrusted import read_as_data

    try:
        with read_as_data(file.name), safe_open(str(file), framework="numpy") as tensors:
            told: dict[str, Any] = dict(tensors.metadata() or {})
            for name in ("direction", "table"):
                told |= json.loads(told.get(name, "{}"))
            return told.get("generator")
    except EgaoError:
        return None


def _gates(settings: Settings) -> Finding:
    """Report which photos are checked for explicit content and age."""
    if settings.gates == "off":
        return Finding("gates", "note", "photos are not checked for explicit content or age: EGAO_GATES=bot turns that on")
    whose = "every photo is" if settings.gates == "all" else "the bot's photos are"
    return Finding(
        "gates", "ok", f"{whose} checked: explicit from {settings.gate_explicit:g}, young from {settings.gate_young:g}"
    )
