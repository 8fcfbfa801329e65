"""What is waited for, shown on a terminal while it takes its time; kernels that are compiled above all."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .screen import Screen

COMPILING = "compiling kernels (first run only)"


@contextmanager
def busy(what: str, kernels: bool = False) -> Iterator[None]:
    """Show on the terminal that something takes its time, for as long as a block does.

    It goes to standard error, next to whatever is written, and nowhere if that is no terminal. A terminal that wants
    plain lines gets one only when kernels are compiled, which can take many seconds.

    Args:
        what: takes its time.
        kernels: may kernels be compiled in this block? To find out, Numba has to be loaded.
    """
    screen = Screen.of(sys.stderr)
    if not getattr(screen.stream, "isatty", lambda: False)():
        yield
        return
    told = _Told(screen, what)
    try:
        if kernels:
            from ..kernels.watch import watched

            with watched(told.compiling):
                yield
        else:
            yield
    finally:
        told.done()


class _Told:
    """A line that moves while something is done, and goes when it is; or lines, where lines are plain."""

    def __init__(self, screen: Screen, what: str) -> None:
        self.screen = screen
        self.count = 0
        self.since = 0.0
        self.status: Any = None
        if not screen.plain:
            self.status = screen.console.status(screen.fit(what))
            self.status.start()

    def compiling(self, _: str) -> None:
        """Say so, and how many it were."""
        self.count += 1
        if self.count == 1:
            self.since = time.perf_counter()
            if self.status is None:
                self.screen.line(f"{COMPILING} ...")
        if self.status is not None:
            self.status.update(f"{COMPILING}: {self.count} functions so far")

    def done(self) -> None:
        """Take the line away; say how long it took to compile, if that was it."""
        if self.status is not None:
            self.status.stop()
        seconds = time.perf_counter() - self.since
        if self.count and seconds >= 1:
            self.screen.line(f"kernels compiled in {seconds:.0f} s; later runs load them", style="dim")
