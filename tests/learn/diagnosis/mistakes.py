"""Records that the judge's own tests are run on: exercises over library functions, with many mistakes each.

Every mistake comes with the words that a right diagnosis has to use even when nobody lists it as a mutant ("" where
numbers alone cannot tell).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from tinyllm.autograd.draw import given
from tinyllm.learn.checks import gradcheck_slot, holds, no_mutation, oracle, saves, shapes, vectors
from tinyllm.learn.exercise import Exercise, Mutant


class Mistake(NamedTuple):
    """A mutant, and what the diagnosis is to say without knowing it."""

    old: str
    new: str
    words: str


def exercise(number, slot, checks, mistakes, **more):
    """Make a record; the sentence of a mutant is made of its place."""
    mutants = [Mutant(m.old, m.new, f"Mistake {i} of {number}.") for i, m in enumerate(mistakes)]
    return Exercise(number, slot, 5, checks, mutants, ("a?", "b", "c ___"), "why", **more), [m.words for m in mistakes]


def rows(draw):
    for scale in (1.0, 1.0, 100.0, 1000.0):
        yield draw(*draw.sizes("T V"), scale=scale)


def slow_softmax(x):
    out = np.zeros_like(x)
    for index in np.ndindex(x.shape[:-1]):
        row = x[index]
        top = max(row)
        e = [np.exp(v - top) for v in row]
        out[index] = [v / sum(e) for v in e]
    return out


def sums_to_one(f, draw):
    p = f(draw(*draw.sizes("T V")))
    if not np.allclose(p.sum(-1), 1):
        return f"rows sum to {p.sum(-1)[0]:.3g}, not to 1"
    return None


def losses(draw):
    for _ in range(3):
        N, V = draw.sizes("N V")
        yield draw(N, V), draw.ints(V, N), -100
    yield draw(5, 3), np.array([0, -100, 2, 1, -100]), -100
    yield draw(5, 7), draw.ints(7, 5) - 1, -1


def spread_out(draw):
    yield draw(5), (5,)
    yield draw(2, 3), (3,)
    yield draw(2, 3, 5), (3, 1)
    yield draw(2, 3, 5), (1, 3, 1)
    yield draw(7, 2, 3), (7, 1, 3)
    yield draw(2, 3), ()
    yield draw(2, 3), (3, 2)


SOFTMAX = exercise(
    "90.1",
    "tinyllm.kernels.softmax:softmax",
    [shapes(), oracle(slow_softmax, rows), holds("rows sum to 1", sums_to_one), no_mutation()],
    [
        Mistake("np.exp(x - highest)", "np.exp(x)", "overflow"),
        Mistake(
            "e.sum(axis=-1, keepdims=True)", "e.sum(axis=0, keepdims=True)", "sums to 1 along the last axis but one"
        ),
        Mistake("return e / e.sum(axis=-1, keepdims=True)", "return e", "factor of its own"),
        Mistake("return e / e.sum(axis=-1, keepdims=True)", "return e / e.sum()", "factor of its own"),
        Mistake("np.exp(x - highest)", "np.exp(highest - x)", "minus x"),
    ],
)

LOGSUMEXP = exercise(
    "90.2",
    "tinyllm.kernels.softmax:logsumexp",
    [shapes(), oracle(samples=rows), no_mutation()],
    [
        Mistake("return highest[..., 0] + np.log", "return np.log", "minus the largest entry of each row of x"),
        Mistake(".sum(axis=-1))", ".mean(axis=-1))", r"ln\(V\) less"),
        Mistake("np.log(np.exp(x - highest).sum(axis=-1))", "np.exp(x - highest).sum(axis=-1)", ""),
        Mistake("np.exp(x - highest)", "np.exp(x)", "the largest entry of each row|overflow"),
        Mistake("return highest[..., 0]", "return -highest[..., 0]", "-2 times the largest entry"),
    ],
)

SOFTMAX_BACKWARD = exercise(
    "90.3",
    "tinyllm.autograd.ops.fused:Softmax.backward",
    [shapes(), gradcheck_slot(wrt="x"), no_mutation()],
    [
        Mistake(
            "p * (dp - (dp * p).sum(axis, keepdims=True))",
            "dp - (dp * p).sum(axis, keepdims=True)",
            "times p is right",
        ),
        Mistake("(dp - (dp * p).sum(axis, keepdims=True))", "dp", "a sum over"),
        Mistake("(dp * p).sum(axis,", "dp.sum(axis,", "a sum over"),
        Mistake(".sum(axis, keepdims=True)", ".sum(-1, keepdims=True)", "axis is not looked at"),
        Mistake("dp - (dp * p)", "dp + (dp * p)", "a sum over"),
        Mistake("return p * (", "return -p * (", "sign"),
    ],
)

SPREAD = "np.broadcast_to(dy.reshape(kept), shape)"
SUM_BACKWARD = exercise(
    "90.4",
    "tinyllm.autograd.ops.reduce:Sum.backward",
    [shapes(), gradcheck_slot(wrt="x"), no_mutation()],
    [
        Mistake(SPREAD, f"{SPREAD} * 2", r"2 times"),
        Mistake(SPREAD, f"{SPREAD} / np.prod(shape)", "1/the number of entries"),
        Mistake(SPREAD, f"-{SPREAD}", "sign"),
        Mistake(SPREAD, "np.ones(shape)", "does not depend on what comes from above|all ones"),
        Mistake(SPREAD, "dy", "never spread out again"),
        Mistake(SPREAD, "np.zeros(shape)", "Nothing flows back"),
    ],
)

MAX_BACKWARD = exercise(
    "90.5",
    "tinyllm.autograd.ops.reduce:Max.backward",
    [shapes(), gradcheck_slot(wrt="x"), no_mutation()],
    [
        Mistake("dy / np.maximum(ties, 1)", "dy + 0 * ties", "tie"),
        Mistake("np.where(largest, share, 0)", "share + 0 * largest", "should be zero"),
        Mistake("np.where(largest, share, 0)", "np.where(largest, 0, share)", "the other way round"),
    ],
)

CROSS_ENTROPY = exercise(
    "90.6",
    "tinyllm.kernels.cross_entropy:cross_entropy",
    [
        shapes(),
        oracle(samples=losses),
        vectors([((np.zeros((1, 4)), np.array([1]), -100), (np.log([4.0]), np.log([4.0])))]),
    ],
    [
        Mistake(
            "lse - logits[rows, np.where(kept, targets, 0)]", "logits[rows, np.where(kept, targets, 0)] - lse", "sign"
        ),
        Mistake("np.where(kept, losses, 0), lse", "losses, lse", "ignore|should be zero"),
        Mistake("np.where(kept, targets, 0)", "np.where(kept, targets, 0) - 1", "one too low"),
        Mistake("lse - logits[rows, np.where(kept, targets, 0)]", "lse", ""),
        Mistake("np.where(kept, losses, 0), lse", "np.where(kept, losses, 0) / len(targets), lse", "1/N"),
        Mistake("np.where(kept, losses, 0), lse", "np.where(kept, losses, 0) / np.log(2), lse", "1/ln 2"),
    ],
)

CROSS_ENTROPY_BACKWARD = exercise(
    "90.7",
    "tinyllm.kernels.cross_entropy:cross_entropy_backward",
    [
        shapes(),
        gradcheck_slot("logits", "tinyllm.kernels.cross_entropy:cross_entropy", losses, outputs="losses lse"),
        no_mutation(),
    ],
    [
        Mistake(
            "dlogits[rows, targets[rows]] -= 1",
            "dlogits[rows, targets[rows]] += 1",
            "only at the entries that targets picks",
        ),
        Mistake(
            "dlogits[rows, targets[rows]] -= 1",
            "dlogits[rows] -= 1",
            "everywhere but at the entries that targets picks",
        ),
        Mistake(
            "np.where(kept, dlosses, 0)[:, None] * dlogits", "kept[:, None] * dlogits", "from above|dlosses is all ones"
        ),
        Mistake("np.where(kept, dlosses, 0)[:, None]", "dlosses[:, None]", "ignore|should be zero"),
        Mistake(
            "return np.where(kept, dlosses, 0)[:, None] * dlogits",
            "return -np.where(kept, dlosses, 0)[:, None] * dlogits",
            "sign",
        ),
        Mistake("logits - lse[:, None]", "logits", "all zeros"),
    ],
)

UNBROADCAST = exercise(
    "90.8",
    "tinyllm.autograd.unbroadcast:unbroadcast",
    [shapes(), oracle(samples=spread_out), no_mutation()],
    [
        Mistake("dy.sum(axis=repeated", "dy.mean(axis=repeated", "entries that share one result"),
        Mistake("if size == 1)", "if size == 1 and axis >= added)", "reshape|fit"),
        Mistake("refuse_misfit(dy.shape, before, shape)", "before = before", "refuse"),
    ],
)

INDEX_BACKWARD = exercise(
    "90.9",
    "tinyllm.autograd.ops.index:Index.backward",
    [shapes(), gradcheck_slot(wrt="x"), no_mutation()],
    [
        Mistake("np.add.at(dx, key, dy)", "dx[key] = dy", "more than once"),
        Mistake("np.zeros(shape, dtype=dy.dtype)", "np.ones(shape, dtype=dy.dtype)", ""),
        Mistake("return dx", "return -dx", "sign"),
    ],
)

SOFTMAX_FORWARD = exercise(
    "90.10",
    "tinyllm.autograd.ops.fused:Softmax.forward",
    [shapes(), saves(), oracle(), no_mutation()],
    [
        Mistake("ctx.save(p, axis)", "ctx.save(x, axis)", r"ctx.saved"),
        Mistake("ctx.save(p, axis)", "ctx.save(axis, p)", r"ctx.saved"),
        Mistake("ctx.save(p, axis)", "ctx.save(p)", r"ctx.saved"),
    ],
)

CAUSAL_MASK = exercise(
    "90.11",
    "tinyllm.kernels.attention:causal_mask",
    [shapes(), oracle(samples=lambda draw: [draw.sizes("T S"), (3, 3), (2, 5), (5, 5)])],
    [
        Mistake("key <= query[:, None]", "key < query[:, None]", "1 too far to the left"),
        Mistake("key <= query[:, None]", "key >= query[:, None]", "other triangle"),
        Mistake(" + (S - T)", "", "left end"),
        Mistake("key <= query[:, None]", "~(key <= query[:, None])", "other way round"),
        Mistake("key <= query[:, None]", "key <= query[:, None] + 1", "1 too far to the right"),
    ],
)


def attended(draw):
    B, T, S, D = draw.sizes("B T S D")
    q, k, v = draw(B, T, D), draw(B, S, D), draw(B, S, D)
    visible = draw.mask(T, S)
    visible[:, 0] = True
    yield q, k, v, visible, D**-0.5
    yield draw(T, D), draw(S, D), draw(S, D), np.ones((T, S), bool), 0.7


ATTEND = exercise(
    "90.12",
    "tinyllm.kernels.attention:attend",
    [shapes(), oracle(samples=attended), no_mutation()],
    [
        Mistake("scale * (q @ flip(k))", "q @ flip(k)", "scale = 1: it is not used"),
        Mistake("np.where(visible, s, -np.inf)", "s", "visible is True everywhere"),
        Mistake("np.where(visible, s, -np.inf)", "np.where(visible, -np.inf, s)", "other way round|infinity"),
        Mistake("scale * (q @ flip(k))", "(q @ flip(k)) / scale", "one divided by scale"),
        Mistake(
            "reference(softmax)(np.where(visible, s, -np.inf))",
            "reference(softmax)(s) * visible",
            "factor of its own",
        ),
        Mistake("return w @ v, w", "return w @ k, w", "k in place of v"),
        Mistake("return w @ v, w", "return w, w @ v", "shape|axes|T"),
    ],
)

ATTEND_BACKWARD = exercise(
    "90.13",
    "tinyllm.kernels.attention:attend_backward",
    [shapes(), gradcheck_slot("q k v", "tinyllm.kernels.attention:attend", attended), no_mutation()],
    [
        Mistake("ds = ds * scale", "ds = ds", "1/scale"),
        Mistake("dw - (dw * w).sum(axis=-1, keepdims=True)", "dw", ""),
        Mistake(".sum(axis=-1,", ".sum(axis=-2,", ""),
        Mistake("flip(ds) @ q", "ds @ q", "inner sizes|broadcast|transpose"),
        Mistake("flip(w) @ dout", "w @ dout", "inner sizes|broadcast|transpose"),
        Mistake("ds = ds * scale", "ds = ds * scale * scale", "scale"),
        Mistake("return ds @ k, flip(ds) @ q, flip(w) @ dout", "return ds @ k, flip(ds) @ q, -flip(w) @ dout", "sign"),
    ],
)

SPLIT_HEADS = exercise(
    "90.14",
    "tinyllm.nn.attention:split_heads",
    [shapes(), oracle(samples=lambda draw: [(draw(B, T, H * D), H) for B, T, H, D in [draw.sizes("B T H D")]])],
    [
        Mistake("x.reshape(B, T, H, C // H).transpose(0, 2, 1, 3)", "x.reshape(B, H, T, C // H)", "wrong places"),
        Mistake(".transpose(0, 2, 1, 3)", "", "another order"),
        Mistake(
            "x.reshape(B, T, H, C // H).transpose(0, 2, 1, 3)",
            "x.reshape(B, T, C // H, H).transpose(0, 3, 1, 2)",
            "wrong places",
        ),
        Mistake(".transpose(0, 2, 1, 3)", ".transpose(0, 2, 3, 1)", "another order"),
    ],
)

RECORDS = {
    record.id: (record, words)
    for record, words in (
        SOFTMAX, LOGSUMEXP, SOFTMAX_BACKWARD, SUM_BACKWARD, MAX_BACKWARD, CROSS_ENTROPY, CROSS_ENTROPY_BACKWARD,
        UNBROADCAST, INDEX_BACKWARD, SOFTMAX_FORWARD, CAUSAL_MASK, ATTEND, ATTEND_BACKWARD, SPLIT_HEADS,
    )
}  # fmt: skip

__all__ = ["RECORDS", "exercise", "given"]
