"""``tinyllm tour``: see the whole of it in three minutes."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ConfigError, nearest
from .mine import add_mine, swapped
from .parser import Parser, number
from .screen import Screen

if TYPE_CHECKING:
    from .stops import Stop, Tour

# what a GPT runs on, which the third stop runs in float64
_CHECKED = [
    "linear", "matmul", "add", "add_to", "layer_norm", "layer_norm_backward", "gelu_tanh", "gelu_tanh_backward",
    "attention", "attention_backward", "cross_entropy", "cross_entropy_backward", "scatter_add",
]  # fmt: skip
EXAMPLES = """\
  tinyllm tour
  tinyllm tour --quick                     the same in seconds; the model learns little
  tinyllm tour --stop list
  tinyllm tour --stop check --quick        one stop, and what it needs
"""


def add_arguments(parser: Parser) -> None:
    """Declare the options."""
    parser.add_argument(
        "--out", metavar="FOLDER", help="where the run and the pictures go (runs/tour-1, runs/tour-2, ...)"
    )
    parser.add_argument("--steps", type=number(1, whole=True), metavar="N", help="how long the model learns")
    parser.add_argument("--quick", action="store_true", help="a tiny model and a few steps: seconds instead of minutes")
    parser.add_argument(
        "--stop", metavar="N", action="append", help="visit only this stop, by number or name; list shows them"
    )
    add_mine(parser)


def run(args: argparse.Namespace) -> int:
    """Visit the stops; return 0, or 130 when Ctrl-C ended the training."""
    from .stops import STOPS, Tour

    screen = Screen.of()
    if args.stop and "list" in args.stop:
        for i, stop in enumerate(STOPS, start=1):
            screen.line(f"{i}  {stop.name:<10}{stop.title}")
        return 0
    chosen = choose(args.stop or [], STOPS)
    from .train import free_folder

    folder = Path(args.out).expanduser() if args.out else free_folder("tour")
    if (folder / "manifest.json").exists():
        raise ConfigError(f"{folder}: holds a run already", hint="another folder, or leave out --out")
    tour = Tour(screen, folder, config_for(args.quick, args.steps))
    began = time.perf_counter()
    compiled = prepare(screen)
    with swapped(args.mine, screen):
        visit(tour, chosen)
    if tour.interrupted:
        screen.line(f"Go on with: tinyllm train --resume {tour.interrupted}")
        return 130
    screen.line()
    extra = f", {duration(compiled)} of them for compiling kernels this once" if compiled > 3 else ""
    screen.line(f"The tour took {duration(time.perf_counter() - began)}{extra}.", style="bold")
    screen.line(f"Everything is in {folder}")
    return 0


def visit(tour: Tour, chosen: list[Stop]) -> None:
    """Visit the stops in turn, until one was interrupted."""
    screen = tour.screen
    for i, stop in enumerate(chosen, start=1):
        screen.heading(f"{i} of {len(chosen)}: {stop.title}")
        screen.paragraph(stop.sentence)
        screen.line()
        stop.visit(tour)
        if tour.interrupted:
            return


def prepare(screen: Screen) -> float:
    """Compile what the stops need, in float32 for training and float64 for checks; return the seconds."""
    from ..kernels import TRAINING
    from .compiling import compile_kernels

    return compile_kernels(screen, names=TRAINING) + compile_kernels(screen, dtype="float64", names=_CHECKED)


def duration(seconds: float) -> str:
    """Write a time in words.

    Example:
        >>> duration(7.2), duration(151)
        ('7 s', '2 min 31 s')
    """
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def config_for(quick: bool, steps: int | None) -> Any:
    """Return what the model learns, and for how long."""
    from ..train import TrainConfig
    from .settings import follow

    fields = TrainConfig.preset("smoke" if quick else "tour").to_dict()
    chosen = {} if steps is None else {"steps": steps}
    fields |= chosen
    if steps is not None:
        fields["max_seconds"] = None  # who asks for steps gets them all
    follow(fields, chosen, plain=False)
    return TrainConfig.from_dict(fields)


def choose(asked: list[str], stops: list[Stop]) -> list[Stop]:
    """Return the stops to visit, in order, with those that they need.

    Raises:
        ConfigError: there is no such stop; the nearest is named.
    """
    names = [stop.name for stop in stops]
    wanted: set[str] = set()
    for word in [part.strip() for text in asked for part in text.split(",")]:
        name = names[int(word) - 1] if word.isdigit() and 0 < int(word) <= len(names) else word
        if name not in names:
            close = nearest(name, names)
            raise ConfigError(
                f"--stop: there is no stop {word!r}", hint=close or f"1 to {len(names)}, or {', '.join(names)}"
            )
        wanted.add(name)
    for stop in reversed(stops):
        if stop.name in wanted:
            wanted.update(stop.needs)
    return [stop for stop in stops if stop.name in wanted] if asked else list(stops)
