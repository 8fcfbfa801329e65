"""The best k of many, and of products with a query: both back ends, beside sorting by hand."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from tinyllm.errors import RangeError, ShapeError
from tinyllm.kernels import BACKENDS, use
from tinyllm.kernels.dot_topk import dot_topk
from tinyllm.kernels.topk import top_k

module = sys.modules["tinyllm.kernels.dot_topk"]  # behind the function of the same name
both = pytest.mark.parametrize("backend", BACKENDS)


@both
@pytest.mark.parametrize("N", [1, 7, 63, 64, 65, 300])
@pytest.mark.parametrize("k", [0, 1, 10, 400])
def test_top_k_with_ties(rng, backend, N, k):
    scores = rng.integers(0, 9, (3, N)).astype(np.float32)
    allowed = rng.random(N) < 0.5
    for mask in (None, allowed, ~allowed & False):
        with use(backend):
            places, best = top_k(scores, k, mask)
        for q in range(3):
            wanted = sorted((-s, n) for n, s in enumerate(scores[q].tolist()) if mask is None or mask[n])[:k]
            assert places[q].tolist() == [n for _, n in wanted]
            assert best[q].tolist() == [-s for s, _ in wanted]


@both
@pytest.mark.parametrize(("N", "D"), [(1, 1), (63, 7), (600, 65)])
def test_dot_topk_of_whole_numbers(rng, backend, N, D):
    x, q = (rng.integers(-3, 4, shape).astype(np.float32) for shape in ((N, D), (5, D)))
    with use(backend):
        many, many_scores = dot_topk(x, q, 9)
        for one, places, scores in zip(q, many, many_scores, strict=True):
            wanted = sorted((-s, n) for n, s in enumerate((x @ one).tolist()))[:9]
            assert places.tolist() == [n for _, n in wanted] and scores.tolist() == [-s for s, _ in wanted]
            assert dot_topk(x, one, 9)[0].tolist() == places.tolist()
            odd = np.arange(N) % 2 == 1
            assert dot_topk(x, one, 3, odd)[0].tolist() == [
                n for _, n in sorted((-s, n) for n, s in enumerate((x @ one).tolist()) if n % 2)[:3]
            ]


def test_tile_by_tile_as_in_one(rng, monkeypatch):
    """Queries and rows at the ends of tiles, ties across them, and a tile in which nothing is allowed."""
    x, q = (rng.integers(-2, 3, shape).astype(np.float32) for shape in ((100, 3), (21, 3)))
    odd = (np.arange(100) % 2 == 1) & (np.arange(100) > 20)
    for mask in (None, odd):
        with use("numpy"):
            wanted = dot_topk(x, q, 12, mask)
        for queries, scores in ((4, 28), (7, 700), (21, 21), (1000, 1)):
            monkeypatch.setattr(module, "_QUERIES", queries)
            monkeypatch.setattr(module, "_SCORES", scores)
            with use("numba"):
                found = dot_topk(x, q, 12, mask)
            assert (found[0] == wanted[0]).all() and (found[1] == wanted[1]).all()


def test_what_is_refused():
    x = np.ones((3, 2), np.float32)
    with pytest.raises(RangeError, match="k is -1"):
        top_k(x, -1)
    with pytest.raises(ShapeError, match="allowed"):
        top_k(x, 1, np.ones(3, bool))
    with pytest.raises(ShapeError, match="scores"):
        top_k(x[0], 1)
    with pytest.raises(ShapeError, match="dot_topk"):
        dot_topk(x, np.ones(3, np.float32), 1)
