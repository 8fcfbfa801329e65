"""The rules of the house that a machine can check."""

from __future__ import annotations

import ast
import importlib
import os
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest

import tinyllm
from tinyllm.autograd.op import OPS, Op

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "tinyllm"
SOURCES = sorted(PACKAGE.rglob("*.py"))
TEXTS = [ROOT / "README.md", ROOT / "pyproject.toml"]
TEXTS += sorted(
    p
    for folder in ("tinyllm", "tests", "lessons", "benchmarks", "examples", ".ci")
    for p in (ROOT / folder).rglob("*")
    if p.is_file() and p.suffix in {".py", ".md", ".toml", ".sh", ""} and "__pycache__" not in p.parts
)


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


# nothing is left out


def op_classes() -> set[str]:
    """Every class in autograd/ops that derives from Op, by reading the source."""
    found = set()
    for path in (PACKAGE / "autograd" / "ops").glob("*.py"):
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.ClassDef) and any(isinstance(b, ast.Name) and b.id == "Op" for b in node.bases):
                found.add(node.name)
    return found


def test_op_classes_registry_and_tested_names_are_one_set():
    tested = importlib.util.spec_from_file_location("battery", ROOT / "tests" / "autograd" / "test_battery.py")
    battery = importlib.util.module_from_spec(tested)
    tested.loader.exec_module(battery)
    in_source = op_classes()
    registered = {op.__name__ for op in OPS.values()}
    sampled = {OPS[name].__name__ for name, _ in battery.CASES}
    assert in_source == registered == sampled
    assert len(in_source) >= 45


def test_every_op_is_a_function_and_a_method():
    for name in OPS:
        assert callable(getattr(tinyllm, name)) and hasattr(tinyllm.Tensor, name) == OPS[name].method


def test_every_op_declares_its_kinks():
    for name, op in OPS.items():
        assert bool(op.kink) == bool(list(op.kinks())), name


def test_ops_never_see_tensors():
    """forward and backward take and return arrays: no op's source speaks of Tensor."""
    for path in (PACKAGE / "autograd" / "ops").glob("*.py"):
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.FunctionDef) and node.name in ("forward", "backward"):
                assert "Tensor" not in {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}, (
                    f"{path.name}:{node.lineno}"
                )


def test_every_op_is_subclass_and_instance_of_one_idea():
    assert all(issubclass(op, Op) for op in OPS.values())


# how files look


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_a_file_can_be_read_in_one_sitting(path):
    module = tree(path)
    lines = path.read_text(encoding="utf-8").splitlines()
    prose = set()
    for node in ast.walk(module):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(node):
            doc = node.body[0]
            prose |= set(range(doc.lineno, doc.end_lineno + 1))
    code = [
        n for n, line in enumerate(lines, 1) if line.strip() and not line.strip().startswith("#") and n not in prose
    ]
    assert len(code) <= 300, f"{len(code)} lines of code: does it hold one idea?"


def test_names_say_what_they_are():
    vague = {"utils", "util", "helpers", "helper", "common", "misc"}
    assert not [p for p in SOURCES if vague & set(p.relative_to(ROOT).with_suffix("").parts)]


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_sins(path):
    room = path.relative_to(PACKAGE).parts[0]
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.ImportFrom):
            assert all(alias.name != "*" for alias in node.names), "star import"
        if isinstance(node, ast.Assert):
            pytest.fail(f"line {node.lineno}: an assert is no error message")
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in {"exec", "eval"}, f"line {node.lineno}: {node.func.id}"
            if node.func.id == "print":
                assert room == "cli", f"line {node.lineno}: print in the library"
        if isinstance(node, ast.Global):
            pytest.fail(f"line {node.lineno}: global {node.names}")
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Attribute):
            owner = node.value
            if owner.attr == "random" and isinstance(owner.value, ast.Name) and owner.value.id == "np":
                assert node.attr in {"Generator", "default_rng", "Philox", "PCG64", "BitGenerator"}, (
                    f"np.random.{node.attr}"
                )


@pytest.mark.parametrize("path", TEXTS, ids=lambda p: str(p.relative_to(ROOT)))
def test_hygiene(path):
    text = path.read_text(encoding="utf-8")
    if path == Path(__file__):
        return
    assert not re.search(r"\b(TODO|FIXME|XXX)\b", text)
    assert not re.search(r"(?<![\w.])/(root|home|work|tmp|Users)/\w", text), "a path of one machine"
    assert not re.search(r"pypi\.org|npmjs\.org|files\.pythonhosted", text), "a registry's host"
    assert not re.search("[\U0001f300-\U0001faff]", text), "an emoji"


def test_every_module_says_what_it_is():
    for path in SOURCES:
        doc = ast.get_docstring(tree(path))
        assert (doc and doc.splitlines()[0].rstrip().endswith((".", ":", ",", ";"))) or path.name == "__main__.py", path


# importing


def fresh(code: str, **env: str) -> str:
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT, env={**os.environ, **env}
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


def test_import_loads_neither_numba_nor_matplotlib():
    code = "import sys, tinyllm; print([m for m in ('numba', 'matplotlib', 'rich', 'numpy') if m in sys.modules])"
    assert fresh(code).strip() == "[]"


def test_the_engine_loads_neither_numba_nor_matplotlib():
    code = "import sys, tinyllm as tl; tl.Tensor([1.0]); tl.GPT; print({'numba', 'matplotlib'} & set(sys.modules))"
    assert fresh(code).strip() == "set()"


def test_importing_prints_nothing():
    names = [m.name for m in pkgutil.walk_packages(tinyllm.__path__, "tinyllm.") if not m.name.endswith("__main__")]
    assert fresh("import importlib\nfor name in " + repr(names) + ":\n    importlib.import_module(name)") == ""


def test_without_numba_everything_still_runs():
    code = """
import sys
sys.modules["numba"] = None
import numpy as np
import tinyllm as tl
x = tl.Tensor(np.random.default_rng(0).normal(size=(3, 5)), requires_grad=True)
assert tl.gradcheck(lambda x: x.layer_norm().gelu().softmax(), x)
print(tl.kernels.backend())
"""
    block = """
import importlib.util as u
real = u.find_spec
u.find_spec = lambda name, *rest: None if name == "numba" else real(name, *rest)
"""
    assert fresh(block + code).strip() == "numpy"
