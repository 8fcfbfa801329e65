"""Exercises in a notebook, or in any Python session: ``@solve("10.3")`` above the function, ``hint("10.3")`` for help.

    @solve("04.2")
    def softmax(x, axis=-1):
        ...

The function goes into its place in my/, with the imports and helpers that it uses, and is checked there as the watch
loop checks it: in a process of its own, so that no mistake can take the notebook down.
"""

from __future__ import annotations

import ast
import atexit
import functools
import inspect
import sys
import textwrap
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from ..cli.screen import Screen
from ..errors import LearnError
from . import history
from .exercise import Exercise
from .exercises import lesson_of
from .files import like
from .live import print_page
from .screen import Page, panel, paragraph, verdict_page
from .session import HINTS, Session, title
from .source import function_of, span
from .verdict import Verdict
from .worker import Checked, Worker
from .workspace import Workspace

F = TypeVar("F", bound=Callable[..., Any])


def solve(wanted: str) -> Callable[[F], F]:
    """Save the function below into my/, check it, and show the verdict.

    Args:
        wanted: the exercise's id.

    Raises:
        LearnError: there is no such exercise, the function has another name than it asks for, or its text is not to be
            found (it was typed into a plain ``python`` prompt).
    """
    session = Session.here()
    exercise = session.chosen(wanted)

    def solved(function: F) -> F:
        name = title(exercise)
        if getattr(function, "__name__", "") != name:
            got = getattr(function, "__name__", type(function).__name__)
            raise LearnError(f"{exercise.id} asks for a function {name}; this one is called {got}", hint=f"def {name}")
        put(session.workspace, exercise, pieces(function))
        worker = _worker(Path(session.workspace.folder).resolve())
        verdict = worker.check(exercise.id)
        session.took(exercise, Checked(verdict, worker.output, worker.source))
        _show(session, exercise, verdict, worker.output)
        return function

    return solved


def hint(wanted: str, level: int | None = None) -> None:
    """Show a hint: the next one that was not seen yet, or the one of a level, 1 to 3.

    Raises:
        LearnError: there is no such exercise, or no such level.
    """
    session = Session.here()
    exercise = session.chosen(wanted)
    if level is not None and level not in (1, 2, 3):
        raise LearnError(f"there is no hint {level}", hint="1, 2 or 3")
    shown, text = session.hint(exercise, level)
    screen = Screen.of()
    heading = f"{exercise.id}, hint {shown} of 3: {HINTS[shown - 1]}"
    print_page(screen, panel(heading, text, screen.width, verbatim=shown == 3))


def put(workspace: Workspace, exercise: Exercise, parts: dict[str, str]) -> Path:
    """Write a function and what it needs into the learner's file; what was there is kept in the history.

    Args:
        workspace: the learner's.
        exercise: the one whose function it is.
        parts: name -> text, the function itself last.
    """
    lesson = lesson_of(exercise)
    path = workspace.start(lesson)
    for name, part in parts.items():
        _, tree = workspace.parsed(lesson)
        there = next((node for node in reversed(tree.body) if name in _names_of(node)), None)
        before = function_of(tree, title(exercise))
        history.change(workspace, lesson, functools.partial(_placed, part, there, before))
    return path


def _placed(part: str, there: ast.stmt | None, before: ast.stmt | None, content: bytes) -> bytes:
    """Put a text in the place of another, or in front of the function that needs it, or at the end."""
    lines = content.splitlines(keepends=True)
    first, last = span(there) if there else (span(before)[0] if before else len(lines),) * 2
    block = part.startswith(("def ", "@", "class "))
    gap = "" if there else "\n\n" if block else "\n"
    if block and isinstance(there, (ast.Import, ast.ImportFrom)):  # a helper of theirs instead of the library's
        part, gap = f"\n\n{part}", "\n\n"
    return b"".join([*lines[:first], like(content, part.rstrip("\n") + "\n" + gap), *lines[last:]])


def pieces(function: Callable[..., Any]) -> dict[str, str]:
    """Return the texts of what a function uses and of itself: imports, constants, helpers, each by its name."""
    found: dict[str, str] = {}
    _gather(function, found, set())
    name = function.__name__
    return {**{key: text for key, text in found.items() if key != name}, name: found[name]}


def _gather(function: Callable[..., Any], found: dict[str, str], met: set[str]) -> None:
    name = function.__name__
    met.add(name)
    for used in _globals_of(function.__code__):
        value = function.__globals__.get(used, _NOTHING)
        if value is _NOTHING or used in met:
            continue
        if isinstance(value, types.ModuleType):
            found[used] = f"import {value.__name__}" + (f" as {used}" if used != value.__name__ else "")
        elif isinstance(value, types.FunctionType) and value.__globals__ is function.__globals__:
            _gather(value, found, met)
        elif hasattr(value, "__module__") and hasattr(value, "__qualname__") and value.__module__ in sys.modules:
            alias = f" as {used}" if used != value.__qualname__ else ""
            found[used] = f"from {value.__module__} import {value.__qualname__}{alias}"
        elif isinstance(value, (bool, int, float, str, bytes, type(None))):
            found[used] = f"{used} = {value!r}"
    found[name] = _text(function)


_NOTHING = object()


def _globals_of(code: types.CodeType) -> Iterator[str]:
    """Yield the names that code may look up outside of itself, with those of the functions inside it."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _globals_of(constant)


def _text(function: Callable[..., Any]) -> str:
    """Return the source of a function without the line ``@solve(...)``."""
    try:
        text = textwrap.dedent(inspect.getsource(function))
    except (OSError, TypeError) as error:
        raise LearnError(
            f"the text of {function.__name__} is not to be found", hint="a notebook, a file, or IPython"
        ) from error
    node = ast.parse(text).body[0]
    lines = text.splitlines(keepends=True)
    for decorator in reversed(getattr(node, "decorator_list", [])):
        called = decorator.func if isinstance(decorator, ast.Call) else decorator
        if getattr(called, "id", getattr(called, "attr", "")) == "solve":
            del lines[decorator.lineno - 1 : decorator.end_lineno]
    return "".join(lines)


def _names_of(node: ast.stmt) -> set[str]:
    """Return what a line of the file defines, as far as ``put`` may put another text in its place."""
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        return {node.name}
    if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
        return {node.targets[0].id}
    if isinstance(node, (ast.Import, ast.ImportFrom)) and len(node.names) == 1:
        return {node.names[0].asname or node.names[0].name}
    return set()


@functools.cache
def _worker(folder: Path) -> Worker:
    """Return this session's worker on a folder; it ends with the session."""
    worker = Worker(folder)
    atexit.register(worker.close)
    return worker


def _show(session: Session, exercise: Exercise, verdict: Verdict, output: str) -> None:
    from .in_notebook import in_notebook
    from .lesson import fig

    screen = Screen.of()
    page: Page = verdict_page(verdict, title(exercise), screen.width, output)
    if verdict.passed:
        page += [[("", "")], [(f"{exercise.id} has passed.", "bold green")]]
        page += paragraph(exercise.explain, screen.width, "  ")
    for note in session.notes:
        page += paragraph(f"note: {note}", screen.width)
    print_page(screen, page)
    if verdict.picture is not None and in_notebook():
        import numpy as np

        from ..viz import Beside, draw_beside

        yours, reference = (np.asarray(verdict.picture[key], dtype=float) for key in ("yours", "reference"))
        figure = draw_beside(Beside(yours, reference, str(verdict.picture.get("name", ""))))
        fig(figure, alt=str(figure.get_label()))
