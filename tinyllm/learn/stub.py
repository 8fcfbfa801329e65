"""Stubs: what the learner starts from, made from the library's own signature and docstring, without the answer."""

from __future__ import annotations

import re
import sys
import textwrap
from collections.abc import Iterable
from types import ModuleType
from typing import Any

from .exercise import Exercise, Lesson
from .slot import Slot, quoted

_SECTION = re.compile(
    r"[A-Z]\w+(:| {2,}|$)"
)  # how a labeled line of a docstring begins: "Shapes    x (...) -> y (...)"


def stub(exercise: Exercise) -> str:
    """Return an exercise as the learner finds it: imports, then the function that is still to be written.

    Example:
        >>> from tinyllm.learn.exercise import Exercise
        >>> print(stub(Exercise("03.2", "tinyllm.autograd.ops.reduce:Sum.backward", 5, [], [], ("", "", ""), "")))
        import numpy as np
        <BLANKLINE>
        <BLANKLINE>
        def sum_backward(ctx, dy):
            \"\"\"Add up the entries along some axes, or all of them.
        <BLANKLINE>
            Forward   y = sum_i x_i
            Shapes    x (...) -> y (... without the axes)
            Saved     shape, axes = ctx.saved
            \"\"\"
            raise NotImplementedError("03.2")
        <BLANKLINE>
    """
    return "\n".join(imports([exercise])) + "\n\n\n" + function_stub(exercise)


def function_stub(exercise: Exercise) -> str:
    """Return the function alone."""
    slot = Slot.of(exercise.slot)
    head = f"def {slot.name}{slot.signature}:\n{quoted(task(slot))}"
    return f'{head}    raise NotImplementedError("{exercise.id}")\n'


def task(slot: Slot) -> str:
    """Return the docstring without the answer: no ``Backward`` line, but what the forward pass keeps."""
    lines: list[str] = []
    dropping = False
    for line in slot.docstring.splitlines():
        if dropping and line.strip() and (line.startswith(" ") or not _SECTION.match(line)):
            continue  # the answer goes on
        dropping = re.match(r"Backward\b", line) is not None
        if not dropping:
            lines.append(line)
    text = re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip("\n")
    if not slot.part or slot.op is None:
        return text
    kept = saves(slot)
    noted = f"Saved     {', '.join(kept)}{',' if len(kept) == 1 else ''} = ctx.saved"
    if slot.part == "forward":
        noted = f"Saves     ctx.save({', '.join(kept)})"
    elif slot.op.kink:
        noted += f"\nKink      {slot.op.kink}"  # a choice, which nobody can derive
    return re.sub(r"(?m)^(Shapes .*(?:\n +.*)*)$", lambda found: f"{found[0]}\n{noted}", text, count=1)


def saves(slot: Slot) -> tuple[str, ...]:
    """Return what the forward pass of the slot's op keeps, as its own source names it in ``ctx.save(...)``.

    The backward pass may call it by other names, which tell more: where it unpacks ``ctx.saved``, those are taken.

    Example:
        >>> saves(Slot.of("tinyllm.autograd.ops.fused:Softmax.backward"))
        ('p', 'axis')
    """
    module, _, qualified = slot.path.partition(":")
    owner = qualified.rpartition(".")[0]
    if slot.part == "backward":
        unpacked = re.search(r"^\s*\(?([\w, ]+?),?\)? = ctx\.saved\b", slot.body, re.MULTILINE)
        if unpacked:
            return tuple(name.strip() for name in unpacked[1].split(","))
    saved = re.search(r"ctx\.save\((.*)\)", Slot.of(f"{module}:{owner}.forward").body)
    return tuple(part.strip() for part in re.split(r",(?![^()\[\]]*[)\]])", saved[1])) if saved else ()


def imports(exercises: Iterable[Exercise]) -> list[str]:
    """Return the import lines of what these exercises may use, without what the learner writes in the same file."""
    slots = [Slot.of(exercise.slot) for exercise in exercises]
    written = {slot.name for slot in slots} | {"reference"}
    modules, names = {"import numpy as np"}, set()
    for slot in slots:
        for name in slot.names:
            value = vars(slot.module)[name]
            if name in written:
                continue
            if isinstance(value, ModuleType):
                package, _, last = value.__name__.rpartition(".")
                renamed = f"{last} as {name}" if last != name else last
                modules.add(f"from {package} import {renamed}" if package else f"import {renamed}")
            else:
                names.add((_home(name, value, slot), name))
    lines = modules | {
        f"from {home} import {', '.join(sorted(name for there, name in names if there == home))}" for home, _ in names
    }
    standard = sorted(line for line in lines if line.split()[1] in sys.stdlib_module_names)
    others = sorted(lines - set(standard), key=lambda line: ("tinyllm" in line, line))
    return [*standard, "", *others] if standard else others


def _home(name: str, value: Any, slot: Slot) -> str:
    """Return the module that a name is to be imported from: where it was written, if it was written by that name."""
    home = getattr(value, "__module__", None)
    return home if isinstance(home, str) and getattr(value, "__name__", "") == name else slot.module.__name__


def lesson_file(lesson: Lesson) -> str:
    """Return the file that the learner works in: what it is about, the imports, and a stub for each exercise."""
    number = lesson.number
    commands = [
        (f"tinyllm learn show {number}", "the text of the lesson"),
        ("tinyllm learn", "watches this file and checks it whenever it is saved"),
        (f"tinyllm learn hint {lesson.exercises[0].id}" if lesson.exercises else "tinyllm learn hint", "when stuck"),
    ]
    wide = max(len(command) for command, _ in commands)
    head = [f"Lesson {number}: {lesson.title}.", "", *textwrap.wrap(lesson.question, 100), ""]
    head += [f"    {command:<{wide}}   {what}" for command, what in commands]
    text = "".join(f"# {line}".rstrip() + "\n" for line in head)
    text += "\n" + "\n".join(imports(lesson.exercises)) + "\n"
    return text + "".join(section(exercise) for exercise in lesson.exercises)


def section(exercise: Exercise) -> str:
    """Return the part of a lesson's file that is one exercise: a line that names it, then the stub."""
    return f"\n\n# {exercise.id}   about {exercise.minutes} minutes\n\n\n{function_stub(exercise)}"
