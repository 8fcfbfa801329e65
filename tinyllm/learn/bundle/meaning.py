"""What a name in a file of ours stands for: found by reading, from import to import, until there is a definition."""

from __future__ import annotations

import ast
import functools
import inspect
from dataclasses import dataclass
from importlib import import_module
from importlib.util import decode_source, find_spec, resolve_name
from pathlib import Path
from typing import Any

from ...errors import LearnError

OURS = "tinyllm"


@dataclass(frozen=True, eq=False)
class Source:
    """A file of Python, read.

    Attributes:
        module: its name as a module.
        package: what its relative imports start from.
        text: what is in it.
        tree: the same, parsed.
        folder: where its neighbors are, if it is the learner's.
    """

    module: str
    package: str
    text: str
    tree: ast.Module
    folder: Path | None = None

    @staticmethod
    @functools.cache
    def of(module: str) -> Source:
        """Read the file of a module of ours."""
        found = import_module(module)
        text = inspect.getsource(found)
        return Source(module, found.__package__ or module, text, ast.parse(text))

    @staticmethod
    def at(path: Path, package: str) -> Source:
        """Read a file of the learner's.

        Raises:
            LearnError: it is not there, or is not Python.
        """
        try:
            text = decode_source(path.read_bytes())
            return Source(f"{package}.{path.stem}", package, text, ast.parse(text), path.parent)
        except (OSError, SyntaxError, ValueError) as error:
            raise LearnError(f"{package}/{path.name} cannot be read as Python: {error}") from error


@dataclass(frozen=True)
class Definition:
    """A statement that gives a name its meaning: a function, a class, or an assignment."""

    source: Source
    name: str
    node: ast.stmt

    @property
    def key(self) -> tuple[str, str]:
        """What tells it from all others."""
        return self.source.module, self.name


@dataclass(frozen=True)
class Foreign:
    """Something of NumPy's or of Python's own library, and the line that imports it."""

    line: str


@dataclass(frozen=True)
class Package:
    """A module of ours."""

    name: str


Meaning = Definition | Foreign | Package | None


def meaning(source: Source, name: str) -> Meaning:
    """Say what a name at the top of a file stands for; None for what Python itself knows.

    Raises:
        LearnError: it comes from a star import or from nowhere.

    Example:
        >>> meaning(Source.of("tinyllm.kernels"), "softmax").key
        ('tinyllm.kernels.softmax', 'softmax')
        >>> meaning(Source.of("tinyllm.kernels.softmax"), "np")
        Foreign(line='import numpy as np')
    """
    for node in reversed(source.tree.body):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and node.name == name:
            return Definition(source, name, node)
        if isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if any(isinstance(t, ast.Name) and t.id == name for target in targets for t in ast.walk(target)):
                return Definition(source, name, node)
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            for alias in node.names:
                if (alias.asname or alias.name.partition(".")[0]) == name:
                    return _imported(source, node, alias)
    return None


def member(module: str, name: str) -> Meaning:
    """Say what ``module.name`` stands for, of a module of ours."""
    found = meaning(Source.of(module), name)
    if found is not None:
        return found
    if _is_module(f"{module}.{name}"):
        return Package(f"{module}.{name}")
    value: Any = getattr(import_module(module), name, None)  # loaded when it is first asked for
    home, own = getattr(value, "__module__", None), getattr(value, "__name__", None)
    if isinstance(home, str) and isinstance(own, str) and home != module and home.split(".")[0] == OURS:
        return meaning(Source.of(home), own)
    raise LearnError(f"{module}.{name} has no definition that could be put into one file")


def _imported(source: Source, node: ast.Import | ast.ImportFrom, alias: ast.alias) -> Meaning:
    renamed = f" as {alias.asname}" if alias.asname else ""
    if isinstance(node, ast.Import):
        if alias.name.split(".")[0] == OURS:
            return Package(alias.name if alias.asname else OURS)
        return Foreign(f"import {alias.name}{renamed}")
    module = resolve_name("." * node.level + (node.module or ""), source.package) if node.level else str(node.module)
    if source.folder is not None and module.split(".")[0] == source.package:
        name = module.partition(".")[2] or alias.name
        neighbor = Source.at(source.folder / f"{name}.py", source.package)
        if module == source.package:
            raise LearnError(f"{source.module} uses {name} as a value", hint=f"from .{name} import what it needs")
        return meaning(neighbor, alias.name)
    if module.split(".")[0] != OURS:
        return Foreign(f"from {module} import {alias.name}{renamed}")
    return member(module, alias.name)


def _is_module(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:  # what is before the last dot is no package
        return False
