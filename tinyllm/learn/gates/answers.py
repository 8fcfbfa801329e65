"""R1 to R3: a stub fails every check, the library passes, and every usual mistake fails and is called by its name."""

from __future__ import annotations

from collections import Counter

from ...errors import LearnError
from ..diagnosis.judge import judge
from ..diagnosis.mutants import made
from ..exercise import Exercise, Lesson
from ..slots.slot import Slot
from ..slots.stub import function_stub

SEEDS = 5  # how often the right answer is tried, each time on other inputs
FEWEST = 4  # usual mistakes that an exercise knows


def r1_stub_fails(lesson: Lesson) -> list[str]:
    """Return the checks that a stub passes: they check nothing."""
    complaints = []
    for exercise in lesson.exercises:
        slot = Slot.of(exercise.slot)
        empty = slot.make(function_stub(exercise))
        state = judge(exercise, empty, slot).state
        if state != "stub":
            complaints.append(f"{exercise.id}: its stub is judged {state!r}")
        for check in exercise.checks:
            try:
                lines = list(check.run(empty, slot, exercise))
            except NotImplementedError:
                continue
            if not any(line.mark == "FAIL" for line in lines):
                complaints.append(f"{exercise.id}: a stub passes the check {check.label!r}")
    return complaints


def r2_library_passes(lesson: Lesson) -> list[str]:
    """Return where the library's own function, or the text that is shown as the solution, does not pass."""
    complaints = []
    for exercise in lesson.exercises:
        slot = Slot.of(exercise.slot)
        answers = [("the library", slot.function)]
        try:
            answers.append(("the solution shown", slot.make(slot.solution())))
        except LearnError as error:
            complaints.append(f"{exercise.id}: {error.message}")
        for who, function in answers:
            for seed in range(SEEDS):
                verdict = judge(exercise, function, slot, seed)
                if not verdict.passed:
                    failed = next((line for line in verdict.lines if line.mark == "FAIL"), None)
                    words = f"{failed.name}: {failed.text}" if failed else verdict.state
                    complaints.append(f"{exercise.id}: {who} does not pass (seed {seed}): {words}")
                    break
    return complaints


def r3_mutants_named(lesson: Lesson) -> list[str]:
    """Return the mistakes that pass, that are taken for others, or whose sentences do not tell them apart."""
    complaints = []
    for exercise in lesson.exercises:
        if len(exercise.mutants) < FEWEST:
            complaints.append(f"{exercise.id}: it knows {len(exercise.mutants)} mistakes, fewer than {FEWEST}")
        sentences = Counter(mutant.sentence for mutant in exercise.mutants)
        complaints += [f"{exercise.id}: two mistakes have one sentence: {s!r}" for s, n in sentences.items() if n > 1]
        complaints += _not_named(exercise)
    return complaints


def _not_named(exercise: Exercise) -> list[str]:
    complaints = []
    slot = Slot.of(exercise.slot)
    for index, mutant in enumerate(exercise.mutants):
        what = f"{exercise.id}: {mutant.new.strip().splitlines()[0] if mutant.new.strip() else mutant.old!r}"
        try:
            verdict = judge(exercise, made(slot, mutant), slot)
        except LearnError as error:
            complaints.append(f"{exercise.id}: {error.message}")
            continue
        if verdict.state != "failed":
            complaints.append(f"{what} survives: it is judged {verdict.state!r}")
        elif verdict.mutant != index:
            taken = "nothing known" if verdict.mutant is None else f"mistake {verdict.mutant}"
            complaints.append(f"{what} is taken for {taken}, not for mistake {index}")
        elif verdict.because != mutant.sentence:
            complaints.append(f"{what} is told {verdict.because!r} first")
    return complaints
