"""The machine's ceilings, measured in the same run as what is held against them.

    python benchmarks/roofline.py --json

Arithmetic: multiply-adds in registers (``tinyllm.kernels.jit.probe``), or the best matrix product seen in the run where
that was faster. Memory: a sum over 512 MB, read by all threads. Caches: the same over 16 MB. What reads ``bytes`` and
calculates ``flop`` cannot take less than the longer of flop / peak and bytes / bandwidth; its share of the roofline is
that time over its own. A kernel that writes cannot reach 1: a line of memory is read before it is written to.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from turns import Candidate, Case, Timed, launch, take_turns

FAR = 512 << 20  # bytes: in no cache
NEAR = 16 << 20  # bytes: in the last cache of most machines
STEPS = 200_000  # of multiply-adds, about half a millisecond
DTYPES = ("float32", "float64")


@dataclass
class Ceilings:
    """What the machine can do, in operations and bytes a second, for "1" thread and for "all"."""

    threads: int
    arithmetic: dict[str, dict[str, float]] = field(default_factory=dict)  # dtype -> threads -> flop/s
    source: dict[str, str] = field(default_factory=dict)  # dtype -> what showed it
    memory: dict[str, float] = field(default_factory=dict)  # threads -> bytes/s
    cache: dict[str, float] = field(default_factory=dict)

    def bound(self, flop: float, moved: float, dtype: str = "float32") -> float:
        """Return the least time, in seconds, for so much arithmetic and so many bytes on all threads."""
        peak = self.arithmetic.get(dtype, {}).get("all", 0.0)
        bandwidth = self.bandwidth(moved)
        return max(flop / peak if peak else 0.0, moved / bandwidth if bandwidth else 0.0)

    def share(self, flop: float, moved: float, seconds: float, dtype: str = "float32") -> float | None:
        """Return the share of the roofline that was reached; None where nothing is known to compare with."""
        bound = self.bound(flop, moved, dtype)
        return bound / seconds if bound and seconds else None

    def bandwidth(self, moved: float) -> float:
        """Return the bytes a second that can be read of an amount that fits into the caches, or does not."""
        return (self.cache if moved <= NEAR else self.memory).get("all", 0.0)

    def raise_to(self, other: Ceilings) -> None:
        """Take the higher of two measurements."""
        mine, theirs = [self.memory, self.cache], [other.memory, other.cache]
        for dtype in self.arithmetic:
            mine.append(self.arithmetic[dtype])
            theirs.append(other.arithmetic.get(dtype, {}))
        for here, there in zip(mine, theirs, strict=True):
            here |= {key: max(rate, here.get(key, 0.0)) for key, rate in there.items()}

    def seen(self, what: str, rate: float, dtype: str) -> None:
        """Raise the peak when something was faster than the loop that should have shown it."""
        peaks = self.arithmetic.get(dtype)
        if peaks and rate > peaks["all"]:
            peaks["all"], self.source[dtype] = rate, what

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON can hold it, in GFLOP/s and GB/s."""

        def giga(rates: dict[str, float]) -> dict[str, float]:
            return {key: round(rate / 1e9, 2) for key, rate in rates.items()}

        return {
            "threads": self.threads,
            "gflops": {dtype: giga(rates) for dtype, rates in self.arithmetic.items()},
            "peak_from": self.source,
            "memory_read_gbs": giga(self.memory),
            "cache_read_gbs": giga(self.cache),
        }


def prepare(candidate: str, case: Case) -> dict[str, Timed]:
    """Return the probes, on one task and on as many as there are threads."""
    import numpy as np

    from tinyllm.kernels.jit import probe

    found = {}
    counts = {"1": 1, "all": case["threads"]}
    if case["what"] in DTYPES:
        start = np.array([0.999, 0.001], case["what"])
        for name, tasks in counts.items():
            totals, flop = np.empty(tasks, case["what"]), tasks * case["steps"] * 2 * probe.CHAINS * probe.LANES
            found[name] = Timed(_bound(flop, probe.multiply_add, start, case["steps"], totals))
    else:
        x = np.ones(case["bytes"] // 4, np.float32)
        for name, tasks in counts.items():
            found[name] = Timed(_bound(x.nbytes, probe.read_sum, x, np.empty(tasks, np.float32)))
    return found


def _bound(amount: int, function: Any, *args: Any) -> Callable[[], int]:
    def run() -> int:
        function(*args)
        return amount

    return run


def measure(ours: Candidate, threads: int) -> Ceilings:
    """Measure the ceilings in our own process; where there is no Numba nothing is known."""
    found = Ceilings(threads)
    for dtype in DTYPES:
        rates = _rates(ours, {"what": dtype, "steps": STEPS, "threads": threads})
        if rates:
            found.arithmetic[dtype], found.source[dtype] = rates, "multiply-adds in registers"
    found.cache = _rates(ours, {"what": "read", "bytes": NEAR, "threads": threads})
    found.memory = _rates(ours, {"what": "read", "bytes": FAR, "threads": threads})
    return found


def _rates(ours: Candidate, case: Case) -> dict[str, float]:
    """Return the best rate on one thread and on all."""
    series, _ = take_turns([ours], "roofline", case, rounds=2)
    return {one.name: one.facts["last"] / min(one.seconds) for one in series}


def main() -> None:
    """Measure and print the ceilings alone."""
    from command import default_threads
    from report import machine

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=default_threads())
    parser.add_argument("--json", action="store_true", help="one JSON object, with the machine's facts")
    args = parser.parse_args()
    ours = launch("tinyllm", args.threads)
    found = measure(ours, args.threads).to_dict()
    ours.stop()
    if args.json:
        print(json.dumps({"machine": machine(), **found}))
        return
    for dtype, rates in found["gflops"].items():
        print(f"{dtype}: {rates['1']:.0f} GFLOP/s on one thread, {rates['all']:.0f} on {args.threads}")
    for name in ("memory", "cache"):
        rates = found[f"{name}_read_gbs"]
        print(f"{name}: {rates['1']:.1f} GB/s read by one thread, {rates['all']:.1f} by {args.threads}")


if __name__ == "__main__":
    main()
