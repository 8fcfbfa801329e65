r"""ListNet: the loss of a list of scores, of which judgments say how they should be shared out.

Scores and gains are both read as chances that an item is the one to take; the loss is the surprise of the one at the
other. Only differences between the scores of one list count, so a query whose scores are all high costs nothing.

The paper makes chances of grades by a softmax, too. Where one candidate of a hundred has grade 1 that is nearly flat,
and teaches nearly nothing. Ours are ``gains``, 2^grade - 1, divided by their sum: nothing for what is not relevant.

Source: Cao et al. 2007, Learning to Rank: From Pairwise Approach to Listwise Approach.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...autograd import Tensor
from ...errors import DataError, ShapeError

Array = np.ndarray[Any, np.dtype[Any]]


def listnet(scores: Tensor, gain: Array, real: Array) -> Tensor:
    r"""Return the mean over the lists of  log sum_i exp(s_i) - sum_i P_i s_i,  P_i = gain_i / sum of gains.

    Args:
        scores: (Q, N), a list of scores for each query; what stands in padding does not matter, but it is finite.
        gain: (Q, N), nowhere negative, and above 0 somewhere in each list.
        real: (Q, N), False for padding, which has no gain.

    Raises:
        ShapeError: shapes that differ.
        DataError: a list without a gain above 0, or one that is negative or of padding.

    Example:
        >>> scores = Tensor(np.array([[2.0, 0.0, 9.9]]))
        >>> round(listnet(scores, np.array([[3.0, 1.0, 0.0]]), np.array([[True, True, False]])).item(), 4)
        0.6269
    """
    if not scores.shape == gain.shape == real.shape or scores.ndim != 2:
        raise ShapeError(f"listnet: scores {scores.shape}, gains {gain.shape}, real {real.shape}", hint="(Q, N)")
    total = gain.sum(axis=1, keepdims=True)  # (Q, 1)
    if not (total > 0).all() or (gain < 0).any() or gain[~real].any():
        raise DataError("listnet: a list without a relevant item, or with a negative or misplaced gain")
    wanted = (gain / total).astype(scores.dtype)
    return (scores.masked_fill(~real, -np.inf).logsumexp(axis=1) - (scores * wanted).sum(axis=1)).mean()


def gains(grades: Sequence[int]) -> Array:
    """Return 2^grade - 1 of each grade, 0 for negative ones, float64 (N,).

    Example:
        >>> gains([0, 1, 3, -1]).tolist()
        [0.0, 1.0, 7.0, 0.0]
    """
    return 2.0 ** np.maximum(0, np.asarray(grades, np.float64)) - 1


def padded(rows: list[Array]) -> tuple[Array, Array]:
    """Put arrays (N_q, ...) of unequal length into one (Q, N, ...), filled up with 0, and say what is real (Q, N).

    Example:
        >>> padded([np.array([1, 2]), np.array([3])])[0].tolist()
        [[1, 2], [3, 0]]
    """
    lengths = np.array([len(row) for row in rows])
    real = np.arange(lengths.max(initial=0)) < lengths[:, None]
    filled = np.zeros((*real.shape, *rows[0].shape[1:]), rows[0].dtype)
    filled[real] = np.concatenate(rows)
    return filled, real
