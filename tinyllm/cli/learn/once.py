"""Check exercises one after the other and print each verdict: what the commands do where nobody watches."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..screen import Screen, say

if TYPE_CHECKING:
    from ...learn.exercise import Exercise
    from ...learn.loop.worker import Worker
    from ...learn.work.session import Session


def check_once(
    session: Session, worker: Worker, screen: Screen, exercises: Sequence[Exercise], as_json: bool = False
) -> int:
    """Check; return 0 if every one has passed, 1 if not."""
    from ...learn.loop.live import print_page
    from ...learn.loop.screen import paragraph, verdict_page
    from ...learn.loop.worker import Checked
    from ...learn.work.session import title

    passed = 0
    for i, exercise in enumerate(exercises):
        session.checking(exercise)
        verdict = worker.check(exercise.id)
        session.took(exercise, Checked(verdict, worker.output, worker.source))
        passed += verdict.passed
        if as_json:
            say(json.dumps({**verdict.as_json(), "output": worker.output}))
            continue
        if i:
            screen.line()
        print_page(screen, verdict_page(verdict, title(exercise), screen.width, worker.output))
        if verdict.passed and len(exercises) == 1:
            print_page(screen, [[("", "")], *paragraph(exercise.explain, screen.width, "  ")])
        elif len(exercises) == 1 and all(line.name != "load" for line in verdict.lines):  # that line says what to do
            screen.line(f"next: tinyllm learn hint {exercise.id}")
    for note in session.notes:
        say(f"tinyllm: {note}", error=True)
    if len(exercises) > 1 and not as_json:
        screen.line()
        screen.line(f"{passed} of {len(exercises)} have passed", style="bold")
    return int(passed < len(exercises))
