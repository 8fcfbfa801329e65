"""How long does a learner wait: from saving a file to the verdict on the screen?

    python benchmarks/verdict.py              every exercise, right and wrong, five saves each
    python benchmarks/verdict.py --quick      one exercise of each lesson, two saves

The loop of ``tinyllm learn`` runs as it does in a terminal, on a folder made for this, with the library's solutions and
with a usual mistake of each exercise in turn. The clock starts when the file has been written and stops when the
verdict is drawn; the loop's own waiting between two looks at the files (0.2 s) is part of it. There are no peers: what
others offer has no such loop to time. The aim: a median under one second, 95 of 100 under two.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parents[1]))  # in a checkout that is not installed, tinyllm is beside this folder

AIM = {"median": 1.0, "p95": 2.0}


class NoKeys:
    """Nobody presses anything."""

    def get(self, wait: float) -> None:
        """Wait, as a keyboard would."""
        time.sleep(wait)


class Shown:
    """Takes note of when a verdict was drawn."""

    width = 80

    def __init__(self) -> None:
        self.at = 0.0
        self.page: Any = []

    def show(self, page: Any) -> None:
        """Take note."""
        self.page, self.at = page, time.perf_counter()

    add = show

    def resized(self) -> bool:
        """Never."""
        return False

    def foot(self, menu: Any, where: str, status: str) -> None:
        """Do nothing: the page says it all."""


def measure(saves: int, quick: bool) -> list[dict[str, Any]]:
    """Time every exercise: the right solution, then a mistake, and so on."""
    from tinyllm.learn.exercises import exercises, lessons
    from tinyllm.learn.loop.watch import Watch
    from tinyllm.learn.loop.worker import Worker
    from tinyllm.learn.slots.slot import Slot
    from tinyllm.learn.work.session import Session
    from tinyllm.learn.work.workspace import Workspace

    chosen = [lesson.exercises[-1] for lesson in lessons()] if quick else list(exercises())
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        os.environ["TINYLLM_MY"] = str(Path(folder) / "my")
        session = Session(Workspace.find())
        with Worker(session.workspace.folder) as worker:
            worker.prepare()
            for exercise in chosen:
                view = Shown()
                watch = Watch(session, worker, view, NoKeys(), exercise, lambda *_: "")
                watch.open(exercise)
                until(watch)
                slot = Slot.of(exercise.slot)
                head = f"import math\nimport numpy as np\nfrom {slot.module.__name__} import *\n\n\n"
                mistake = exercise.mutants[0]
                wrong = slot.patched(mistake.old, mistake.new).replace(f"def {slot.attribute}(", f"def {slot.name}(", 1)
                for k in range(saves):
                    text = slot.solution() if k % 2 == 0 else wrong
                    watch.verdict = None
                    session.path(exercise).write_text(head + text, encoding="utf-8")
                    began = time.perf_counter()
                    until(watch)
                    rows.append(
                        {
                            "exercise": exercise.id, "state": watch.verdict.state, "seconds": view.at - began,
                            "checking": watch.verdict.seconds,
                        }
                    )  # fmt: skip
    return rows


def until(watch: Any) -> None:
    """Let the loop turn until there is a verdict."""
    while watch.verdict is None:
        watch.turn()


def main() -> None:
    """Measure, print, write JSON; exit with 1 when the aim is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one exercise of each lesson, two saves")
    parser.add_argument("--saves", type=int, help="of each exercise")
    parser.add_argument("--json", metavar="FILE", help="write the rows")
    args = parser.parse_args()
    rows = measure(args.saves or (2 if args.quick else 5), args.quick)
    print(f"{'exercise':<10}{'save to verdict':>24}{'of it checking':>18}")
    for name in dict.fromkeys(row["exercise"] for row in rows):
        mine = [row for row in rows if row["exercise"] == name]
        spans = [row["seconds"] for row in mine]
        inner = statistics.median(row["checking"] for row in mine)
        print(f"{name:<10}{statistics.median(spans):>11.2f} s, at most {max(spans):.2f} s{inner:>11.2f} s")
    spans = sorted(row["seconds"] for row in rows)
    found = {"median": statistics.median(spans), "p95": spans[min(len(spans) - 1, int(0.95 * len(spans)))]}
    print(f"all {len(rows)} saves: median {found['median']:.2f} s, 95 of 100 within {found['p95']:.2f} s")
    if args.json:
        from report import machine

        result = {"benchmark": "verdict", "machine": machine(), "rows": rows, **found, "aim": AIM}
        Path(args.json).write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    sys.exit(int(any(found[name] >= most for name, most in AIM.items())))


if __name__ == "__main__":
    main()
