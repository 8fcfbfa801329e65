"""Who may import whom: every import of every module is looked at, wherever in the file it stands."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "tinyllm"

# the floor that all rooms stand on: everybody may import these
FLOOR = {"errors", "atomic", "assets", "bootstrap"}
# a room -> the rooms it may import from; nobody imports learn or cli
ARROWS = {
    "errors": set(),
    "atomic": set(),
    "assets": set(),
    "bootstrap": set(),
    "kernels": set(),
    "autograd": {"kernels"},
    "nn": {"autograd", "kernels"},
    "models": {"nn", "autograd", "kernels"},
    "tokenizer": {"kernels"},
    "interpret": {"nn", "models", "autograd", "kernels"},
    "train": {"nn", "models", "tokenizer", "autograd", "kernels", "generate"},
    "generate": {"models", "tokenizer", "kernels", "autograd"},
    "debug": {"nn", "models", "autograd", "kernels", "train"},
    "rag": {"tokenizer", "models", "nn", "autograd", "kernels"},
    "client": {"tokenizer"},
    "server": {"generate", "client"},
    "viz": set(),
    "pretrained": {"models", "tokenizer", "train"},  # a model meets its tokenizer: tl.load and tl.save
}
# a module -> further rooms, which it may import inside of a function only, and why
EXCEPTIONS = {
    "client/local.py": {"generate", "models", "pretrained"},  # the one provider that is in this process
    "models/minilm.py": {"tokenizer"},  # its input is texts: MiniLM(folder).embed(texts) reads the folder's vocabulary
}
CONVERTERS = {"jupytext", "nbclient", "nbconvert", "nbformat", "markdown_it", "IPython"}  # the extra "lessons"
ANYTHING = {"cli", "learn", "__main__"}
THIRD_PARTY = {
    "errors": set(),
    "atomic": set(),
    "assets": set(),
    "kernels": {"numpy", "numba", "llvmlite"},
    "viz": {"numpy", "matplotlib"},
    "cli": {"numpy", "rich", "matplotlib", "numba"},
    "client": set(),
    "learn": {"numpy", "matplotlib", "rich", *CONVERTERS, "pytest"},  # the last ones only where they are asked for
}
STANDARD = set(sys.stdlib_module_names)
MODULES = sorted(PACKAGE.rglob("*.py"))


def room_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE).parts
    return parts[0].removesuffix(".py")


def imports(path: Path, anywhere: bool = True) -> set[str]:
    """Full names of what a module imports, relative ones made absolute; those for type checkers only count as well.

    Without ``anywhere``, what functions import when they are called is left out.
    """
    package = ["tinyllm", *path.relative_to(PACKAGE).parts[:-1]]
    found = set()
    for node in nodes(ast.parse(path.read_text(encoding="utf-8")), anywhere):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, node.module] if node.module else base)
            found |= {f"{module}.{alias.name}" for alias in node.names}
    return found


def nodes(tree: ast.AST, anywhere: bool):
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        if anywhere or not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            waiting += ast.iter_child_nodes(node)


def rooms_imported(path: Path, anywhere: bool = True) -> set[str]:
    names = imports(path, anywhere)
    return {name.split(".")[1] for name in names if name.startswith("tinyllm.") and name.count(".")}


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_arrows(path):
    room = room_of(path)
    if room == "__init__" or room in ANYTHING:
        return
    assert room in ARROWS, f"{room} has no place in the plan of the house"
    free = {room, *FLOOR, "__version__"}
    more = EXCEPTIONS.get(path.relative_to(PACKAGE).as_posix(), set())
    used = rooms_imported(path) - free
    assert used <= ARROWS[room] | more, f"{path.name} imports {sorted(used - ARROWS[room] - more)}"
    at_once = rooms_imported(path, anywhere=False) - free
    assert at_once <= ARROWS[room], f"{path.name} imports {sorted(at_once - ARROWS[room])} at its top"


def test_exceptions_are_needed():
    for name, rooms in EXCEPTIONS.items():
        path = PACKAGE / name
        assert rooms <= rooms_imported(path) - ARROWS[room_of(path)], f"{name} no longer imports all of {rooms}"


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_third_parties(path):
    allowed = THIRD_PARTY.get(room_of(path), {"numpy"}) | STANDARD | {"tinyllm", "__future__"}
    used = {name.split(".")[0] for name in imports(path)}
    assert used <= allowed, f"{path.name} imports {sorted(used - allowed)}"


def test_the_rule_would_notice(tmp_path, monkeypatch):
    """The walker sees relative imports, imports inside functions, and several names at once."""
    module = PACKAGE / "kernels" / "imagined.py"
    source = (
        "def f():\n    from ..autograd import Tensor\n    from .. import nn, errors\n    import tinyllm.train.loop\n"
    )
    monkeypatch.setattr(Path, "read_text", lambda self, **_: source)
    assert rooms_imported(module) == {"autograd", "nn", "errors", "train"}
    assert rooms_imported(module, anywhere=False) == set()


def test_numba_stays_in_its_room():
    users = {p for p in MODULES if any(name.split(".")[0] == "numba" for name in imports(p))}
    assert all(p.is_relative_to(PACKAGE / "kernels") or p.is_relative_to(PACKAGE / "cli") for p in users)
