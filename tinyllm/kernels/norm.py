r"""LayerNorm and RMSNorm over the last axis: every row brought to the same scale.

Source: Ba, Kiros & Hinton 2016 (LayerNorm); Zhang & Sennrich 2019 (RMSNorm). The variance is the biased one, and eps
is inside of the square root. The backward passes make the normalized row again from what is one number a row.
"""

from __future__ import annotations

import numpy as np

from .table import Array, kernel, reference


@kernel
def layer_norm(x: Array, g: Array, b: Array, eps: float) -> tuple[Array, Array, Array]:
    r"""Return y = n g + b with n = (x - mean) rstd, and the mean and rstd = 1 / sqrt(var + eps) of each row.

    Shapes: x (..., C), gain g (C,), bias b (C,) -> y (..., C), mean (...), rstd (...).

    Example:
        >>> y, mean, rstd = layer_norm(np.array([1.0, 3.0]), np.ones(2), np.zeros(2), 0.0)
        >>> y, float(mean), float(rstd)
        (array([-1.,  1.]), 2.0, 1.0)
    """
    mean = x.mean(axis=-1, keepdims=True)
    centered = x - mean
    rstd = 1 / np.sqrt((centered * centered).mean(axis=-1, keepdims=True) + eps)
    return centered * rstd * g + b, mean[..., 0], rstd[..., 0]


@kernel
def layer_norm_backward(
    x: Array, g: Array, mean: Array, rstd: Array, dy: Array, ds: Array | None = None
) -> tuple[Array, Array, Array]:
    r"""Return (dx, dg, db): in the forward pass y = n g + b with n = (x - mean) rstd.

    So now db = sum dy, dg = sum dy n (both over all rows), and with dn = dy g:
    dx = rstd (dn - mean(dn) - n mean(dn n)). The two means are the part of dn that the normalization took away.

    Where x goes on past the norm as well, ds is what has come back along that way, and dx = ds + the above.

    Shapes: x, dy and ds (..., C), g (C,), mean and rstd (...) -> dx (..., C), dg (C,), db (C,).

    Example:
        >>> x, g, dy = np.array([[1.0, 3.0]]), np.ones(2), np.ones((1, 2))
        >>> layer_norm_backward(x, g, np.full(1, 2.0), np.ones(1), dy)
        (array([[0., 0.]]), array([-1.,  1.]), array([1., 1.]))
    """
    n = (x - mean[..., None]) * rstd[..., None]
    dn = dy * g
    through_mean = dn.mean(axis=-1, keepdims=True)
    through_rstd = n * (dn * n).mean(axis=-1, keepdims=True)
    dx = rstd[..., None] * (dn - through_mean - through_rstd)
    rows = tuple(range(x.ndim - 1))
    return dx if ds is None else ds + dx, (dy * n).sum(axis=rows), dy.sum(axis=rows)


@kernel
def add_layer_norm(x: Array, r: Array, g: Array, b: Array, eps: float) -> tuple[Array, Array, Array, Array]:
    r"""Return s = x + r and the LayerNorm of s, (s, y, mean, rstd): the residual stream joined, then normalized.

    Going back, dy has come through the norm and ds along the stream: ``layer_norm_backward(s, g, mean, rstd, dy, ds)``
    is both dx and dr.

    Shapes: x and r (..., C), g and b (C,) -> s and y (..., C), mean and rstd (...).

    Example:
        >>> s, y, *_ = add_layer_norm(np.array([1.0, 2.0]), np.array([0.0, 1.0]), np.ones(2), np.zeros(2), 0.0)
        >>> s, y
        (array([1., 3.]), array([-1.,  1.]))
    """
    s = x + r
    return s, *reference(layer_norm)(s, g, b, eps)


@kernel
def rms_norm(x: Array, g: Array, eps: float) -> tuple[Array, Array]:
    r"""Return y = x rstd g and rstd = 1 / sqrt(mean(x^2) + eps) of each row.

    Shapes: x (..., C), gain g (C,) -> y (..., C), rstd (...).

    Example:
        >>> y, rstd = rms_norm(np.array([2.0, -2.0]), np.ones(2), 0.0)
        >>> y, float(rstd)
        (array([ 1., -1.]), 0.5)
    """
    rstd = 1 / np.sqrt((x * x).mean(axis=-1, keepdims=True) + eps)
    return x * rstd * g, rstd[..., 0]


@kernel
def rms_norm_backward(x: Array, g: Array, rstd: Array, dy: Array, ds: Array | None = None) -> tuple[Array, Array]:
    r"""Return (dx, dg): in the forward pass y = n g with n = x rstd; now dx = rstd (dn - n mean(dn n)) with dn = dy g.

    Where x goes on past the norm as well, ds is what has come back along that way, and dx = ds + the above.

    Shapes: x, dy and ds (..., C), g (C,), rstd (...) -> dx (..., C), dg (C,).

    Example:
        >>> rms_norm_backward(np.array([[2.0, -2.0]]), np.ones(2), np.full(1, 0.5), np.ones((1, 2)))
        (array([[0.5, 0.5]]), array([ 1., -1.]))
    """
    n = x * rstd[..., None]
    dn = dy * g
    dx = rstd[..., None] * (dn - n * (dn * n).mean(axis=-1, keepdims=True))
    return dx if ds is None else ds + dx, (dy * n).sum(axis=tuple(range(x.ndim - 1)))


@kernel
def add_rms_norm(x: Array, r: Array, g: Array, eps: float) -> tuple[Array, Array, Array]:
    r"""Return s = x + r and the RMSNorm of s, (s, y, rstd); ``rms_norm_backward(s, g, rstd, dy, ds)`` goes back.

    Shapes: x and r (..., C), g (C,) -> s and y (..., C), rstd (...).

    Example:
        >>> s, y, rstd = add_rms_norm(np.array([1.0, -1.0]), np.array([1.0, -1.0]), np.ones(2), 0.0)
        >>> s, y
        (array([ 2., -2.]), array([ 1., -1.]))
    """
    s = x + r
    return s, *reference(rms_norm)(s, g, eps)
