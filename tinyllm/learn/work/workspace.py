"""The learner's folder: one plain Python file for each lesson, which nothing here ever overwrites.

``start`` makes a file, ``load`` imports one function of it afresh. Whatever can go wrong in a file that somebody is
just writing becomes one sentence with file and line.
"""

from __future__ import annotations

import ast
import contextlib
import importlib
import importlib.util
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from ...errors import LearnError, nearest
from .. import exercises
from ..exercise import Exercise, Lesson
from ..slots.slot import Slot
from ..slots.stub import imports, lesson_file, section
from .files import like, write
from .source import function_of, is_stub, with_what_it_needs
from .tutor import TUTOR

PACKAGE = "my"  # what the folder is called by the files in it, whatever its name


@dataclass
class Workspace:
    """A learner's folder.

    Attributes:
        folder: where it is; it need not exist yet.
        news: what ``start`` has done, in sentences.
    """

    folder: Path
    news: list[str] = field(default_factory=list)

    @classmethod
    def find(cls, start: str | Path | None = None) -> Workspace:
        """Return the learner's folder: TINYLLM_MY, else ``my`` in the folder ``start``, by default the current one."""
        asked = os.environ.get("TINYLLM_MY", "").strip()
        if asked and start is None:
            return cls(Path(asked).expanduser())
        here = Path(start) if start else Path.cwd()
        return cls(here if here.name == PACKAGE and not (here / PACKAGE).is_dir() else here / PACKAGE)

    def file(self, lesson: Lesson) -> Path:
        """Return where a lesson's functions are written."""
        return self.folder / lesson.file

    def shown(self, lesson: Lesson) -> str:
        """Return how a message calls that file: "my/l10_attention.py"."""
        return f"{self.folder.name}/{lesson.file}"

    def start(self, lesson: Lesson) -> Path:
        """Make a lesson's file, or add to it the stubs of exercises that it lacks; what is written there stays.

        Returns:
            The file. What was done is added to ``news``.

        Raises:
            LearnError: the folder cannot be written, or the file there is not Python just now.
        """
        path = self.file(lesson)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _unwritable(self.folder, error) from error
        for name, text in (("__init__.py", '"""What I wrote."""\n'), ("TUTOR.md", TUTOR)):
            if not (self.folder / name).exists():
                write(self.folder / name, text.encode())
        if not path.exists():
            write(path, lesson_file(lesson).encode())
            self.news.append(f"{self.shown(lesson)} is new: {len(lesson.exercises)} functions to write")
            return path
        text, tree = self.parsed(lesson)
        missing = [e for e in lesson.exercises if function_of(tree, Slot.of(e.slot).name) is None]
        if missing:
            from .history import change  # which needs a workspace

            there = set(text.splitlines())
            lines = [line for line in imports(missing) if line and line not in there]
            added = "\n" + "\n".join(lines) + "\n" if lines else ""
            added += "".join(section(exercise) for exercise in missing)
            change(self, lesson, lambda before: before.rstrip(b"\r\n") + like(before, "\n" + added))
            ids = ", ".join(exercise.id for exercise in missing)
            self.news.append(f"{self.shown(lesson)} was there; added the stubs of {ids} at its end")
        return path

    def text(self, lesson: Lesson) -> str:
        """Return what is in a lesson's file.

        Raises:
            LearnError: it is not there, cannot be read, or is not text.
        """
        path, shown = self.file(lesson), self.shown(lesson)
        content = b""
        try:
            content = path.read_bytes()
            return importlib.util.decode_source(content)
        except FileNotFoundError:
            hint = f"tinyllm learn start {lesson.number}"
            if (self.folder / ".history" / path.stem).is_dir():
                hint = f"tinyllm learn undo {lesson.number} brings back its last version; {hint} begins anew"
            raise LearnError(f"{shown} is not there", hint=hint) from None
        except OSError as error:
            raise LearnError(f"{shown} cannot be read: {(error.strerror or str(error)).lower()}") from error
        except (UnicodeDecodeError, SyntaxError) as error:
            line, wrong = _not_text(content, error)
            raise LearnError(f"{shown}:{line}: {wrong}", hint="save the file as UTF-8") from None

    def parsed(self, lesson: Lesson) -> tuple[str, ast.Module]:
        """Return what is in a lesson's file, as text and parsed.

        Raises:
            LearnError: as ``text``; or it is not Python, and the message says where.
        """
        text = self.text(lesson)
        try:
            return text, ast.parse(text)
        except SyntaxError as error:
            raise self._not_python(lesson, error) from None
        except (ValueError, RecursionError, MemoryError) as error:  # a zero byte; brackets in brackets without end
            raise LearnError(
                f"{self.shown(lesson)}: Python cannot read it: {error or 'it is nested too deep'}"
            ) from None

    def load(self, exercise: Exercise) -> Callable[..., Any]:
        """Import the learner's file afresh and return the function of an exercise.

        A name in the file that is another exercise of the lesson means what fills that slot in the library: an error in
        one exercise does not leak into the next.

        Raises:
            LearnError: in one sentence, with file and line, why that is not possible.
        """
        lesson, name = exercises.lesson_of(exercise), Slot.of(exercise.slot).name
        _, tree = self.parsed(lesson)
        module = self._imported(lesson)
        shown = self.shown(lesson)
        if name not in vars(module):
            close = nearest(name, [node.name for node in tree.body if isinstance(node, ast.FunctionDef)])
            hint = f"is it {close}? The function is to be called {name}" if close else None
            raise LearnError(f"{shown} has no function {name}", hint=hint or f"tinyllm learn start {lesson.number}")
        function = vars(module)[name]
        if isinstance(function, type) or not callable(function):
            kind = "a class" if isinstance(function, type) else f"of type {type(function).__name__}"
            raise LearnError(f"{shown}: {name} is {kind}, not a function", hint=f"def {name}(...)")
        for other in lesson.exercises:
            slot = Slot.of(other.slot)
            if other.id != exercise.id and slot.name in vars(module):
                setattr(module, slot.name, getattr(slot.owner, slot.attribute))
        return function

    def source(self, exercise: Exercise) -> str:
        """Return the text of the function, with what else in the file it needs.

        Raises:
            LearnError: the file is gone or not Python, or has no such function.
        """
        lesson, name = exercises.lesson_of(exercise), Slot.of(exercise.slot).name
        text, _ = self.parsed(lesson)
        found = with_what_it_needs(text, name, [Slot.of(other.slot).name for other in lesson.exercises])
        if not found:
            hint = f"tinyllm learn start {lesson.number} adds its stub"
            raise LearnError(f"{self.shown(lesson)} has no function {name}", hint=hint)
        return found

    def state(self, exercise: Exercise) -> str:
        """Say how far an exercise is, without running anything.

        Returns:
            "missing" (no file, or no such function in it), "broken" (the file is not Python just now), "stub",
            "written" (but not known to pass), or "passed".
        """
        lesson = exercises.lesson_of(exercise)
        if not self.file(lesson).exists():
            return "missing"
        try:
            _, tree = self.parsed(lesson)
        except LearnError:
            return "broken"
        function = function_of(tree, Slot.of(exercise.slot).name)
        if function is None:
            return "missing"
        if is_stub(function, exercise.id):
            return "stub"
        from .progress import Progress

        return "passed" if Progress.of(self).passed(exercise) else "written"

    def _imported(self, lesson: Lesson) -> ModuleType:
        """Run a lesson's file as a module of the package ``my``, and leave no trace in ``sys.modules``."""
        path, shown = self.file(lesson), self.shown(lesson)
        name = f"{PACKAGE}.{path.stem}"
        loader = _Fresh(name, str(path))
        module = importlib.util.module_from_spec(ModuleSpec(name, loader, origin=str(path)))
        module.__file__ = str(path)
        with _package(self.folder):
            sys.modules[name] = module
            try:
                loader.exec_module(module)
            except KeyboardInterrupt:
                raise
            except SyntaxError as error:
                raise self._not_python(lesson, error) from None
            except SystemExit:
                where = f"{shown}:{_line(path)}"
                raise LearnError(
                    f"{where}: the file ends the program while it is imported", hint="no exit here"
                ) from None
            except BaseException as error:
                said = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
                raise LearnError(f"{shown}:{_line(path)}: the file cannot be imported: {said}") from error
        return module

    def _not_python(self, lesson: Lesson, error: SyntaxError) -> LearnError:
        here = error.filename in (None, "<unknown>", str(self.file(lesson)))
        shown = self.shown(lesson) if here else Path(error.filename or "").name
        what = (error.text or "").strip()
        return LearnError(f"{shown}:{error.lineno}: {error.msg}" + (f": {what}" if what else ""))


