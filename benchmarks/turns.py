"""Let candidates take turns, each in a process of its own, and time what each does.

A candidate is a file that is run with ``python FILE --worker NAME JSON``. It sets itself up, calls ``serve(step)``, and
then does one step whenever it is told to. Separate processes keep thread pools apart and make peak memory a candidate's
own; taking turns makes a slow minute of the machine slow for everybody.
"""

from __future__ import annotations

import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Candidate:
    """A process that does one step at a time."""

    name: str
    process: subprocess.Popen[str]
    seconds: list[float] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def median(self) -> float:
        """The median of its steps, in seconds."""
        return statistics.median(self.seconds)


def start(file: str, name: str, settings: dict[str, Any], threads: int) -> Candidate | None:
    """Start a candidate and wait until it is set up; None, with a line on stderr, when it cannot be."""
    env = {
        **os.environ,
        "OMP_NUM_THREADS": str(threads),
        "OPENBLAS_NUM_THREADS": str(threads),
        "TINYLLM_THREADS": str(threads),
    }
    process = subprocess.Popen(
        [sys.executable, file, "--worker", name, json.dumps(settings)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env,
    )  # fmt: skip
    candidate = Candidate(name, process)
    try:
        candidate.facts = _ask(candidate, "ready?")
    except EOFError:
        sys.stderr.write(f"{name}: left out, it did not start (see above)\n")
        return None
    return candidate


def _ask(candidate: Candidate, word: str) -> dict[str, Any]:
    stdin, stdout = candidate.process.stdin, candidate.process.stdout
    if stdin is None or stdout is None:
        raise EOFError
    try:
        stdin.write(word + "\n")
        stdin.flush()
    except BrokenPipeError:
        raise EOFError from None
    line = stdout.readline()
    if not line:
        raise EOFError
    reply: dict[str, Any] = json.loads(line)
    return reply


SETTLE = 0.1  # seconds in which the thread pool of the one before stops spinning on this one's cores
IN_A_ROW = 3  # timed steps in a turn, after one that only wakes the candidate up


def take_turns(candidates: list[Candidate], warmup: int, rounds: int) -> None:
    """Let every candidate do ``warmup`` steps, then let them alternate until each has done ``rounds`` timed ones.

    A turn begins with a pause, in which the others' threads go to sleep, and with a step that is not timed.
    """
    for candidate in candidates:
        for _ in range(warmup):
            _ask(candidate, "step")
    while len(candidates[0].seconds) < rounds:
        for candidate in candidates:
            time.sleep(SETTLE)
            _ask(candidate, "step")
            candidate.seconds += [_ask(candidate, "step")["seconds"] for _ in range(IN_A_ROW)]
    for candidate in candidates:
        candidate.facts |= _ask(candidate, "done")
        candidate.process.wait(timeout=60)


def serve(
    step: Callable[[], Any], facts: dict[str, Any] | None = None, prepare: Callable[[], Any] | None = None
) -> None:
    """Be a candidate: answer on stdout, one JSON line per request; ``step`` may return a number to report (a loss).

    ``prepare`` runs before each step and is not timed.
    """
    last: Any = None
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # some candidates print what they do
    for line in sys.stdin:
        word = line.strip()
        if word == "ready?":
            reply = facts or {}
        elif word == "step":
            if prepare:
                prepare()
            began = time.perf_counter()
            last = step()
            reply = {"seconds": time.perf_counter() - began}
        else:
            reply = {"peak_megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, "last": last}
        replies.write(json.dumps(reply) + "\n")
        replies.flush()
        if word == "done":
            return


def machine() -> dict[str, Any]:
    """Facts without which a figure says little."""
    import numpy as np

    model = ""
    if os.path.exists("/proc/cpuinfo"):
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            model = next((line.split(":", 1)[1].strip() for line in file if line.startswith("model name")), "")
    return {
        "python": platform.python_version(),
        "numpy": np.__version__,
        "system": platform.system(),
        "processor": model or platform.processor(),
        "cores": os.cpu_count(),
    }
