"""The doors of all matrix products: which rung, or BLAS, for which shapes.

    a few rows (decoding)         gemv.py, whichever way the weights lie
    little work                   matmul_v5: done before another thread would have woken up
    all else                      matmul_v7, or BLAS where it was measured to be faster (kernels/choice.py)

Bits. Ours depend on neither threads nor layout. OpenBLAS cuts a long sum (K) into pieces, and where the cuts fall
depends on whether it uses threads. In float32 they fall alike when K is short or a multiple of 32 (thousands of shapes
were compared, 1 thread against 2), so ``_by_blas`` adds up the last K % 32 terms apart. Not covered: float64, and
products with a single row or column.
"""

from __future__ import annotations

import math

import numpy as np

from .. import choice
from ..table import Array
from .epilogue import ACTIVATIONS, epilogue_v1, epilogue_v2
from .gemv import FEW, gemv_v2, gemv_v3, gevm_v2, gevm_v3
from .matmul import matmul_v5, matmul_v7

LIGHT = 1 << 17  # entries of a weight, or of what an epilogue goes over, that one thread is soon through with
SHORT = 256  # a sum of so few terms BLAS does not cut into pieces


def matmul(a: Array, b: Array) -> Array:
    """Return a @ b with NumPy's rules."""
    if a.ndim == b.ndim == 2 and a.shape[1] == b.shape[0] and a.dtype == b.dtype:
        return _plain(a, b, None, None, 0)
    if a.ndim == 0 or b.ndim == 0 or a.dtype != b.dtype or a.shape[-1] != b.shape[-2 if b.ndim > 1 else 0]:
        return NotImplemented
    if b.ndim == 1:
        return matmul(a, b[:, None])[..., 0][()]
    if a.ndim == 1:
        return matmul(a[None], b)[..., 0, :]
    K, N = b.shape[-2:]
    if a.ndim > 2 and b.ndim == 2:  # a stack of matrices times one matrix is one large product
        return matmul(a.reshape(-1, K), b).reshape(*a.shape[:-1], N)
    try:
        front = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    except ValueError:
        return NotImplemented
    if _is_for_blas(a, b, math.prod(front)):
        return _by_blas(a, b)
    c = np.empty((*front, a.shape[-2], N), a.dtype)
    _ours(_stack(a, front), _stack(b, front), c.reshape(-1, *c.shape[-2:]), None, None, 0, False)
    return c


def matmul_into(a: Array, b: Array, c: Array) -> Array:
    """Add a @ b to c, all three matrices, in place."""
    fits = a.ndim == b.ndim == c.ndim == 2 and a.shape[1] == b.shape[0] and c.shape == (a.shape[0], b.shape[1])
    if not fits or not a.dtype == b.dtype == c.dtype or c.strides[1] != c.itemsize:
        return NotImplemented
    if _is_for_blas(a, b, 1):
        c += _by_blas(a, b)
    else:
        _ours(a[None], b[None], c[None], None, None, 0, True)
    return c


def linear(
    x: Array, w: Array, b: Array | None = None, residual: Array | None = None, activation: str | None = None
) -> Array:
    """Return activation(x w^T + b) + residual."""
    N = w.shape[0]
    fits = x.ndim > 0 and w.ndim == 2 and x.shape[-1] == w.shape[1] and (b is None or b.shape == (N,))
    fits = fits and (residual is None or residual.shape == (*x.shape[:-1], N))
    if not fits or activation not in ACTIVATIONS or len({i.dtype for i in (x, w, b, residual) if i is not None}) > 1:
        return NotImplemented
    y = _plain(
        x.reshape(-1, x.shape[-1]),
        w.T,
        None if b is None else np.ascontiguousarray(b),
        None if residual is None else np.ascontiguousarray(residual).reshape(-1, N),
        ACTIVATIONS[activation],
    )
    return y.reshape(*x.shape[:-1], N)


def ours(a: Array, b: Array, c: Array) -> None:
    """Calculate c = a @ b without BLAS; choice.py measures it."""
    _ours(a[None], b[None], c[None], None, None, 0, False)


