"""From two arrays that should agree to a sentence about the mistake that parts them."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def guess(got: Array, expected: Array, rtol: float) -> str:
    """Name the usual mistake that turns ``expected`` into ``got``, or "" when none fits.

    Args:
        got: the gradient that the backward pass gave.
        expected: the numeric one, of the same shape.
        rtol: how far apart two arrays may be, relative to the larger's largest entry, and still be called equal.

    Example:
        >>> guess(np.array([-1.0, 2.0]), np.array([1.0, -2.0]), 1e-6)
        'the sign is wrong'
    """
    scale = float(np.abs(expected).max(initial=0.0))
    if not scale:
        return "it should be zero" if np.any(got) else ""
    if not np.any(got):
        return "nothing flows back: it is all zeros"

    def same(a: Array, b: Array) -> bool:
        return a.shape == b.shape and bool(np.abs(a - b).max(initial=0.0) <= 10 * rtol * scale)

    if same(got, -expected):
        return "the sign is wrong"
    if expected.ndim >= 2 and same(got, np.swapaxes(expected, -1, -2)):
        return "the last two axes are swapped"
    factor = _constant_factor(got, expected, rtol)
    if factor is not None:
        return f"every entry is {factor:.6g} times what it should be{_where_from(factor, expected.shape)}"
    for axis in range(expected.ndim):
        if expected.shape[axis] > 1:
            difference = got - expected
            if same(difference, np.broadcast_to(difference.mean(axis, keepdims=True), difference.shape)):
                return f"it is off by a constant along axis {axis}: a sum or mean over that axis is missing or extra"
    wrong = np.abs(got - expected) > 10 * rtol * scale
    if wrong.sum() <= max(1, wrong.size // 4):
        where = [tuple(int(i) for i in index) for index in np.argwhere(wrong)[:3]]
        count = f"only {int(wrong.sum())} of {wrong.size} entries are wrong"
        return f"{count} (first at {where}): edges, ties, repeats or a mask"
    return ""


def _constant_factor(got: Array, expected: Array, rtol: float) -> float | None:
    large = np.abs(expected) > 0.05 * np.abs(expected).max()
    ratios = got[large] / expected[large]
    factor = float(np.median(ratios))
    if np.abs(got - factor * expected).max() <= 100 * rtol * abs(factor) * np.abs(expected).max():
        return factor
    return None


def _where_from(factor: float, shape: tuple[int, ...]) -> str:
    """Say which size of the problem a factor looks like: 1/7 where an axis has 7 entries is no accident."""
    size = int(np.prod(shape))
    known = {"2": 2.0, "1/2": 0.5, "ln 2": float(np.log(2)), "1/ln 2": float(1 / np.log(2))}
    for n in sorted({*shape, size} - {0, 1}):
        known |= {f"{n}": float(n), f"1/{n}": 1 / n, f"sqrt({n})": n**0.5, f"1/sqrt({n})": n**-0.5}
        known |= {f"{n}/{n - 1}": n / (n - 1), f"{n - 1}/{n}": (n - 1) / n}
    for name, value in known.items():
        if abs(factor - value) <= 1e-4 * abs(value):
            return f" (that is {name})"
    return ""
