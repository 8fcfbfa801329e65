"""R11: the functions of all lessons so far, joined, are one short file that needs NumPy only and still passes."""

from __future__ import annotations

from ...errors import LearnError
from ..bundle import imported, joined
from ..diagnosis.judge import judge
from ..exercise import Lesson
from ..exercises import lessons
from ..slots.slot import Slot

LONGEST = 500  # lines


def r11_bundle(lesson: Lesson) -> list[str]:
    """Return what is wrong with the bundle of the lessons up to this one."""
    before = [one for one in lessons() if one.number < lesson.number]  # a lesson from elsewhere stands behind them
    try:
        made = joined(exercise for one in [*before, lesson] for exercise in one.exercises)
        module = imported(made.text)
    except LearnError as error:
        return [str(error)]
    complaints = []
    if made.lines > LONGEST:
        complaints.append(f"up to here the bundle has {made.lines} lines, more than {LONGEST}")
    for exercise in lesson.exercises:
        slot = Slot.of(exercise.slot)
        verdict = judge(exercise, getattr(module, slot.name), slot)
        if not verdict.passed:
            failed = next((line for line in verdict.lines if line.mark == "FAIL"), None)
            complaints.append(
                f"{exercise.id}: it does not pass from the bundle: {failed.name if failed else verdict.state}"
            )
    return complaints
