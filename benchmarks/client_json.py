"""How long does it take to read JSON while a model writes it, twelve characters at a time?

    python benchmarks/client_json.py
    python benchmarks/client_json.py --only 197 --rounds 1

A call's arguments come in deltas, and somebody wants to see each as it comes. ``text`` is one long string, such as a
file that is to be written, ``records`` are many small values. tinyllm reads on where it stopped. jiter, which the
providers' own packages use, and json read everything anew at each delta: jiter to give out what there is, json to find
out whether it is whole. That grows with the square, so they take no part in the longest case.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Callable
from typing import Any

from command import Benchmark, arguments, run
from turns import Case, LeftOut, Timed

DELTA = 12  # characters
LONGEST = 200_000  # characters for those who read everything anew: a minute for four times as many
SIZES = (12_000, 49_000, 197_000, 789_000)
LINES = ("def answer(question):\n", '    return "forty-two"\n', "# and so on, line after line\n", "\n")


def cases(args: argparse.Namespace) -> list[Case]:
    """List the cases."""
    sizes = (500, 2000) if args.tiny else SIZES[:2] if args.quick else SIZES
    return [
        {"name": f"{kind}, {size / 1000:g} kB", "kind": kind, "size": size, "exact": True,
         "sweep": [[kind, "characters", size]], "without": ["jiter", "json"] if size > LONGEST else []}
        for kind in ("text", "records") for size in sizes
    ]  # fmt: skip


def document(kind: str, size: int) -> str:
    """Write a document of about so many characters."""
    chance, written, pieces = random.Random(0), 0, []
    while written < size:
        n = len(pieces)
        record = {"id": n, "name": f"name {n}", "whole": bool(n % 2), "scores": [n / 8, None]}
        pieces.append(chance.choice(LINES) if kind == "text" else record)
        written += len(json.dumps(pieces[-1])) + (2 if kind == "records" else -2)  # a comma and a space; no quotes
    return json.dumps({"path": "answer.py", "content": "".join(pieces)} if kind == "text" else {"records": pieces})


def prepare(candidate: str, case: Case) -> dict[str, Timed]:
    """Return what this candidate does with a document's deltas; it gives how much was read."""
    text, read = document(case["kind"], case["size"]), reader(candidate)
    deltas = [text[at : at + DELTA] for at in range(0, len(text), DELTA)]

    def step() -> int:
        value = read(deltas)
        return len(value["content"] if case["kind"] == "text" else value["records"])

    return {candidate: Timed(step, once=True)}


def reader(candidate: str) -> Callable[[list[str]], Any]:
    """Return what takes deltas one by one, and gives the value in the end."""
    if candidate == "tinyllm":
        from tinyllm.client.partial_json import PartialJSON

        return lambda deltas: reading_on(PartialJSON(), deltas)
    if candidate == "jiter":
        import jiter

        return lambda deltas: anew(lambda text: jiter.from_json(text.encode(), partial_mode=True), deltas)
    if candidate == "json":
        return lambda deltas: anew(whole_or_nothing, deltas)
    raise LeftOut("unknown here")


def reading_on(parser: Any, deltas: list[str]) -> Any:
    """Feed a parser that keeps its place."""
    for delta in deltas:
        parser.feed(delta)
    return parser.value


def anew(parse: Callable[[str], Any], deltas: list[str]) -> Any:
    """Parse all that has come, at each delta."""
    text, value = "", None
    for delta in deltas:
        text += delta
        value = parse(text)
    return value


def whole_or_nothing(text: str) -> Any:
    """Parse a text that is perhaps not whole."""
    try:
        return json.loads(text)
    except ValueError:
        return None


def main() -> None:
    """Measure what was asked for."""
    args = arguments(__doc__ or "").parse_args()
    run(Benchmark("client_json", __doc__ or "", ("tinyllm", "jiter", "json"), "jiter", cases, roofline=False), args)


if __name__ == "__main__":
    main()
