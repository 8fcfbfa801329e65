r"""Choices between logits and a token: each takes the logits (V,) of one text, and returns others.

bias        b_i is added to chosen tokens                           says what the caller knows better than the model
penalty     what was said already gets less likely                  Keskar et al. 2019
top_p       the fewest tokens that hold p of the probability        Holtzman et al. 2020
min_p       all that are at least m times as likely as the first    Nguyen et al. 2024
typical     those about as surprising as is to be expected          Meister et al. 2023

The last three set the logits of all other tokens to minus infinity, as ``top_k`` in sample.py does: softmax afterwards
shares their probability among those that are left. At least one token always is. None of them changes its argument.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from ..errors import RangeError
from ..kernels import softmax

Array = np.ndarray[Any, Any]

_FEW = 1024  # tokens that mostly hold what top_p asks for, however large the vocabulary
_SURELY = 1e-9  # more than sums can be wrong by


def entropy(p: Array) -> float:
    """Return the entropy of probabilities p (V,) in nats: how surprising the next token is, on average.

    Example:
        >>> round(entropy(np.array([0.5, 0.5, 0.0])), 4)  # log 2
        0.6931
    """
    there = p[p > 0]  # x log x goes to 0 with x
    return float(-(there * np.log(there)).sum())


def logit_bias(logits: Array, bias: Iterable[tuple[int, float]]) -> Array:
    """Add a number to the logits (V,) of some tokens: each nat makes one e times as likely, minus infinity impossible.

    Source: the field of this name in the interface of OpenAI's models.

    Raises:
        RangeError: there is no token of that id.

    Example:
        >>> logit_bias(np.array([1.0, 2.0, 3.0]), {0: 0.5, 2: -np.inf}.items())
        array([ 1.5,  2. , -inf])
    """
    pairs = list(bias)
    chosen = _checked([token for token, _ in pairs], len(logits), "logit_bias")
    moved = logits.copy()
    np.add.at(moved, chosen, [amount for _, amount in pairs])
    return moved


def repetition_penalty(logits: Array, ids: Iterable[int], penalty: float) -> Array:
    """Make the tokens that occur in ids less likely: a positive logit is divided by the penalty, a negative multiplied.

    How often a token occurs makes no difference. Below 1 the penalty becomes a reward. Logits are only defined up to a
    constant, but what this does depends on their signs: it wants them as the model says them, before any shift.

    Source: Keskar et al. 2019, "CTRL: A Conditional Transformer Language Model for Controllable Generation", 4.1.

    Raises:
        RangeError: there is no token of that id.

    Example:
        >>> repetition_penalty(np.array([2.0, -2.0, 2.0]), [0, 1, 1], 2.0)
        array([ 1., -4.,  2.])
    """
    said = _checked(sorted(set(ids)), len(logits), "repetition_penalty")
    changed = logits.copy()
    old = logits[said]
    changed[said] = np.where(old < 0, old * penalty, old / penalty)
    return changed


def top_p(logits: Array, p: float) -> Array:
    """Keep the fewest tokens that together have at least the probability p, the one that crosses it included.

    Of tokens equally likely the first are kept, and always at least one.

    Source: Holtzman et al. 2020, "The Curious Case of Neural Text Degeneration" (nucleus sampling).

    Example:
        >>> top_p(np.log([0.2, 0.5, 0.3]), 0.6).round(1)
        array([-inf, -0.7, -1.2])
    """
    if p >= 1:
        return logits  # rounding must not cut off what is all but impossible
    probabilities = softmax(logits)
    few = _highest(logits, _FEW)  # to sort all of a large vocabulary takes as long as a step of a small model
    some = few if probabilities[few].sum() > p + _SURELY else np.arange(len(logits))
    order = some[np.argsort(-logits[some], kind="stable")]  # not by probabilities, which may round to equals
    return _only(logits, _until_mass(probabilities, order, p))


def min_p(logits: Array, m: float) -> Array:
    """Keep the tokens at least m times as likely as the likeliest: few where the model is sure, many where it is not.

    Source: Nguyen et al. 2024, "Turning Up the Heat: Min-p Sampling for Creative and Coherent LLM Outputs".

    Example:
        >>> min_p(np.log([0.2, 0.5, 0.3]), 0.5).round(1)
        array([-inf, -0.7, -1.2])
    """
    probabilities = softmax(logits)
    return _only(logits, np.flatnonzero(probabilities >= m * probabilities.max()))


def typical(logits: Array, mass: float) -> Array:
    """Keep the tokens whose surprise -log p is nearest to the entropy, the fewest that have at least this mass.

    A token may be dropped because it is too likely. Of tokens equally near the first are kept.

    Source: Meister et al. 2023, "Locally Typical Sampling".

    Example:
        >>> typical(np.log([0.6, 0.3, 0.1]), 0.5).round(1)  # the entropy is 0.9, and the surprises 0.5, 1.2 and 2.3
        array([-0.5, -1.2,  -inf])
    """
    if mass >= 1:
        return logits
    p = softmax(logits)
    with np.errstate(divide="ignore"):  # the surprise of what cannot be is infinite: farthest from typical
        surprise = -np.log(p)
    order = np.argsort(np.abs(surprise - entropy(p)), kind="stable")
    return _only(logits, _until_mass(p, order, mass))


def _highest(logits: Array, n: int) -> Array:
    """Return the ids of the n highest logits, and of all that are as high as the last of them, in their order."""
    if len(logits) <= 2 * n:
        return np.arange(len(logits))
    return np.flatnonzero(logits >= np.partition(logits, -n)[-n])


def _until_mass(p: Array, order: Array, mass: float) -> Array:
    """Return the beginning of an order of tokens at which their probabilities' sum first reaches the mass."""
    running = np.cumsum(p[order])
    return order[: int(np.searchsorted(running, mass, side="left")) + 1]


def _only(logits: Array, kept: Array) -> Array:
    """Return the logits with all but the kept ones at minus infinity."""
    left = np.full_like(logits, -np.inf)
    left[kept] = logits[kept]
    return left


def _checked(ids: list[int], V: int, name: str) -> Array:
    """Return the ids as an array, if all of them are tokens: a negative one would be counted from the end."""
    if wrong := [i for i in ids if not 0 <= i < V]:
        raise RangeError(f"{name}: there is no token {wrong[0]}", hint=f"ids from 0 to {V - 1}")
    return np.array(ids, dtype=np.int64)
