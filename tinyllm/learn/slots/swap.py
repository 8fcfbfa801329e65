"""Swap: while a block runs, the library's own functions step aside for the learner's, and every call is counted.

    with swap({exercise: function}) as receipt:
        train(...)
    receipt.text()                          # whose function ran, and how often

Every name in the library that means the function gets a counting wrapper in its place (reach.py); at the end the
wrapper is looked for again, so modules that were imported meanwhile are set right, too. A kernel is its NumPy reference
in the table of kernels: it is exchanged there, and its Numba version steps aside with it. Where no swap is on, nothing
is in the way, and nothing costs anything.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from ...errors import LearnError, StubError, nearest
from ...kernels.table import TABLE
from ..exercise import Exercise, Lesson
from .reach import replace
from .receipt import Entry, Receipt
from .slot import Slot

_lock = threading.RLock()  # one scan at a time
_standing: dict[str, list[tuple[int, Any]]] = {}  # slot -> (thread, wrapper) of each swap that fills it, inmost last
_aside: dict[str, tuple[int, Any]] = {}  # kernel -> how many swaps keep its Numba version aside, and that version


@contextmanager
def swap(functions: Mapping[Exercise, Callable[..., Any]]) -> Iterator[Receipt]:
    """Run a block with functions of the learner's in their slots.

    Swaps nest: an inner one fills a slot that an outer one has filled, and gives it back.

    Args:
        functions: what to put into the slot of each exercise.

    Raises:
        LearnError: another thread fills one of these slots just now.
        StubError: inside of the block, when a function is called that is still to be written.

    Example:
        >>> from tinyllm.train import bits
        >>> from tinyllm.learn.exercise import Exercise
        >>> exercise = Exercise("00.1", "tinyllm.train.bits:bits_per_byte", 5, [], [], ("", "", ""), "")
        >>> with swap({exercise: lambda loss, bytes_per_token: 42.0}) as receipt:
        ...     bits.bits_per_byte(1.0, 1.0)
        42.0
        >>> receipt.calls
        {'00.1': 1}
    """
    receipt = Receipt()
    fillings = [_filling(exercise, function, receipt) for exercise, function in functions.items()]
    namespaces = [names for function in functions.values() if (names := _namespace(function)) is not None]
    with ExitStack() as stack:
        stack.enter_context(_filled(fillings, namespaces))
        for exercise in functions:
            for kernel in {*exercise.through, Slot.of(exercise.slot).kernel} - {""}:
                stack.enter_context(_on_the_reference(kernel))
        yield receipt


@contextmanager
def mine(which: str = "all", folder: str | Path | None = None) -> Iterator[Receipt]:
    """Run a block with everything of yours that has passed its checks, in the library's place.

    Args:
        which: "all", lessons ("10" or "10,11" or "upto:11"), or exercises ("10.3").
        folder: where your files are; by default the folder ``my`` here, or TINYLLM_MY.

    Raises:
        LearnError: there is no such lesson or exercise, or a file of yours cannot be loaded.
    """
    from ..work.progress import Progress
    from ..work.workspace import Workspace

    workspace = Workspace(Path(folder)) if folder else Workspace.find()
    progress = Progress.of(workspace)
    wanted = chosen(which)
    passed = [exercise for exercise in wanted if progress.passed(exercise)]
    with swap({exercise: workspace.load(exercise) for exercise in passed}) as receipt:
        receipt.note_open((e.id, Slot.of(e.slot).title) for e in wanted if e not in passed)
        yield receipt


def chosen(which: str) -> list[Exercise]:
    """Return the exercises that "all", "10", "10,11", "upto:11" or "10.3" means, in the order of the course.

    Raises:
        LearnError: there is no such lesson or exercise.
    """
    from .. import exercises

    ids: set[str] = set()
    for part in (part.strip() for part in which.split(",")):
        found: list[Lesson]
        if "." in part:
            ids.add(exercises.exercise(part).id)
            continue
        if part == "all":
            found = list(exercises.lessons())
        elif part.startswith("upto:"):
            last = exercises.lesson(part.removeprefix("upto:")).number
            found = [lesson for lesson in exercises.lessons() if lesson.number <= last]
        else:
            found = [exercises.lesson(part)]
        ids |= {exercise.id for lesson in found for exercise in lesson.exercises}
    return [exercise for exercise in exercises.exercises() if exercise.id in ids]


@contextmanager
def tripwire(exercise: Exercise) -> Iterator[None]:
    """Run a block in which the library's own function of that slot raises: if it is still called, somebody reached it.

    A reference that a swap has missed shows itself so. A copy of the function (``Slot.copy``) is not touched.

    Raises:
        LearnError: inside of the block, where the function is called.
    """
    function = Slot.of(exercise.slot).function
    if function.__code__.co_freevars:
        raise LearnError(f"{exercise.slot} is made inside of another function, and cannot carry a tripwire")
    whole = function.__code__
    function.__code__ = _tripped.__code__.replace(co_name=whole.co_name, co_qualname=whole.co_qualname)
    try:
        yield
    finally:
        function.__code__ = whole


def _tripped(*_args: Any, **_kwargs: Any) -> None:  # its code runs among the names of any module
    from tinyllm.errors import LearnError

    raise LearnError(
        "the library's own function was called while another stands in its place", hint="see the traceback"
    )


@contextmanager
def _filled(fillings: list[tuple[Slot, Any]], namespaces: list[dict[str, Any]]) -> Iterator[None]:
    """Put a wrapper into each slot, and afterwards back what was there: one walk over the library for all of them."""
    thread = threading.get_ident()
    with _lock:
        for slot, _ in fillings:
            if any(other != thread for other, _ in _standing.get(slot.path, [])):
                raise LearnError(f"{slot.title} is swapped by another thread just now", hint="one run at a time")
        exchange: dict[int, Any] = {}
        for slot, wrapper in fillings:
            exchange |= {id(_top(slot)): wrapper, id(slot.function): wrapper}
        for slot, wrapper in fillings:
            _standing.setdefault(slot.path, []).append((thread, wrapper))
        replace(exchange, namespaces)
    try:
        yield
    finally:
        with _lock:
            for slot, wrapper in fillings:
                _standing[slot.path].remove((thread, wrapper))
            replace({id(wrapper): _top(slot) for slot, wrapper in fillings}, namespaces)


def _top(slot: Slot) -> Any:
    """Return what stands in the slot now."""
    stand = _standing.get(slot.path)
    return stand[-1][1] if stand else slot.function


def _namespace(function: Callable[..., Any]) -> dict[str, Any] | None:
    """Return the names that a function of the learner's sees: their file may import what another slot holds."""
    names = getattr(function, "__globals__", None)
    ours = names is None or str(names.get("__name__", "")).split(".")[0] == "tinyllm"
    return None if ours else names