class _Fresh(SourceFileLoader):
    """Reads the source each time: a cached compilation knows a file by its second, and may be older than the file."""

    def get_code(self, fullname: str) -> CodeType:
        """Compile the file as it is now."""
        return self.source_to_code(self.get_data(self.path), self.path)


@contextlib.contextmanager
def _package(folder: Path) -> Iterator[None]:
    """Let files of the folder import each other as ``my.l04_next_byte`` or ``.l04_next_byte``, each time afresh."""
    ours = [name for name in sys.modules if name.split(".")[0] == PACKAGE]
    kept = {name: sys.modules.pop(name) for name in ours}
    package = ModuleType(PACKAGE)
    package.__path__ = [str(folder)]
    sys.modules[PACKAGE] = package
    writes, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.dont_write_bytecode = writes
        for name in [name for name in sys.modules if name.split(".")[0] == PACKAGE]:
            del sys.modules[name]
        sys.modules.update(kept)


def _not_text(content: bytes, error: UnicodeDecodeError | SyntaxError) -> tuple[int, str]:
    """Say at which line, and why, the content of a file is not the text that it says it is."""
    if isinstance(error, SyntaxError):  # from the first two lines, where an encoding may be named
        try:
            content.decode()
        except UnicodeDecodeError as found:
            error = found
        else:
            return 1, error.msg
    line = content[: error.start].count(b"\n") + 1
    return line, f"the byte 0x{content[error.start]:02x} in it is not {error.encoding.upper()}"


def _line(path: Path) -> int | str:
    """Return the line of the file at which the exception that is being handled came up."""
    frames = traceback.extract_tb(sys.exc_info()[2])
    return next((frame.lineno or 1 for frame in reversed(frames) if frame.filename == str(path)), 1)


def _unwritable(path: Path, error: OSError) -> LearnError:
    reason = (error.strerror or str(error)).lower()
    return LearnError(f"cannot make {path}: {reason}", hint="another folder: TINYLLM_MY=/path/to/my")
