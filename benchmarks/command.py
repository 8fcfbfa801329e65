"""What every benchmark does with its command line: choose cases, let candidates take turns, print, write, draw."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from report import OURS, Row, machine, rows_of, say_case, say_left_out
from roofline import Ceilings
from roofline import measure as measure_ceilings
from slopes import Slope, slopes
from turns import Candidate, Case, Series, launch, take_turns

SLOW_TO_COMPILE = "torch.compile"
sys.path.append(str(Path(__file__).parents[1]))  # in a checkout that is not installed, tinyllm is beside this folder


@dataclass(frozen=True)
class Benchmark:
    """One question.

    Attributes:
        module: the file that answers it, as it is imported.
        about: its docstring.
        candidates: their names, ours first.
        base: the peer that rungs are compared with.
        cases: from the arguments to the cases.
        fresh: a new process for each candidate and case.
        limit: seconds; what takes longer for one call is left out of that case.
        roofline: measure the machine's ceilings, for arithmetic and memory to be held against.
        without_case: names what belongs here and is not measured.
        more_rows: measures what is no time, such as memory.
    """

    module: str
    about: str
    candidates: tuple[str, ...]
    base: str
    cases: Callable[[argparse.Namespace], list[Case]]
    fresh: bool = False
    limit: float = 0.5
    roofline: bool = True
    without_case: Callable[[], list[str]] = list
    more_rows: Callable[[argparse.Namespace], list[Row]] = lambda args: []


def default_threads() -> int:
    """As many threads as the library takes."""
    from tinyllm.kernels import threads

    return threads()


def arguments(about: str, *more: tuple[str, dict[str, Any]]) -> argparse.ArgumentParser:
    """Make the parser that all benchmarks have."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", metavar="CASE", help="cases whose name contains this")
    parser.add_argument("--rounds", type=int, help="turns of each candidate; five steps are timed in a turn")
    parser.add_argument("--threads", type=int, default=default_threads(), help="of each candidate")
    parser.add_argument("--quick", action="store_true", help="few rounds and small cases: half a minute")
    parser.add_argument("--json", nargs="?", const="-", metavar="FILE", help="write the rows; to stdout without FILE")
    parser.add_argument("--plot", metavar="FILE", help="draw the roofline and the slopes: .svg, .png or .pdf")
    parser.add_argument("--peers", help="only these, by their names with commas between them; 'none' for ours alone")
    parser.add_argument("--tiny", action="store_true", help=argparse.SUPPRESS)  # for the tests of this machinery
    for name, options in more:
        parser.add_argument(name, **options)
    return parser


def speaker(args: argparse.Namespace) -> Callable[[str], None]:
    """Return what prints for people: on standard output, unless JSON goes there."""
    stream = sys.stderr if args.json == "-" else sys.stdout
    return lambda text: print(text, file=stream, flush=True)


def chosen(cases: list[Case], args: argparse.Namespace) -> list[Case]:
    """Keep the cases that --only asks for; complain, with their names, if there are none."""
    kept = [case for case in cases if args.only is None or args.only.lower() in case["name"].lower()]
    if not kept:
        names = "\n  ".join(dict.fromkeys(case["name"] for case in cases))
        sys.stderr.write(f"no case has {args.only!r} in its name. The cases:\n  {names}\n")
        raise SystemExit(2)
    return kept


def peers_of(candidates: tuple[str, ...], args: argparse.Namespace) -> tuple[list[str], list[Row]]:
    """Return the candidates that take part, and those that the arguments leave out, with the reason."""
    wanted = None if args.peers is None else {name.strip() for name in args.peers.split(",")}
    names, left_out = [], []
    for name in candidates:
        if name != OURS and wanted is not None and name not in wanted:
            left_out.append({"name": name, "why": "not among --peers"})
        elif name == SLOW_TO_COMPILE and (args.quick or args.tiny) and wanted is None:
            left_out.append({"name": name, "why": "compiling takes longer than --quick allows"})
        else:
            names.append(name)
    return names, left_out


