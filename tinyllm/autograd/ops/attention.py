"""Attention: the one op through which positions see each other."""

from __future__ import annotations

from ... import kernels
from ...errors import ConfigError, ShapeError
from ..draw import given
from ..op import Op
from .fused import checked_seed


class Attention(Op):
    r"""Let each position gather values from the positions it may see.

    Forward   s = scale q k^T;  w = softmax(s where visible, else -inf);  out = w v
    Backward  dv = w^T dout;  dw = dout v^T;  ds = w * (dw - sum_s dw w);  dq = scale ds k;  dk = scale ds^T q
    Shapes    q (B, H, T, D), k (B, K, S, D), v (B, K, S, D) -> out (B, H, T, D)
    Source    Vaswani et al. 2017; Ainslie et al. 2023 (groups of heads); Dao et al. 2022 (without keeping w);
              Srivastava et al. 2014 (dropout)

    ``scale`` is 1 / sqrt(D) unless it is given. H is a multiple of K: query head h reads key/value head h // (H / K),
    and what a group of query heads shares collects the gradients of the group. The queries are the last T of the S
    positions. ``causal`` hides what lies after the query's own position; a ``window`` of n also hides what lies n or
    more positions before it. With ``p`` > 0 the weights go through dropout: each is kept with probability 1 - p and
    then scaled by 1 / (1 - p). The ``seed`` and a weight's place decide; the backward pass makes the mask again.

    Example:
        >>> import numpy as np, tinyllm as tl
        >>> q, v = np.zeros((1, 1, 2, 1)), np.array([[[[1.0], [3.0]]]])
        >>> tl.attention(q, q, v).data.ravel()  # the first position sees itself, the second the mean of both
        array([1., 2.])
    """

    def samples(draw):
        yield draw(1, 1, 5, 3), draw(1, 1, 5, 3), draw(1, 1, 5, 3)
        yield draw(2, 3, 5, 7), draw(2, 3, 5, 7), draw(2, 3, 5, 7)
        yield draw(1, 2, 3, 5), draw(1, 2, 7, 5), draw(1, 2, 7, 5)  # the last 3 of 7 positions
        yield given(draw(1, 2, 7, 5), draw(1, 2, 3, 5), draw(1, 2, 3, 5), causal=False)
        yield given(draw(2, 6, 3, 5), draw(2, 2, 7, 5), draw(2, 2, 7, 5), causal=False)  # groups of 3 heads
        yield draw(1, 4, 5, 3), draw(1, 1, 5, 3), draw(1, 1, 5, 3)  # one key/value head for all
        yield given(draw(1, 2, 7, 3), draw(1, 2, 7, 3), draw(1, 2, 7, 3), window=2)
        yield given(draw(1, 2, 3, 5), draw(1, 2, 11, 5), draw(1, 2, 11, 5), window=5)
        yield given(draw(1, 2, 5, 5), draw(1, 2, 5, 5), draw(1, 2, 5, 5), scale=0.3)
        yield given(draw(1, 1, 5, 3, scale=3.0), draw(1, 1, 5, 3), draw(1, 1, 5, 3), scale=3.0)  # near one-hot
        yield given(draw(1, 2, 5, 3), draw(1, 2, 5, 3), draw(1, 2, 5, 3), p=0.4, seed=3)
        yield given(draw(1, 4, 3, 5), draw(1, 2, 7, 5), draw(1, 2, 7, 5), window=5, p=0.3, seed=-7)
        yield draw(0, 2, 5, 3), draw(0, 2, 5, 3), draw(0, 2, 5, 3)
        yield draw(1, 2, 0, 3), draw(1, 2, 0, 3), draw(1, 2, 0, 3)

    def bad(draw):
        q = draw(2, 6, 5, 3)
        yield (q, draw(2, 4, 5, 3), draw(2, 4, 5, 3)), ShapeError, "H=6 query heads .*K=4"
        yield (q, draw(2, 0, 5, 3), draw(2, 0, 5, 3)), ShapeError, "H=6 query heads .*K=0"
        yield (q, draw(2, 6, 5, 3), draw(2, 6, 7, 3)), ShapeError, r"k \(B=2, K=6, S=5, D=3\), v \(B=2, K=6, S=7, D=3\)"
        yield (q, draw(2, 6, 5, 7), draw(2, 6, 5, 7)), ShapeError, "D=3 and D=7 differ"
        yield (q, draw(1, 6, 5, 3), draw(1, 6, 5, 3)), ShapeError, "B=2 and B=1 differ"
        yield (q, draw(2, 6, 3, 3), draw(2, 6, 3, 3)), ShapeError, "T=5 queries .*S=3.*causal=False"
        yield (q[0], q[0], q[0]), ShapeError, "four axes"
        yield given(q, q, q, window=0), ConfigError, "window=0"
        yield given(q, q, q, window=2, causal=False), ConfigError, "causal=False"
        yield given(q, q, q, p=1.0), ConfigError, r"p=1.0.*0 <= p < 1"
        yield given(q, q, q, p=0.5, seed=0.5), ConfigError, "seed=0.5"

    def forward(ctx, q, k, v, *, causal=True, window=None, scale=None, p=0.0, seed=0):
        _refuse_misfit(q, k, v, causal, window)
        seed = checked_seed("attention", p, seed)
        scale = max(q.shape[-1], 1) ** -0.5 if scale is None else float(scale)
        out, lse = kernels.attention(q, k, v, causal, window, scale, p, seed)
        ctx.save(q, k, v, out, lse, causal, window, scale, p, seed)  # lse: a number a query; w has S, and is not kept
        return out

    def backward(ctx, dout):
        q, k, v, out, lse, causal, window, scale, p, seed = ctx.saved
        return kernels.attention_backward(q, k, v, out, lse, dout, causal, window, scale, p, seed)


def _refuse_misfit(q, k, v, causal, window):
    if window is not None and window < 1:
        raise ConfigError(f"attention: window={window} would hide everything", hint="window=None, or 1 and more")
    if window is not None and not causal:
        raise ConfigError("attention: a window looks back, which causal=False is at odds with", hint="causal=True")
    wrong = hint = None
    if not q.ndim == k.ndim == v.ndim == 4:
        wrong = "each has four axes (batch, heads, time, head size)"
    elif k.shape != v.shape:
        wrong = "k and v must have one shape"
    elif q.shape[0] != k.shape[0]:
        wrong = f"B={q.shape[0]} and B={k.shape[0]} differ"
    elif q.shape[3] != k.shape[3]:
        wrong = f"D={q.shape[3]} and D={k.shape[3]} differ"
    elif k.shape[1] == 0 or q.shape[1] % k.shape[1]:
        wrong = f"H={q.shape[1]} query heads do not share K={k.shape[1]} key/value heads evenly"
    elif causal and q.shape[2] > k.shape[2]:
        wrong = f"T={q.shape[2]} queries cannot be the last of S={k.shape[2]} positions"
        hint = "causal=False"
    if wrong:
        raise ShapeError(f"{Attention.describe([q, k, v])}: {wrong}", hint=hint)
