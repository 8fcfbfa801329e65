"""How much memory does a training step take, and attention at T = 4096, beside PyTorch? What does each op keep?

    python benchmarks/memory.py
    python benchmarks/memory.py --only attention --json out.json --plot memory.svg

Peak memory of a process that does nothing else: above its size when everything is loaded (it has run once on the
smallest inputs), above its size when the library is imported, and the whole of it. Each figure is the median over
fresh processes. In the rows ``ours`` and ``peer_seconds`` are bytes, also given as ``ours_bytes`` and ``peer_bytes``.
Bytes saved by an op are those that its forward pass keeps for its backward pass, each array counted once, weights not
at all.
"""

from __future__ import annotations

import argparse
import gc
import os
import resource
import statistics
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from attention import BOTH
from attention import _case as attention_case
from attention import prepare as prepare_attention
from command import arguments, chosen, finish, peers_of, processes, speaker
from report import OURS, Row
from roofline import Ceilings
from slopes import slopes
from train_step import CONFIGURATIONS, TINY, tinyllm_step, torch_step
from turns import Case, LeftOut, Timed

CANDIDATES = ("tinyllm", "numpy", "torch eager", "torch.compile", "jax")
MEGA = 1 << 20


def cases(args: argparse.Namespace) -> list[Case]:
    """List the cases."""
    configurations = {"tiny": TINY} if args.tiny else CONFIGURATIONS
    if args.quick:
        configurations = {"cpu": CONFIGURATIONS["cpu"]}
    found = [{"name": f"training step, {name}", "configuration": c} for name, c in configurations.items()]
    lengths = (8, 16) if args.tiny else (512, 1024) if args.quick else (512, 1024, 2048, 4096)
    for T in lengths:
        case = attention_case("", 1, 4, T, 64, BOTH[1])
        name = f"attention forward and backward, B 1 H 4 T {T} D 64"
        found.append({**case, "name": name, "sweep": [["attention", "T", T]]})
    return found


# what happens in the candidate's process


def prepare(candidate: str, case: Case) -> dict[str, Timed]:
    """Return what measures the peak of this case in this process."""
    if candidate == "numpy" and case.get("T", 0) > 2048:
        raise LeftOut("its (T, T) scores would take gigabytes")
    return {candidate: Timed(lambda: measured(candidate, case), once=True)}


def measured(candidate: str, case: Case) -> dict[str, Any]:
    """Run the smallest step, then the one in question, and return how far memory rose."""
    imported = resident()
    small = {"configuration": TINY} if "configuration" in case else {"B": 1, "H": 1, "K": 1, "T": 16, "S": 16, "D": 16}
    runner(candidate, {**case, **small})()
    gc.collect()
    before = resident()
    forget_peak()
    step = runner(candidate, case)
    for _ in range(3):
        step()
    top = peak()
    found: dict[str, Any] = {
        "whole": top,
        "above import": max(0, top - imported),
        "above": max(0, top - before),
    }
    if candidate == "tinyllm" and "configuration" in case:
        found["saved"] = saved_bytes(case["configuration"])
    return found


def runner(candidate: str, case: Case) -> Callable[[], Any]:
    """Return the step of a case."""
    if "configuration" not in case:
        return next(iter(first(prepare_attention(candidate, case)).values())).run
    if candidate.startswith("torch"):
        return torch_step(case["configuration"], compiled=candidate == "torch.compile")
    if candidate in ("tinyllm", "numpy"):
        return tinyllm_step(case["configuration"], "numpy" if candidate == "numpy" else None)
    raise LeftOut("no training step of it here")


def first(prepared: Any) -> dict[str, Timed]:
    """Return what is timed, without what was skipped."""
    return prepared[0] if isinstance(prepared, tuple) else prepared


def resident() -> int:
    """Return the bytes of memory that this process occupies now."""
    return _status("VmRSS") or peak()


