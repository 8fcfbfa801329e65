"""From two arrays that should agree to a sentence about the mistake that parts them.

Every guess is tried on the numbers before it is made: "the sign is wrong" means that the negated array agrees. Guesses
come with a key, so that whoever has several pairs of arrays can keep those that explain all of them.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

Array = np.ndarray[Any, Any]


class Guess(NamedTuple):
    """A mistake that turns one array into the other: a key that is the same for the same mistake, and a sentence.

    A guess is weak when arrays of these shapes could hardly contradict it: a row of one entry is always off by a factor
    of its own. It says something only beside a stronger one with the same key.
    """

    key: str
    sentence: str
    weak: bool = False


def guess(
    got: Array,
    expected: Array,
    rtol: float,
    known: Mapping[str, float] | None = None,
    axes: Sequence[str] | None = None,
) -> str:
    """Name the usual mistake that turns ``expected`` into ``got``, or "" when none fits.

    Args:
        got: the gradient that the backward pass gave.
        expected: the numeric one, of the same shape.
        rtol: how far apart two arrays may be, relative to the larger's largest entry, and still be called equal.
        known: sizes and other numbers that a factor may come from, by name; by default the sizes of the array.
        axes: what the axes are called; by default "axis 0" and so on.

    Example:
        >>> guess(np.array([-1.0, 2.0]), np.array([1.0, -2.0]), 1e-6)
        'the sign is wrong'
        >>> guess(np.array([3.0, 6.0]), np.array([1.0, 2.0]), 1e-6, known={"D": 9})
        'every entry is 3 times what it should be (that is sqrt(D))'
    """
    found = next((found for found in guesses(got, expected, rtol, known, axes) if not found.weak), None)
    return found.sentence if found is not None else few(got, expected, rtol, axes)


def guesses(
    got: Array,
    expected: Array,
    rtol: float,
    known: Mapping[str, float] | None = None,
    axes: Sequence[str] | None = None,
) -> Iterator[Guess]:
    """Yield every mistake that turns ``expected`` into ``got``, most certain first; arguments as for ``guess``."""
    axes = [f"axis {axis}" for axis in range(expected.ndim)] if axes is None else axes
    if got.dtype.kind == "b" and expected.dtype.kind == "b":
        yield from _of_masks(got, expected)
        return
    got, expected = got.astype(np.result_type(got, np.float64)), expected.astype(np.result_type(expected, np.float64))
    if got.shape != expected.shape or not (np.isfinite(got).all() and np.isfinite(expected).all()):
        return
    scale = float(np.abs(expected).max(initial=0.0))
    if not scale:
        if np.any(got):
            yield Guess("should be zero", "it should be zero")
        return
    if not np.any(got):
        yield Guess("zero", "nothing flows back: it is all zeros")
        if expected.all():  # as it would be, too, if a mask were inverted
            yield Guess("zeros inverted", _INVERTED, True)
        return

    def same(a: Array, b: Array) -> bool:
        return a.shape == b.shape and bool(np.abs(a - b).max(initial=0.0) <= 10 * rtol * scale)

    if same(got, expected):
        return
    if same(got, -expected):
        yield Guess("sign", "the sign is wrong")
    if known is None:
        known = {f"{n}": float(n) for n in sorted({*expected.shape, expected.size})}
    yield from _of_zeros(got, expected, 10 * rtol * scale)
    yield from _of_places(got, expected, same, axes)
    factor = _constant_factor(got, expected, rtol)
    if factor is not None:
        yield from _of_factor(factor, known, max(1e-6, 10 * rtol), got.size)
    yield from _of_values(got, expected, same)
    yield from _of_offsets(got, expected, same, known, axes, max(1e-6, 10 * rtol))
    yield from _of_ratios(got, expected, same, axes)
    if got.size > 1 and same(np.sort(got, axis=None), np.sort(expected, axis=None)):
        yield Guess("places", "these are the right numbers in the wrong places: a reshape or a transpose moved them")


def few(got: Array, expected: Array, rtol: float, axes: Sequence[str] | None = None) -> str:
    """Say which entries are wrong when they are few, else ""."""
    if got.shape != expected.shape:
        return ""
    scale = float(np.abs(expected).max(initial=0.0))
    wrong = (got != expected) if got.dtype.kind == "b" else ~(np.abs(got - expected) <= 10 * rtol * scale)
    if not wrong.any() or wrong.sum() > wrong.size // 4:
        return ""
    where = [tuple(int(i) for i in index) for index in np.argwhere(wrong)[:3]]
    count = f"only {int(wrong.sum())} of {wrong.size} entries {'are' if wrong.sum() > 1 else 'is'} wrong"
    return f"{count} (first at {where}): edges, ties, repeats or a mask"


def _of_masks(got: Array, expected: Array) -> Iterator[Guess]:
    """Masks: the other way round, transposed, or with the edge of the triangle in another place."""
    if got.shape != expected.shape or np.array_equal(got, expected):
        return
    if np.array_equal(got, ~expected):
        yield Guess("inverted", "it is the other way round: True stands where False belongs", got.size < 2)
    if got.ndim == 2 and got.shape[0] == got.shape[1] and np.array_equal(got, expected.T):
        yield Guess("swap -1 -2", "the last two axes are swapped")
    if got.all():
        yield Guess("all", "it is True everywhere", got.size < 2)
    elif not got.any():
        yield Guess("none", "it is False everywhere", got.size < 2)
    if got.ndim != 2:
        return
    T, S = got.shape
    if any(np.array_equal(got, ~np.tri(T, S, k, dtype=bool)) for k in range(-T, S + 1)):
        weak = T < 2 or S < 2
        yield Guess("other triangle", "it is the other triangle: True stands above the diagonal, not below", weak)
    edges = [k for k in range(-T, S + 1) if np.array_equal(got, np.tri(T, S, k, dtype=bool))]
    right = [k for k in range(-T, S + 1) if np.array_equal(expected, np.tri(T, S, k, dtype=bool))]
    for k, r in itertools.product(edges, right):
        if S != T and k == 0 and r == S - T:
            yield Guess("aligned left", "the triangle starts at the left end: the last row has to see the last column")
        side = "right" if k > r else "left"
        yield Guess(f"edge {k - r}", f"the edge of the triangle is {abs(k - r)} too far to the {side}")


_INVERTED = "it is zero where it should not be, and the other way round: a mask is inverted"


def _of_zeros(got: Array, expected: Array, near: float) -> Iterator[Guess]:
    """Zeros that are not there, or in the wrong places: a mask."""
    nothing, found = expected == 0, got == 0
    right = np.abs(got - expected) <= near
    if nothing.any() and np.array_equal(nothing, ~found):
        yield Guess("zeros inverted", _INVERTED)
    if nothing.any() and right[~nothing].all():
        yield Guess("zeros missing", "it is right but for the entries that should be zero: a mask is missing")


def _of_places(
    got: Array, expected: Array, same: Callable[[Array, Array], bool], axes: Sequence[str]
) -> Iterator[Guess]:
    """The right entries elsewhere: axes swapped, backwards, shifted by one."""
    pairs = sorted(itertools.combinations(range(expected.ndim), 2), key=lambda pair: -sum(pair))
    for i, j in pairs:
        if expected.shape[i] == expected.shape[j] and same(got, np.swapaxes(expected, i, j)):
            last = (i, j) == (expected.ndim - 2, expected.ndim - 1)
            words = "the last two axes are swapped" if last else f"{axes[i]} and {axes[j]} are swapped"
            yield Guess(f"swap {i - expected.ndim} {j - expected.ndim}", words)
    for i in range(expected.ndim):
        if expected.shape[i] < 2:
            continue
        if same(got, np.flip(expected, i)):
            yield Guess(f"reversed {axes[i]}", f"it runs backwards along {axes[i]}")
        for step in (1, -1):
            rolled = np.roll(expected, step, i)
            cut = rolled.copy()
            np.moveaxis(cut, i, 0)[0 if step == 1 else -1] = 0
            if same(got, rolled) or same(got, cut):
                yield Guess(f"shift {axes[i]} {step}", f"it is shifted by one along {axes[i]}")


def _constant_factor(got: Array, expected: Array, rtol: float) -> float | None:
    large = np.abs(expected) > 0.05 * np.abs(expected).max()
    ratios = got[large] / expected[large]
    factor = float(np.median(ratios.real))
    if np.abs(got - factor * expected).max() <= 100 * rtol * abs(factor) * np.abs(expected).max():
        return factor
    return None


def _of_factor(factor: float, known: Mapping[str, float], rtol: float, size: int) -> Iterator[Guess]:
    """Say which size of the problem a factor looks like: 1/7 where an axis has 7 entries is no accident."""
    if abs(factor - 1) <= rtol:
        return
    text = f"every entry is {factor:.6g} times what it should be"
    sign = "minus " if factor < 0 else ""
    for name, value in _quantities(known):
        if abs(abs(factor) - value) <= rtol * value:
            yield Guess(f"factor {sign}{name}", f"{text} (that is {sign}{name})")
    yield Guess(f"factor {factor:.5g}", text, size < 3)


def _quantities(known: Mapping[str, float]) -> Iterator[tuple[str, float]]:
    """Yield the numbers that factors are made of, each under its plainest name first."""
    sizes = {name: abs(float(value)) for name, value in known.items() if value and abs(value) != 1}
    for name, n in sizes.items():
        yield name, n
        yield f"1/{name}", 1 / n
        yield f"sqrt({name})", n**0.5
        yield f"1/sqrt({name})", n**-0.5
    ln2 = float(np.log(2))
    yield from (("2", 2.0), ("1/2", 0.5), ("ln 2", ln2), ("1/ln 2", 1 / ln2), ("(ln 2)^2", ln2 * ln2))
    for name, n in sizes.items():
        if n > 1:
            yield f"{name}/({name}-1)", n / (n - 1)
            yield f"({name}-1)/{name}", (n - 1) / n
            yield f"{name}^2", n * n
    for (one, n), (two, m) in itertools.combinations(sizes.items(), 2):
        yield f"{one} {two}", n * m
        yield f"1/({one} {two})", 1 / (n * m)
        yield f"{one}/{two}", n / m
        yield f"{two}/{one}", m / n
    for (one, n), (two, m) in itertools.permutations(sizes.items(), 2):
        yield f"{one}/sqrt({two})", n / m**0.5
        yield f"sqrt({two})/{one}", m**0.5 / n
        yield f"{one} sqrt({two})", n * m**0.5
        yield f"1/({one} sqrt({two}))", 1 / (n * m**0.5)


_FUNCTIONS: tuple[tuple[str, Callable[[Array], Array]], ...] = (
    ("the exponential of what it should be: a logarithm is missing", np.exp),
    ("the logarithm of what it should be: an exponential is missing", np.log),
    ("the square of what it should be", np.square),
    ("the square root of what it should be", np.sqrt),
    ("one divided by what it should be", np.reciprocal),
    ("what it should be without the signs", np.abs),
)


def _of_values(got: Array, expected: Array, same: Callable[[Array, Array], bool]) -> Iterator[Guess]:
    """A function of what it should be."""
    with np.errstate(all="ignore"):
        for words, function in _FUNCTIONS:
            other = function(expected)
            if np.isfinite(other).all() and np.abs(other).max() <= 1e6 and same(got, other):
                yield Guess(words, f"it is {words}")


def _of_offsets(
    got: Array,
    expected: Array,
    same: Callable[[Array, Array], bool],
    known: Mapping[str, float],
    axes: Sequence[str],
    rtol: float,
) -> Iterator[Guess]:
    """The same amount too much everywhere, or along one axis."""
    difference = got - expected
    amount = float(difference.real.mean())
    if same(difference, np.full_like(difference, amount)):
        for name, n in known.items():
            if n > 1 and abs(abs(amount) - np.log(n)) <= rtol * np.log(n):
                more = "more" if amount > 0 else "less"
                yield Guess(f"offset ln {name}", f"every entry is ln({name}) {more} than it should be")
        yield Guess(f"offset {amount:.5g}", f"every entry is off by {amount:.6g}", expected.size < 3)
    for axis in range(expected.ndim):
        if same(difference, np.broadcast_to(difference.mean(axis, keepdims=True), got.shape)):
            words = f"it is off by a constant along {axes[axis]}: a sum or mean over that axis is missing or extra"
            yield Guess(f"offset along {axes[axis]}", words, expected.shape[axis] < 2)


def _of_ratios(
    got: Array, expected: Array, same: Callable[[Array, Array], bool], axes: Sequence[str]
) -> Iterator[Guess]:
    """Rows that sum to one along the wrong axis, or that are each off by a factor of their own."""
    to_one = [same(expected.sum(i, keepdims=True), np.ones_like(expected.sum(i, keepdims=True))) for i in _axes(got)]
    other = [same(got.sum(i, keepdims=True), np.ones_like(got.sum(i, keepdims=True))) for i in _axes(got)]
    for i, j in itertools.permutations(_axes(got), 2):
        if to_one[i] and other[j] and not other[i]:
            yield Guess(f"sums {axes[i]} {axes[j]}", f"it sums to 1 along {axes[j]}, and should along {axes[i]}")
    for i in _axes(got):
        squares = (expected * expected).sum(i, keepdims=True)
        if not np.all(squares):
            continue
        if same(got, expected * ((got * expected).sum(i, keepdims=True) / squares)):
            words = f"each row along {axes[i]} is off by a factor of its own: it is divided by, or times, the wrong one"
            yield Guess(f"ratio {axes[i]}", words, expected.shape[i] < 3)


def _axes(array: Array) -> range:
    return range(array.ndim)
