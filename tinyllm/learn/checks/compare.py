"""Does what a function returned agree with what was expected: the kind of thing, its shape, its numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ...autograd import Tensor

Array = np.ndarray[Any, Any]

EPS = 1e-13  # of the largest number around: the rounding that any order of additions may leave


@dataclass
class Difference:
    """How a result differs from what was expected.

    Attributes:
        kind: "kind" (not an array, another type), "shape", "dtype", "nan", or "values".
        text: the figures, or the sentence that says what is different.
        error: the largest difference, relative to the largest expected entry.
        index: where it is largest.
    """

    kind: str
    text: str
    error: float = float("inf")
    index: tuple[int, ...] = ()


def numeric(value: Any) -> bool:
    """Is it a number or an array of numbers (or booleans)?"""
    if isinstance(value, np.ndarray):
        return value.dtype.kind in "fciub"
    return isinstance(value, (bool, int, float, complex, np.generic))


def error_of(got: Any, expected: Any) -> float:
    """Return the largest difference of two values, relative to the largest expected entry; NaN counts as inf."""
    a, b = np.asarray(got), np.asarray(expected)
    if a.shape != b.shape:
        return float("inf")
    if b.dtype.kind == "b" or a.dtype.kind == "b":
        return float(np.any(a != b))
    finite = np.isfinite(b)
    if not np.array_equal(a[~finite], b[~finite], equal_nan=True):
        return float("inf")
    a, b = np.where(finite, a, 0), np.where(finite, b, 0)
    with np.errstate(all="ignore"):
        difference = float(np.abs(a - b).max(initial=0.0))
        scale = float(np.abs(b).max(initial=0.0))
    if not difference:
        return 0.0
    return difference / scale if scale and np.isfinite(difference) else (difference if scale == 0 else float("inf"))


def close(got: Any, expected: Any, rtol: float, around: float = 1.0) -> bool:
    """Are two numeric values equal up to ``rtol`` of the largest expected entry, and rounding?

    Args:
        got: what is tried.
        expected: what it is held against.
        rtol: relative to the largest expected entry.
        around: the largest number that went into the calculation; what cancels leaves rounding of that size.
    """
    a, b = np.asarray(got), np.asarray(expected)
    if a.shape != b.shape:
        return False
    if a.dtype.kind == "b" or b.dtype.kind == "b" or (b.dtype.kind in "iu" and a.dtype.kind in "iu"):
        return bool(np.array_equal(a, b))
    finite = np.isfinite(b)
    if not np.array_equal(a[~finite], b[~finite], equal_nan=True):
        return False
    a, b = np.where(finite, a, 0), np.where(finite, b, 0)
    with np.errstate(all="ignore"):
        allowed = rtol * float(np.abs(b).max(initial=0.0)) + EPS * max(1.0, around)
        return bool(np.all(np.abs(a - b) <= allowed))  # written so that NaN fails


def difference(got: Any, expected: Any, rtol: float, around: float = 1.0) -> Difference | None:
    """Compare one result with what was expected; None when they agree.

    Example:
        >>> difference(np.zeros(3), np.zeros((3, 1)), 1e-9).text
        'shape (3,), expected (3, 1)'
        >>> difference(1.0, 1.0 + 1e-15, 1e-9) is None
        True
    """
    if not numeric(expected):
        return _other(got, expected)
    if not numeric(got):
        return Difference("kind", f"{_kind(got)}, expected {_kind(expected)}")
    a, b = np.asarray(got), np.asarray(expected)
    if a.shape != b.shape:
        return Difference("shape", f"shape {a.shape}, expected {b.shape}")
    if (a.dtype.kind == "b") != (b.dtype.kind == "b") or (a.dtype.kind == "c") != (b.dtype.kind == "c"):
        return Difference("dtype", f"{a.dtype}, expected {b.dtype}")
    if b.dtype.kind in "iu" and a.dtype.kind not in "iu":
        return Difference("dtype", f"{a.dtype}, expected {b.dtype}")
    if close(a, b, rtol, around):
        return None
    stray = ~np.isfinite(a) & np.isfinite(b)
    if stray.any():
        index = tuple(int(i) for i in np.argwhere(stray)[0])
        return Difference("nan", f"{a[index]!s} where {_short(b[index])} is expected", index=index)
    with np.errstate(all="ignore"):
        away = (a != b) if b.dtype.kind == "b" else np.abs(np.subtract(a, b, dtype=np.result_type(a, b, np.float64)))
    away = np.where(np.isnan(away), np.inf, away) if away.dtype.kind == "f" else away
    index = tuple(int(i) for i in np.unravel_index(int(np.argmax(away)), b.shape))
    return Difference("values", f"yours {_short(a[index])}, expected {_short(b[index])}", error_of(a, b), index)


def _other(got: Any, expected: Any) -> Difference | None:
    """Compare what is no number: texts, lists, dictionaries, None."""
    if isinstance(expected, (tuple, list)) and isinstance(got, (tuple, list)):
        same = len(got) == len(expected) and all(
            difference(g, e, 1e-9) is None for g, e in zip(got, expected, strict=True)
        )
    elif isinstance(expected, Tensor) and isinstance(got, Tensor):
        return difference(got.data, expected.data, 1e-9)
    elif isinstance(got, np.ndarray) or isinstance(expected, np.ndarray):
        same = type(got) is type(expected) and bool(np.array_equal(got, expected))
    else:
        same = type(got) is type(expected) and bool(np.all(got == expected))
    return None if same else Difference("values", f"yours {_short(got)}, expected {_short(expected)}")


def _kind(value: Any) -> str:
    if value is None:
        return "None"
    if isinstance(value, np.ndarray):
        return f"an array of {value.dtype}"
    if isinstance(value, (bool, int, float, complex, np.generic)):
        return "a number"
    name = type(value).__name__
    return f"{'an' if name[0].lower() in 'aeiou' else 'a'} {name}"


def _short(value: Any) -> str:
    if isinstance(value, (bool, np.bool_)):
        return str(bool(value))
    if isinstance(value, (int, np.integer)):
        return str(int(value))
    if isinstance(value, (float, np.floating)):
        return f"{float(value):.4g}"
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
