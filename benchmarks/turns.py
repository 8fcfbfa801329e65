"""Let candidates take turns, each in a process of its own, and time what each does.

A candidate is a name: "tinyllm", "numpy", "torch eager", ... Its process runs this file. For each case it imports the
benchmark and calls ``prepare(candidate, case)``, which returns what is to be timed: name -> Timed. Our process times
several things to a case, the library's door and every rung of its ladder; a peer's as a rule one.

Separate processes keep thread pools apart and make peak memory a candidate's own; taking turns makes a slow minute of
the machine slow for everybody.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import math
import os
import resource
import statistics
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SETTLE = 0.1  # seconds in which the thread pool of the one before stops spinning on this one's cores
WAKE = (
    0.08  # seconds of untimed steps before timed ones: threads that slept wake up on one core, and stay there for 40 ms
)
IN_A_ROW = 5  # timed steps in a turn
AT_LEAST = 5  # timed steps of whatever is timed at all
MANY = 10_000  # untimed steps at most
PATIENCE = 0.5  # seconds: what takes longer is not called twice before it is timed

Case = dict[str, Any]


@dataclass
class Timed:
    """Something to time.

    Attributes:
        run: does it once; what it returns is compared with what the others return.
        before: runs before each step and is not timed.
        once: never repeat it within a step, however short it is.
        slow: it may take far too long on a large case, and is then left out: see ``limit``.
    """

    run: Callable[[], Any]
    before: Callable[[], Any] | None = None
    once: bool = False
    slow: bool = False


class LeftOut(Exception):
    """Raised by ``prepare`` when a candidate cannot take part; the message says why."""


@dataclass
class Series:
    """What was measured of one thing: its seconds, a few entries of its result, and facts of its process."""

    candidate: str
    name: str
    seconds: list[float] = field(default_factory=list)
    turns: list[list[float]] = field(default_factory=list)
    result: list[float] = field(default_factory=list)
    facts: Case = field(default_factory=dict)

    @property
    def median(self) -> float:
        """The median of its steps, in seconds."""
        return statistics.median(self.seconds)


# the side that asks


@dataclass
class Candidate:
    """A process that does one step at a time."""

    name: str
    process: subprocess.Popen[str]
    left_out: str = ""

    def tell(self, **request: Any) -> None:
        """Send a request; the answer is read by ``hear``."""
        if self.process.stdin is not None and not self.left_out:
            with contextlib.suppress(BrokenPipeError):
                self.process.stdin.write(json.dumps(request) + "\n")
                self.process.stdin.flush()

    def hear(self) -> Case:
        """Wait for the answer to the request before."""
        line = self.process.stdout.readline() if self.process.stdout and not self.left_out else ""
        if not line:
            self.left_out = self.left_out or "its process ended"
            return {"left_out": self.left_out}
        answer: Case = json.loads(line)
        return answer

    def ask(self, **request: Any) -> Case:
        """Send a request and wait for the answer."""
        self.tell(**request)
        return self.hear()

    def stop(self) -> None:
        """Let the process end."""
        if self.process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self.process.stdin.close()
        self.process.wait(timeout=60)
        if self.process.stdout is not None:
            self.process.stdout.close()


def launch(name: str, threads: int) -> Candidate:
    """Start the process of a candidate; it imports nothing yet."""
    env = {
        **os.environ,
        **{key: str(threads) for key in THREAD_VARIABLES},
        "RAYON_NUM_THREADS": str(threads),
        "TOKENIZERS_PARALLELISM": "false",
        "JAX_PLATFORMS": "cpu",
    }
    env.pop("PYTHONDONTWRITEBYTECODE", None)  # or every process would compile our sources again
    root = str(Path(__file__).parents[1])
    env["PYTHONPATH"] = os.pathsep.join([part for part in (root, env.get("PYTHONPATH", "")) if part])
    command = [sys.executable, str(Path(__file__)), name, str(threads)]
    return Candidate(name, subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env))


LIBRARIES = {
    "tinyllm": ("tinyllm.kernels.jit",),
    "torch eager": ("torch",),
    "torch.compile": ("torch", "torch._dynamo"),
    "jax": ("jax",),
    "transformers": ("torch", "transformers"),
}
THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "TINYLLM_THREADS",
)


def take_turns(
    candidates: Iterable[Candidate],
    module: str,
    case: Case,
    rounds: int,
    limit: float = math.inf,
    step: float = 0.003,
    settle: float = SETTLE,
    wake: float = WAKE,
) -> tuple[list[Series], dict[str, str]]:
    """Let every candidate set up a case and warm up, then let them alternate.

    A turn begins with a pause, in which the others' threads go to sleep, and everything that is timed in it with steps
    that are not, in which its own wake up. What is short is repeated until a step lasts ``step`` seconds.

    Returns:
        A Series for each thing timed, and for each thing that was not, why.
    """
    candidates = list(candidates)
    series: list[Series] = []
    left_out: dict[str, str] = {}
    turns: list[tuple[Candidate, list[tuple[Series, int]]]] = []
    for candidate in candidates:
        answer = candidate.ask(do="prepare", module=module, case=case, limit=limit, step=step)
        if "left_out" in answer:
            left_out[candidate.name] = answer["left_out"]
            continue
        left_out |= answer["skipped"]
        mine = []
        for name, about in answer["timed"].items():
            one = Series(candidate.name, name, result=about["result"], facts=dict(answer["facts"]))
            steps = IN_A_ROW if about["seconds"] < 0.1 else math.ceil(AT_LEAST / rounds)
            mine.append((one, steps))
        series += [one for one, _ in mine]
        turns.append((candidate, mine))
    for _ in range(rounds):
        for candidate, mine in turns:
            time.sleep(settle)
            for one, steps in mine:
                answer = candidate.ask(do="time", name=one.name, steps=steps, wake=wake)
                one.turns.append(answer.get("seconds", []))
                one.seconds += answer.get("seconds", [])
                one.facts |= answer.get("facts", {})
    return [one for one in series if one.seconds], left_out


# the side that answers


class Server:
    """One candidate: prepares cases and times what it is asked to."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.timed: dict[str, Timed] = {}
        self.repeats: dict[str, int] = {}
        self.rates: dict[tuple[str, str, str], float] = {}  # work in a second: how long a larger case will take

    def prepare(self, module: str, case: Case, limit: float, step: float, warm: bool = True) -> Case:
        """Set up a case, warm up whatever will not take too long, and find how often a step repeats it."""
        self.timed, self.repeats = {}, {}  # frees the arrays of the case before
        benchmark = importlib.import_module(module)
        if "probe" in case and limit < math.inf:
            self._probe(benchmark, module, {**case, **case["probe"]})
        timed, skipped, kept = benchmark.prepare(self.name, case), {}, {}
        if isinstance(timed, tuple):
            timed, skipped = timed
        if case.get("door_only"):
            timed = dict(list(timed.items())[:1])
        if not warm:
            self.timed = timed
            return {"timed": {}, "skipped": skipped, "facts": {}}
        for name, one in timed.items():
            work, rate = case.get("work", 0), self.rates.get((module, case.get("group", ""), name))
            if one.slow and rate and work / rate > limit:
                skipped[name] = f"too slow here, about {work / rate:.2g} s a call"
                continue
            try:
                result, seconds = self._once(one)
                if not rate or work / rate < PATIENCE:  # else the first call was long, and compiled nothing
                    _, seconds = self._once(one)
            except Exception as error:
                traceback.print_exc()
                skipped[name] = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
                continue
            if work:
                self.rates[module, case.get("group", ""), name] = max(rate or 0.0, work / seconds)
            repeat = 1 if one.once else max(1, min(10_000, math.ceil(step / max(seconds, 1e-9))))
            self.timed[name], self.repeats[name] = one, repeat
            kept[name] = {"seconds": seconds * repeat, "result": fingerprint(result)}
        facts = getattr(benchmark, "facts", dict)
        return {"timed": kept, "skipped": skipped, "facts": facts(self.name) if facts is not dict else {}}

    def _probe(self, benchmark: Any, module: str, case: Case) -> None:
        """Compile everything on a small case, and learn how fast it is."""
        timed = benchmark.prepare(self.name, case)
        for name, one in (timed[0] if isinstance(timed, tuple) else timed).items():
            key = module, case.get("group", ""), name
            if one.slow and key not in self.rates:
                with contextlib.suppress(Exception):  # it will say so in the case itself
                    self._once(one)
                    self.rates[key] = case["work"] / min(self._once(one)[1] for _ in range(3))

    def load(self) -> Case:
        """Import the library, which takes seconds: all candidates do so at the same time."""
        for package in LIBRARIES.get(self.name, ()):
            importlib.import_module(package)
        return {}

    @staticmethod
    def _once(one: Timed) -> tuple[Any, float]:
        if one.before:
            one.before()
        began = time.perf_counter()
        result = one.run()
        return result, time.perf_counter() - began

    def call(self, name: str) -> Case:
        """Do something once, untimed, and return what it returned."""
        return {"last": reported(self.timed[name].run())}

    def time(self, name: str, steps: int, wake: float = 0.0) -> Case:
        """Time a few steps in a row, after some that are not timed: one, or as many as ``wake`` seconds hold."""
        one, repeat, seconds = self.timed[name], self.repeats[name], []
        end, untimed = time.perf_counter() + wake, 0
        while untimed < 1 or (time.perf_counter() < end and untimed < MANY):
            self._once(one)
            untimed += 1
        for _ in range(steps):
            if one.before:
                one.before()
            began = time.perf_counter()
            for _ in range(repeat):
                last = one.run()
            seconds.append((time.perf_counter() - began) / repeat)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        return {"seconds": seconds, "facts": {"peak_megabytes": peak, "last": reported(last)}}


