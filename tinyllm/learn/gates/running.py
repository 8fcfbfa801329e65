"""R6: a lesson runs from a clean process, offline, within its time, with and without Numba."""

from __future__ import annotations

from ...errors import LearnError
from ..exercise import Lesson
from ..text.cells import lesson_path
from ..text.recording import record

BUDGET = 20.0  # seconds for the short run on two cores


def r6_runs(lesson: Lesson, budget: float = BUDGET) -> list[str]:
    """Return what goes wrong when a lesson's short run starts in a fresh process.

    Args:
        lesson: which.
        budget: seconds a run may take.
    """
    complaints = []
    for numba in (True, False):
        how = "with Numba" if numba else "without Numba"
        try:
            found = record(lesson_path(lesson), quick=True, numba=numba, limit=10 * budget)
        except LearnError as error:
            complaints.append(f"{how}: {error.message}")
            continue
        if found.error:
            complaints.append(f"{how}: {found.error}")
        elif found.seconds > budget:
            complaints.append(f"{how}: the short run takes {found.seconds:.0f} s, more than {budget:g}")
        if not found.error and not any(event.kind == "claim" for event in found.events):
            complaints.append(f"{how}: it claims nothing")
    return complaints
