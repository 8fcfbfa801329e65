"""What the functions of lesson 10 are tried on: slow loops, drawn inputs, and properties that have to hold."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...autograd import Tensor
from ...kernels import causal_mask


def mask_by_loops(T: int, S: int) -> Any:
    """Look at every pair of a query and a key, one by one."""
    visible = np.zeros((T, S), dtype=bool)
    for t in range(T):
        for s in range(S):
            visible[t, s] = s <= t + S - T
    return visible


def attend_by_loops(q: Any, k: Any, v: Any, visible: Any, scale: float) -> Any:
    """Let one query after the other look at one key after the other."""
    T, S = visible.shape
    w = np.zeros((*q.shape[:-1], S))
    for place in np.ndindex(q.shape[:-2]):
        for t in range(T):
            scores = [scale * (q[place][t] * k[place][s]).sum() if visible[t, s] else -np.inf for s in range(S)]
            amounts = np.exp(np.array(scores) - max(scores))
            w[place][t] = amounts / amounts.sum()
    return w @ v, w


def split_by_loops(x: Any, H: int) -> Any:
    """Move one number after the other."""
    B, T, C = x.shape
    D = C // H
    y = np.zeros((B, H, T, D))
    for b, h, t, d in np.ndindex(B, H, T, D):
        y[b, h, t, d] = x[b, t, h * D + d]
    return y


def merge_by_loops(x: Any) -> Any:
    """Move one number after the other."""
    B, H, T, D = x.shape
    y = np.zeros((B, T, H * D))
    for b, h, t, d in np.ndindex(B, H, T, D):
        y[b, t, h * D + d] = x[b, h, t, d]
    return y


def lengths(draw: Any) -> Any:
    """Draw how many queries and keys there are: the queries are the last ones, so there are no more of them."""
    T, S = sorted(draw.sizes("T S"))
    yield T, S
    yield S, S


def three(draw: Any) -> Any:
    """Draw queries, keys and values of two heads with a causal mask."""
    T, S, D = draw.sizes("T S D")
    T, S = min(T, S), max(T, S)
    yield draw(2, T, D), draw(2, S, D), draw(2, S, D), causal_mask(T, S), D**-0.5
    yield draw(2, T, D), draw(2, S, D), draw(2, S, D), causal_mask(T, S), 0.7  # the caller decides
    far = draw(S, D, scale=300.0)
    yield far, -far, draw(S, D), causal_mask(S, S), D**-0.5  # huge scores; what may be seen is far below zero


def three_square(draw: Any) -> Any:
    """Draw as ``three`` does; small enough for a derivative by every entry, square ones with them."""
    yield draw(2, 3), draw(2, 3), draw(2, 3), causal_mask(2, 2), 0.7
    yield draw(3, 3), draw(3, 3), draw(3, 3), causal_mask(3, 3), 3**-0.5
    yield draw(2, 3, 5), draw(2, 7, 5), draw(2, 7, 5), causal_mask(3, 7), 5**-0.5
    yield draw(2, 5, 3), draw(2, 5, 3), draw(2, 5, 3), np.ones((5, 5), dtype=bool), 0.4


def vectors_of_heads(draw: Any) -> Any:
    """Draw vectors to be cut for several heads, and how many there are."""
    B, T, D = draw.sizes("B T D")
    for H in (1, 2, 3):
        yield draw(B, T, H * D), H


def parts_of_heads(draw: Any) -> Any:
    """Draw what several heads have made."""
    B, H, T, D = draw.sizes("B H T D")
    yield draw(B, H, T, D)


def row_t_sees(f: Any, draw: Any) -> str | None:
    """Row t has S - T + t + 1 true entries: all of the past, itself, nothing of the future."""
    T, S = sorted(draw.sizes("T S"))
    seen = np.asarray(f(T, S)).sum(axis=-1)
    for t, count in enumerate(seen.tolist()):
        place = S - T + t
        if count != place + 1:
            return f"query {t} of {T} over {S} keys sees {count} of them; it stands at {place} and may see {place + 1}"
    return None


def rows_sum_to_one(f: Any, draw: Any) -> str | None:
    """The weights of a query share out one whole."""
    T, D = draw.sizes("T D")
    _, w = f(draw(T, D), draw(T, D), draw(T, D), causal_mask(T, T), D**-0.5)
    total = np.asarray(w).sum(axis=-1)
    if not np.allclose(total, 1, rtol=0, atol=1e-12):
        return f"the weights of a query sum to {total.ravel()[np.abs(total - 1).argmax()]:.4g}, not to 1"
    return None


def the_future_is_unseen(f: Any, draw: Any) -> str | None:
    """Other tokens after position i leave out[i] the same, bit for bit."""
    T, D = draw.sizes("T D")
    q, k, v = draw(T, D), draw(T, D), draw(T, D)
    i = T // 2
    before = f(q, k, v, causal_mask(T, T), D**-0.5)[0]
    later = [np.concatenate([a[: i + 1], draw(T - i - 1, D)]) for a in (q, k, v)]
    after = f(*later, causal_mask(T, T), D**-0.5)[0]
    if np.asarray(before)[: i + 1].tobytes() != np.asarray(after)[: i + 1].tobytes():
        return f"the output at position {i} changes when only tokens after it do: it reads the future"
    return None


def stays_a_tensor_split(f: Any, draw: Any) -> str | None:
    """The graph goes on through it."""
    return _stays_a_tensor(f, Tensor(draw(2, 3, 10)), 5)


def stays_a_tensor_merged(f: Any, draw: Any) -> str | None:
    """The graph goes on through it."""
    return _stays_a_tensor(f, Tensor(draw(2, 5, 3, 2)))


def _stays_a_tensor(f: Any, x: Tensor, *rest: int) -> str | None:
    y = f(x, *rest)
    if not isinstance(y, Tensor):
        return "a Tensor went in and no Tensor came out: call x.reshape and x.transpose, not NumPy's"
    return None
