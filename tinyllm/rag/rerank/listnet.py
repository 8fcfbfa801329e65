r"""ListNet: the loss of a list of scores, of which the judged grades say how they should be shared out.

Scores and grades are both read as chances that an item is the one to take; the loss is the surprise of the one at the
other. Only differences between the scores of one list count, so a query whose scores are all high costs nothing.

The paper makes chances of grades by a softmax, too. Where one candidate of a hundred has grade 1 that is nearly flat,
and teaches nearly nothing: ours are the grades divided by their sum.

Source: Cao et al. 2007, Learning to Rank: From Pairwise Approach to Listwise Approach.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...autograd import Tensor
from ...errors import DataError, ShapeError

Array = np.ndarray[Any, np.dtype[Any]]


def listnet(scores: Tensor, grades: Array, real: Array) -> Tensor:
    r"""Return the mean over the lists of  log sum_i exp(s_i) - sum_i P_i s_i,  P_i = grade_i / sum of grades.

    Args:
        scores: (Q, N), a list of scores for each query; what stands in padding does not matter, but it is finite.
        grades: (Q, N), nowhere negative, and above 0 somewhere in each list.
        real: (Q, N), False for padding, which has no grade.

    Raises:
        ShapeError: shapes that differ.
        DataError: a list without a grade above 0, or a grade that is negative or of padding.

    Example:
        >>> scores = Tensor(np.array([[2.0, 0.0, 9.9]]))
        >>> round(listnet(scores, np.array([[3.0, 1.0, 0.0]]), np.array([[True, True, False]])).item(), 4)
        0.6269
    """
    if not scores.shape == grades.shape == real.shape or scores.ndim != 2:
        raise ShapeError(f"listnet: scores {scores.shape}, grades {grades.shape}, real {real.shape}", hint="(Q, N)")
    total = grades.sum(axis=1, keepdims=True)  # (Q, 1)
    if not (total > 0).all() or (grades < 0).any() or grades[~real].any():
        raise DataError("listnet: a list without a relevant item, or with a negative or misplaced grade")
    wanted = (grades / total).astype(scores.dtype)
    return (scores.masked_fill(~real, -np.inf).logsumexp(axis=1) - (scores * wanted).sum(axis=1)).mean()


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
