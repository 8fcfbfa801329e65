"""``--mine``: run what the learner wrote in place of the library's functions, and show the receipt."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from .parser import Parser
from .screen import Screen, say

if TYPE_CHECKING:
    from ..learn.slots.receipt import Receipt


def add_mine(parser: Parser) -> None:
    """Declare the option; ``--mine`` alone is ``--mine=all``, and never takes the word after it."""
    parser.alone["--mine"] = "all"
    parser.add_argument(
        "--mine", metavar="[=WHICH]",
        help="run your own functions from my/ that have passed: 10, 10,11, upto:11, 10.3 or all "
        "(also TINYLLM_MINE=WHICH)",
    )  # fmt: skip


@contextmanager
def swapped(which: str | None, screen: Screen | None, error: bool = False) -> Iterator[Receipt | None]:
    """Swap in what was asked for by the option or by TINYLLM_MINE, and print the receipt at the end.

    Args:
        which: the option's value.
        screen: where the receipt goes; None for nowhere, the caller has a use for it.
        error: on standard error, where standard output holds something else.
    """
    which = which or os.environ.get("TINYLLM_MINE", "").strip() or None
    if which is None:
        yield None
        return
    from ..learn.slots.swap import mine

    with mine(which) as receipt:
        yield receipt
    if screen is None:
        return
    for line in ["", *receipt.text().splitlines()]:
        if error:
            say(screen.fit(line), error=True)
        else:
            screen.line(line)
