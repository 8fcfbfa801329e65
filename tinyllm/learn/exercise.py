"""An exercise is a record: which function of the library the learner writes, how it is checked, what can go wrong.

Signature, docstring, stub and solution are not in the record: they are read from the library's own source (slot.py), so
that nothing is kept twice. A lesson's records are in exercises/lNN_name.py, as ``LESSON``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import LearnError

if TYPE_CHECKING:
    from .checks import Check


@dataclass(frozen=True)
class Mutant:
    """A usual mistake: one line of the solution with another in its place, and the sentence that names it.

    Attributes:
        old: a piece of the slot's source that occurs exactly once.
        new: what stands there instead.
        sentence: what is wrong and why, told to whoever writes exactly this; unlike that of any other mutant here.
    """

    old: str
    new: str
    sentence: str


@dataclass(frozen=True)
class Exercise:
    """One function to write.

    Attributes:
        id: the lesson and the place in it, "10.3".
        slot: where the library has it, "module:Qualified.name": an op's forward or backward, or a plain function.
        minutes: how long it takes.
        checks: what is asked of the learner's function, in order.
        mutants: usual mistakes; every check suite must reject each of them and give it its own sentence.
        hints: a question, the idea, the code with blanks.
        explain: shown after passing: why it is so, and where it leads.
        needs: ids of exercises that come before.
        through: kernels that run as their readable NumPy reference while this slot is swapped, because their Numba
            versions would go past it: ("attention", "attention_backward").
    """

    id: str
    slot: str
    minutes: int
    checks: Sequence[Check]
    mutants: Sequence[Mutant]
    hints: tuple[str, str, str]
    explain: str
    needs: Sequence[str] = ()
    through: Sequence[str] = ()

    def __hash__(self) -> int:  # the other fields may be lists
        return hash(self.id)


@dataclass(frozen=True)
class Lesson:
    """A lesson: one question, and the exercises that answer it.

    Attributes:
        number: two digits, "10".
        name: of its file, "attention": lessons/10_attention.py, and my/l10_attention.py in the learner's folder.
        title: as the course lists it.
        question: the one question it answers.
        minutes: for all of it.
        payoff: what the learner's own code does at the end, in a few words.
        exercises: in order.
        needs: numbers of the lessons it builds on.
        seconds: what the payoff takes on two cores.
    """

    number: str
    name: str
    title: str
    question: str
    minutes: int
    payoff: str
    exercises: Sequence[Exercise]
    needs: Sequence[str] = ()
    seconds: int = 10

    @property
    def file(self) -> str:
        """The name of the learner's file.

        Example:
            >>> Lesson("10", "attention", "", "", 75, "", ()).file
            'l10_attention.py'
        """
        return f"l{self.number}_{self.name}.py"


def find(exercises: Sequence[Exercise], wanted: str) -> Exercise:
    """Return the exercise of that id.

    Raises:
        LearnError: there is none.
    """
    for exercise in exercises:
        if exercise.id == wanted:
            return exercise
    known = ", ".join(exercise.id for exercise in exercises)
    raise LearnError(f"there is no exercise {wanted!r}", hint=f"one of {known}")
