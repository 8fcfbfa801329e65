"""From measured times to rows: what is printed, and what --json writes."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterable
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from roofline import Ceilings
from turns import Case, Series, agree

Row = dict[str, Any]
OURS = "tinyllm"
PACKAGES = ("numpy", "numba", "torch", "jax", "transformers")


def rows_of(case: Case, series: list[Series], ceilings: Ceilings, base: str) -> list[Row]:
    """Return a row for each peer, and one for each rung, beside the peer that is the base.

    A row compares one thing of ours with one of a peer. Every pair of ``case`` and ``peer`` occurs once. Without any
    peer ours stands alone, with null in the peer's place.
    """
    mine = [one for one in series if one.candidate == OURS]
    peers: list[Series | None] = [one for one in series if one.candidate != OURS]
    if not mine:
        return []
    first = next((p for p in peers if p and p.candidate == base), peers[0] if peers else None)
    rows = [_row(case, mine[0], peer, ceilings) for peer in peers or [None]]
    return rows + [_row(case, rung, first, ceilings, mine[0]) for rung in mine[1:]]


def _row(case: Case, ours: Series, peer: Series | None, ceilings: Ceilings, door: Series | None = None) -> Row:
    flop, moved, dtype = case.get("flop", 0), case.get("bytes", 0), case.get("dtype", "float32")

    def share(one: Series | None) -> float | None:
        return ceilings.share(flop, moved, one.median, dtype) if one else None

    row = {
        "case": case["name"] + (f", {ours.name}" if door else ""),
        "ours": ours.median,
        "peer": peer.candidate if peer else None,
        "peer_seconds": peer.median if peer else None,
        "ratio": ours.median / peer.median if peer else None,
        "roofline": share(ours),
        "peer_roofline": share(peer),
        "rung": ours.name if door else None,
        "flop": flop,
        "bytes": moved,
        "dtype": dtype,
        "ours_fastest": min(ours.seconds),
        "peer_fastest": min(peer.seconds) if peer else None,
        "steps": len(ours.seconds),
    }
    if case.get("sweep"):
        row["sweep"] = case["sweep"]
    if case.get("tokens"):
        row["tokens_per_second"] = case["tokens"] / ours.median
        row["peer_tokens_per_second"] = case["tokens"] / peer.median if peer else None
    for who, one in (("", ours), ("peer_", peer)):
        last = one.facts.get("last") if one else None
        if isinstance(last, dict) and "peak_bytes" in last:
            row[f"{who}peak_bytes"] = last["peak_bytes"]
    if case.get("compare", True):
        other = door or peer
        row["agrees"] = agree(ours.result, other.result, case.get("exact", False)) if other else None
    return row


def say_case(say: Callable[[str], None], case: Case, series: list[Series], ceilings: Ceilings) -> None:
    """Print one case: everybody's time, rate, share of the roofline, and ours over theirs."""
    flop, moved, dtype = case.get("flop", 0), case.get("bytes", 0), case.get("dtype", "float32")
    ours = next((one for one in series if one.candidate == OURS), None)
    bound_by_memory = ceilings.bound(0, moved, dtype) >= ceilings.bound(flop, 0, dtype)
    say("")
    amounts = [f"{flop / 1e9:.3g} GFLOP"] * bool(flop) + [f"{moved / 1e6:.3g} MB"] * bool(moved)
    say(case["name"] + (f"  ({', '.join(amounts)})" if amounts else ""))
    for one in series:
        rung = one.candidate == OURS and one is not ours
        label = f"  {one.name}" if rung else one.candidate if one is not ours else f"{OURS}"
        line = f"  {label:<28}{_time(one.median):>11}"
        if case.get("tokens"):
            line += f"{case['tokens'] / one.median:>11,.0f} tokens/s"
        elif flop and not (bound_by_memory and moved):
            line += f"{flop / one.median / 1e9:>10.1f} GFLOP/s"
        elif moved:
            rate = moved / one.median
            line += f"{rate / 1e9:>10.1f} GB/s   " if rate > 1e8 else f"{rate / 1e6:>10.1f} MB/s   "
        last = one.facts.get("last")
        if isinstance(last, dict) and "peak_bytes" in last:
            line += f"{last['peak_bytes'] / 1e6:>10.0f} MB at most"
        share = ceilings.share(flop, moved, one.median, dtype)
        line += f"{share:>8.0%} of the roofline" if share else ""
        if ours and one is not ours and not rung:
            line += f"   ours/theirs {ours.median / one.median:6.2f}"
        if ours and case.get("compare", True) and not agree(ours.result, one.result, case.get("exact", False)):
            line += "   ANOTHER RESULT"
        say(line)


def _time(seconds: float) -> str:
    for unit, size in (("s ", 1.0), ("ms", 1e-3)):
        if seconds >= size:
            return f"{seconds / size:.2f} {unit}"
    return f"{seconds / 1e-6:.1f} us"


def say_left_out(say: Callable[[str], None], left_out: Iterable[Row]) -> None:
    """Print who did not take part, and why."""
    left_out = list(left_out)
    if left_out:
        say("\nleft out")
    for one in left_out:
        say(f"  {one['name']}{' on ' + one['case'] if one.get('case') else ''}: {one['why']}")


def machine() -> Row:
    """Facts without which a figure says little."""
    model = ""
    if os.path.exists("/proc/cpuinfo"):
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            model = next((line.split(":", 1)[1].strip() for line in file if line.startswith("model name")), "")
    return {
        "python": platform.python_version(),
        "system": platform.system(),
        "processor": model or platform.processor(),
        "cores": os.cpu_count(),
        "versions": {name: _version(name) for name in PACKAGES},
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