def peak() -> int:
    """Return the most bytes it has occupied since ``forget_peak``, or ever where that cannot be told apart."""
    unit = 1 if sys.platform == "darwin" else 1024
    return _status("VmHWM") or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def forget_peak() -> None:
    """Let the peak begin anew, where the system can do that (Linux)."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return


def _status(field: str) -> int:
    status = Path("/proc/self/status")
    if not os.access(status, os.R_OK):
        return 0
    lines = status.read_text().splitlines()
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith(field)), 0)


def saved_bytes(c: dict[str, int]) -> dict[str, int]:
    """Return for each kind of op what one forward pass keeps alive for the backward pass."""
    import numpy as np

    import tinyllm as tl
    from tinyllm.autograd.graph import toposort

    sizes = {name: value for name, value in c.items() if name != "batch"}
    model = tl.GPT(tl.GPTConfig.preset("gpt2", **sizes, bias=False, dropout=0.0), np.random.default_rng(0))
    ids = np.zeros((c["batch"], c["block_size"]), np.int64)
    loss = model.loss(ids, ids)
    seen = {owner(p.data) for p in model.parameters()}
    found: dict[str, int] = {}
    for op in toposort(loss.node):
        for array in (x for x in op.saved if isinstance(x, np.ndarray)):
            if owner(array) not in seen:
                seen.add(owner(array))
                found[op.name] = found.get(op.name, 0) + array.nbytes
    return dict(sorted(found.items(), key=lambda pair: -pair[1]))


def owner(array: Any) -> int:
    """Return what tells apart the memory behind arrays: views of one array share it."""
    while getattr(array, "base", None) is not None and hasattr(array.base, "ctypes"):
        array = array.base
    return int(array.__array_interface__["data"][0])


# what happens in the process that asks


def main() -> None:
    """Measure, print, write and draw."""
    args = arguments(__doc__ or "").parse_args()
    say = speaker(args)
    names, left_out = peers_of(CANDIDATES, args)
    rows: list[Row] = []
    points = []
    for case in chosen(cases(args), args):
        found: dict[str, list[dict[str, Any]]] = {}
        for name in names:
            for _ in range(args.rounds or (1 if args.tiny or args.quick else 3)):
                with processes([name], args.threads) as (candidate,):
                    answer = candidate.ask(do="prepare", module="memory", case=case, limit=1e9, step=0.0, warm=False)
                    answer = answer if "left_out" in answer else candidate.ask(do="call", name=name)
                if "left_out" in answer:
                    left_out.append({"name": name, "case": case["name"], "why": answer["left_out"]})
                    break
                found.setdefault(name, []).append(answer["last"])
        if OURS not in found:
            continue
        for kind in WORDS:
            sizes = {name: statistics.median(one[kind] for one in several) for name, several in found.items()}
            rows += rows_of(f"{case['name']}, {WORDS[kind]}", sizes, found)
            say(f"\n{case['name']}, {WORDS[kind]}")
            for name, size in sizes.items():
                theirs = f"   ours/theirs {sizes[OURS] / size:6.2f}" if name != OURS and size else ""
                say(f"  {name:<16}{size / MEGA:10.1f} MB{theirs}")
            if kind == "above":
                points += [
                    (line, name, axis, n, size)
                    for line, axis, n in case.get("sweep", ()) for name, size in sizes.items() if size > 0
                ]  # fmt: skip
        for op, size in found[OURS][0].get("saved", {}).items():
            say(f"    saved by {op:<20}{size / MEGA:8.2f} MB")
    finish("memory", args, rows, left_out, Ceilings(args.threads), slopes(points, unit="bytes"))


WORDS = {"above": "above what is loaded", "above import": "above import", "whole": "whole process"}


def rows_of(name: str, sizes: dict[str, float], found: dict[str, list[dict[str, Any]]]) -> list[Row]:
    """Return a row for each peer, in bytes; ours alone where there is none."""
    peers: list[str | None] = [peer for peer in sizes if peer != OURS]
    ours, saved = sizes[OURS], found[OURS][0].get("saved")
    rows = []
    for peer in peers or [None]:
        theirs = sizes[peer] if peer else None
        rows.append({
            "case": name, "ours": ours, "peer": peer, "peer_seconds": theirs,
            "ratio": ours / theirs if theirs else None, "roofline": None, "unit": "bytes",
            "ours_bytes": ours, "peer_bytes": theirs, "saved_bytes_by_op": saved,
        })  # fmt: skip
    return rows


if __name__ == "__main__":
    main()
