"""Progress is derived: an exercise has passed if this very function passed these very checks.

What is stored is a cache, ``my/.progress.json``: the fingerprint of each function that passed, with the version of its
checks, and which hints were seen. Deleting it, or spoiling it, loses no work: checking again brings it back.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import LearnError
from .. import exercises
from ..exercise import Exercise
from ..verdict import Verdict
from .files import write
from .source import fingerprint
from .workspace import Workspace

LATER = 2  # lessons, after which an exercise whose solution was looked at is offered again


@dataclass
class Progress:
    """What a learner has done so far; read from the file at each question, so two terminals agree."""

    workspace: Workspace

    @classmethod
    def of(cls, workspace: Workspace) -> Progress:
        """Return the progress in a learner's folder."""
        return cls(workspace)

    @property
    def file(self) -> Path:
        """Where it is cached."""
        return self.workspace.folder / ".progress.json"

    def passed(self, exercise: Exercise) -> bool:
        """Has the function, as it is written now, passed the checks as they are now?"""
        try:
            source = self.workspace.source(exercise)
        except LearnError:
            return False
        return self._read("passed").get(exercise.id) == _stamp(exercise, source)

    def record(self, verdict: Verdict, source: str) -> None:
        """Remember what a check has found.

        Args:
            verdict: on which function.
            source: what ``Workspace.source`` returned when the check began: not what is in the file by now.

        Raises:
            LearnError: the folder cannot be written.
        """
        exercise = exercises.exercise(verdict.exercise)
        known = self._read("passed")
        if verdict.passed:
            known[exercise.id] = _stamp(exercise, source)
        elif known.get(exercise.id) == _stamp(exercise, source):
            del known[exercise.id]  # it passed once, by chance
        else:
            return
        self._write("passed", known)

    def hinted(self, exercise_id: str, level: int) -> None:
        """Remember that a hint was seen; the furthest counts.

        Raises:
            LearnError: the folder cannot be written.
        """
        seen = self._read("hints")
        if level > self.hints(exercise_id):
            self._write("hints", {**seen, exercise_id: level})

    def hints(self, exercise_id: str) -> int:
        """Return how many hints of an exercise were seen: 0 to 3."""
        level = self._read("hints").get(exercise_id, 0)
        return level if isinstance(level, int) else 0

    def gave_up(self, exercise_id: str) -> None:
        """Remember that the solution was looked at before the exercise had passed.

        Raises:
            LearnError: the folder cannot be written.
        """
        self._write("seen", {**self._read("seen"), exercise_id: True})

    def seen(self, exercise_id: str) -> bool:
        """Was the solution looked at?"""
        return bool(self._read("seen").get(exercise_id))

    def next(self) -> Exercise | None:
        """Return what to do next: the first exercise that has not passed, or None when all have.

        One whose solution was looked at waits until the learner is two lessons further, or nothing else is left.
        """
        still = [exercise for exercise in exercises.exercises() if not self.passed(exercise)]
        fresh = [exercise for exercise in still if not self.seen(exercise.id)]
        waiting = [exercise for exercise in still if self.seen(exercise.id)]
        if not still:
            return None
        if not fresh or not waiting:
            return still[0]
        numbers = [lesson.number for lesson in exercises.lessons()]
        further = numbers.index(_number(fresh[0])) - numbers.index(_number(waiting[0]))
        return waiting[0] if further >= LATER else fresh[0]

    def _read(self, part: str) -> dict[str, Any]:
        """Return one part of the file; nothing where it is missing, spoiled or of another make."""
        try:
            whole = json.loads(self.file.read_bytes())
        except (OSError, ValueError, RecursionError):
            return {}
        found = whole.get(part) if isinstance(whole, dict) else None
        return dict(found) if isinstance(found, dict) else {}

    def _write(self, part: str, value: dict[str, Any]) -> None:
        whole = {name: self._read(name) for name in ("passed", "hints", "seen")} | {part: value}
        write(self.file, (json.dumps(whole, indent=2, sort_keys=True) + "\n").encode())


def check_version(exercise: Exercise) -> str:
    """Return what changes when the checks of an exercise do: what passed the old ones is checked again."""
    said = repr([(type(check).__name__, check.version) for check in exercise.checks])
    return hashlib.sha256(said.encode()).hexdigest()[:8]


def _stamp(exercise: Exercise, source: str) -> str:
    return f"{fingerprint(source)} {check_version(exercise)}"


def _number(exercise: Exercise) -> str:
    return exercise.id.split(".")[0]