def _plain(a: Array, b: Array, bias: Array | None, residual: Array | None, activation: int) -> Array:
    """Return activation(a b + bias) + residual of one matrix each."""
    a, b = _aligned(a), _aligned(b)
    M, N = a.shape[0], b.shape[1]
    c = _few_rows(a, b) if M <= FEW else None
    if c is None and N <= FEW and (turned := _few_rows(b.T, a.T)) is not None:  # c^T = b^T a^T
        c = np.ascontiguousarray(turned.T)
    if c is None and _is_for_blas(a, b, 1):
        c = _by_blas(a, b)
    if c is None:
        c = np.empty((M, N), a.dtype)
        _ours(a[None], b[None], c[None], bias, residual, activation, False)
        return c
    _follow(c, bias, residual, activation)
    return c


def _few_rows(x: Array, w: Array) -> Array | None:
    """Return x w for a few rows x, or None where w (K, N) has neither contiguous columns nor contiguous rows."""
    c = np.empty((x.shape[0], w.shape[1]), x.dtype)
    if w.strides[0] == w.itemsize:
        (gemv_v2 if w.size < LIGHT else gemv_v3)(w.T, np.ascontiguousarray(x), c)
    elif w.strides[1] == w.itemsize:
        (gevm_v2 if w.size < LIGHT else gevm_v3)(x, w, c)
    else:
        return None
    return c


def _ours(a: Array, b: Array, c: Array, bias: Array | None, residual: Array | None, activation: int, add: bool) -> None:
    """Calculate c (B, M, N) from the stacks a and b: by the rung for little work, or the one for much."""
    a, b = _aligned(a), _aligned(b)
    if len(a) == 1 and not add and c.size * a.shape[2] < choice.LITTLE:
        matmul_v5(a[0], b[0], c[0])
        _follow(c[0], bias, residual, activation)
    else:
        matmul_v7(a, b, c, *_present(c, bias, residual), activation, add)


def _follow(c: Array, bias: Array | None, residual: Array | None, activation: int) -> None:
    """Let bias, activation and residual follow a product that knows nothing of them, in place."""
    if bias is not None or residual is not None or activation:
        (epilogue_v1 if c.size < LIGHT else epilogue_v2)(c, *_present(c, bias, residual), activation)


def _present(c: Array, bias: Array | None, residual: Array | None) -> tuple[Array, Array]:
    """Return bias and residual as the kernels expect them, arrays of no entries where there is none."""
    no_bias, no_residual = np.empty(0, c.dtype), np.empty((0, 0, 0), c.dtype)
    return (no_bias if bias is None else bias), (no_residual if residual is None else residual[None])


def _stack(x: Array, front: tuple[int, ...]) -> Array:
    """Return x (..., M, N) as one stack of matrices, (B, M, N); copied only where axes cannot be joined."""
    return np.broadcast_to(x, (*front, *x.shape[-2:])).reshape(-1, *x.shape[-2:])


def _aligned(x: Array) -> Array:
    """Return x, or a copy where its numbers do not lie at whole multiples of their size."""
    return x if x.flags.aligned else x.copy()


def _is_for_blas(a: Array, b: Array, stack: int) -> bool:
    """Tell whether BLAS is to calculate this product."""
    kind = choice.shape_class(a.shape[-2], b.shape[-1], a.shape[-1], stack)
    return (choice.default() if kind == "little" else choice.pick(a.dtype.char, _form(a, b), kind)) == "blas"


def _form(a: Array, b: Array) -> str:
    """Return how a and b lie in memory, n for rows and t for columns: "nn", "nt", "tn" or "tt"."""
    return "".join("t" if x.strides[-1] != x.itemsize and x.strides[-2] == x.itemsize else "n" for x in (a, b))


def _by_blas(a: Array, b: Array) -> Array:
    """Return a @ b by BLAS, long sums cut where it makes no difference how many threads there are."""
    K = a.shape[-1]
    rest = K % 32
    if rest and K > SHORT and a.dtype == np.float32:
        product: Array = np.matmul(a[..., :-rest], b[..., :-rest, :])
        product += np.matmul(a[..., -rest:], b[..., -rest:, :])
        return product
    return np.matmul(a, b)
