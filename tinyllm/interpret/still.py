"""Still: a model that is looked at neither drops anything nor gathers gradients, and is afterwards as it was."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from ..errors import ConfigError, NaNError, ShapeError
from ..models import GPT

Array = np.ndarray[Any, np.dtype[Any]]


@contextmanager
def still(model: Any) -> Iterator[GPT]:
    """Hold a model still: in evaluation mode, and with no parameter that asks for a gradient.

    What requires a gradient all the same, as the gates of heads.py, gets one, and nothing else does.

    Args:
        model: a GPT, or a Llama, which is one.

    Raises:
        ConfigError: it is neither.

    Example:
        >>> from tinyllm.models import GPTConfig
        >>> model = GPT(GPTConfig.preset("gpt2", vocab_size=5, block_size=4, n_layer=1, n_head=1, n_embd=4),
        ...             np.random.default_rng(0))
        >>> with still(model):
        ...     model.training, any(p.requires_grad for p in model.parameters())
        (False, False)
        >>> model.training, all(p.requires_grad for p in model.parameters())
        (True, True)
    """
    if not isinstance(model, GPT):
        raise ConfigError(f"a {type(model).__name__} cannot be looked into", hint="a GPT or a Llama")
    modes = [(module, module.training) for module in model.modules()]
    wanted = [(p, p.requires_grad) for p in model.parameters()]
    try:
        model.eval()
        for p, _ in wanted:
            p.requires_grad = False
        yield model
    finally:
        for module, training in modes:
            module.training = training
        for p, requires_grad in wanted:
            p.requires_grad = requires_grad


def one_text(ids: Any, name: str) -> Array:
    """Return the ids of one text as an array (T,).

    Raises:
        ShapeError: they are several texts, or none.
    """
    array = np.asarray(ids)
    if array.ndim != 1:
        raise ShapeError(f"{name}: ids of shape {array.shape}, not (T,)", hint="ids[0] for the first text of a batch")
    if not array.size:
        raise ShapeError(f"{name}: there is no token", hint="at least one")
    return array


def refuse_nan(values: Array, name: str, what: str) -> None:
    """Refuse numbers that cannot be ranked or compared.

    Raises:
        NaNError: one of them is not a number.
    """
    if np.isnan(values).any():
        raise NaNError(f"{name}: {what} hold NaN", hint="another checkpoint; this one diverged")
