"""A learner at work: which exercise is next, what a check changes, hints, explanations, solutions, lists.

The commands, the watch loop and the notebook all work through this; none of them touches a file of the learner's
otherwise. Trouble with writing (a folder that is read-only, a full disk) is never a reason to lose a verdict: it
becomes a note beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ...errors import LearnError, TinyLLMError, nearest
from ..bundle.meaning import Source
from ..exercise import Exercise, Lesson
from ..exercises import exercise, exercises, lesson, lesson_of, lessons
from ..loop.worker import Checked
from ..slots.slot import Slot
from ..verdict import Verdict
from . import history
from .progress import Progress
from .workspace import PACKAGE, Workspace

HINTS = ("a question", "the idea", "the code with blanks")


@dataclass
class Session:
    """What a learner has done and may do next.

    Attributes:
        workspace: their folder.
        notes: troubles that did not stop anything, in sentences; whoever shows a verdict shows and clears them.
    """

    workspace: Workspace
    notes: list[str] = field(default_factory=list)

    @classmethod
    def here(cls) -> Session:
        """Find the learner's folder: TINYLLM_MY, else my/ in this one."""
        return cls(Workspace.find())

    @property
    def progress(self) -> Progress:
        """How far they are, read anew: another terminal may have changed it."""
        return Progress.of(self.workspace)

    def path(self, wanted: Lesson | Exercise) -> Path:
        """Return the learner's file of a lesson or of an exercise."""
        home = wanted if isinstance(wanted, Lesson) else lesson_of(wanted)
        return self.workspace.file(home)

    def written(self) -> dict[str, Source]:
        """Return the learner's file for every exercise that has passed, by its id."""
        return {
            one.id: Source.at(self.path(one), PACKAGE)
            for found in lessons()
            if self.started(found)
            for one in found.exercises
            if self.passed(one)
        }

    def started(self, wanted: Lesson) -> bool:
        """Is there a file for this lesson?"""
        return self.path(wanted).exists()

    def chosen(self, word: str | None) -> Exercise:
        """Return the exercise that a word stands for: its id, a lesson (its first open one), None for the next.

        Raises:
            LearnError: there is no such exercise, or the course is done.
        """
        if word is None:
            return self.next()
        if "." in word:
            number, _, place = word.partition(".")
            return exercise(f"{number.zfill(2)}.{place}")
        if word.isdigit():
            found = lesson(word)
            return next((one for one in found.exercises if not self.passed(one)), found.exercises[0])
        names = {title(one): one for one in exercises()}
        if word in names:
            return names[word]
        close = nearest(word, [*names, *(one.id for one in exercises())])
        raise LearnError(f"there is no exercise {word!r}", hint=close or "tinyllm learn list")

    def next(self, after: Exercise | None = None) -> Exercise:
        """Return the next open exercise after one, or of the lesson begun last; the whole course is looked through.

        Raises:
            LearnError: nothing is open.
        """
        every = exercises()
        if not every:
            raise LearnError("there are no lessons here yet")
        if after is None:
            begun = [one for one in every if self.started(lesson_of(one))]
            order = [*begun, *every]
        else:
            place = every.index(after) + 1
            order = [*every[place:], *every[:place]]
        open_ones = [one for one in order if not self.passed(one)]
        fresh = [one for one in open_ones if not self.progress.seen(one.id)]  # whose solution was looked at, later
        if open_ones:
            return (fresh or open_ones)[0]
        raise LearnError(
            "every exercise has passed: nothing is open", hint="tinyllm learn list, or reset ID to redo one"
        )

    def passed(self, wanted: Exercise) -> bool:
        """Has it passed, as it stands in the file now?"""
        return self.progress.passed(wanted)

    def count(self, among: Lesson | None = None) -> tuple[int, int]:
        """Return how many exercises of a lesson, or of the course, have passed, and how many there are."""
        chosen = exercises() if among is None else among.exercises
        progress = self.progress
        return sum(progress.passed(one) for one in chosen), len(chosen)

    def start(self, wanted: Lesson) -> Path:
        """Make the learner's file of a lesson where there is none; add what is missing to one that is there."""
        return self.workspace.start(wanted)

    def checking(self, wanted: Exercise) -> None:
        """Keep the version of the file that is checked now, before its code runs and may do anything to the file."""
        self._careful(lambda: history.keep(self.workspace, lesson_of(wanted)))

    def took(self, wanted: Exercise, checked: Checked) -> Verdict:
        """Remember a verdict; trouble with that becomes a note."""
        if checked.source:
            self._careful(lambda: self.progress.record(checked.verdict, checked.source))
        return checked.verdict

    def hint(self, wanted: Exercise, level: int | None = None) -> tuple[int, str]:
        """Return a hint and its level, 1 to 3; without one asked for, the next that was not seen yet."""
        level = min(self.seen(wanted) + 1, 3) if level is None else level
        self._careful(lambda: self.progress.hinted(wanted.id, level))
        return level, wanted.hints[level - 1]

    def seen(self, wanted: Exercise) -> int:
        """Return the highest level of hint that was shown."""
        return self.progress.hints(wanted.id)

    def gave_up(self, wanted: Exercise) -> None:
        """Remember that the solution was looked at: the exercise is offered again later."""
        self._careful(lambda: self.progress.gave_up(wanted.id))

    def reset(self, wanted: Exercise) -> None:
        """Put the stub of one function back; the version before stays in the history."""
        history.reset(wanted, self.workspace)

    def undo(self, wanted: Lesson) -> str:
        """Take back the last reset, or restore the version before; return what was done."""
        return history.undo(wanted, self.workspace)

    def _careful(self, write: Callable[[], object]) -> None:
        try:
            write()
        except (TinyLLMError, OSError) as error:
            reason = error.message if isinstance(error, TinyLLMError) else str(error)
            note = f"{reason}: the verdict stands, but it is not remembered"
            if note not in self.notes:
                self.notes.append(note)


def title(wanted: Exercise) -> str:
    """Return the name of the function that an exercise asks for.

    Example:
        >>> from tinyllm.learn.exercise import Exercise
        >>> title(Exercise("03.1", "tinyllm.autograd.unbroadcast:unbroadcast", 10, (), (), ("", "", ""), ""))
        'unbroadcast'
    """
    return Slot.of(wanted.slot).name


def rows(session: Session) -> Iterator[tuple[Lesson, list[tuple[Exercise, str]]]]:
    """Yield every lesson with its exercises and the state of each: "passed", "open", or "" where nothing is begun."""
    progress = session.progress
    for one in lessons():
        begun = session.started(one)
        yield one, [(each, "passed" if progress.passed(each) else "open" if begun else "") for each in one.exercises]
