"""Nothing in the code can run what a file says: every way to do it is looked for in the syntax tree."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = [path for folder in ("core", "bot", "cogs") for path in sorted((ROOT / folder).rglob("*.py"))]

RUNNERS = {"eval", "exec", "compile", "__import__"}
LOADERS = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal", "yaml", "jsonpickle"}
# What was compiled here and kept is opened for a worker in core/compiled/drawing.py alone, after the checks of kept.py; layers.py
# also for the process that compiled it a moment before. The others are the C library itself (None) and a file that pip installed.
MACHINE_CODE = {"AOTIModelContainerRunnerCpu", "AOTIModelPackageLoader", "aoti_load_package", "aot_load", "load_library"}
MACHINE_CODE |= {"CDLL", "PyDLL", "LoadLibrary", "load_package", "load_pt2", "dlopen"}
OPENS_MACHINE_CODE = {"core/compiled/drawing.py": "str(file)", "core/compiled/layers.py": "str(file)"}
OPENS_MACHINE_CODE |= {"core/doctor.py": "str(files('mediapipe') / 'tasks/c' / library)"}

# Published generators come in pickles: one class reads them, and finds every name itself.
READS_PICKLES = "core/generator/reading/pickles.py"


@pytest.mark.parametrize("path", SOURCES, ids=str)
def test_nothing_in_the_code_can_run_a_file(path: Path) -> None:
    name = path.relative_to(ROOT).as_posix()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import | ast.ImportFrom):
            modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
            wrong = {module.split(".")[0] for module in modules} & (LOADERS - {"pickle" if name == READS_PICKLES else ""})
            assert not wrong, f"{name}:{node.lineno} imports {wrong}"
        if not isinstance(node, ast.Call):
            continue
        called, options = ast.unparse(node.func), {word.arg: ast.unparse(word.value) for word in node.keywords}
        assert called not in RUNNERS, f"{name}:{node.lineno} calls {called}"
        if called.split(".")[-1] in MACHINE_CODE:
            opened = ast.unparse(node.args[0])
            assert opened in ("None", OPENS_MACHINE_CODE.get(name)), f"{name}:{node.lineno} opens {opened}"
        if called.endswith("torch.load") or called in {"torch.jit.load", "torch.package.PackageImporter", "torch.hub.load"}:
            assert (called, options.get("weights_only")) == ("torch.load", "True"), f"{name}:{node.lineno}"
        assert options.get("allow_pickle", "False") == "False", f"{name}:{node.lineno}"
        assert options.get("weights_only", "True") == "True", f"{name}:{node.lineno}"
        assert options.get("shell", "False") == "False", f"{name}:{node.lineno}"
        assert not called.endswith(("os.system", "os.popen")), f"{name}:{node.lineno}"


def test_pickles_are_read_by_one_class_that_finds_every_name_itself() -> None:
    tree = ast.parse((ROOT / READS_PICKLES).read_text("utf-8"))
    uses = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "pickle"]
    (reader,) = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef) and node.bases == uses]
    assert ast.unparse(uses[0]) == "pickle.Unpickler"
    own = {node.name: node for node in reader.body if isinstance(node, ast.FunctionDef)}
    assert {"find_class", "persistent_load"} <= set(own)
    assert not [node for name in ("find_class", "persistent_load") for node in ast.walk(own[name])
                if isinstance(node, ast.Call) and ast.unparse(node.func) == "super"]  # fmt: skip
    imported = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom | ast.Import)]
    assert not [node for node in imported if "importlib" in ast.unparse(node)]
