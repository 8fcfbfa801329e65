"""History: earlier versions of the learner's files, so that nothing they wrote is ever lost.

Each check keeps a version in ``my/.history/``, the last 20 of a lesson. ``reset`` and ``undo`` keep what is there
before they touch it. A version is kept once: when its text comes again it moves to the end. So ``undo`` brings back the
version before, and ``undo`` once more takes that back.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from importlib.util import decode_source
from pathlib import Path

from ...errors import LearnError
from .. import exercises
from ..exercise import Exercise, Lesson
from ..slots.slot import Slot
from ..slots.stub import function_stub, section
from .files import like, write
from .source import function_of, span
from .workspace import Workspace

KEPT = 20  # versions of each lesson's file


def keep(workspace: Workspace, lesson: Lesson) -> Path | None:
    """Keep the lesson's file as it is now; return the version, or None where there is no file.

    Raises:
        LearnError: the folder cannot be written.
    """
    content = _content(workspace, lesson)
    return None if content is None else _kept(workspace, lesson, content)


def versions(workspace: Workspace, lesson: Lesson) -> list[Path]:
    """Return the versions that are kept, the oldest first."""
    found = _folder(workspace, lesson).glob("*.py")
    return sorted(path for path in found if re.fullmatch(r"\d{6,}-[0-9a-f]{12}", path.stem))


def change(workspace: Workspace, lesson: Lesson, edit: Callable[[bytes], bytes]) -> None:
    """Change a lesson's file, keeping the version before and the one after.

    Args:
        workspace: the learner's folder.
        lesson: whose file.
        edit: is given the content (b"" where there is no file) and returns the new one.

    Raises:
        LearnError: somebody else has written the file meanwhile, or it cannot be written; it is as it was.
    """
    before = _content(workspace, lesson)
    after = edit(before or b"")
    if before is not None:
        _kept(workspace, lesson, before)
    if _content(workspace, lesson) != before:
        raise _saved_meanwhile(workspace, lesson)
    write(workspace.file(lesson), after)
    _kept(workspace, lesson, after)


def reset(exercise: Exercise, workspace: Workspace | None = None) -> None:
    """Make one function a stub again; the rest of the file stays byte for byte.

    Raises:
        LearnError: the file is gone, or is not Python just now, so the function cannot be told from the rest.
    """
    workspace = workspace or Workspace.find()
    lesson = exercises.lesson_of(exercise)
    text, tree = workspace.parsed(lesson)
    function = function_of(tree, Slot.of(exercise.slot).name)

    def edit(before: bytes) -> bytes:
        if decode_source(before) != text:
            raise _saved_meanwhile(workspace, lesson)
        if function is None:
            return before.rstrip(b"\r\n") + like(before, "\n" + section(exercise))
        first, last = span(function)
        lines = before.splitlines(keepends=True)
        return b"".join([*lines[:first], like(before, function_stub(exercise)), *lines[last:]])

    change(workspace, lesson, edit)


def undo(lesson: Lesson, workspace: Workspace | None = None) -> str:
    """Bring back the version of a lesson's file before this one; once more takes it back.

    What was written since the last check is kept first, so ``undo`` cannot lose it either.

    Returns:
        What was done, in a sentence.

    Raises:
        LearnError: there is no version before.
    """
    workspace = workspace or Workspace.find()
    now = _content(workspace, lesson)
    kept = versions(workspace, lesson)
    before = [path for path in kept if now is None or path.stem[-12:] != _digest(now)]
    if not before:
        raise LearnError(f"there is no earlier version of {workspace.shown(lesson)}", hint="each check keeps one")
    content = before[-1].read_bytes()
    change(workspace, lesson, lambda _: content)
    what = "is back" if now is None else "is as it was before; undo once more takes that back"
    return f"{workspace.shown(lesson)} {what}"


def _kept(workspace: Workspace, lesson: Lesson, content: bytes) -> Path:
    """Put a content at the end of the history, and let go of the oldest beyond the last 20."""
    folder, digest = _folder(workspace, lesson), _digest(content)
    there = versions(workspace, lesson)
    if there and there[-1].stem.endswith(digest):
        return there[-1]
    number = int(there[-1].stem.partition("-")[0]) + 1 if there else 1
    path = folder / f"{number:06d}-{digest}.py"
    write(path, content)
    same = [other for other in there if other.stem.endswith(digest)]
    others = [other for other in there if other not in same]
    for old in [*same, *others[: max(0, len(others) + 1 - KEPT)]]:
        old.unlink(missing_ok=True)
    return path


def _content(workspace: Workspace, lesson: Lesson) -> bytes | None:
    try:
        return workspace.file(lesson).read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise LearnError(f"{workspace.shown(lesson)} cannot be read: {reason}") from error


def _saved_meanwhile(workspace: Workspace, lesson: Lesson) -> LearnError:
    return LearnError(f"{workspace.shown(lesson)} has just been saved by another program", hint="the same again")


def _folder(workspace: Workspace, lesson: Lesson) -> Path:
    return workspace.folder / ".history" / Path(lesson.file).stem


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:12]
