"""Exact search beside faiss, and the graph beside hnswlib."""

from __future__ import annotations

import numpy as np
import pytest

from tinyllm import kernels
from tinyllm.rag.index import HNSW, Flat

pytestmark = pytest.mark.oracle


@pytest.fixture
def vectors(rng):
    """1000 vectors of length 1 and 100 queries, of 8 dimensions within 32."""
    x = rng.standard_normal((1100, 8)) @ rng.standard_normal((8, 32)) + 0.2 * rng.standard_normal((1100, 32))
    x = (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)
    return x[:1000], x[1000:]


def filled(index, x):
    index.add([str(i) for i in range(len(x))], x)
    return index


def test_flat_finds_what_faiss_finds(vectors):
    faiss = pytest.importorskip("faiss", reason="faiss-cpu is not installed")
    x, q = vectors
    theirs = faiss.IndexFlatIP(32)
    theirs.add(x)
    with kernels.use("numpy"):
        ids, scores = filled(Flat(), x).search(q, 10)
    wanted, places = theirs.search(q, 10)
    np.testing.assert_allclose(scores, wanted, atol=1e-6)
    assert (np.array(ids).astype(int) == places).mean() > 0.99  # all but near ties


def test_hnsw_finds_as_much_as_hnswlib(vectors):
    hnswlib = pytest.importorskip("hnswlib", reason="hnswlib is not installed")
    x, q = vectors
    theirs = hnswlib.Index("ip", 32)
    theirs.init_index(len(x), M=4, ef_construction=20, random_seed=1)
    theirs.add_items(x, num_threads=1)
    theirs.set_ef(20)
    best = np.argsort(-(q @ x.T), axis=1)[:, :10]
    found = np.array(filled(HNSW(M=4, ef_construction=20, ef=20), x).search(q, 10)[0]).astype(int)
    ours, hers = (
        np.mean([len(set(a) & set(b)) / 10 for a, b in zip(lines.tolist(), best.tolist(), strict=True)])
        for lines in (found, theirs.knn_query(q, 10)[0].astype(int))
    )
    assert ours > hers - 0.03