def run(benchmark: Benchmark, args: argparse.Namespace) -> tuple[list[Row], list[Slope]]:
    """Measure, print, write and draw what was asked for; return the rows and the slopes."""
    say = speaker(args)
    cases = chosen(benchmark.cases(args), args)
    names, left_out = peers_of(benchmark.candidates, args)
    left_out += [{"name": name, "why": "it has no case here"} for name in benchmark.without_case()]
    rounds = args.rounds or (2 if args.quick or args.tiny else 5)
    limit = 1.0 if args.tiny else min(benchmark.limit, 0.2) if args.quick else benchmark.limit
    measured: list[tuple[Case, list[Series]]] = []
    with processes(names, args.threads) as pool:
        ceilings = Ceilings(args.threads)
        if benchmark.roofline and not args.tiny:
            ceilings = measure_ceilings(pool[0], args.threads)
        for case in cases:
            with processes(names, args.threads) if benchmark.fresh else contextlib.nullcontext(pool) as here:
                taking_part = [c for c in here if not c.left_out and c.name not in case.get("without", ())]
                how = {"step": 1e-4, "settle": 0.0, "wake": 0.0} if args.tiny else {}
                series, missing = take_turns(taking_part, benchmark.module, case, rounds, limit, **how)
            for name, why in missing.items():
                gone = why.endswith("is not installed")
                if gone:
                    names = [n for n in names if n != name]
                    for candidate in pool:
                        candidate.left_out = why if candidate.name == name else candidate.left_out
                left_out.append({"name": name, "why": why} | ({} if gone else {"case": case["name"]}))
            for one in series:
                if case.get("flop"):
                    rate = case["flop"] / min(one.seconds)
                    ceilings.seen(f"{case['name']} by {one.candidate}", rate, case.get("dtype", "float32"))
            say_case(say, case, series, ceilings)
            measured.append((case, series))
        if benchmark.roofline and not args.tiny:  # once more: at one of both times the machine may have been disturbed
            ceilings.raise_to(measure_ceilings(pool[0], args.threads))
    rows = [row for case, series in measured for row in rows_of(case, series, ceilings, benchmark.base)]
    for row in (more := benchmark.more_rows(args)):
        beside = f"   {row['peer']} {row['peer_seconds']:.2f}" if row["peer"] else ""
        say(f"\n{row['case']}\n  {OURS} {row['ours']:.2f}{beside}  {row['unit']}")
    rows += more
    lines = slopes(points_of(measured))
    finish(benchmark.module, args, rows, left_out, ceilings, lines)
    return rows, lines


def points_of(measured: list[tuple[Case, list[Series]]]) -> Iterator[tuple[str, str, str, float, float]]:
    """Yield the points of the cases that belong to a sweep."""
    for case, series in measured:
        for line, axis, size in case.get("sweep", ()):
            for i, one in enumerate(series):
                door = one.candidate != OURS or i == 0
                yield line, one.candidate if door else one.name, axis, size, one.median


@contextlib.contextmanager
def processes(names: list[str], threads: int) -> Iterator[list[Candidate]]:
    """Start the candidates, and let them end when the block ends, however it ends."""
    pool = [launch(name, threads) for name in names]
    try:
        for candidate in pool:
            candidate.tell(do="load")
        for candidate in pool:
            candidate.hear()  # what is not installed says so in its first case
        yield pool
    except BaseException:
        for candidate in pool:
            candidate.process.kill()
        raise
    finally:
        for candidate in pool:
            candidate.stop()


def finish(
    name: str, args: argparse.Namespace, rows: list[Row], left_out: list[Row], ceilings: Ceilings, lines: list[Slope]
) -> None:
    """Print the slopes and who was left out; write JSON and the plot."""
    say = speaker(args)
    if lines:
        say("\nhow cost grows: cost ~ size^exponent")
    for one in lines:
        ends = f"{one.sizes[0]:g} to {one.sizes[-1]:g}"
        say(
            f"  {one.line:<24} {one.candidate:<22} {one.axis} {ends:<14} exponent {one.exponent:5.2f}"
            f"   between the last two {one.last:5.2f}"
        )
    say_left_out(say, left_out)
    if args.json:
        result = {
            "machine": machine() | {"threads": args.threads, "ceilings": ceilings.to_dict()},
            "benchmark": name.replace("_", "-"),
            "rows": rows,
            "left_out": left_out,
            "slopes": [one.to_dict() for one in lines],
        }
        text = json.dumps(result, indent=1) + "\n"
        if args.json == "-":
            sys.stdout.write(text)
        else:
            Path(args.json).write_text(text, encoding="utf-8")
    if args.plot:
        from figures import draw

        say(f"\n{draw(name, rows, ceilings, lines, Path(args.plot))}")
