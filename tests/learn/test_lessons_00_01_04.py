"""Wrong answers as people write them, in words of their own: each gets the sentence that is meant for it.

That the mistakes in the records themselves are named is a gate (R3); here stands what nobody copied from there.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

from tinyllm.learn.diagnosis.judge import judge
from tinyllm.learn.exercises import exercise


def nats_per_byte(loss, bytes_per_token):
    return loss / bytes_per_token


def forward_difference(f, x, u, h=1e-5):
    y = f(x)
    return (f(x + u * h) - y) / h


def real_step(f, x, u, h=1e-20):
    return (f(x + u * h * 1j)).real / h


def not_put_back(f, x, h=1e-5):
    x = x.copy()
    grad = np.zeros(x.shape)
    flat, out = x.reshape(-1), grad.reshape(-1)
    for i in range(flat.size):
        old = flat[i]
        flat[i] = old + h
        up = f(x)
        flat[i] = old - h
        out[i] = (up - f(x)) / (2 * h)
    return grad


def summed(f, pull_back, x, directions, draw, step, rtol):
    y = f(x)
    v = np.ones_like(y)
    dx = pull_back(v)
    got = np.array([(dx * u).sum() for u in directions])
    expected = np.array([(v * step(f, x, u)).sum() for u in directions])
    error = np.abs(got - expected).max() / np.abs(expected).max()
    return bool(error <= rtol), error, dx, expected


def left_complex(f, x, u, h=1e-20):
    return (np.imag(f(x + 1j * h * u)) / h).astype(complex)


def in_single(f, x, h=1e-5):
    return every_entry(f, x, h).astype(np.float32)


def naive_logsumexp(x):
    total = np.exp(x).sum(-1)
    return np.log(total)


def naive_softmax(x):
    p = np.exp(x)
    return p / p.sum(-1, keepdims=True)


def diagonal(ctx, dp):
    p, _ = ctx.saved
    return dp * p * (1.0 - p)


def negative_logit(logits, targets, ignore_index):
    counts = targets != ignore_index
    lse = np.log(np.exp(logits - logits.real.max(-1, keepdims=True)).sum(-1)) + logits.real.max(-1)
    picked = logits[np.arange(len(targets)), np.where(counts, targets, 0)]
    return np.where(counts, 0.0 - picked, 0), lse


def mean_again(logits, targets, lse, dlosses, ignore_index):
    p = np.exp(logits - lse[:, None])
    counts = targets != ignore_index
    for n in range(len(targets)):
        if counts[n]:
            p[n, targets[n]] -= 1
    return p * np.where(counts, dlosses, 0)[:, None] / len(targets)


WRONG = [
    ("00.1", nats_per_byte, "nats per byte"),
    ("01.1", forward_difference, "looks to one side only"),
    ("01.2", real_step, "The real part is f"),
    ("01.2", left_complex, "complex128"),
    ("01.3", not_put_back, "not put back"),
    ("01.3", in_single, "float32"),
    ("01.4", summed, "cotangent of ones"),
    ("04.1", naive_logsumexp, "overflows"),
    ("04.2", naive_softmax, "overflows"),
    ("04.3", diagonal, "each score by itself"),
    ("04.4", negative_logit, "logsumexp is missing"),
    ("04.5", mean_again, "count it twice"),
]


@pytest.mark.parametrize(
    ("wanted", "function", "words"), WRONG, ids=[f"{wanted}-{function.__name__}" for wanted, function, _ in WRONG]
)
def test_a_wrong_answer_gets_its_sentence(wanted, function, words):
    verdict = judge(exercise(wanted), function)
    assert verdict.state == "failed"
    assert words in verdict.because


def loops(x):
    """Right, and written in another way than the library's."""
    flat = x.reshape(-1, x.shape[-1])
    out = np.stack([row - (row.real.max() + np.log(np.exp(row - row.real.max()).sum())) for row in flat])
    return np.exp(out).reshape(x.shape).astype(x.dtype)


def every_entry(f, x, h=1e-5):
    eye = np.eye(x.size).reshape(x.size, *x.shape)
    return np.array([(f(x + h * u) - f(x - h * u)) / (2 * h) for u in eye]).reshape(x.shape)


def own_random(f, pull_back, x, directions, draw, step, rtol):
    """Right, with a cotangent that it draws for itself, of another length."""
    v = draw.rng.normal(size=np.shape(f(x)))
    dx = pull_back(v)
    pairs = [(np.sum(dx * u), np.sum(v * step(f, x, u))) for u in directions]
    slopes = np.array([slope for _, slope in pairs])
    error = max(abs(promised - slope) for promised, slope in pairs) / np.abs(slopes).max()
    return bool(not math.isnan(error) and error <= rtol), error, dx, slopes


RIGHT = [
    ("00.1", lambda loss, bytes_per_token: math.log2(math.e) * loss / bytes_per_token),
    ("01.1", lambda f, x, u, h=1e-4: (f(x + h / 2 * u) - f(x - h / 2 * u)) / h),
    ("01.3", every_entry),
    ("01.4", own_random),
    ("04.2", loops),
]


@pytest.mark.parametrize(("wanted", "function"), RIGHT, ids=[wanted for wanted, _ in RIGHT])
def test_a_right_answer_in_other_words_passes(wanted, function):
    verdict = judge(exercise(wanted), function)
    assert verdict.passed, verdict.lines
