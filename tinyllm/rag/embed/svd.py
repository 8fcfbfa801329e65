"""The largest singular values of a sparse matrix, and their vectors, without ever having the matrix dense.

A = U diag(s) V' says: along the directions v_1, v_2, ... the rows of A are longest. To find the first k of them, A is
multiplied with a few more random directions than k. What comes out, Y = A X, lies mostly along the large u, because A
stretches what lies there. Multiplying by A' and A again stretches it more; as all columns would soon point the same
way, they are made orthogonal (QR) after every product. Then U is nearly within the span of an orthonormal Q, and what
remains is the SVD of the small matrix A'Q.

Source: Halko, Martinsson & Tropp 2011, Finding structure with randomness, arXiv:0909.4061, algorithms 4.4 and 5.1.
"""

from __future__ import annotations

import numpy as np

from ...errors import ConfigError
from ...kernels import Array
from ...kernels.sparse import Sparse, sparse_dot, transposed


def randomized_svd(
    rows: Sparse, V: int, k: int, seed: int = 0, *, oversampling: int = 10, powers: int = 4
) -> tuple[Array, Array, Array]:
    """Return u (N, k), s (k,) descending, and v (V, k): nearly the first k of the SVD of a sparse matrix (N, V).

    The entry of v_i that is largest in absolute value is positive, so that a seed gives one result. There are fewer
    than k where the matrix has a lower rank. All is calculated in float64.

    Args:
        rows: the matrix: see kernels.sparse.
        V: how many columns it has.
        k: how many values.
        seed: of the random directions.
        oversampling: how many directions more than k.
        powers: how often to multiply by A' and A again: the slower the values fall, the more are needed.

    Raises:
        ConfigError: k is below 1, or one of the others below 0.
        ShapeError: there is a column beyond V.

    Example:
        >>> rows = np.array([0, 1, 2, 3]), np.array([0, 1, 2], np.int32), np.array([3.0, 2.0, 1.0])  # a diagonal
        >>> u, s, v = randomized_svd(rows, V=3, k=2)
        >>> s.round(6).tolist(), np.abs(u @ np.diag(s) @ v.T).round(6).tolist()[1]
        ([3.0, 2.0], [0.0, 2.0, 0.0])
    """
    if k < 1 or oversampling < 0 or powers < 0:
        raise ConfigError(
            f"randomized_svd: k={k}, oversampling={oversampling}, powers={powers}", hint="1 or more; 0 or more"
        )
    columns = transposed(rows, V)
    N = rows[0].size - 1
    x = np.random.default_rng(seed).standard_normal((V, min(k + oversampling, N, V)))  # (V, R)
    q = _orthonormal(sparse_dot(rows, x))  # (N, R)
    for _ in range(powers):
        q = _orthonormal(sparse_dot(rows, _orthonormal(sparse_dot(columns, q))))
    basis, small = np.linalg.qr(sparse_dot(columns, q))  # A'Q = basis small, (V, R) and (R, R)
    left, s, right = np.linalg.svd(small)  # so A is nearly Q right' s (basis left)'
    k = min(k, int(np.count_nonzero(s > s.max(initial=0.0) * 1e-10)))
    u, s, v = q @ right[:k].T, s[:k], basis @ left[:, :k]
    largest = v[np.abs(v).argmax(axis=0), np.arange(k)] if k else s
    sign = np.where(largest < 0, -1.0, 1.0)
    return u * sign, s, v * sign


def _orthonormal(x: Array) -> Array:
    return np.linalg.qr(x)[0]
