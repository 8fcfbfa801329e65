"""The table of kernels: name -> {"numpy": the readable reference, "numba": the fast one}.

A kernel takes arrays and gives arrays. Its NumPy reference is written under ``@kernel``; what the rest of the house
calls is the *door* that the decorator leaves in its place. The door looks at the back end in force and at the dtypes:
float32 and float64 may go to Numba, everything else (complex numbers above all, which gradcheck uses, and empty arrays)
goes to the reference. A fast kernel may also decline, by returning NotImplemented, what it was not written for, such as
shapes that broadcast. Numba itself is imported by the first door that needs it, never before.

A training step of a small model goes through hundreds of doors: each costs half a microsecond.
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from importlib.util import find_spec
from typing import Any, ParamSpec, TypeVar

import numpy as np

from ..errors import KernelError
from .memory import keep_freed_memory
from .threads import prepare

P = ParamSpec("P")
R = TypeVar("R")
Array = np.ndarray[Any, np.dtype[Any]]

BACKENDS = ("numpy", "numba")
TABLE: dict[str, dict[str, Callable[..., Any]]] = {}
DOORS: dict[str, Callable[..., Any]] = {}

_Array = np.ndarray  # found faster as a name of this file than as an attribute
_FAST = np.dtype(np.float32), np.dtype(np.float64)
_chosen: ContextVar[str | None] = ContextVar("tinyllm_kernels", default=None)


def kernel(reference: Callable[P, R]) -> Callable[P, R]:
    """Enter a NumPy reference in the table and return its door.

    The door has the reference's signature and docstring; ``door.__wrapped__`` is the reference itself.
    """
    name = reference.__name__
    entry: dict[str, Callable[..., Any]] = {"numpy": reference}
    TABLE[name] = entry

    @functools.wraps(reference)
    def door(*args: P.args, **kwargs: P.kwargs) -> R:
        if (_chosen.get() or _default()) == "numba" and _fits_numba(args):
            fast = entry.get("numba") or _load_numba(name)
            result = fast(*args, **kwargs)
            if result is not NotImplemented:
                return result
        return entry["numpy"](*args, **kwargs)

    DOORS[name] = door
    return door


def reference(door: Callable[P, R]) -> Callable[P, R]:
    """Return the NumPy reference behind a door: references call each other by it, so that back ends never mix.

    It is looked up in the table at every call, so what was put there in its place is what runs.

    Example:
        >>> from tinyllm.kernels import softmax
        >>> reference(softmax)(np.zeros(2))
        array([0.5, 0.5])
    """
    return TABLE[door.__name__]["numpy"]


def _fits_numba(args: tuple[Any, ...]) -> bool:
    """Numba takes over when the arrays of numbers are all float32, or all float64, and none is empty."""
    found = None
    for a in args:
        if isinstance(a, _Array):
            dtype = a.dtype
            if not a.size:
                return False
            if dtype is not found and dtype.kind in "fc":
                if dtype not in _FAST or (found is not None and dtype != found):
                    return False
                found = dtype
    return found is not None


def _load_numba(name: str) -> Callable[..., Any]:
    """Import every Numba kernel, enter them all, and return the one asked for (the reference where there is none)."""
    try:
        from . import jit
    except ImportError as error:
        raise KernelError(
            f"numba is installed but cannot be loaded: {error}", hint="TINYLLM_KERNELS=numpy, or reinstall numba"
        ) from error
    for fast_name, fast in jit.FAST.items():
        TABLE[fast_name].setdefault("numba", fast)
    return TABLE[name].setdefault("numba", TABLE[name]["numpy"])


@functools.cache
def _settle() -> None:
    """Set what concerns the whole process, once, before the first kernel runs."""
    prepare()
    keep_freed_memory()


@functools.cache
def _default() -> str:
    """The back end of TINYLLM_KERNELS; without that, Numba where it is installed, else NumPy."""
    _settle()
    asked = os.environ.get("TINYLLM_KERNELS", "").strip().lower()
    if asked:
        return _checked(asked, source="TINYLLM_KERNELS")
    return "numba" if find_spec("numba") else "numpy"


def _checked(name: str, source: str) -> str:
    if name not in BACKENDS:
        raise KernelError(f"{source}: there is no back end {name!r}", hint="one of " + ", ".join(BACKENDS))
    if name == "numba" and not find_spec("numba"):
        raise KernelError(f"{source}: numba is not installed", hint="pip install numba, or use the back end numpy")
    return name


def backend() -> str:
    """Return the name of the back end in force here: "numpy" or "numba".

    Example:
        >>> with use("numpy"):
        ...     backend()
        'numpy'
    """
    return _chosen.get() or _default()


@contextmanager
def use(name: str) -> Iterator[None]:
    """Run a block on one back end; other threads and the code after the block keep theirs.

    Args:
        name: "numpy" or "numba".

    Raises:
        KernelError: there is no such back end, or numba is not installed.
    """
    _settle()
    token = _chosen.set(_checked(name, source="kernels.use"))
    try:
        yield
    finally:
        _chosen.reset(token)


@contextmanager
def without_loading() -> Iterator[None]:
    """Run a block on NumPy while Numba is not loaded; do nothing where it is, or where somebody chose a back end.

    Loading Numba's kernels takes half a second and 140 MB, and compiling them, the first time on a machine, much more.
    NumPy has done a little work by then. Whoever knows that the work is little says so with this.

    Example:
        >>> with use("numba"), without_loading():  # what was asked for is done
        ...     backend()
        'numba'
    """
    settled = _chosen.get() or os.environ.get("TINYLLM_KERNELS", "").strip() or f"{__package__}.jit" in sys.modules
    with nullcontext() if settled else use("numpy"):
        yield
