"""Compile the kernels in plain sight: the first run of all takes its time, and says what for."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from typing import Any

from .screen import Screen

_PATIENCE = 1.0  # seconds before anything is said: kernels that come from the cache load faster


def compile_kernels(
    screen: Screen, silent: bool = False, dtype: str = "float32", names: Sequence[str] | None = None
) -> float:
    """Make kernels ready and return the seconds it took.

    Args:
        screen: where to show the progress, if it takes longer than a second.
        silent: show nothing.
        dtype: what for: float32 to train, float64 to check.
        names: of the kernels; all of them unless told otherwise.
    """
    from .. import kernels

    if kernels.backend() != "numba":
        return 0.0
    began = time.perf_counter()
    with contextlib.ExitStack() as stack:
        told = None if silent else (_Lines(screen) if screen.plain else stack.enter_context(_Bar(screen)))
        kernels.warm(told.update if told else None, dtype, names, processes=min(2, kernels.threads()))
        if told:
            told.done()
    return time.perf_counter() - began


class _Lines:
    """A line when it begins, one for each quarter, and one at the end."""

    def __init__(self, screen: Screen) -> None:
        self.screen = screen
        self.began = time.perf_counter()
        self.said = 0

    def update(self, name: str, done: int, total: int) -> None:
        """Take note that another kernel is ready."""
        quarter = 4 * done // total
        if time.perf_counter() - self.began > _PATIENCE and (quarter > self.said or not self.said):
            self.screen.line(f"compiling kernels (first run only): {done} of {total}, {name}")
            self.said = max(quarter, 1)

    def done(self) -> None:
        """Say how long it took, if anything was said."""
        if self.said:
            self.screen.line(
                f"compiled in {time.perf_counter() - self.began:.0f} s; later runs load them from the cache"
            )


class _Bar:
    """A bar that appears when it takes longer, and stays as one line when it is full."""

    def __init__(self, screen: Screen) -> None:
        self.screen = screen
        self.began = time.perf_counter()
        self.bar: Any = None
        self.task: Any = None

    def __enter__(self) -> _Bar:
        return self

    def __exit__(self, *_: object) -> None:
        if self.bar:
            self.bar.stop()

    def update(self, name: str, done: int, total: int) -> None:
        """Move the bar, or make it."""
        if self.bar is None:
            if time.perf_counter() - self.began < _PATIENCE:
                return
            self._appear(total)
        self.bar.update(self.task, completed=done, kernel=name)

    def _appear(self, total: int) -> None:
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        columns = [
            TextColumn("compiling kernels (first run only)"),
            BarColumn(bar_width=20),
            TextColumn("{task.completed:.0f}/{task.total:.0f}"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[kernel]}"),
        ]
        self.bar = Progress(*columns, console=self.screen.console, transient=True)
        self.task = self.bar.add_task("", total=total, kernel="")
        self.bar.start()

    def done(self) -> None:
        """Replace the bar by a line."""
        if self.bar:
            self.bar.stop()
            self.bar = None
            seconds = time.perf_counter() - self.began
            self.screen.line(f"kernels compiled in {seconds:.0f} s; later runs load them", style="dim")
