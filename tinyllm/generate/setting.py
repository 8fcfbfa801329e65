r"""Sampling: how a token is chosen, as one value that can be checked, compared, kept and handed on.

logits -> bias -> repetition penalty -> temperature -> top_k -> top_p -> min_p -> typical -> softmax -> a token

Each choice sees what the one before has left, in the order that transformers has them. A choice that is not set does
nothing; a setting with none of them draws as the model says.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

import numpy as np

from ..errors import ConfigError, NaNError
from ..kernels import softmax
from . import choices
from .sample import apply_temperature, sample, top_k

Array = np.ndarray[Any, Any]
Bias = Mapping[int, float] | Iterable[tuple[int, float]]


@dataclass(frozen=True, kw_only=True)
class Sampling:
    r"""A setting of all the choices between logits and a token.

    Args:
        temperature: 0 takes the likeliest token each time; 1 draws as the model says; above 1 more daring.
        top_k: draw among the k likeliest tokens only.
        top_p: draw among the fewest tokens that have this probability together.
        min_p: draw among tokens at least this many times as likely as the likeliest.
        typical_p: draw among the tokens nearest to the expected surprise that have this probability together.
        repetition_penalty: above 1 makes what the text holds already less likely.
        logit_bias: numbers to add to the logits of tokens, by id; minus infinity forbids one. Kept as sorted pairs.

    Raises:
        ConfigError: a number is out of its range, or no number.

    Example:
        >>> setting = Sampling(temperature=0.8, top_p=0.9, logit_bias={3: -np.inf})
        >>> setting.logit_bias
        ((3, -inf),)
        >>> setting.probabilities(np.array([2.0, 1.0, -3.0, 5.0])).round(2)
        array([0.78, 0.22, 0.  , 0.  ])
        >>> Sampling(top_p=1.5)
        Traceback (most recent call last):
            ...
        tinyllm.errors.ConfigError: E-CONFIG Sampling: top_p is 1.5. Try: above 0 and at most 1, or None for all tokens
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    min_p: float | None = None
    typical_p: float | None = None
    repetition_penalty: float = 1.0
    logit_bias: Bias = ()

    def __post_init__(self) -> None:
        self._refuse_unless("temperature", lambda t: 0 <= t < math.inf, "0 for the likeliest token, or a number above")
        self._refuse_unless("repetition_penalty", lambda r: 0 < r < math.inf, "above 0; 1 for none")
        if self.top_k is not None:
            k = self.top_k
            if not isinstance(k, Integral) or isinstance(k, bool) or k < 1:
                raise ConfigError(f"Sampling: top_k is {k!r}", hint="1 or more, or None for all tokens")
        for name in ("top_p", "typical_p"):
            if getattr(self, name) is not None:
                self._refuse_unless(name, lambda p: 0 < p <= 1, "above 0 and at most 1, or None for all tokens")
        if self.min_p is not None:
            self._refuse_unless("min_p", lambda m: 0 <= m <= 1, "0 to 1, or None for all tokens")
        object.__setattr__(self, "logit_bias", _pairs(self.logit_bias))

    def logits(self, logits: Array, ids: Iterable[int] = ()) -> Array:
        """Return what softmax is taken of, (V,) in float64: minus infinity for all tokens that cannot be drawn.

        At a temperature of 0 that is all but the likeliest.

        Args:
            logits: (V,), as the model says them.
            ids: the text so far, for the repetition penalty.

        Raises:
            NaNError: the logits hold NaN, or leave no token possible.
            RangeError: an id of the text, or of the bias, is no token.
        """
        if np.isnan(logits).any():
            raise NaNError("Sampling: the model's logits hold NaN", hint="another checkpoint; this one diverged")
        wide = logits.astype(np.float64)
        if self.logit_bias:
            wide = choices.logit_bias(wide, self.logit_bias)  # type: ignore[arg-type]
        if self.repetition_penalty != 1:
            wide = choices.repetition_penalty(wide, ids, self.repetition_penalty)
        highest = wide.max()
        if not np.isfinite(highest):
            raise NaNError(f"Sampling: the highest logit is {highest}", hint="logits and a bias that leave a token")
        if self.temperature == 0:
            return np.where(np.arange(len(wide)) == wide.argmax(), 0.0, -np.inf)
        with np.errstate(over="ignore"):  # a tiny temperature sends all but the largest to minus infinity, as it should
            wide = apply_temperature(wide - highest, self.temperature)
        if self.top_k is not None:
            wide = top_k(wide, self.top_k)
        if self.top_p is not None:
            wide = choices.top_p(wide, self.top_p)
        if self.min_p is not None:
            wide = choices.min_p(wide, self.min_p)
        if self.typical_p is not None:
            wide = choices.typical(wide, self.typical_p)
        return wide

    def probabilities(self, logits: Array, ids: Iterable[int] = ()) -> Array:
        """Return the probabilities (V,) in float64 with which ``choose`` draws; parameters and errors of ``logits``."""
        return softmax(self.logits(logits, ids))

    def choose(self, logits: Array, ids: Iterable[int] = (), rng: np.random.Generator | None = None) -> int:
        """Choose the next token; at a temperature of 0 without a generator.

        Raises:
            ConfigError: there is no generator, and the temperature is not 0.
            NaNError, RangeError: as for ``logits``.

        Example:
            >>> Sampling(temperature=0, repetition_penalty=2.0).choose(np.array([1.0, 0.8]), ids=[0])
            1
        """
        if self.temperature > 0 and rng is None:
            raise ConfigError("Sampling: drawing needs a random generator", hint="rng=np.random.default_rng(0)")
        wide = self.logits(logits, ids)
        return int(wide.argmax()) if rng is None or self.temperature == 0 else sample(rng, softmax(wide))

    def _refuse_unless(self, name: str, fits: Any, hint: str) -> None:
        value = getattr(self, name)
        if not isinstance(value, Real) or isinstance(value, bool) or not fits(value):
            raise ConfigError(f"Sampling: {name} is {value!r}", hint=hint)


def _pairs(bias: Any) -> tuple[tuple[int, float], ...]:
    """Return a bias as pairs in the order of their ids, so that equal settings are equal values."""
    try:
        pairs = [(token, amount) for token, amount in (bias.items() if isinstance(bias, Mapping) else bias)]
    except (TypeError, ValueError):
        raise ConfigError(f"Sampling: logit_bias is {bias!r}", hint="{id: number}") from None
    for token, amount in pairs:
        if not isinstance(token, Integral) or isinstance(token, bool) or token < 0:
            raise ConfigError(f"Sampling: logit_bias is for {token!r}", hint="token ids, 0 or more")
        if not isinstance(amount, Real) or isinstance(amount, bool) or not amount < math.inf:
            raise ConfigError(
                f"Sampling: logit_bias of token {token} is {amount!r}", hint="a number, or minus infinity to forbid it"
            )
    if len({token for token, _ in pairs}) < len(pairs):
        raise ConfigError("Sampling: logit_bias names a token twice", hint="one number for each")
    return tuple(sorted((int(token), float(amount)) for token, amount in pairs))
