"""A word to those who wait: the first long text of all compiles the kernels, in silence."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Iterator

from ..screen import Screen

_SECONDS = 1.5
_WORD = "still at work: the first long text of all compiles the kernels, which takes some ten seconds"


@contextlib.contextmanager
def patience(seconds: float = _SECONDS) -> Iterator[None]:
    """Say on standard error what takes so long, if it does, and nothing if it does not."""
    timer = threading.Timer(seconds, lambda: Screen.of(sys.stderr).line(_WORD, style="dim"))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
