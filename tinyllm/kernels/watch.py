"""Being told when Numba compiles, for whoever waits for it.

Most kernels come from the cache on disk in no time. One that does not takes seconds, and from outside that looks as if
the program hung.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from .table import backend


@contextmanager
def watched(tell: Callable[[str], object]) -> Iterator[None]:
    """Call ``tell`` with the name of each function that is compiled inside of this block; not of one that is loaded.

    Example:
        >>> with watched(print):
        ...     pass
    """
    if backend() != "numba":
        yield
        return
    from numba.core import event

    class Listener(event.Listener):
        def on_start(self, happened: Any) -> None:
            tell(happened.data["dispatcher"].py_func.__name__.lstrip("_"))

        def on_end(self, happened: Any) -> None:
            pass

    listener = Listener()
    event.register("numba:compile", listener)
    try:
        yield
    finally:
        event.unregister("numba:compile", listener)
