"""Search over postings: every rung in Numba against NumPy, at sizes around a block, with room between the lists."""

from __future__ import annotations

import numpy as np
import pytest

from tinyllm import kernels
from tinyllm.kernels import postings
from tinyllm.kernels.postings import reference


def drawn(rng, n, V=23):
    """A pool of V lists over n documents, out of order and with gaps, sizes, gains, and three queries."""
    lists = [np.flatnonzero(rng.random(n) < rng.random()) for _ in range(V)]
    lengths = np.array([x.size for x in lists])
    rooms = lengths + rng.integers(0, 4, V)
    order = rng.permutation(V)
    starts = np.empty(V, np.int64)
    starts[order] = np.cumsum(rooms[order]) - rooms[order]
    docs = rng.integers(0, n, int(rooms.sum())).astype(np.uint32)  # nobody may read the gaps
    for start, x in zip(starts, lists, strict=True):
        docs[start : start + x.size] = x
    counts = rng.integers(1, 5, docs.size).astype(np.int32)
    queries = np.array([0, 3, 3, 20, 7, 9, 1]), np.array([0, 4, 4, 7])
    return (docs, counts, starts, lengths), rng.integers(1, 90, n).astype(float), rng.random(V), queries


@pytest.mark.parametrize("n", [1, 7, 63, 64, 65, 1000])
def test_fast_equals_reference(n, rng):
    pool, sizes, gain, queries = drawn(rng, n)
    results = {}
    for backend in kernels.BACKENDS:
        with kernels.use(backend):
            weights = postings.weigh(pool, sizes, gain, 0.4, 0.02)
            kept = postings.search_weights((pool[0], weights, *pool[2:]), queries, n, 10)
            live = postings.search_counts(pool, queries, sizes, gain[queries[0]], 0.4, 0.02, 10)
            results[backend] = weights, *kept, *live
    for x, y in zip(*results.values(), strict=True):
        assert x.dtype == y.dtype
        np.testing.assert_allclose(x, y, rtol=1e-5)


@pytest.mark.parametrize(("k", "ties"), [(150, True), (7, True), (7, False), (1, False)])
def test_rungs_agree_to_the_last_bit_and_ties_go_up(rng, k, ties):
    from tinyllm.kernels.postings import search

    pool, sizes, gain, queries = drawn(rng, 200)
    weights = np.ones(pool[0].size, np.float32) if ties else reference.weigh(pool, sizes, gain, 0.4, 0.02)
    pool = pool[0], weights, *pool[2:]
    expected = reference.search_weights(pool, queries, 200, k)
    for rung in (search.search_weights_v1, search.search_weights_v2, search.search_weights_v3):
        scores = np.zeros(200, np.float32)
        out = np.zeros((3, k), np.int32), np.zeros((3, k), np.int32), np.zeros(3, np.int64)
        rung(*pool, *queries, scores, scores.view(np.int32), *out)
        for x, y in zip((out[0], out[1].view(np.float32), out[2]), expected, strict=True):
            np.testing.assert_array_equal(x, y)
        assert not scores.any()  # left clean for the next query


def test_a_weight_is_never_zero():
    pool = np.zeros(1, np.uint32), np.ones(1, np.int32), np.zeros(1, np.int64), np.ones(1, np.int64)
    for backend in kernels.BACKENDS:
        with kernels.use(backend):
            assert postings.weigh(pool, np.ones(1), np.zeros(1), 1, 1)[0] == np.float32(postings.TINY)
