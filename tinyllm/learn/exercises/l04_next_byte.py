"""Lesson 04: predict the next byte. From scores to probabilities to a loss, and back."""

from __future__ import annotations

import numpy as np

from ..checks import gradcheck_slot, holds, no_mutation, oracle, shapes, vectors
from ..exercise import Exercise, Lesson, Mutant
from .asked_next_byte import (
    huge,
    rows_sum_to_one,
    scores,
    shifted,
    slow_logsumexp,
    slow_softmax,
    unmoved,
)
from .prices import PRICES

_SOFTMAX_BACKWARD = Exercise(
    "04.3",
    slot="tinyllm.autograd.ops.fused:Softmax.backward",
    minutes=15,
    needs=["04.2"],
    checks=[shapes(), gradcheck_slot(), no_mutation()],
    mutants=[
        Mutant(
            "p * (dp - (dp * p).sum(axis, keepdims=True))",
            "p * (1 - p) * dp",
            "This is each score by itself; but a score that rises takes probability from all the others in its row.",
        ),
        Mutant(
            "dp - (dp * p).sum(axis, keepdims=True)",
            "dp",
            "Softmax couples a row: take the row's weighted mean of dp off before multiplying with p.",
        ),
        Mutant(
            "(dp * p).sum(",
            "dp.sum(",
            "The mean over the row is weighted: each dp_j counts as much as its probability p_j.",
        ),
        Mutant(
            ".sum(axis,",
            ".sum(0,",
            "The sum runs along the axis that the forward pass made sum to one, which ctx.saved holds; not along "
            "axis 0.",
        ),
        Mutant(".sum(axis,", ".mean(axis,", "A sum, not a mean: the weights p already sum to one."),
        Mutant(
            "return p * (dp",
            "return (dp",
            "The factor p in front is missing: a score whose probability is zero cannot move anything.",
        ),
        Mutant(
            "p * (dp - (dp * p)",
            "p * (dp + (dp * p)",
            "The sign: what a row gains together is taken off, so that its gradient sums to zero.",
        ),
    ],
    hints=(
        "In the forward pass p_i = e_i / sum_j e_j. Through which two places does score x_i reach the probability p_j?",
        "dp_j/dx_i = p_j ((i = j) - p_i). Multiply by dp_j and sum over j: one term for i itself, one sum over the "
        "row.",
        "return p * (dp - (___ * ___).sum(axis, keepdims=___))",
    ),
    explain="The sum is the mean of dp under the probabilities p: softmax only passes on how much better than the "
    "row's average each entry would be. So a gradient of ones vanishes, and every row of dx sums to zero. The same "
    "line comes back in attention (10.3).",
)

