"""Whoever waits for Numba is told what it compiles."""

from __future__ import annotations

import pytest

from tinyllm import kernels
from tinyllm.kernels import watch


def test_numba_says_what_it_compiles():
    numba = pytest.importorskip("numba")
    told = []
    with kernels.use("numba"), watch.watched(told.append):
        numba.njit(lambda x: x + 1)(1)
    numba.njit(lambda x: x + 2)(1)
    assert told == ["<lambda>"]
    with kernels.use("numpy"), watch.watched(told.append):
        numba.njit(lambda x: x + 3)(1)
    assert told == ["<lambda>"]
