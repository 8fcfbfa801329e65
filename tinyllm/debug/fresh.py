"""Does each training step begin with fresh gradients? One that forgets to zero them adds every batch to the next.

Two steps on two batches, the second from the weights of the first; beside it the second batch alone. A loop that keeps
its gradients is led by both batches where it should know only one. That also shows when the gradient is clipped in
between, which hides a sum from whoever compares its size.

Source: Karpathy 2018, "most common neural net mistakes": forgetting to zero the gradients.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..models import GPT
from .finding import Finding
from .trial import Make, Step, adamw, copy_of, plain_step, refuse_bad_batch

_CLEAN = 1e-4  # a clean loop gives exactly 0


@dataclass(frozen=True)
class FreshGradients:
    """What was left of an earlier batch.

    Attributes:
        carried: how much the second gradient differs because of the first batch, as a share of its size: 0 is clean.
        seen: were there gradients to compare after the step? A loop may also zero them at its end.
    """

    carried: float
    seen: bool

    def findings(self) -> tuple[Finding, ...]:
        """Say what this means."""
        usual = "a step knows the gradient of its own batch only"
        if self.carried > _CLEAN:
            seen = f"gradients are not zeroed: {self.carried:.0%} of a step's gradient is left from the step before"
            return (Finding("gradients", "fix", seen, usual, "model.zero_grad() at the beginning of each step"),)
        return (Finding("gradients", "ok", "the gradient of a step is that of its own batch", usual),)


def fresh_gradients(model: GPT, x: Any, y: Any, make: Make | None = None, step: Step = plain_step) -> FreshGradients:
    """Make two steps on different batches with copies of a model, and see whether the first shows in the second.

    Args:
        model: stays as it is; dropout is off.
        x, y: token ids and the ones that come next (B, T); the other batch is this one with its ids counted backwards.
        make: makes the optimizer for a copy.
        step: makes one update; your own loop, with the signature of ``plain_step``.

    Raises:
        ShapeError, DataError: the batch cannot be used.

    Example:
        >>> from tinyllm.models import GPTConfig
        >>> config = GPTConfig.preset("gpt2", vocab_size=11, block_size=4, n_layer=1, n_head=1, n_embd=6)
        >>> fresh_gradients(GPT(config, np.random.default_rng(0)), [[1, 2, 3]], [[2, 3, 4]])
        FreshGradients(carried=0.0, seen=True)
    """
    x, y = refuse_bad_batch("fresh_gradients", model, x, y)
    V = model.config.vocab_size
    first = (V - 1 - x, V - 1 - y)
    both, alone = copy_of(model).eval(), copy_of(model).eval()
    weights = alone.state_dict()
    make = make or adamw(0.0)
    with np.errstate(all="ignore"):
        optimizer = make(both)
        step(both, optimizer, *first)
        both.load_state_dict(weights)  # only what the loop keeps of the first batch may make a difference now
        step(both, optimizer, x, y)
        step(alone, make(alone), x, y)
        return _compare(both, alone)


def _compare(both: GPT, alone: GPT) -> FreshGradients:
    apart = size = 0.0
    seen = False
    for p, q in zip(both.parameters(), alone.parameters(), strict=True):
        if p.grad is None or q.grad is None:
            continue
        seen = True
        apart += float(np.square(p.grad - q.grad, dtype=np.float64).sum())
        size += float(np.square(p.grad, dtype=np.float64).sum())
    return FreshGradients(float(np.sqrt(apart / size)) if size else 0.0, seen)