def _filling(exercise: Exercise, function: Callable[..., Any], receipt: Receipt) -> tuple[Slot, Any]:
    """Return the slot of an exercise and what is to stand in it: the function, with every call counted."""
    slot = Slot.of(exercise.slot)
    entry = Entry(exercise.id, slot.title, place(function))
    receipt.entries.append(entry)

    @functools.wraps(slot.function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        entry.calls += 1
        try:
            return function(*args, **kwargs)
        except NotImplementedError as error:
            if error.args != (exercise.id,):
                raise
            message = f"{exercise.id} {slot.name} is still to be written"
            raise StubError(message, hint=f"write it in {entry.where}") from None

    wrapper.__wrapped__ = function
    wrapper.stands_for = slot.function  # type: ignore[attr-defined]
    return slot, wrapper


@contextmanager
def _on_the_reference(kernel: str) -> Iterator[None]:
    """Let a kernel run as its NumPy reference, or what stands in the reference's place, on either back end."""
    if kernel not in TABLE:
        raise LearnError(f"there is no kernel {kernel!r} to go through", hint=nearest(kernel, TABLE))
    entry = TABLE[kernel]

    def reference(*args: Any, **kwargs: Any) -> Any:
        return entry["numpy"](*args, **kwargs)

    with _lock:
        count, fast = _aside.get(kernel, (0, entry.get("numba")))
        if not count:
            entry["numba"] = reference
        _aside[kernel] = count + 1, fast
    try:
        yield
    finally:
        with _lock:
            count, fast = _aside.pop(kernel)
            if count > 1:
                _aside[kernel] = count - 1, fast
            elif fast is None:
                del entry["numba"]  # Numba had not been loaded; the next call through the door does it
            else:
                entry["numba"] = fast


def place(function: Callable[..., Any]) -> str:
    """Say where a function is written: "my/l10_attention.py:12".

    Example:
        >>> place(len)
        'yours'
    """
    code = getattr(function, "__code__", None)
    if code is None or code.co_filename.startswith("<"):
        return "yours"
    path = Path(code.co_filename)
    return f"{path.parent.name}/{path.name}:{code.co_firstlineno}"
