r"""Constraint: what a text has to be, asked token by token: a number, a JSON object, a choice among words.

state = start();  allowed(state) -> which tokens may come;  state = advance(state, token);  ...

A state is a value of the constraint's own: it is never changed, so that several texts can go on from one.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from ..errors import ConfigError, DataError

Array = np.ndarray[Any, Any]


class Constraint(Protocol):
    """What ``generate`` asks of a constraint."""

    def start(self) -> Any:
        """Return the state before the first token."""

    def allowed(self, state: Any) -> Array:
        """Return for every token whether it may come next, bool (V,); end tokens are not asked about here."""

    def advance(self, state: Any, token: int) -> Any:
        """Return the state after a token that is allowed."""

    def may_end(self, state: Any) -> bool:
        """Tell whether the text is complete: an end token may come."""

    def must_end(self, state: Any) -> bool:
        """Tell whether nothing can follow: the text is over, whatever the model says."""


def forbidden(constraint: Constraint, state: Any, ends: frozenset[int], V: int) -> Array:
    """Return which of V tokens may not come next, bool (V,).

    Raises:
        ConfigError: the constraint speaks of more tokens than the model has.
        DataError: nothing may come: the constraint has led into a place without a way out.

    Example:
        >>> class Even:
        ...     def allowed(self, state): return np.array([True, False, True])
        ...     def may_end(self, state): return False
        >>> forbidden(Even(), None, frozenset({2}), V=4)
        array([False,  True,  True,  True])
    """
    allowed = np.asarray(constraint.allowed(state), dtype=bool)
    if allowed.ndim != 1 or len(allowed) > V:
        raise ConfigError(f"generate: the constraint is for {allowed.shape} tokens, the model has {V}")
    out = np.ones(V, dtype=bool)  # what the tokenizer does not know cannot be allowed by it
    out[: len(allowed)] = ~allowed
    out[list(ends)] = not constraint.may_end(state)
    if out.all():
        raise DataError("generate: the constraint leaves no token", hint="a constraint made for this tokenizer")
    return out
