"""The process in which a function is checked: ``python -P -m tinyllm.learn.loop.examine``, started by worker.py.

It loads NumPy and the judge, waits for one job on standard input, answers and ends. Two pipes leave it:

    the answer    one JSON object per line, and what Python's fault handler says of a crash or of the end of the time
    the output    whatever the learner's code prints, on standard output or error alike

The job is {"mark", "exercise", "folder", "timeout", "examiner"}. Every line of the answer carries the job's mark, so
that nothing else on the pipe can be taken for a verdict.
"""

from __future__ import annotations

import contextlib
import faulthandler
import io
import json
import os
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from ..verdict import Verdict
from .trouble import stopped

EXAMINER = "tinyllm.learn.loop.examine:examine"
WITH_MINE = "tinyllm.learn.loop.examine:examine_with_mine"
COMPARE = "tinyllm.autograd.compare:compare"  # the slot of the learner's own gradient check
_ROOM = 2**30  # bytes: what a check may always take, however small the machine


def main() -> None:
    """Wait for a job, do it, answer, and end at once, whatever threads the learner's code has left behind."""
    answer = os.dup(1)
    os.dup2(2, 1)  # from here on, a print goes where errors go
    faulthandler.enable(answer)
    _load()
    line = sys.stdin.buffer.readline()
    if line:
        job = json.loads(line)
        _close_input()
        with os.fdopen(answer, "wb", closefd=False) as pipe:
            _send(pipe, job, started=True)
            faulthandler.dump_traceback_later(job["timeout"], exit=True, file=answer)
            _limit_memory()
            verdict, source = _examined(job)
            faulthandler.cancel_dump_traceback_later()
            with contextlib.suppress(Exception):
                sys.stdout.flush()
                sys.stderr.flush()
            _send(pipe, job, verdict=verdict.as_json(), source=source)
    os._exit(0)


def examine(exercise_id: str, folder: Path) -> tuple[Verdict, str]:
    """Load what the learner wrote for an exercise and judge it; return the verdict and the source it is about."""
    from ..diagnosis.judge import judge
    from ..exercises import exercise
    from ..work.workspace import Workspace

    wanted, workspace = exercise(exercise_id), Workspace(folder)
    function = workspace.load(wanted)
    source = workspace.source(wanted)  # before the judging: what is saved meanwhile was not judged
    return judge(wanted, function), source


def examine_with_mine(exercise_id: str, folder: Path) -> tuple[Verdict, str]:
    """Do the same, and let the gradient check that the learner wrote judge beside the library's.

    Raises:
        LearnError: it is still to be written.
    """
    from ...errors import LearnError
    from ..checks.second import second_opinion
    from ..exercises import exercise, exercises
    from ..work.workspace import Workspace

    verdict, source = examine(exercise_id, folder)
    workspace, written = Workspace(folder), next(one for one in exercises() if one.slot == COMPARE)
    if workspace.state(written) != "passed":
        raise LearnError(
            f"your own gradient check, {written.id}, has not passed", hint=f"tinyllm learn check {written.id}"
        )
    if verdict.state != "stub" and exercise_id != written.id:
        wanted = exercise(exercise_id)
        line = second_opinion(workspace.load(written), workspace.load(wanted), wanted, verdict.passed)
        verdict.lines += [line] if line else []
    return verdict, source


def _load() -> None:
    """Import, while nobody waits, what every check needs."""
    import numpy  # noqa: F401

    for name in ("exercises", "diagnosis.judge", "work.workspace"):
        with contextlib.suppress(ImportError):  # said when it is asked for
            import_module(f"tinyllm.learn.{name}")
    with contextlib.suppress(Exception):
        from ..exercises import lessons

        lessons()


def _examined(job: dict[str, Any]) -> tuple[Verdict, str]:
    folder = Path(job["folder"])
    sys.dont_write_bytecode = True  # two saves in one second would look the same to Python's cache
    try:
        sys.path.append(str(folder.parent))  # at the end: no file of theirs can take the place of a library
        module, _, name = job["examiner"].partition(":")
        examiner: Callable[[str, Path], tuple[Verdict, str]] = getattr(import_module(module), name)
        return examiner(job["exercise"], folder)
    except BaseException as error:  # SystemExit, too: a verdict is owed
        return stopped(job["exercise"], error, folder), ""


def _send(pipe: Any, job: dict[str, Any], **message: Any) -> None:
    pipe.write(json.dumps({"mark": job["mark"], **message}, default=_plain).encode() + b"\n")
    pipe.flush()


def _plain(value: Any) -> Any:
    """Return as plain data what NumPy leaves in a verdict."""
    return value.tolist() if hasattr(value, "tolist") else str(value)


def _close_input() -> None:
    """Let ``input()`` end at once instead of waiting for keys that belong to the loop."""
    with open(os.devnull, "rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    sys.stdin = io.TextIOWrapper(io.FileIO(0, closefd=False), encoding="utf-8")


def _limit_memory() -> None:
    """Let a huge array fail as a MemoryError here, instead of bringing the machine to its knees."""
    try:
        import resource

        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        used = pages * os.sysconf("SC_PAGE_SIZE")
        there = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))  # no core files
        hard = resource.getrlimit(resource.RLIMIT_AS)[1]
        resource.setrlimit(resource.RLIMIT_AS, (used + max(there // 2, _ROOM), hard))
    except (ImportError, OSError, ValueError):  # not on Linux: the system's own limits hold
        pass


if __name__ == "__main__":
    main()
