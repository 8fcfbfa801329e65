r"""Llama-3's slowed-down angles in GGUF: not the four numbers they come from, but what each frequency is divided by.

    rope_freqs.weight[i] = f_i / slowed(f)_i     for the D/2 frequencies f_i = theta^(-2i/D)

Which four numbers made a table cannot be told from it: three of them (``low``, ``high``, ``original``), each doubled,
make the same one. So the files written here also say them, under a key that other readers pass over. A file without it
is read with the ``low`` and ``high`` that all models of this kind have, 1 and 4, and the ``original`` that gives its
table; a table that no such numbers give is refused.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from ...errors import CheckpointError, ConfigError
from ...nn import RopeScaling

Array = np.ndarray[Any, np.dtype[Any]]

NUMBERS = "tinyllm.rope_scaling"  # factor, low, high, original
_LOW, _HIGH, _ORIGINAL = 1.0, 4.0, 8192
_TOLERANCE = 1e-5  # relative; who made the table may have computed in float32


def rope_table(scaling: RopeScaling, D: int, theta: float) -> Array:
    """Return what each of D/2 frequencies is divided by, in float32.

    Example:
        >>> rope_table(RopeScaling("llama3", factor=8.0, original=32), 8, 10000.0)
        array([1., 8., 8., 8.], dtype=float32)
    """
    f = _frequencies(D, theta)
    return (f / scaling.slowed(f)).astype(np.float32)


def scaling_of(table: Array, theta: float, numbers: Any = None) -> RopeScaling | None:
    """Return the scaling that makes a table, or None if it changes nothing.

    Args:
        table: (D/2,) what each frequency is divided by.
        theta: the base of the frequencies.
        numbers: factor, low, high and original, if the file says them.

    Raises:
        CheckpointError: no scaling that is known here makes this table.

    Example:
        >>> scaling = RopeScaling("llama3", factor=32.0)
        >>> scaling_of(rope_table(scaling, 64, 500000.0), 500000.0) == scaling
        True
    """
    if not np.all(np.isfinite(table)) or not np.all(table > 0):
        raise CheckpointError("rope_freqs.weight: holds something else than numbers above 0", hint="convert it again")
    if np.all(table == 1):
        return None
    with np.errstate(all="ignore"):  # numbers of a damaged file may lead anywhere
        for candidate in _candidates(table, theta, numbers):
            if np.allclose(rope_table(candidate, 2 * len(table), theta), table, rtol=_TOLERANCE, atol=0):
                return candidate
    raise CheckpointError(
        f"rope_freqs.weight: divides by {table.min():.6g} to {table.max():.6g}, and not as Llama 3's scaling does",
        hint="a model whose RoPE scaling is of type llama3 with low_freq_factor 1 and high_freq_factor 4",
    )


def _candidates(table: Array, theta: float, numbers: Any) -> Iterator[RopeScaling]:
    """Yield the scalings that the file names, that Llama 3 has, and that a frequency between the two ends asks for."""
    if isinstance(numbers, np.ndarray) and numbers.shape == (4,) and numbers.dtype.kind == "f":
        factor, low, high, original = numbers.tolist()
        with contextlib.suppress(ConfigError):  # then the table alone must say it
            yield RopeScaling("llama3", factor, low, high, int(original) if original == original // 1 else original)
    factor = float(str(table.max()))  # the shortest decimal of this float32
    yield RopeScaling("llama3", factor, _LOW, _HIGH, _ORIGINAL)
    kept = (1 / table.astype(np.float64) - 1 / factor) / (1 - 1 / factor) if factor != 1 else np.zeros(len(table))
    between = np.flatnonzero((kept > 1e-3) & (kept < 1 - 1e-3))
    if len(between):
        one = between[len(between) // 2]
        turns = _LOW + kept[one] * (_HIGH - _LOW)
        original = round(2 * math.pi * turns / _frequencies(2 * len(table), theta)[one])
        if original > 0:
            yield RopeScaling("llama3", factor, _LOW, _HIGH, original)


def _frequencies(D: int, theta: float) -> Array:
    """Return the D/2 angles from one position to the next."""
    f: Array = np.float64(theta) ** (-np.arange(0, D, 2, dtype=np.float64) / D)
    return f
