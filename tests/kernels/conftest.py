"""What the kernel tests share: arrays of every awkward kind, and one way to say "the same numbers"."""

from __future__ import annotations

import os

import numpy as np
import pytest

os.environ.setdefault("NUMBA_NUM_THREADS", "2")  # where there is one core, two threads must still give the same bits


def assert_close(got, expected, dtype, factor=32):
    """Hold ``got`` to ``expected`` within ``factor`` roundings of its dtype, relative to the largest entry."""
    got, expected = np.asarray(got), np.asarray(expected)
    assert got.shape == expected.shape
    assert got.dtype == dtype
    finite = np.isfinite(expected)
    np.testing.assert_array_equal(got[~finite], expected[~finite].astype(dtype))
    largest = np.abs(expected[finite]).max(initial=1.0)
    np.testing.assert_allclose(got[finite], expected[finite], rtol=0, atol=factor * np.finfo(dtype).eps * largest)


@pytest.fixture
def close():
    return assert_close


@pytest.fixture
def rng():
    return np.random.default_rng(20240229)


@pytest.fixture(params=[np.float32, np.float64], ids=["f32", "f64"])
def dtype(request):
    return np.dtype(request.param)