def reported(value: Any) -> Any:
    """Return what a step returned where JSON can hold it: a loss, a count, facts."""
    return value if isinstance(value, (int, float, str, dict, type(None))) else None


def fingerprint(result: Any) -> list[float]:
    """Return a few entries of a result, to see whether everybody has calculated the same."""
    import numpy as np

    if isinstance(result, (tuple, list)):
        result = result[0] if result else 0.0
    if isinstance(result, dict) or result is None:
        return []
    if hasattr(result, "detach"):
        result = result.detach()
    flat = np.asarray(result, dtype=np.float64).ravel()
    picked = flat[np.linspace(0, flat.size - 1, min(8, flat.size)).astype(int)]
    return [float(x) for x in picked] if np.isfinite(picked).all() else []


def agree(one: list[float], other: list[float], exact: bool = False) -> bool:
    """Are two fingerprints the same, up to the rounding of float32 unless ``exact``?"""
    allowed = 0.0 if exact else 2e-3 * max([1e-6, *map(abs, one)])
    return not one or not other or all(abs(a - b) <= allowed for a, b in zip(one, other, strict=True))


def serve(name: str) -> None:
    """Answer on stdout, a JSON line for each request on stdin."""
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # some candidates print what they do
    server = Server(name)
    for line in sys.stdin:
        request = json.loads(line)
        acts = {"load": server.load, "prepare": server.prepare, "call": server.call, "time": server.time}
        act = acts[request.pop("do")]
        try:
            answer = act(**request)
        except LeftOut as reason:
            answer = {"left_out": str(reason)}
        except ImportError as error:
            answer = {"left_out": f"{error.name or error} is not installed"}
        except Exception as error:
            traceback.print_exc()
            answer = {"left_out": f"{type(error).__name__}: {error}"}
        replies.write(json.dumps(answer) + "\n")
        replies.flush()


def main() -> None:
    """Be the candidate of this name."""
    name, threads = sys.argv[1], int(sys.argv[2])
    if name == "jax" and hasattr(os, "sched_setaffinity"):  # its pool has a thread for each core it may use
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
    # A benchmark imports this module by name: it must find this very one, with this LeftOut.
    sys.modules["turns"] = sys.modules["__main__"]
    with contextlib.suppress(KeyboardInterrupt):
        serve(name)


if __name__ == "__main__":
    main()
