"""dev check: all that a lesson has to pass before it is in the course, gate by gate, and how sharp its checks are.

A gate is a function that takes a lesson and returns its complaints; gates/ has them, a file for each idea. A lesson
that somebody writes elsewhere goes through the same ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from importlib import import_module

from ..errors import LearnError
from .diagnosis.judge import judge
from .diagnosis.mutants import made
from .exercise import Lesson
from .exercises import lessons as all_lessons
from .slots.slot import Slot

Gate = Callable[[Lesson], list[str]]

GATES: dict[str, tuple[str, str]] = {
    "R1": ("answers:r1_stub_fails", "a stub fails every check"),
    "R2": ("answers:r2_library_passes", "the library passes, and so does the solution that is shown"),
    "R3": ("answers:r3_mutants_named", "every usual mistake fails, and is told its own sentence"),
    "R4": ("payoff:r4_payoff_calls", "the lesson calls what fills its slots, and trips no wire"),
    "R5": ("hints:r5_hints", "three hints, and neither they nor the stub give the answer away"),
    "R6": ("running:r6_runs", "it runs in a clean process, offline, in its time"),
    "R7": ("text:r7_text", "its form is right, and no bare result stands in its prose"),
    "R8": ("subsets:r8_subsets", "any subset of solved exercises gives the same stack"),
    "R9": ("order:r9_order", "nothing is used before it is taught"),
    "R10": ("exports:r10_exports", "page and exports are current, valid, and need nothing from elsewhere"),
    "R11": ("bundle:r11_bundle", "joined with those before, its functions are one file of 500 lines, on NumPy alone"),
    "R12": ("console:r12_console", "it can be read on any console"),
}


@dataclass
class Figures:
    """How sharp the checks of some exercises are.

    Attributes:
        exercises: how many.
        mutants: usual mistakes of all of them.
        killed: those that fail.
        named: those that are told their own sentence.
        diagnosed: those to whom the diagnosis says something even when the list of mistakes is not looked at.
    """

    exercises: int = 0
    mutants: int = 0
    killed: int = 0
    named: int = 0
    diagnosed: int = 0

    def text(self) -> str:
        """Return them as one line.

        Example:
            >>> Figures(2, 9, 9, 9, 7).text()
            '2 exercises, 9 mistakes: 9 rejected (100 %), 9 named, 7 diagnosed without the list (78 %)'
        """
        share, alone = (100 * n / max(self.mutants, 1) for n in (self.killed, self.diagnosed))
        return (
            f"{self.exercises} exercises, {self.mutants} mistakes: {self.killed} rejected ({share:.0f} %), "
            f"{self.named} named, {self.diagnosed} diagnosed without the list ({alone:.0f} %)"
        )


@dataclass
class Report:
    """What the gates found.

    Attributes:
        complaints: by gate, then by lesson: "R3" -> "10" -> sentences. A gate that was passed has empty lists.
        figures: how sharp the checks are; None when R3 was not asked for.
    """

    complaints: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    figures: Figures | None = None

    @property
    def ok(self) -> bool:
        """Did every lesson pass every gate?"""
        return not any(found for gate in self.complaints.values() for found in gate.values())

    def text(self) -> str:
        """Return it as lines: a line for each gate, then its complaints."""
        lines = []
        for gate, of_lessons in self.complaints.items():
            found = [f"      lesson {number}: {words}" for number, said in of_lessons.items() for words in said]
            lines.append(f"{'FAIL' if found else 'ok':<5} {gate:<4} {GATES[gate][1]}")
            lines += found
        return "\n".join(lines + ([self.figures.text()] if self.figures else []))


def gate(name: str) -> Gate:
    """Return a gate by its name, "R3".

    Raises:
        LearnError: there is none of that name.
    """
    if name not in GATES:
        raise LearnError(f"there is no gate {name!r}", hint=f"one of {', '.join(GATES)}")
    module, _, function = GATES[name][0].partition(":")
    found: Gate = getattr(import_module(f".gates.{module}", __package__), function)
    return found


def run(lessons: Sequence[Lesson] | None = None, gates: Iterable[str] | None = None) -> Report:
    """Send lessons through the gates.

    Args:
        lessons: which; by default all of them.
        gates: names, "R1" to "R12"; by default all of them.

    Raises:
        LearnError: there is no gate of that name.
    """
    lessons = list(all_lessons() if lessons is None else lessons)
    names = list(GATES if gates is None else gates)
    chosen = {name: gate(name) for name in names}
    report = Report()
    for name, asked in chosen.items():
        report.complaints[name] = {lesson.number: asked(lesson) for lesson in lessons}
    if "R3" in names:
        report.figures = figures(lessons)
    return report


def figures(lessons: Sequence[Lesson]) -> Figures:
    """Measure how many of the usual mistakes the checks reject and name, with the list of mistakes and without it."""
    found = Figures()
    for exercise in (exercise for lesson in lessons for exercise in lesson.exercises):
        found.exercises += 1
        slot = Slot.of(exercise.slot)
        for index, mutant in enumerate(exercise.mutants):
            function = made(slot, mutant)
            verdict, alone = judge(exercise, function, slot), judge(exercise, function, slot, use_mutants=False)
            found.mutants += 1
            found.killed += verdict.state == "failed"
            found.named += verdict.mutant == index
            found.diagnosed += bool(alone.because)
    return found
