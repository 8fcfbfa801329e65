"""exp and erf inside of kernels: as accurate as their file says, also where exponents run out."""

from __future__ import annotations

import math

import numba
import numpy as np
import pytest

from tinyllm.kernels.jit import elementary


@numba.njit
def exp_of_all(x, y):
    for i in range(x.size):
        y[i] = elementary.exp(x[i])


@pytest.mark.parametrize(("dtype", "lowest", "highest"), [(np.float32, -86.98, 88.72), (np.float64, -708.0, 709.7)])
def test_exp_is_accurate_and_ends_well(dtype, lowest, highest):
    x = np.linspace(lowest, highest, 200_001).astype(dtype)
    y = np.empty_like(x)
    exp_of_all(x, y)
    expected = np.exp(x.astype(np.longdouble))
    assert float(np.abs(y / expected - 1).max()) < np.finfo(dtype).eps

    ends = np.array([-np.inf, np.inf, np.nan, -1e4, 1e4, 0.0, -0.0], dtype)
    y = np.empty_like(ends)
    exp_of_all(ends, y)
    np.testing.assert_array_equal(y, [0, np.inf, np.nan, 0, np.inf, 1, 1])


def test_outside_of_kernels_they_are_pythons():
    assert elementary.exp(1.0) == math.e
    assert elementary.erf(0.5) == math.erf(0.5)
    assert elementary.like(0.0, 0.25) == 0.25
