"""The records of all lessons, one file each; a lesson that is added here is in the course."""

from __future__ import annotations

from functools import cache
from importlib import import_module

from ...errors import LearnError
from ..exercise import Exercise, Lesson, find

FILES: tuple[str, ...] = ("l00_stack", "l01_slopes", "l03_tensors", "l04_next_byte", "l10_attention")


@cache
def lessons() -> tuple[Lesson, ...]:
    """Return every lesson, in order."""
    return tuple(import_module(f".{name}", __name__).LESSON for name in FILES)


def lesson(number: str) -> Lesson:
    """Return the lesson of that number ("10"; "3" is "03").

    Raises:
        LearnError: there is none.
    """
    for found in lessons():
        if found.number == number.zfill(2):
            return found
    raise LearnError(f"there is no lesson {number}", hint=f"one of {', '.join(found.number for found in lessons())}")


def exercises() -> tuple[Exercise, ...]:
    """Return every exercise, in order."""
    return tuple(exercise for found in lessons() for exercise in found.exercises)


def exercise(wanted: str) -> Exercise:
    """Return the exercise of that id.

    Raises:
        LearnError: there is none.
    """
    return find(exercises(), wanted)


def lesson_of(wanted: Exercise) -> Lesson:
    """Return the lesson that an exercise belongs to."""
    return lesson(wanted.id.split(".")[0])
