"""R4: a lesson's own script calls what fills its slots, and nothing reaches past it to the library's own functions."""

from __future__ import annotations

import os
import runpy
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from ..exercise import Lesson
from ..slots.slot import Slot
from ..slots.swap import swap, tripwire
from ..text.cells import lesson_path
from ..text.lesson import into


def r4_payoff_calls(lesson: Lesson) -> list[str]:
    """Return the exercises of a lesson whose functions its short run never calls, or reaches past."""
    copies = {exercise: Slot.of(exercise.slot).copy() for exercise in lesson.exercises}
    try:
        with ExitStack() as stack:
            stack.enter_context(_quick())
            stack.enter_context(into(Silent()))
            receipt = stack.enter_context(swap(copies))
            for exercise in lesson.exercises:
                stack.enter_context(tripwire(exercise))
            runpy.run_path(str(lesson_path(lesson)), run_name="__main__")
    except Exception as error:  # whatever it is, the run did not come to its end
        return [f"with its own slots filled the lesson stops: {type(error).__name__}: {error}"]
    return [f"{entry.id}: {entry.slot} is never called" for entry in receipt.uncalled()]


@contextmanager
def _quick() -> Iterator[None]:
    """The short run, without a window."""
    before = {name: os.environ.get(name) for name in ("TINYLLM_QUICK", "MPLBACKEND")}
    os.environ |= {"TINYLLM_QUICK": "1", "MPLBACKEND": "Agg"}
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


class Silent:
    """A sink that shows nothing."""

    def say(self, text: str) -> None:
        """Drop a text."""

    def claim(self, claim: Any) -> None:
        """Drop a claim that held."""

    def fig(self, picture: Any, alt: str) -> None:
        """Drop a picture."""

    def predict(self, question: Any) -> None:
        """Drop a question: its recorded answer stands."""

    def build(self, exercise: Any) -> None:
        """Drop the name of an exercise."""
