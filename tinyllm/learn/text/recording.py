"""What a run of a lesson shows, cell by cell: the whole script runs in a fresh process, and each line told is kept.

The script is run as it is, not cell by cell: what is said belongs to the cell whose line was running when it was said.
So a page, a test and ``python lessons/10_attention.py`` run one and the same program.
"""

from __future__ import annotations

import json
import os
import runpy
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from ...errors import LearnError
from .lesson import Claim, Question, into

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ..exercise import Exercise


@dataclass(frozen=True)
class Event:
    """One thing that a lesson showed.

    Attributes:
        line: of the lesson's file that showed it.
        kind: "say", "print", "claim", "fig", "predict" or "build".
        data: a text for the first two; a claim's or question's fields; {"svg": ..., "alt": ...}; an exercise's id.
    """

    line: int
    kind: str
    data: Any


@dataclass
class Recording:
    """A run of a lesson.

    Attributes:
        events: in order.
        seconds: how long it took.
        error: the end of the traceback of a lesson that stopped; "" for one that came to its end.
    """

    events: list[Event] = field(default_factory=list)
    seconds: float = 0.0
    error: str = ""

    def within(self, first: int, last: int) -> list[Event]:
        """Return the events of the lines from ``first`` to ``last``."""
        return [event for event in self.events if first <= event.line <= last]


@dataclass
class RecordingSink:
    """Keep what the lesson in ``path`` shows."""

    path: str
    events: list[Event] = field(default_factory=list)

    def keep(self, kind: str, data: Any) -> None:
        """Keep one event, under the line of the lesson that is running."""
        self.events.append(Event(running_line(self.path), kind, data))

    def say(self, text: str) -> None:
        """Keep a text."""
        self.keep("say", text)

    def claim(self, claim: Claim) -> None:
        """Keep a claim."""
        self.keep("claim", asdict(claim))

    def fig(self, picture: Figure | Path, alt: str) -> None:
        """Keep a picture as SVG; a PNG file is wrapped into one."""
        from .in_notebook import image

        kind, data = image(picture)
        if kind == "image/png":
            raise LearnError("fig: a page's pictures are SVG", hint="save it as .svg, or pass the figure itself")
        self.keep("fig", {"svg": tidy(data.decode("utf-8")), "alt": alt})

    def predict(self, question: Question) -> None:
        """Keep a question."""
        self.keep("predict", asdict(question))

    def build(self, exercise: Exercise) -> None:
        """Keep an exercise's id."""
        self.keep("build", exercise.id)

    def write(self, text: str) -> int:
        """Keep what is printed: the sink is the lesson's standard output as well."""
        line = running_line(self.path)
        last = self.events[-1] if self.events else None
        if last is not None and last.kind == "print" and last.line == line:
            self.events[-1] = Event(line, "print", last.data + text)
        else:
            self.events.append(Event(line, "print", text))
        return len(text)

    def flush(self) -> None:
        """Nothing waits to be written."""


def running_line(path: str) -> int:
    """Return the number of the line of the file ``path`` that is running now; 0 when none is."""
    frame: FrameType | None = sys._getframe(1)
    line = 0
    while frame is not None:
        if frame.f_code.co_filename == path:
            line = frame.f_lineno  # the outermost: what a function of the lesson shows belongs to its caller
        frame = frame.f_back
    return line


def tidy(svg: str) -> str:
    """Take from an SVG what points outside of it and what a reader of a diff does not need."""
    begin = svg.find("<svg")
    lines = [line.rstrip() for line in svg[begin:].split("\n")]
    return "\n".join(line for line in lines if line) + "\n"


def run(path: Path) -> Recording:
    """Run a lesson in this process, and keep what it shows."""
    recording = Recording()
    sink = RecordingSink(str(path), recording.events)
    started = time.perf_counter()
    try:
        with into(sink), redirect_stdout(sink):
            runpy.run_path(str(path), run_name="__main__")
    except (Exception, SystemExit) as error:
        recording.error = f"{path.name}, line {_failing_line(error, str(path))}: {type(error).__name__}: {error}"
    recording.seconds = time.perf_counter() - started
    return recording


def _failing_line(error: BaseException, path: str) -> int:
    trace, line = error.__traceback__, 0
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == path:
            line = trace.tb_lineno
        trace = trace.tb_next
    return line


def record(path: Path, quick: bool = False, numba: bool = True, limit: float = 240.0) -> Recording:
    """Run a lesson in a fresh process, with no network and away from the learner's folder; keep what it shows.

    Args:
        path: of the lesson.
        quick: the short run.
        numba: False runs it on the NumPy reference.
        limit: seconds after which it is stopped.

    Raises:
        LearnError: the process ended without a recording, or went on for longer than the limit.
    """
    with tempfile.TemporaryDirectory() as folder:
        kept = Path(folder) / "recording.json"
        command = [sys.executable, "-m", "tinyllm.learn.text.recording", str(path.resolve()), str(kept)]
        try:
            ended = subprocess.run(
                command, cwd=folder, env=_environment(quick, numba), stdin=subprocess.DEVNULL,
                capture_output=True, text=True, encoding="utf-8", errors="replace", timeout=limit, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired as error:
            raise LearnError(f"{path.name} was not done after {limit:g} seconds") from error
        if not kept.is_file():
            told = (ended.stderr.strip().split("\n") or [""])[-1]
            raise LearnError(f"{path.name} ended without a word (exit {ended.returncode}): {told}")
        found = json.loads(kept.read_text(encoding="utf-8"))
    return Recording([Event(**event) for event in found["events"]], found["seconds"], found["error"])


def _environment(quick: bool, numba: bool) -> dict[str, str]:
    """The settings of a lesson's process: the same picture and the same text wherever it runs."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TINYLLM_")}
    root = str(Path(__file__).parents[3])
    kept["PYTHONPATH"] = os.pathsep.join(part for part in (root, kept.get("PYTHONPATH", "")) if part)
    kept |= {"MPLBACKEND": "Agg", "PYTHONHASHSEED": "0", "PYTHONUTF8": "1", "NO_COLOR": "1", "COLUMNS": "80"}
    if quick:
        kept["TINYLLM_QUICK"] = "1"
    if not numba:
        kept["TINYLLM_KERNELS"] = "numpy"
    return kept


@contextmanager
def offline() -> Iterator[None]:
    """Refuse every connection while the block runs; a lesson needs no network."""

    def refuse(*_: object, **__: object) -> Any:
        raise LearnError("a lesson tried to reach the network")

    kept = socket.socket.connect, socket.socket.connect_ex, socket.getaddrinfo
    socket.socket.connect, socket.socket.connect_ex, socket.getaddrinfo = refuse, refuse, refuse  # type: ignore[method-assign]
    try:
        yield
    finally:
        socket.socket.connect, socket.socket.connect_ex, socket.getaddrinfo = kept  # type: ignore[method-assign]


def main(path: str, kept: str) -> None:
    """Run the lesson ``path`` offline, and write its recording to ``kept`` as JSON."""
    with offline():
        recording = run(Path(path))
    Path(kept).write_text(json.dumps(asdict(recording)), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:3])
