"""Exact search beyond the contract of all indexes: metrics, storage, many queries, the kernels beneath."""

from __future__ import annotations

import numpy as np
import pytest

from tinyllm import kernels
from tinyllm.errors import ConfigError
from tinyllm.rag.index import Flat


def test_dot_takes_vectors_as_they_are(rng):
    index, x = Flat(metric="dot"), rng.standard_normal((30, 5)).astype(np.float32)
    index.add([str(i) for i in range(30)], x)
    with kernels.use("numpy"):
        ids, scores = index.search(x[3], 30)
    np.testing.assert_allclose(scores, np.sort(x @ x[3])[::-1], rtol=1e-5, atol=1e-6)
    assert ids[0] == str(int(np.argmax(x @ x[3])))


@pytest.mark.parametrize("storage", ["float32", "float16", "int8"])
@pytest.mark.parametrize("backend", kernels.BACKENDS)
def test_many_queries_equal_one_at_a_time(rng, storage, backend):
    index, x = Flat(storage=storage), rng.standard_normal((300, 16)).astype(np.float32)
    index.add([str(i) for i in range(300)], x)
    index.remove([str(i) for i in range(0, 40)])
    with kernels.use(backend):
        names, scores = index.search(x[:20], 7)
        for q, line, found in zip(x, names, scores, strict=False):
            alone, alone_scores = index.search(q, 7)
            assert alone == line
            np.testing.assert_allclose(alone_scores, found, atol=1e-6)


@pytest.mark.parametrize(("storage", "error"), [("float16", 4e-4), ("int8", 4e-2)])
def test_rounded_storage_is_smaller_and_close(rng, storage, error):
    x = rng.standard_normal((100, 64)).astype(np.float32)
    exact, rounded = Flat(), Flat(storage=storage)
    for index in (exact, rounded):
        index.add([str(i) for i in range(100)], x)
    difference = np.abs(exact.search(x[:9], 10)[1] - rounded.search(x[:9], 10)[1]).max()
    assert 0 < difference < error
    assert rounded._rows.data.itemsize < exact._rows.data.itemsize


def test_lengths_do_not_overflow_or_vanish():
    index = Flat()
    index.add(["large", "small"], [[1e15, 1e15], [1e-30, -1e-30]])
    np.testing.assert_allclose(index.search([1e-38, 1e-38], 2)[1], [1, 0], atol=1e-6)


def test_settings_are_checked():
    with pytest.raises(ConfigError, match="metric"):
        Flat(metric="l2")
    with pytest.raises(ConfigError, match="storage"):
        Flat(storage="int4")
