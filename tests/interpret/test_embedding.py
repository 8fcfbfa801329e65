"""Nearest tokens by cosine, and analogies."""

from __future__ import annotations

import numpy as np
import pytest

from tinyllm.errors import ConfigError, RangeError
from tinyllm.interpret import analogy, nearest_tokens


def test_cosines_as_they_are_defined(rng):
    vectors = rng.normal(size=(9, 4)) * np.exp(rng.normal(size=(9, 1)))  # lengths that must not count
    ids, cosines = nearest_tokens(vectors, 2, k=8)
    v = vectors[2]
    wanted = vectors @ v / np.linalg.norm(vectors, axis=1) / np.linalg.norm(v)
    assert ids.tolist() == [i for i in np.argsort(-wanted) if i != 2]
    np.testing.assert_allclose(cosines, wanted[ids], rtol=1e-12)
    np.testing.assert_array_equal(nearest_tokens(vectors.astype(np.float32), 2, k=8)[0], ids)


def test_a_vector_of_zeros_is_like_none():
    vectors = np.array([[0.0, 0.0], [1.0, 0.0], [-1.0, 0.0]])
    assert nearest_tokens(vectors, 1, k=2)[1].tolist() == [0, -1]
    assert nearest_tokens(vectors, 0, k=2)[1].tolist() == [0, 0]


def test_analogy_takes_vectors_of_length_one(rng):
    vectors = rng.normal(size=(12, 5)) * np.exp(rng.normal(size=(12, 1)))
    units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    wanted = units @ (units[1] - units[4] + units[7])
    ids, cosines = analogy(vectors, 4, 1, 7, k=9)
    assert ids.tolist() == [i for i in np.argsort(-wanted) if i not in (1, 4, 7)]
    np.testing.assert_allclose(cosines, wanted[ids] / np.linalg.norm(units[1] - units[4] + units[7]), rtol=1e-12)
    assert analogy(vectors, 3, 3, 7, k=9)[0].tolist() == [i for i in nearest_tokens(vectors, 7, 11)[0] if i != 3][:9]


def test_bad_input():
    vectors = np.eye(4)
    for token in (-1, 4):
        with pytest.raises(RangeError, match=f"no token {token}. Try: ids from 0 to 3"):
            nearest_tokens(vectors, token)
        with pytest.raises(RangeError, match="analogy"):
            analogy(vectors, 0, 1, token)
    with pytest.raises(ConfigError, match="the nearest 4 of 3 other tokens"):
        nearest_tokens(vectors, 0, k=4)
    with pytest.raises(ConfigError, match="the nearest 2 of 1 other tokens"):
        analogy(vectors, 0, 1, 2, k=2)
