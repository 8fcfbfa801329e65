"""Has anything become slower, beside the same peers in the same run? Ratios are compared, never seconds.

    python benchmarks/guard.py              exit code 1 when a ratio is far above the one in baseline.json
    python benchmarks/guard.py --update     measure twice and write baseline.json, the higher ratio of the two

A ratio is ours over the peer's, each the fastest step of its turn; of the rounds the median counts. A case fails only
when it is above MARGIN times its baseline, and is so again when measured a second time: a small machine that others
share is noisy, and this must not cry wolf. Cases whose peer is not installed are left out, and named.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import attention
import elementwise
import matmul
import train_step
from command import default_threads, processes
from report import OURS, machine
from turns import Candidate, Case, Series, take_turns

BASELINE = Path(__file__).with_name("baseline.json")
MARGIN = 1.6
ROUNDS = 7


@dataclass(frozen=True)
class Guarded:
    """A case that must not become slower than its peer, or not much."""

    name: str
    module: str
    peer: str
    case: Case


def guarded() -> list[Guarded]:
    """List the cases: small, quick, and each for another part of the library."""
    cpu = train_step.CONFIGURATIONS["cpu"]
    found = [
        Guarded("matmul", "matmul", "numpy", matmul._case("768x128 @ 128x512", 768, 128, 512)),
        Guarded(
            "attention, forward and backward", "attention", "torch eager",
            attention._case("cpu", *attention.SHAPES["cpu"], attention.BOTH[1]),
        ),
        Guarded("training step", "train_step", "torch eager", train_step._case("cpu", cpu)),
    ]  # fmt: skip
    for name in ("gelu", "layer_norm", "softmax", "cross_entropy"):
        found.append(Guarded(name, "elementwise", "torch eager", elementwise._case(name, 1536, 1024)))
    return found


def measured(cases: Iterable[Guarded], pool: Mapping[str, Candidate]) -> tuple[dict[str, float], dict[str, str]]:
    """Return the ratio of each case, and of those that cannot be measured, why."""
    ratios, left_out = {}, {}
    for one in cases:
        pair = [pool[OURS], pool[one.peer]]
        series, missing = take_turns(pair, one.module, {**one.case, "door_only": True}, ROUNDS)
        if missing:
            left_out[one.name] = "; ".join(f"{who}: {why}" for who, why in missing.items())
        else:
            ratios[one.name] = ratio(*series)
    return ratios, left_out


def ratio(ours: Series, theirs: Series) -> float:
    """Return the median over the rounds of fastest step over fastest step."""
    return ratio_of_turns(ours.turns, theirs.turns)


def ratio_of_turns(ours: list[list[float]], theirs: list[list[float]]) -> float:
    """Return the median over turns taken one after the other of the ratio of their fastest steps.

    Example:
        >>> ratio_of_turns([[1, 9], [2, 2], [50, 60]], [[2, 2], [4, 9], [4, 4]])
        0.5
    """
    return statistics.median(min(a) / min(b) for a, b in zip(ours, theirs, strict=True))


def too_slow(ratios: Mapping[str, float], baseline: Mapping[str, float], margin: float = MARGIN) -> list[str]:
    """Name the cases whose ratio is more than ``margin`` times that of the baseline; unknown ones cannot fail.

    Example:
        >>> too_slow({"a": 0.9, "b": 0.7, "new": 9.0}, {"a": 0.5, "b": 0.5, "gone": 1.0})
        ['a']
    """
    return [name for name, found in ratios.items() if name in baseline and found > margin * baseline[name]]


def main() -> None:
    """Compare with the baseline, or write it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--update", action="store_true", help="write the baseline instead of comparing with it")
    parser.add_argument("--baseline", type=Path, default=BASELINE, help="another file than baseline.json")
    parser.add_argument("--only", help="cases whose name contains this")
    args = parser.parse_args()
    cases = [one for one in guarded() if args.only is None or args.only in one.name]
    names = list(dict.fromkeys([OURS, *(one.peer for one in cases)]))
    with processes(names, default_threads()) as started:
        pool = {candidate.name: candidate for candidate in started}
        ratios, left_out = measured(cases, pool)
        for name, why in left_out.items():
            print(f"{name}: left out; {why}")
        if args.update:
            again, _ = measured(cases, pool)
            write(args.baseline, {name: max(found, again.get(name, 0.0)) for name, found in ratios.items()})
            return
        baseline = json.loads(args.baseline.read_text(encoding="utf-8"))
        suspects = too_slow(ratios, baseline["ratios"])
        if suspects:
            print(f"measured a second time: {', '.join(suspects)}")
            again, _ = measured([one for one in cases if one.name in suspects], pool)
            ratios |= {name: min(found, ratios[name]) for name, found in again.items()}
    sys.exit(1 if told(ratios, baseline) else 0)


def told(ratios: Mapping[str, float], baseline: Mapping[str, Any]) -> list[str]:
    """Print every ratio beside its baseline, and return the cases that fail."""
    failed = too_slow(ratios, baseline["ratios"])
    for name, found in ratios.items():
        known = baseline["ratios"].get(name)
        beside = f"baseline {known:.2f}, at most {MARGIN * known:.2f}" if known else "not in the baseline yet: --update"
        print(f"{name:<34} ours/theirs {found:5.2f}   {beside}{'   TOO SLOW' if name in failed else ''}")
    here, there = machine()["processor"], baseline.get("machine", {}).get("processor")
    if failed and here != there:
        print(f"the baseline is of another machine ({there}); this is {here}")
    return failed


def write(path: Path, ratios: Mapping[str, float]) -> None:
    """Write the baseline."""
    content = {"ratios": {name: round(found, 3) for name, found in ratios.items()}, "machine": machine()}
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(content["ratios"], indent=2))


if __name__ == "__main__":
    main()