LESSON = Lesson(
    "04",
    "next_byte",
    "Predict the next byte",
    "How does a machine learn from nothing but text what comes next?",
    50,
    "a table of scores learns what counting knows, and writes",
    (
        Exercise(
            "04.1",
            slot="tinyllm.kernels.softmax:logsumexp",
            minutes=10,
            through=("cross_entropy", "cross_entropy_chunk"),
            checks=[
                shapes(),
                vectors([(np.zeros(4), np.log(4.0)), (np.array([[0.0, 0.0], [1.0, 1.0]]), np.log(2) + np.arange(2.0))]),
                oracle(slow_logsumexp, scores, name="a slow loop"),
                holds("a shift goes through", shifted),
                holds("scores of 1e4", huge, rounds=3),
                no_mutation(),
            ],
            mutants=[
                Mutant(
                    "highest[..., 0] + np.log(np.exp(x - highest).sum(axis=-1))",
                    "np.log(np.exp(x).sum(axis=-1))",
                    "exp(1e4) overflows: take the row's largest score off before exp, and add it again after the log.",
                ),
                Mutant(
                    "return highest[..., 0] + ",
                    "return ",
                    "The largest score was taken off, and has to be added again after the logarithm.",
                ),
                Mutant(
                    ".sum(axis=-1)",
                    ".sum(axis=0)",
                    "The sum runs over the scores of a row, the last axis, not over the rows.",
                ),
                Mutant(
                    "x.real.max(axis=-1, keepdims=True, initial=-np.inf)",
                    "np.full((*x.shape[:-1], 1), x.real.max(initial=-np.inf))",
                    "One largest score for the whole array: a row far below it becomes log 0. Each row has its own.",
                ),
                Mutant(
                    "highest[..., 0] + np.log(np.exp(x - highest).sum(axis=-1))",
                    "highest + np.log(np.exp(x - highest).sum(axis=-1, keepdims=True))",
                    "A row becomes one number: the last axis is summed away, (..., V) to (...).",
                ),
                Mutant(
                    "np.exp(x - highest).sum(",
                    "np.exp(x - highest).mean(",
                    "A sum, not a mean: a mean loses ln V, and V equal scores no longer weigh V times as much as one.",
                ),
            ],
            hints=(
                "exp(1000) is infinite in floating point. Which number can be taken off every score of a row, and put "
                "back afterwards, without changing the answer?",
                "log sum exp(x) = m + log sum exp(x - m) for any m. With m the row's maximum the largest term is "
                "exp(0) = 1.",
                "m = x.max(axis=___, keepdims=True) ; return ___ + np.log(np.exp(___).sum(axis=-1))",
            ),
            explain="The identity holds for every m; the maximum is the one for which nothing can overflow and at "
            "least one term is 1, so that the logarithm is never taken of zero. As a function it is a maximum with "
            "rounded corners, and its slope is the softmax: that is why the two always appear together.",
        ),
        Exercise(
            "04.2",
            slot="tinyllm.kernels.softmax:softmax",
            minutes=5,
            needs=["04.1"],
            checks=[
                shapes(),
                vectors(
                    [
                        (np.zeros(4), np.full(4, 0.25)),
                        (np.log(np.array([[1.0, 2.0, 5.0]])), np.array([[0.125, 0.25, 0.625]])),
                        (np.array([0.0, -np.inf, 0.0]), np.array([0.5, 0.0, 0.5])),
                    ]
                ),
                oracle(slow_softmax, scores, name="a slow loop"),
                holds("rows sum to 1", rows_sum_to_one),
                holds("a shift changes nothing", unmoved),
                no_mutation(),
            ],
            mutants=[
                Mutant(
                    "np.exp(x - highest)",
                    "np.exp(x)",
                    "exp(1e4) overflows to infinity, and infinity over infinity is NaN: take the row's maximum off "
                    "first.",
                ),
                Mutant(
                    "e.sum(axis=-1, keepdims=True)",
                    "e.sum(axis=0, keepdims=True)",
                    "Each row is divided by its own sum, over the last axis; this makes the columns sum to 1.",
                ),
                Mutant(
                    "e.sum(axis=-1, keepdims=True)",
                    "e.sum()",
                    "This divides by the sum of the whole array: every row has to sum to 1 by itself.",
                ),
                Mutant(
                    "e / e.sum(axis=-1, keepdims=True)",
                    "e / e.sum(axis=-1)",
                    "Without keepdims the sums (...,) line up with the wrong axis: keep it as (..., 1).",
                ),
                Mutant(
                    "x.real.max(axis=-1, keepdims=True, initial=-np.inf)",
                    "x.real.max(initial=-np.inf)",
                    "One maximum for the whole array: a row far below it becomes 0 / 0. Each row has its own.",
                ),
                Mutant(
                    "e.sum(axis=-1, keepdims=True)",
                    "e.max(axis=-1, keepdims=True)",
                    "Divided by the largest, the largest becomes 1; divided by the sum, all of them together do.",
                ),
            ],
            hints=(
                "Scores may be negative, probabilities may not, and they sum to 1. Which two steps take care of that?",
                "exp makes everything positive; dividing by the row's sum makes it sum to 1. And 04.1 tells how to "
                "keep exp from overflowing.",
                "e = np.exp(x - ___) ; return e / e.sum(axis=___, keepdims=___)",
            ),
            explain="Only differences of scores matter: add the same number to a whole row and nothing changes. So V "
            "scores have V - 1 things to say, and the logarithm of a ratio of two probabilities is the difference of "
            "their scores.",
        ),
        _SOFTMAX_BACKWARD,
        *PRICES,
    ),
    needs=("01", "03"),
    seconds=10,
)
