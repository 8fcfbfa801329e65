r"""Rotary positions: pairs of channels turned by an angle that grows with the position.

Two conventions share the name, and a model trained with one is noise under the other; so each has its own function
and neither is a default. ``rope_half`` (transformers) turns channel i with channel i + D/2; ``rope_pairs`` (Meta,
llama2.c, GGUF's llama) turns channel 2i with channel 2i + 1. A rotation's transpose is the rotation back, so the
backward pass is the same kernel with -sin.

Source: Su et al. 2021, "RoFormer: Enhanced Transformer with Rotary Position Embedding".
"""

from __future__ import annotations

import numpy as np

from .table import Array, kernel


def rope_angles(positions: Array, D: int, theta: float) -> tuple[Array, Array]:
    r"""Return cos and sin, each (T, D/2), of position * theta^(-2i/D), always in float64: float32 angles drift.

    Args:
        positions: (T,) positions; they need not start at 0 nor be whole.
        D: head size, even.
        theta: the base, 10000 in the paper.

    Example:
        >>> cos, sin = rope_angles(np.arange(3), 4, 10000.0)
        >>> cos.shape, cos.dtype.name, float(cos[0, 0])
        ((3, 2), 'float64', 1.0)
    """
    frequencies = np.float64(theta) ** (-np.arange(0, D, 2, dtype=np.float64) / D)  # (D/2,)
    angles = np.multiply.outer(np.asarray(positions, dtype=np.float64), frequencies)  # (T, D/2)
    return np.cos(angles), np.sin(angles)


@kernel
def rope_half(x: Array, cos: Array, sin: Array) -> Array:
    r"""Turn channels (i, i + D/2) of x (B, H, T, D) by the angles of cos and sin (T, D/2).

    Example:
        >>> quarter = np.zeros((1, 1)), np.ones((1, 1))  # cos, sin of 90 degrees
        >>> rope_half(np.array([[[[1.0, 0.0]]]]), *quarter).ravel()
        array([0., 1.])
    """
    cos, sin = cos.astype(x.dtype, copy=False), sin.astype(x.dtype, copy=False)
    half = x.shape[-1] // 2
    first, second = x[..., :half], x[..., half:]  # (B, H, T, D/2) each
    return np.concatenate([first * cos - second * sin, second * cos + first * sin], axis=-1)


@kernel
def rope_pairs(x: Array, cos: Array, sin: Array) -> Array:
    r"""Turn channels (2i, 2i + 1) of x (B, H, T, D) by the angles of cos and sin (T, D/2).

    Example:
        >>> quarter = np.zeros((1, 2)), np.ones((1, 2))  # cos, sin of 90 degrees
        >>> rope_pairs(np.array([[[[1.0, 0.0, 0.0, 1.0]]]]), *quarter).ravel()
        array([ 0.,  1., -1.,  0.])
    """
    cos, sin = cos.astype(x.dtype, copy=False), sin.astype(x.dtype, copy=False)
    even, odd = x[..., 0::2], x[..., 1::2]  # (B, H, T, D/2) each
    return np.stack([even * cos - odd * sin, odd * cos + even * sin], axis=-1).reshape(x.shape)
