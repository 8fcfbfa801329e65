"""Trials: a check trains and prods a copy, so that the model it is asked about stays as it is, to the last bit."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from .. import nn
from ..errors import DataError, ShapeError
from ..models import GPT

Array = np.ndarray[Any, Any]
Step: TypeAlias = Callable[[GPT, nn.optim.Optimizer, Array, Array], float]
Make: TypeAlias = Callable[[GPT], nn.optim.Optimizer]
Told: TypeAlias = Callable[[str, int, int], None]  # what, how much is done, of how much


def copy_of(model: GPT) -> GPT:
    """Copy a model with all that it holds: weights, buffers, generators of dropout, its mode; but no gradients.

    Example:
        >>> from tinyllm.models import GPTConfig
        >>> config = GPTConfig.preset("gpt2", vocab_size=5, block_size=4, n_layer=1, n_head=1, n_embd=2)
        >>> model = GPT(config, np.random.default_rng(0))
        >>> other = copy_of(model)
        >>> other.wte.weight.data[:] = 0
        >>> bool(model.wte.weight.data.any())
        True
    """
    other = copy.deepcopy(model)
    for p in other.parameters():
        p._locks = 0  # a graph that is still alive needs the original, not the copy
        p.data = np.array(p.data)
        p.grad = None
    return other


def plain_step(model: GPT, optimizer: nn.optim.Optimizer, x: Array, y: Array) -> float:
    """Make one update as a training loop does: forget the gradients, loss, backward, clip at 1, step.

    A loop of your own is given to the checks as a function with this signature.

    Returns:
        The loss before the update.
    """
    model.zero_grad()
    loss = model.loss(x, y)
    value = float(loss.item())
    loss.backward()
    optimizer.step(grad_scale=nn.clip_scale(nn.grad_norm(optimizer.params), 1.0))
    return value


def adamw(lr: float, weight_decay: float = 0.0) -> Make:
    """Return what makes an AdamW of this learning rate for a model; weight decay reaches matrices only."""

    def make(model: GPT) -> nn.optim.Optimizer:
        return nn.optim.AdamW(nn.optim.decay_groups(model), lr=lr, weight_decay=weight_decay)

    return make


def refuse_bad_batch(who: str, model: GPT, x: Any, y: Any = None) -> tuple[Array, Array]:
    """Return a batch as arrays, refusing one that no check can use.

    Raises:
        ShapeError: x is not (B, T), or y has another shape.
        DataError: the batch is empty, or an id is not below the size of the vocabulary.
    """
    x = np.asarray(x)
    y = x if y is None else np.asarray(y)
    if x.ndim != 2 or x.shape != y.shape:
        raise ShapeError(f"{who}: x has shape {x.shape} and y {y.shape}", hint="token ids (B, T), both alike")
    if not x.size:
        raise DataError(f"{who}: the batch {x.shape} holds no tokens", hint="at least one row of two tokens")
    V = model.config.vocab_size
    if int(x.min()) < 0 or int(max(x.max(), y.max())) >= V:
        raise DataError(
            f"{who}: the batch holds ids from {min(x.min(), y.min())} to {max(x.max(), y.max())}, the model has {V}",
            hint="the tokenizer that the model was made for",
        )
    return x, y
