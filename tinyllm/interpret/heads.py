r"""Which heads matter: by the slope of the loss in a gate on each head, and by silencing one head after another.

A gate g_h multiplies what head h of a layer hands on, before the matrix that mixes the heads:

    y = [g_1 a_1, ..., g_H a_H] Wout^T,   all g = 1 in the model as it is

The slope |dL/dg_h| at g = 1 says how much the loss would move if the head spoke a little louder or softer. One
backward pass gives it for all heads at once. Silencing a head, g_h = 0, is what one really wants to know, and costs a
forward pass for each head. To first order L(0) - L(1) = -dL/dg; a head that saturates shows how far that carries.

Source: Michel, Levy & Neubig 2019, "Are Sixteen Heads Really Better than One?" (both measures; the slope, eq. 3).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..autograd import Tensor, no_grad
from ..errors import ShapeError
from ..models import GPT
from ..nn import Linear, Module
from .still import refuse_nan, still

Array = np.ndarray[Any, np.dtype[Any]]
IGNORED = -100  # a target that does not count


@dataclass(frozen=True)
class HeadImportance:
    """How much each head matters on some data.

    Attributes:
        by_gate: (L, H) the mean over sequences of |dL/dg|: Michel's importance.
        slope: (L, H) dL/dg of the mean loss, with its sign: below 0 where the head helps.
        by_ablation: (L, H) how much the mean loss rises when the head is silent; below 0 where silence helps.
        loss: of the model as it is, in nats per token.
    """

    by_gate: Array
    slope: Array
    by_ablation: Array
    loss: float

    def ranking(self) -> list[tuple[int, int]]:
        """List (layer, head) of all heads, the one that is missed most when silent first.

        Example:
            >>> a = np.array([[0.1, 2.0], [0.5, 0.0]])
            >>> HeadImportance(a, -a, a, loss=1.0).ranking()
            [(0, 1), (1, 0), (0, 0), (1, 1)]
        """
        order = np.argsort(-self.by_ablation, axis=None, kind="stable")
        return [(int(l), int(h)) for l, h in zip(*np.unravel_index(order, self.by_ablation.shape), strict=True)]


class GatedOut(Module):
    r"""The matrix that mixes the heads, with a gate on each of them.

    Forward   y = [g_1 a_1, ..., g_H a_H] W^T + b
    Shapes    a (B, T, H D), gates (B, H) or (1, H) -> y (B, T, C)

    Args:
        out: the layer without gates.
        gates: a number for each head, and for each sequence if they differ.
    """

    def __init__(self, out: Module, gates: Tensor) -> None:
        self.out = out
        self.gates = gates

    def forward(self, a: Tensor) -> Tensor:
        """Apply gates and layer to a (B, T, H D)."""
        B, T, _ = a.shape
        n, H = self.gates.shape
        opened = a.reshape(B, T, H, -1) * self.gates.reshape(n, 1, H, 1)  # (B, T, H, D)
        return self.out(opened.reshape(B, T, -1))  # (B, T, C)


@contextmanager
def gated(model: GPT, gates: Sequence[Tensor]) -> Iterator[None]:
    """Put gates on all heads of a model, and take them off again.

    Args:
        model: a GPT or a Llama.
        gates: for each layer a Tensor (1, H), or (B, H) to gate each sequence of a batch by itself.

    Raises:
        ShapeError: they do not fit the layers and heads.

    Example:
        >>> from tinyllm.interpret import induction_gpt
        >>> model = induction_gpt(V=5, T=6)
        >>> with gated(model, [Tensor(np.zeros((1, 2))), Tensor(np.ones((1, 2)))]):  # the first layer says nothing
        ...     int(model(np.array([[3, 1, 4, 3, 1]])).data[0, -1].argmax())
        1
        >>> int(model(np.array([[3, 1, 4, 3, 1]])).data[0, -1].argmax())
        4
    """
    heads = [block.attn.H for block in model.blocks]
    if [gate.shape[-1] for gate in gates if gate.ndim == 2] != heads:
        raise ShapeError(
            f"gated: gates {[gate.shape for gate in gates]} for heads {heads}", hint="one Tensor (1, H) for each layer"
        )
    outs: list[Linear] = [block.attn.out for block in model.blocks]
    try:
        for block, out, gate in zip(model.blocks, outs, gates, strict=True):
            block.attn.out = GatedOut(out, gate)  # type: ignore[assignment]
        yield
    finally:
        for block, out in zip(model.blocks, outs, strict=True):
            block.attn.out = out


def gate_slopes(model: GPT, idx: Any, targets: Any) -> Array:
    """Return dL/dg (B, L, H) of every head's gate at g = 1, where L is the mean loss of each sequence by itself.

    Each sequence has gates of its own, so that one backward pass gives the slopes of all of them. A sequence of whose
    targets none counts has slopes of 0.

    Args:
        model: a GPT or a Llama.
        idx: (B, T) token ids.
        targets: (B, T) the tokens that came next; -100 does not count.

    Raises:
        ShapeError: idx and targets are not both (B, T), or no target counts.
        NaNError: the loss is NaN.

    Example:
        >>> from tinyllm.interpret import induction_gpt
        >>> ids = np.array([[3, 1, 4, 3, 1, 4]])
        >>> gate_slopes(induction_gpt(V=5, T=6), ids[:, :-1], ids[:, 1:]).shape
        (1, 2, 2)
    """
    idx, targets, counted = _checked(idx, targets, "gate_slopes")
    with still(model):
        dtype = model.head_weight.dtype
        gates = [Tensor(np.ones((len(idx), block.attn.H), dtype), requires_grad=True) for block in model.blocks]
        with gated(model, gates):
            loss = model.loss(idx, targets)
            refuse_nan(loss.data, "gate_slopes", "the losses")
            loss.backward()
    slopes = np.stack([np.zeros(gate.shape) if gate.grad is None else gate.grad for gate in gates], axis=1)  # (B, L, H)
    # the loss is a mean over all N targets; that of sequence b alone is one over its n_b
    return slopes.astype(np.float64) * (counted.sum() / np.maximum(counted, 1))[:, None, None]


def ablation(model: GPT, idx: Any, targets: Any) -> tuple[float, Array]:
    """Silence one head after another: return the model's loss, and (L, H) how much it rises without each head.

    A silent head hands on zeros; the rest of the model is not trained again to make up for it. Parameters and errors
    are those of ``gate_slopes``.

    Example:
        >>> from tinyllm.interpret import induction_gpt
        >>> ids = np.array([[3, 1, 4, 3, 1, 4]])
        >>> loss, rise = ablation(induction_gpt(V=5, T=6), ids[:, :-1], ids[:, 1:])
        >>> rise > 0.1  # head 1 of both layers of this handmade model does nothing
        array([[ True, False],
               [ True, False]])
    """
    idx, targets, _ = _checked(idx, targets, "ablation")
    with still(model), no_grad():
        dtype = model.head_weight.dtype
        heads = [block.attn.H for block in model.blocks]
        loss = model.loss(idx, targets)
        refuse_nan(loss.data, "ablation", "the losses")
        rise = np.zeros((len(heads), max(heads)))
        for l, H in enumerate(heads):
            for h in range(H):
                gates = [np.ones((1, n), dtype) for n in heads]
                gates[l][0, h] = 0
                with gated(model, [Tensor(gate) for gate in gates]):
                    rise[l, h] = model.loss(idx, targets).item() - loss.item()
    return loss.item(), rise


def head_importance(model: GPT, idx: Any, targets: Any) -> HeadImportance:
    """Measure how much each head matters, in both ways and on the same data.

    Parameters and errors are those of ``gate_slopes``.

    Example:
        >>> from tinyllm.interpret import induction_gpt
        >>> ids = np.array([[3, 1, 4, 3, 1, 4]])
        >>> found = head_importance(induction_gpt(V=5, T=6), ids[:, :-1], ids[:, 1:])
        >>> sorted(found.ranking()[:2]), bool((found.by_gate[:, 1] < 1e-6).all())
        ([(0, 0), (1, 0)], True)
    """
    slopes = gate_slopes(model, idx, targets)  # (B, L, H)
    _, _, counted = _checked(idx, targets, "head_importance")
    loss, rise = ablation(model, idx, targets)
    slope = (slopes * counted[:, None, None]).sum(axis=0) / counted.sum()
    return HeadImportance(np.abs(slopes[counted > 0]).mean(axis=0), slope, rise, loss)


def _checked(idx: Any, targets: Any, name: str) -> tuple[Array, Array, Array]:
    """Both as arrays (B, T), and how many targets of each sequence count, (B,)."""
    idx, targets = np.asarray(idx), np.asarray(targets)
    if idx.ndim != 2 or idx.shape != targets.shape:
        raise ShapeError(
            f"{name}: idx {idx.shape} and targets {targets.shape} are not both (B, T)",
            hint="ids[:, :-1] and ids[:, 1:]",
        )
    counted = (targets != IGNORED).sum(axis=1)
    if not counted.sum():
        raise ShapeError(f"{name}: no target counts", hint="at least one that is not -100")
    return idx, targets, counted
