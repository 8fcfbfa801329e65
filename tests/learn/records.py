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
    yield draw(5, 7), draw.ints(7, 5), 2


def spread_out(draw):
    yield draw(5), (5,)
    yield draw(2, 3), (3,)
    yield draw(2, 3, 5), (3, 1)
    yield draw(2, 3, 5), (1, 3, 1)
    yield draw(7, 2, 3), (7, 1, 3)
    yield draw(2, 3), ()
    yield draw(2, 3), (4, 3)


SOFTMAX = exercise(
    "90.1",
    "tinyllm.kernels.softmax:softmax",
    [shapes(), oracle(slow_softmax, rows), holds("rows sum to 1", sums_to_one), no_mutation()],
    [
        Mistake("e = np.exp(x - _highest(x))", "e = np.exp(x)", "overflow"),
        Mistake("axis=-1, keepdims=True", "axis=0, keepdims=True", "sums to 1 along T, and should along V|several|own"),
        Mistake("e / e.sum(axis=-1, keepdims=True)", "e", "factor of its own"),
        Mistake("return e / e.sum(axis=-1, keepdims=True)", "return e / e.sum()", "factor of its own|axis"),
        Mistake("np.exp(x - _highest(x))", "np.exp(_highest(x) - x)", "minus x|sign"),
    ],
)

LOGSUMEXP = exercise(
    "90.2",
    "tinyllm.kernels.softmax:logsumexp",
    [shapes(), oracle(samples=rows), no_mutation()],
    [
        Mistake("return highest[..., 0] + np.log", "return np.log", "off by a constant|", ),
        Mistake(".sum(axis=-1))", ".mean(axis=-1))", r"ln\(V\) less"),
        Mistake("np.log(np.exp(x - highest).sum(axis=-1))", "np.exp(x - highest).sum(axis=-1)", ""),
        Mistake("np.exp(x - highest)", "np.exp(x)", "overflow"),
        Mistake("return highest[..., 0]", "return -highest[..., 0]", ""),
    ],
)

SOFTMAX_BACKWARD = exercise(
    "90.3",
    "tinyllm.autograd.ops.fused:Softmax.backward",
    [shapes(), gradcheck_slot(wrt="x"), no_mutation()],
    [
        Mistake("p * (dp - (dp * p).sum(axis, keepdims=True))", "dp - (dp * p).sum(axis, keepdims=True)", "all ones"),
        Mistake("(dp - (dp * p).sum(axis, keepdims=True))", "dp", "a sum over"),
        Mistake("(dp * p).sum(axis,", "dp.sum(axis,", "a sum over"),
        Mistake(".sum(axis, keepdims=True)", ".sum(-1, keepdims=True)", "another axis than the last"),
        Mistake("dp - (dp * p)", "dp + (dp * p)", "a sum over"),
        Mistake("return p * (", "return -p * (", "sign"),
    ],
)

SUM_BACKWARD = exercise(
    "90.4",
    "tinyllm.autograd.ops.reduce:Sum.backward",
    [shapes(), gradcheck_slot(wrt="x"), no_mutation()],
    [
        Mistake("spread(dy, shape, axes)", "spread(dy, shape, axes) * 2", r"2 times"),
        Mistake("spread(dy, shape, axes)", "spread(dy, shape, axes) / np.prod(shape)", "number of entries"),
        Mistake("spread(dy, shape, axes)", "-spread(dy, shape, axes)", "sign"),
        Mistake("spread(dy, shape, axes)", "np.ones(shape)", "does not depend on what comes from above|all ones"),
        Mistake("spread(dy, shape, axes)", "dy", "axis|broadcast|lacks"),
        Mistake("spread(dy, shape, axes)", "np.zeros(shape)", "nothing flows back"),
    ],
)

MAX_BACKWARD = exercise(
    "90.5",
    "tinyllm.autograd.ops.reduce:Max.backward",
    [shapes(), gradcheck_slot(wrt="x"), no_mutation()],
    [
        Mistake("dy / ties", "dy", "tie"),
        Mistake("largest * ", "", ""),
        Mistake("largest * ", "~largest * ", "other way round"),
    ],
)

CROSS_ENTROPY = exercise(
    "90.6",
    "tinyllm.kernels.cross_entropy:cross_entropy",
    [shapes(), oracle(samples=losses), vectors([((np.zeros((1, 4)), np.array([1]), -100), (np.log([4.0]), np.log([4.0])))])],
    [
        Mistake("lse - logits[rows, np.where(kept, targets, 0)]", "logits[rows, np.where(kept, targets, 0)] - lse", "sign"),
        Mistake("np.where(kept, losses, 0), lse", "losses, lse", "ignore"),
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
        Mistake("dlogits[rows, targets[rows]] -= 1", "dlogits[rows, targets[rows]] += 1", ""),
        Mistake("dlogits[rows, targets[rows]] -= 1", "dlogits[rows] -= 1", "off by a constant|sum over|dlosses"),
        Mistake("np.where(kept, dlosses, 0)[:, None] * dlogits", "kept[:, None] * dlogits", "from above|dlosses is all ones"),
        Mistake("np.where(kept, dlosses, 0)[:, None]", "dlosses[:, None]", "ignore"),
        Mistake("return np.where(kept, dlosses, 0)[:, None] * dlogits", "return -np.where(kept, dlosses, 0)[:, None] * dlogits", "sign"),
        Mistake("logits - lse[:, None]", "logits", "all zeros"),
    ],
)

UNBROADCAST = exercise(
    "90.8",
    "tinyllm.autograd.unbroadcast:unbroadcast",
    [shapes(), oracle(samples=spread_out), no_mutation()],
    [
        Mistake("dy.sum(axis=spread)", "dy.mean(axis=spread)", "times|broadcast"),
        Mistake("tuple(range(extra)) + ", "", "shape|axis|fit|reshape"),
        Mistake("    if extra < 0 or any(size not in (1, dy.shape[extra + axis]) for axis, size in enumerate(shape)):",
                "    if extra < 0:", "refuse|size"),
    ],
)

INDEX_BACKWARD = exercise(
    "90.9",
    "tinyllm.autograd.ops.index:Index.backward",
    [shapes(), gradcheck_slot(wrt="x"), no_mutation()],
    [
        Mistake("np.add.at(dx, key, dy)", "dx[key] = dy", "more than once"),
        Mistake("np.add.at(dx, key, dy)", "dx[key] += dy", "more than once"),
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

RECORDS = {
    record.id: (record, words)
    for record, words in (
        SOFTMAX, LOGSUMEXP, SOFTMAX_BACKWARD, SUM_BACKWARD, MAX_BACKWARD, CROSS_ENTROPY, CROSS_ENTROPY_BACKWARD,
        UNBROADCAST, INDEX_BACKWARD, SOFTMAX_FORWARD,
    )
}  # fmt: skip

__all__ = ["RECORDS", "exercise", "given"]
