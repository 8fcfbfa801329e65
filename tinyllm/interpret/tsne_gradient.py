r"""What t-SNE makes small, and its gradient: by hand, and once more in ops of the engine, so that one checks the other.

    q_ij = n_ij / Z,   n_ij = 1 / (1 + |y_i - y_j|^2),   Z = sum over all pairs i != j of n_ij
    L    = KL(p || q) = sum p_ij log(p_ij / q_ij)
         = sum p_ij log p_ij + sum p_ij log(1 + |y_i - y_j|^2) + log Z

In the second form each part has one job: the middle one pulls neighbors together, log Z pushes all apart. Its
derivative by y_i counts each pair twice, as ij and as ji, and |y_i - y_j|^2 brings another 2:

    dL/dy_i = 4 sum_j (p_ij - q_ij) n_ij (y_i - y_j)

p may also have another sum than 1. Then the pull is as many times stronger: early exaggeration hands in 4 p.

Source: van der Maaten & Hinton 2008, section 3 and appendix A.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..autograd import Tensor

Array = np.ndarray[Any, np.dtype[Any]]


def tsne_grad(P: Array, Y: Array) -> Array:
    """Return dL/dY (N, 2) at the picture Y (N, 2) of points with neighborhoods P (N, N).

    Example:
        >>> P = np.array([[0.0, 0.5], [0.5, 0.0]])
        >>> tsne_grad(P, np.array([[0.0, 0.0], [3.0, 4.0]]))  # two points are always as near as they should be
        array([[0., 0.],
               [0., 0.]])
    """
    n = affinities(Y)
    pull = n * (-1 / n.sum())  # -q (N, N); from here in place, since making arrays takes longer than filling them
    pull += P
    pull *= n
    return 4 * (pull.sum(axis=1)[:, None] * Y - pull @ Y)


def tsne_loss(P: Array, Y: Array) -> float:
    """Return L, in nats: the divergence KL(p || q) where P (N, N) has a sum of 1.

    Example:
        >>> P = np.array([[0.0, 0.5], [0.5, 0.0]])
        >>> round(tsne_loss(P, np.array([[0.0, 0.0], [3.0, 4.0]])), 9)
        0.0
    """
    n = affinities(Y)
    there = P > 0
    return float((P[there] * (np.log(P[there]) - np.log(n[there]))).sum() + np.log(n.sum()))


def tsne_objective(P: Array, Y: Tensor) -> Tensor:
    """Return L as a Tensor, of a Tensor Y (N, 2): what ``gradcheck`` takes, and ``backward`` differentiates.

    Example:
        >>> P = np.array([[0.0, 0.2, 0.1], [0.2, 0.0, 0.2], [0.1, 0.2, 0.0]])
        >>> Y = Tensor(np.array([[0.0, 1.0], [2.0, 0.0], [0.0, 3.0]]), requires_grad=True)
        >>> tsne_objective(P, Y).backward()
        >>> bool(np.allclose(Y.grad, tsne_grad(P, Y.data)))
        True
    """
    square = (Y * Y).sum(axis=1, keepdims=True)  # (N, 1)
    far = square + square.transpose(1, 0) - 2.0 * (Y @ Y.transpose(1, 0)) + 1.0  # (N, N), 1 + |y_i - y_j|^2
    other = 1.0 - np.eye(len(P))
    there = P[P > 0]
    constant = float((there * np.log(there)).sum())
    return (P * far.log()).sum() + (other / far).sum().log() + constant


def affinities(Y: Array) -> Array:
    """Return n_ij (N, N), zero on the diagonal: a Student distribution with one degree of freedom, before division.

    Its tails are heavy, so that points which are only moderately near in many dimensions find room in two.
    """
    square = (Y * Y).sum(axis=1)
    n = Y @ Y.T  # (N, N), and in place from here
    n *= -2
    n += square[:, None]
    n += square + 1
    np.maximum(n, 1, out=n)  # rounding must not make a distance negative
    np.reciprocal(n, out=n)
    np.fill_diagonal(n, 0)
    return n
