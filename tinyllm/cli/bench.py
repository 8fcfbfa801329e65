"""``tinyllm bench``: how fast, beside whom, and how it grows; the benchmarks themselves come with the source."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

from .parser import Parser, number
from .screen import Screen, say

# name -> what it asks
BENCHMARKS = {
    "matmul": "matrix products, rung by rung, beside BLAS, PyTorch and JAX",
    "attention": "attention forward and backward, and how it grows with T",
    "elementwise": "norms, activations, softmax, the loss, AdamW",
    "train-step": "a whole training step, and how it grows with T, C and L",
    "decode": "tokens a second with weights in 32, 8 and 4 bits",
    "stories": "what a memory saves, and what texts side by side",
    "embed": "texts into vectors, and the first of them in a new process",
    "load": "weights from files: time, memory, one tensor of a large file",
    "memory": "peak memory of a training step and of attention",
    "retrieval": "the targets of tinyllm.rag in one table, with the peers beside us",
    "retrieval-bm25": "search in words, of an index that stays and of one that changes",
    "retrieval-growth": "filling an index, a query and memory, from 1,000 to 1,000,000",
    "retrieval-index": "search in vectors, exact and along a graph; measuring rankings",
    "tokenizer": "encoding texts and learning vocabularies",
}
WORDS = tuple(BENCHMARKS)  # what the shell may complete
EXAMPLES = """\
  tinyllm bench
  tinyllm bench matmul --quick
  tinyllm bench attention --plot attention.svg
  tinyllm bench train-step --only cpu --json > step.json
"""


def add_arguments(parser: Parser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "name", metavar="NAME", nargs="?", choices=WORDS, help=f"{', '.join(WORDS)}; without a name they are listed"
    )
    parser.add_argument("--quick", action="store_true", help="few rounds and small cases: half a minute")
    parser.add_argument("--only", metavar="CASE", help="the cases whose name contains this")
    parser.add_argument("--threads", type=number(1, whole=True), metavar="N", help="of ours and of every peer")
    parser.add_argument(
        "--json", action="store_true", help="print one JSON object; what it does goes to standard error"
    )
    parser.add_argument("--plot", metavar="FILE", help="draw the roofline and the slopes: .svg, .png or .pdf")


def run(args: argparse.Namespace) -> int:
    """List the benchmarks, or run one in a process of its own."""
    if args.name is None:
        screen = Screen.of()
        for name, about in BENCHMARKS.items():
            screen.line(f"{name:<18}{about}")
        return 0
    folder = beside_the_package()
    if folder is None:
        say("tinyllm: the benchmarks come with the source. Try: a checkout of it, and pip install -e .", error=True)
        return 1
    command = [sys.executable, str(folder / f"{args.name.replace('-', '_')}.py")]
    command += ["--quick"] * args.quick + ["--json"] * args.json
    for option in ("only", "threads", "plot"):
        if (value := getattr(args, option)) is not None:
            command.append(f"--{option}={value}")
    paths = [str(folder.parent), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in paths if path)}
    return subprocess.run(command, env=environment, check=False).returncode


def beside_the_package() -> Path | None:
    """Return the folder of the benchmarks, which a checkout has and an installed package has not."""
    folder = Path(__file__).parents[2] / "benchmarks"
    return folder if (folder / "turns.py").is_file() else None
