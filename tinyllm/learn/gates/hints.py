"""R5: three hints, from a question to code with blanks; neither they nor the stub give the answer away."""

from __future__ import annotations

import io
import tokenize

from ..exercise import Exercise, Lesson
from ..slots.slot import Slot
from ..slots.stub import function_stub

_SHORTEST = 12  # signs, without spaces: a line of code that says something of the answer


def r5_hints(lesson: Lesson) -> list[str]:
    """Return what is wrong with the hints of a lesson, and lines of the answer where they should not be."""
    complaints = []
    for exercise in lesson.exercises:
        complaints += [f"{exercise.id}: {found}" for found in _of(exercise)]
    return complaints


def _of(exercise: Exercise) -> list[str]:
    complaints = []
    hints = exercise.hints
    if len(hints) != 3 or not all(hint.strip() for hint in hints) or len(set(hints)) != len(hints):
        complaints.append(f"it has {len(set(hints))} hints, not 3")
    elif "?" not in hints[0]:
        complaints.append("its first hint asks nothing")
    elif "___" not in hints[2]:
        complaints.append("its third hint has no blank to fill, ___")
    if not exercise.explain.strip():
        complaints.append("nothing explains it afterwards")
    slot = Slot.of(exercise.slot)
    telling = {bare(mutant.old) for mutant in exercise.mutants}
    for line in answer_lines(slot.body):
        key = line.startswith("return") or any(old in line or line in old for old in telling)
        if key:  # what one may get wrong is what a hint is not to say
            complaints += [f"hint {k} holds the line {line!r}" for k, hint in enumerate(hints, 1) if line in bare(hint)]
        if line in bare(function_stub(exercise)):
            complaints.append(f"the stub holds the line {line!r}")
    return complaints


def answer_lines(body: str) -> list[str]:
    """Return the lines of a function that give the answer away, without spaces and comments.

    What only takes the arguments apart (``B, T = x.shape``, ``p, axis = ctx.saved``) does not.

    Example:
        >>> answer_lines("    (p,) = ctx.saved  # kept\\n    return p * (dp - (dp * p).sum(-1))\\n")
        ['returnp*(dp-(dp*p).sum(-1))']
    """
    found = []
    for line in _without_comments(body).splitlines():
        text = bare(line)
        if len(text) >= _SHORTEST and not text.endswith((".shape", "ctx.saved", ":", ",", "(")):
            found.append(text)
    return found


def bare(text: str) -> str:
    """Return a text without white space, so that layout does not hide a line."""
    return "".join(text.split())


def _without_comments(body: str) -> str:
    """Return source without its comments; as it is where it cannot be read."""
    lines = body.splitlines(keepends=True)
    try:
        for token in tokenize.generate_tokens(io.StringIO(body).readline):
            if token.type == tokenize.COMMENT:
                row, column = token.start
                lines[row - 1] = lines[row - 1][:column].rstrip() + "\n"
    except (tokenize.TokenError, IndentationError):
        return body
    return "".join(lines)
