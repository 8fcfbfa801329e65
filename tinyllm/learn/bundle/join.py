"""All functions of the lessons in one file, and before each what it stands on, found by following names."""

from __future__ import annotations

import ast
import importlib.util
import sys
import tempfile
import textwrap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

from ...errors import LearnError
from ..exercise import Exercise
from ..exercises import lesson_of
from ..slots.slot import Slot
from .meaning import Definition, Foreign, Meaning, Package, Source, meaning, member
from .piece import Chain, chains, piece

Key = tuple[str, str]


@dataclass
class Joined:
    """A bundle.

    Attributes:
        text: the file.
        yours: ids of the exercises whose functions are the learner's.
        library: ids of those that are the library's, because they are still open.
    """

    text: str
    yours: list[str]
    library: list[str]

    @property
    def lines(self) -> int:
        """How many lines it has."""
        return len(self.text.splitlines())


def joined(exercises: Iterable[Exercise], written: Mapping[str, Source] | None = None) -> Joined:
    """Join the functions of some exercises, and what they stand on.

    Args:
        exercises: whose functions are wanted, in this order.
        written: exercise id -> the learner's file, for those that have passed; the others are the library's.

    Raises:
        LearnError: a function uses what cannot be put into one file.
    """
    return _Joiner(list(exercises), dict(written or {})).join()


def imported(text: str, name: str = "tiny_llm") -> ModuleType:
    """Run a bundle and return it as a module.

    Raises:
        LearnError: it imports something besides NumPy and Python's own library.
    """
    for node in ast.walk(ast.parse(text)):
        modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        modules += [str(node.module)] if isinstance(node, ast.ImportFrom) else []
        for module in modules:
            if module.split(".")[0] not in {"numpy", *sys.stdlib_module_names}:
                raise LearnError(f"the bundle imports {module}", hint="NumPy and Python's own library are all it has")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{name}.py"
        path.write_text(text, encoding="utf-8")
        spec = importlib.util.spec_from_file_location(name, path)
        if spec is None or spec.loader is None:
            raise LearnError(f"{path} cannot be imported")
        made = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(made)
    return made


@dataclass
class _Joiner:
    """Places definitions one after the other, each after what it stands on."""

    exercises: list[Exercise]
    written: dict[str, Source]
    names: dict[Key, str] = field(default_factory=dict)  # in the bundle, of exercises and of what they stand on
    placed: set[str] = field(default_factory=set)  # ids of the exercises that are in it
    answers: dict[Key, Exercise] = field(default_factory=dict)  # which definitions are exercises
    imports: set[str] = field(default_factory=set)
    parts: list[str] = field(default_factory=list)

    def join(self) -> Joined:
        """Place everything; return the file."""
        for exercise in self.exercises:
            slot = Slot.of(exercise.slot)
            module = slot.path.partition(":")[0]
            self.answers[module, slot.attribute] = exercise
            self.names["exercise", exercise.id] = self._free(slot.name, module)
            if exercise.id in self.written:
                self.answers[self.written[exercise.id].module, slot.name] = exercise
        for exercise in self.exercises:
            self._answer(exercise)
        yours = [exercise.id for exercise in self.exercises if exercise.id in self.written]
        library = [exercise.id for exercise in self.exercises if exercise.id not in self.written]
        mine = f"Mine: {', '.join(yours)}." if yours else ""
        theirs = f"The library's, still open: {', '.join(library)}." if library else ""
        about = "\n".join(textwrap.fill(line, 100) for line in (mine, theirs) if line)
        head = f'"""What I wrote in the lessons of tinyllm, on NumPy alone.\n\n{about}\n"""\n\n'
        standard = sorted(line for line in self.imports if "numpy" not in line)
        blocks = ["\n".join(block) for block in (standard, sorted(self.imports - set(standard))) if block]
        text = head + "\n\n".join(blocks) + "".join(f"\n\n\n{part}" for part in self.parts) + "\n"
        return Joined(text, yours, library)

    def _answer(self, exercise: Exercise) -> str:
        """Place the function of an exercise, the learner's or the library's; return its name in the bundle."""
        slot = Slot.of(exercise.slot)
        name = self.names["exercise", exercise.id]
        if exercise.id in self.placed:
            return name
        self.placed.add(exercise.id)
        if exercise.id in self.written:
            home = self.written[exercise.id]
            found = meaning(home, slot.name)
            if not isinstance(found, Definition):
                raise LearnError(f"{exercise.id}: there is no function {slot.name}")
            text, node, whose = found.source.text, found.node, "mine"
        else:
            home, text, whose = Source.of(slot.module.__name__), slot.solution(), "the library's"
            node = ast.parse(text).body[0]
        self._part(home, text, node, name, f"# {exercise.id} {lesson_of(exercise).title}, {whose}\n")
        return name

    def _definition(self, found: Definition) -> str:
        """Place what an exercise stands on; return its name in the bundle."""
        if found.key in self.answers:
            return self._answer(self.answers[found.key])
        if found.key not in self.names:
            self.names[found.key] = self._free(found.name, found.source.module)
            self._part(found.source, found.source.text, found.node, self.names[found.key])
        return self.names[found.key]

    def _part(self, home: Source, text: str, node: ast.stmt, name: str, head: str = "") -> None:
        for chain in chains(node):
            self._renamed(home, chain)  # what it stands on goes before it
        self.parts.append(head + piece(text, node, name, lambda chain: self._renamed(home, chain)))

    def _renamed(self, home: Source, chain: Chain) -> tuple[ast.expr, str] | None:
        """Say which part of a chain is replaced by which name; place what it stands for."""
        first = chain[0]
        found: Meaning = meaning(home, first.id) if isinstance(first, ast.Name) else None
        for node, after in zip(chain, [*chain[1:], None], strict=True):
            if isinstance(found, Definition):
                return node, self._definition(found)
            if isinstance(found, Foreign):
                self.imports.add(found.line)
                return None
            if found is None:
                return None
            if not isinstance(after, ast.Attribute):
                raise LearnError(f"{found.name} is used as a value: it cannot be put into one file")
            found = member(found.name, after.attr) if isinstance(found, Package) else None
        return None

    def _free(self, name: str, module: str) -> str:
        """Return a name that nothing else in the bundle has."""
        while name in self.names.values():
            name = f"{module.rpartition('.')[2]}_{name}"
        return name
