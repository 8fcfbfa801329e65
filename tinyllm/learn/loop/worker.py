"""Check a function in a process of its own: nothing that it does can hurt whoever asked, and a verdict always comes.

    with Worker(folder) as worker:
        verdict = worker.check("10.3")

Every check has a fresh process (examine.py). While one is shown, a spare one already waits with NumPy loaded, so that
the next verdict comes at once. Nothing is forked: it works the same on Windows.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from ..verdict import Verdict
from .examine import EXAMINER
from .trouble import ended, failed, timed_out

SECONDS = 10.0  # that a check may take
_START = 60.0  # seconds for a new process to load NumPy, on a machine that is busy
_GRACE = 1.0  # seconds after its time for a process to end itself
_KEPT = 20_000  # bytes of what the code prints
_FLOOD = 2**23  # bytes: who prints more is in a loop


@dataclass
class Checked:
    """What came of a check.

    Attributes:
        verdict: on the function.
        output: what the code printed, cut if it was much.
        source: the source that the verdict is about, "" if it could not be read.
    """

    verdict: Verdict
    output: str = ""
    source: str = ""


class Worker:
    """Checks what is in a learner's folder, one exercise after the other.

    Args:
        folder: the learner's.
        examiner: "module:function" that is called with an exercise's id and the folder, in the new process.
    """

    def __init__(self, folder: Path | str, examiner: str = EXAMINER) -> None:
        self.folder = Path(folder).resolve()
        self.examiner = examiner
        self.output = ""  # of the last check
        self.source = ""
        self._job: _Job | None = None
        self._spare: _Child | None = None

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def busy(self) -> bool:
        """Is a check under way?"""
        return self._job is not None

    def prepare(self) -> None:
        """Start a spare process, so that the next check begins at once."""
        if self._spare is not None and not self._spare.alive:
            self._spare.end()
            self._spare = None
        if self._spare is None:
            self._spare = _Child()

    def check(self, exercise: str, timeout: float | None = None) -> Verdict:
        """Check one exercise and wait for the verdict, which comes whatever the code does.

        What the code printed is in ``output`` afterwards, and the source that was checked in ``source``.
        """
        self.begin(exercise, timeout)
        while (checked := self.poll(wait=1.0)) is None:
            pass
        return checked.verdict

    def begin(self, exercise: str, timeout: float | None = None) -> None:
        """Begin to check an exercise; a check that is under way is given up.

        Args:
            exercise: its id.
            timeout: seconds that it may take; by default 10.
        """
        timeout = SECONDS if timeout is None else timeout
        self.cancel()
        self.prepare()
        child, self._spare = self._spare, None
        if child is None:
            raise RuntimeError("there is no process to check in")  # prepare() has made one
        self._job = _Job(exercise, timeout, child)
        child.tell(mark=child.mark, exercise=exercise, folder=str(self.folder), timeout=timeout, examiner=self.examiner)

    def poll(self, wait: float = 0.0) -> Checked | None:
        """Return what came of the check, waiting so many seconds for it, or None if it still runs."""
        job = self._job
        if job is None:
            return None
        job.child.done.wait(wait)
        if not job.over():
            return None
        job.child.end(patience=0.0 if job.child.answer is None else 0.5)
        checked = job.settle(self.folder)
        self._job = None
        self.output, self.source = checked.output, checked.source
        self.prepare()
        return checked

    def cancel(self) -> None:
        """Give up the check that is under way, if there is one."""
        if self._job is not None:
            self._job.child.end()
            self._job = None

    def close(self) -> None:
        """End every process."""
        self.cancel()
        if self._spare is not None:
            self._spare.end()
            self._spare = None


class _Job:
    """One check in one process."""

    def __init__(self, exercise: str, timeout: float, child: _Child) -> None:
        self.exercise = exercise
        self.timeout = timeout
        self.child = child
        self.began = time.perf_counter()

    def over(self) -> bool:
        """Has it answered, ended, printed without end, or used up its time?"""
        child = self.child
        if child.answer is not None or child.flooded:
            return True
        if not child.alive:
            child.done.wait(0.5)  # what it wrote last may still be in the pipe
            return True
        since = child.started or self.began
        return time.perf_counter() - since > (self.timeout + _GRACE if child.started else _START)

    def settle(self, folder: Path) -> Checked:
        """Make the best of what the process left."""
        child = self.child
        if child.answer is not None:
            return Checked(Verdict.of_json(child.answer["verdict"]), child.text(), child.answer["source"])
        report = child.report.decode("utf-8", "replace")
        if child.flooded:
            sentence = f"it printed more than {_FLOOD // 2**20} MiB: is there a print in a loop without an end?"
            verdict = failed(self.exercise, sentence)
        elif not child.started:
            last = (child.text().strip().splitlines() or ["no reason given"])[-1]
            verdict = failed(self.exercise, f"the check could not start: {last}. Try: tinyllm doctor")
        elif "Timeout (" in report or child.killed:
            verdict = timed_out(self.exercise, self.timeout, report, folder)
        else:
            verdict = ended(self.exercise, child.process.returncode, report, folder)
        return Checked(verdict, child.text())


class _Child:
    """A process that waits for a job, and two threads that read what comes from it."""

    def __init__(self) -> None:
        self.mark = secrets.token_hex(8)
        self.started = 0.0  # when it took the job
        self.answer: dict[str, Any] | None = None
        self.report = bytearray()  # what the fault handler wrote
        self.output = bytearray()
        self.printed = 0
        self.flooded = False
        self.killed = False  # by us, before it had answered
        self.done = threading.Event()
        package = Path(__file__).resolve().parents[3]
        given = os.environ.get("PYTHONPATH", "").split(os.pathsep)
        paths = [
            str(package),
            *(path for path in given if os.path.isabs(path)),
        ]  # never the folder one happens to be in
        environ = {
            **os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONUTF8": "1", "PYTHONIOENCODING": "utf-8",
            "TINYLLM_KERNELS": "numpy", "MPLBACKEND": "Agg",  # nothing is compiled while somebody waits
        }  # fmt: skip
        environ.pop("TINYLLM_MINE", None)
        more: dict[str, Any] = {"start_new_session": True} if os.name == "posix" else {"creationflags": 0x00000200}
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-u", "-m", "tinyllm.learn.loop.examine"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environ, **more,
        )  # fmt: skip
        self._threads = [
            threading.Thread(target=self._read_answer, args=(self.process.stdout,), daemon=True),
            threading.Thread(target=self._read_output, args=(self.process.stderr,), daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    @property
    def alive(self) -> bool:
        """Does it still run?"""
        return self.process.poll() is None

    def tell(self, **job: Any) -> None:
        """Give it the job."""
        with contextlib.suppress(OSError):  # it has ended: poll finds that out and says why
            if self.process.stdin:
                self.process.stdin.write(json.dumps(job).encode() + b"\n")
                self.process.stdin.flush()

    def text(self) -> str:
        """What the code printed."""
        text = bytes(self.output).decode("utf-8", "replace")
        return text + (f"\n... {self.printed - _KEPT:,} more bytes" if self.printed > _KEPT else "")

    def end(self, patience: float = 0.0) -> None:
        """See that it ends, and everything it has started with it."""
        if self.alive:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(patience)
        if self.alive and self.answer is None:
            self.killed = True
        self._kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(5.0)
        for thread in self._threads:
            thread.join(0.5)  # not for ever: a process that left its group may hold the pipe
        if not any(thread.is_alive() for thread in self._threads):
            for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
                with contextlib.suppress(OSError, ValueError):
                    if stream:
                        stream.close()

    def _kill(self) -> None:
        with contextlib.suppress(OSError):
            if os.name == "posix":
                os.killpg(self.process.pid, signal.SIGKILL)
            else:
                self.process.kill()

    def _read_answer(self, stream: IO[bytes]) -> None:
        with contextlib.suppress(OSError, ValueError):
            for line in stream:
                message = self._message(line)
                if message is None:
                    if len(self.report) < _KEPT:
                        self.report += line
                elif "verdict" in message:
                    self.answer = message
                    break
                else:
                    self.started = time.perf_counter()
        self.done.set()

    def _message(self, line: bytes) -> dict[str, Any] | None:
        if self.mark.encode() not in line:
            return None
        try:
            message = json.loads(line)
        except ValueError:
            return None
        return message if message.get("mark") == self.mark else None

    def _read_output(self, stream: IO[bytes]) -> None:
        with contextlib.suppress(OSError, ValueError):
            while chunk := os.read(stream.fileno(), 2**16):
                self.output += chunk[: max(0, _KEPT - len(self.output))]
                self.printed += len(chunk)
                if self.printed > _FLOOD and not self.flooded:
                    self.flooded = True
                    self.done.set()
