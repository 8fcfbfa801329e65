"""What the functions of lesson 04 are asked: the values of slow loops, and what holds for every score."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ..checks.draw import Growing

Array = np.ndarray[Any, Any]
Function = Callable[..., Any]


def slow_logsumexp(x: Array) -> Array:
    """Row by row, entry by entry, after taking the row's largest score off."""
    out = np.zeros(x.shape[:-1])
    for index in np.ndindex(out.shape):
        top = max(x[index])
        out[index] = top + np.log(sum(np.exp(score - top) for score in x[index]))
    return out


def slow_softmax(x: Array) -> Array:
    """Row by row, entry by entry."""
    out = np.zeros(x.shape)
    for index in np.ndindex(x.shape[:-1]):
        top = max(x[index])
        total = sum(np.exp(score - top) for score in x[index])
        for v in range(x.shape[-1]):
            out[(*index, v)] = np.exp(x[(*index, v)] - top) / total
    return out


def scores(draw: Growing) -> Iterator[Array]:
    """Rows of scores (N, V), (B, T, V) and one row by itself."""
    yield draw(*draw.sizes("N V"))
    yield draw(*draw.sizes("B T V"))
    yield draw(draw.size())


def shifted(f: Function, draw: Growing) -> str | None:
    """logsumexp(x + c) = logsumexp(x) + c, with another c for each row."""
    N, V = draw.sizes("N V")
    x, c = draw(N, V), draw(N)
    if np.abs(f(x + c[:, None]) - f(x) - c).max() > 1e-9:
        return "a row that is raised by c has a logsumexp that is not raised by c"
    return None


def huge(f: Function, draw: Growing) -> str | None:
    """Scores up to ten thousand, up and down, in the same array."""
    x = 1e4 + draw(*draw.sizes("N V"))
    both = np.concatenate([x, x - 2e4])  # (2 N, V): rows near 1e4, rows near -1e4
    got, right = f(both), slow_logsumexp(both)
    if not np.isfinite(got).all():
        return "scores of 1e4 give infinity or NaN: exp has to be kept small"
    return "scores of 1e4 and -1e4 in one array lose their digits" if np.abs(got - right).max() > 1e-9 else None


def rows_sum_to_one(f: Function, draw: Growing) -> str | None:
    """Probabilities are what they have to be: a row sums to one, and nothing is negative."""
    p = f(draw(*draw.sizes("N V"), scale=3.0))
    if np.abs(p.sum(axis=-1) - 1).max() > 1e-12:
        return "the probabilities of a row do not sum to 1"
    return "a probability is negative" if p.min() < 0 else None


def unmoved(f: Function, draw: Growing) -> str | None:
    """A row that is raised by 1e4 or lowered by it keeps its probabilities."""
    N, V = draw.sizes("N V")
    x, c = draw(N, V), 1e4 * np.sign(draw(N))
    got, right = f(x + c[:, None]), f(x)
    if not np.isfinite(got).all():
        return "scores of 1e4 give infinity or NaN: exp has to be kept small"
    return (
        "raising a whole row by the same number changes its probabilities" if np.abs(got - right).max() > 1e-9 else None
    )


def batch(draw: Growing) -> Iterator[tuple[Array, Array, int]]:
    """Logits (N, V), targets (N,), every third of which does not count."""
    N, V = draw.sizes("N V")
    targets = draw.ints(V, N)
    yield draw(N, V), targets, -100
    targets = targets.copy()
    targets[::3] = -100
    yield draw(N, V), targets, -100
    yield draw(N, V) + 1e3, draw.ints(V, N), -100


def slow_cross_entropy(logits: Array, targets: Array, ignore_index: int) -> tuple[Array, Array]:
    """Row by row, with the slow logsumexp."""
    lse = slow_logsumexp(logits)
    losses = np.zeros(len(targets))
    for n, target in enumerate(targets):
        if target != ignore_index:
            losses[n] = lse[n] - logits[n, target]
    return losses, lse


def no_idea(f: Function, draw: Growing) -> str | None:
    """Equal scores for V bytes: the loss is ln V whatever the target is."""
    N, V = draw.sizes("N V")
    losses, _ = f(np.full((N, V), 3.0), draw.ints(V, N), -100)
    off = np.abs(losses - np.log(V)).max()
    return f"equal scores for {V} choices should cost ln {V} = {np.log(V):.4f} nats" if off > 1e-12 else None


def sums_to_zero(f: Function, draw: Growing) -> str | None:
    """What is taken from one score is given to others: each row of dlogits sums to zero."""
    N, V = draw.sizes("N V")
    logits, targets = draw(N, V), draw.ints(V, N)
    lse = slow_logsumexp(logits)
    got = f(logits, targets, lse, draw(N), -100)
    return "a row of dlogits does not sum to zero" if np.abs(got.sum(axis=-1)).max() > 1e-9 else None
