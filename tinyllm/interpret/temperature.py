r"""What temperature and other settings do to a distribution: the same logits under several of them, as one table.

    p_i(t) = exp(z_i / t) / sum_j exp(z_j / t)

The odds of two tokens are their odds at t = 1, to the power of 1 / t: below 1 the likely gain, above 1 the unlikely. No
temperature changes the order of tokens or makes one impossible; top-k and top-p do only the latter.

Source: Ackley, Hinton & Sejnowski 1985 (temperature); Holtzman et al. 2020 (what is cut off, and why).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import kernels
from ..errors import ConfigError, ShapeError
from .still import refuse_nan
from .tsne_neighbors import entropy

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Effect:
    """Distributions over the same tokens, side by side.

    Attributes:
        names: of the settings.
        ids: (k,) the tokens shown, the likeliest under the first setting first.
        probabilities: (S, k) theirs under each setting.
        rest: (S,) the probability of all tokens that are not shown.
        kept: (S,) how many tokens can be drawn at all.
        entropy: (S,) in nats; its exponential is the number of tokens alike that would be as uncertain.
    """

    names: list[str]
    ids: Array
    probabilities: Array
    rest: Array
    kept: Array
    entropy: Array


def tempered(logits: Any, temperatures: Sequence[float]) -> dict[str, Array]:
    """Return the probabilities (V,) of logits (V,) at each temperature, under the names "T=0.5", ...

    A temperature of 0 gives the likeliest token everything, the first of several.

    Raises:
        ShapeError: the logits are not (V,).
        ConfigError: a temperature is below 0 or infinite.
        NaNError: a logit is NaN.

    Example:
        >>> {name: p.round(2).tolist() for name, p in tempered([2.0, 1.0, 0.0], [0.5, 1, 2]).items()}
        {'T=0.5': [0.87, 0.12, 0.02], 'T=1': [0.67, 0.24, 0.09], 'T=2': [0.51, 0.31, 0.19]}
    """
    z = np.asarray(logits, dtype=np.float64)
    if z.ndim != 1 or not z.size:
        raise ShapeError(f"tempered: logits of shape {z.shape}, not (V,)", hint="logits[0, -1] for the last token")
    refuse_nan(z, "tempered", "the logits")
    wrong = [t for t in temperatures if not 0 <= t < np.inf]
    if wrong:
        raise ConfigError(f"tempered: a temperature of {wrong[0]}", hint="0 for the likeliest token, or a number above")
    z = z - z.max()
    first = np.where(np.arange(len(z)) == z.argmax(), 0.0, -np.inf)
    with np.errstate(over="ignore"):  # a tiny temperature sends all but the largest to minus infinity, as it should
        return {f"T={t:g}": kernels.softmax(z / t if t else first) for t in temperatures}


def effect(settings: Mapping[str, Any], k: int = 10) -> Effect:
    """Put distributions over the same tokens side by side.

    Args:
        settings: name -> probabilities (V,): from ``tempered``, or ``Sampling(top_p=0.9).probabilities(logits)`` of
            tinyllm.generate.
        k: how many tokens to show; all there are, if that is fewer.

    Raises:
        ShapeError: there is no setting, or they are not all (V,).
        ConfigError: k is below 1, or a row is no distribution.
        NaNError: a probability is NaN.

    Example:
        >>> from tinyllm.generate import Sampling
        >>> z = np.log([0.5, 0.3, 0.1, 0.1])
        >>> found = effect({**tempered(z, [1]), "top_p=0.7": Sampling(top_p=0.7).probabilities(z)}, k=2)
        >>> found.probabilities.round(3), found.kept, found.rest.round(3)
        (array([[0.5  , 0.3  ],
               [0.625, 0.375]]), array([4, 2]), array([0.2, 0. ]))
    """
    rows = [np.asarray(p, dtype=np.float64) for p in settings.values()]
    if not rows or any(p.ndim != 1 or p.shape != rows[0].shape or not p.size for p in rows):
        raise ShapeError(f"effect: probabilities {[p.shape for p in rows]}, not (V,) for each setting")
    table = np.stack(rows)  # (S, V)
    refuse_nan(table, "effect", "the probabilities")
    sums = table.sum(axis=1)
    if k < 1 or (table < 0).any() or np.abs(sums - 1).max() > 1e-3:
        raise ConfigError(
            f"effect: k={k}, rows from {table.min():.3g} with sums from {sums.min():.4g} to {sums.max():.4g}",
            hint="k from 1, and probabilities with a sum of 1",
        )
    ids = np.argsort(-table[0], kind="stable")[:k]
    shown = table[:, ids]
    rest = np.maximum(sums - shown.sum(axis=1), 0.0)
    return Effect(list(settings), ids, shown, rest, (table > 0).sum(axis=1), entropy(table))
