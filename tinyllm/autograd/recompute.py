"""Activation checkpointing: keep the inputs of a stage, forget what it computed, compute it again on the way back.

Memory for time: a stage of many ops keeps only its inputs alive between the passes (Chen et al. 2016, Training deep
nets with sublinear memory cost).
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import numpy as np

from .modes import enable_grad, no_grad
from .op import Op
from .tensor import Tensor


class _Recompute(Op, registered=False):
    """A whole function as one node of the graph."""

    name = "checkpoint"
    arguments = ("x",)
    variadic = True
    letters = ()

    def forward(ctx, *xs, f, rng):
        ctx.save(xs, f, rng, deepcopy(rng.bit_generator.state) if rng is not None else None)
        with no_grad():
            return f(*(Tensor(x) for x in xs[1:])).data

    def backward(ctx, dy):
        xs, f, rng, state = ctx.saved
        leaves = [Tensor(x, requires_grad=need) for x, need in zip(xs[1:], ctx.needs[1:], strict=True)]
        now = rng.bit_generator.state if rng is not None else None
        try:
            if rng is not None:
                rng.bit_generator.state = state  # the same dropout as in the forward pass
            with enable_grad():
                y = f(*leaves)
        finally:
            if rng is not None:
                rng.bit_generator.state = now
        if y.requires_grad:
            y.backward(dy)
        grads = [np.zeros_like(x.data) if x.grad is None else x.grad for x in leaves]
        return (np.zeros_like(xs[0]), *(g if x.requires_grad else None for g, x in zip(grads, leaves, strict=True)))


def checkpoint(f: Callable[..., Tensor], *inputs: Any, rng: np.random.Generator | None = None) -> Tensor:
    """Compute ``f(*inputs)`` and keep only the inputs; the backward pass computes ``f`` a second time.

    Args:
        f: takes Tensors and returns one Tensor. Parameters it closes over receive their gradients as always.
        inputs: Tensors or arrays.
        rng: the generator that ``f`` draws dropout from, if it does: it is wound back for the second computation.

    Example:
        >>> x = Tensor([1.0, 2.0], requires_grad=True)
        >>> checkpoint(lambda x: (x * x).exp(), x).sum().backward()
        >>> x.grad.round(2)
        array([  5.44, 218.39], dtype=float32)
    """
    dtype = next((x.dtype for x in inputs if hasattr(x, "dtype") and x.dtype.kind in "fc"), np.dtype(np.float32))
    always = Tensor(np.zeros((), dtype), requires_grad=True)  # so that closed-over parameters are reached in any case
    result: Tensor = _Recompute.apply(always, *inputs, f=f, rng=rng)
    return result
