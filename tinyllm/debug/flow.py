r"""Does the gradient reach every layer? It should neither fade away nor blow up on its way.

The gradient of the loss with respect to what leaves block l is a product of the derivatives of all blocks above it.
Factors below 1 make it vanish, factors above 1 make it explode, exponentially with the depth; residual connections
and norms keep it nearly constant. What is cut off from the graph gets none at all.

Source: Bengio, Simard & Frasconi 1994 (vanishing gradients); Glorot & Bengio 2010 (looking at them layer by layer).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..models import GPT
from .finding import Finding, listed, rms
from .trial import copy_of, refuse_bad_batch
from .watch import Watch, watch_blocks

_FADES, _GROWS = 1e-3, 1e4  # over the whole depth; in trained models it grows to the tens and hundreds
_DAMS = 1e-2  # a single block


@dataclass(frozen=True)
class ParameterGradient:
    """The gradient of one parameter.

    Attributes:
        name: dotted.
        norm: of the gradient; None where none arrived.
        rms: root mean square of the gradient; None where none arrived.
        weight: root mean square of the parameter itself.
    """

    name: str
    norm: float | None
    rms: float | None
    weight: float


@dataclass(frozen=True)
class GradientFlow:
    """How the gradient of one batch spreads.

    Attributes:
        parameters: the gradient of each parameter, in the model's order.
        layers: "embed", "blocks.0", ...: the places where activations were watched.
        activations: root mean square of the loss's gradient with respect to what leaves each of them; None where
            none arrived.
        cut: the layer that hands no gradient on to those below it; "" for none.
    """

    parameters: tuple[ParameterGradient, ...]
    layers: tuple[str, ...]
    activations: tuple[float | None, ...]
    cut: str = ""

    @property
    def missing(self) -> tuple[str, ...]:
        """Names of the parameters that got no gradient."""
        return tuple(p.name for p in self.parameters if p.norm is None)

    @property
    def zero(self) -> tuple[str, ...]:
        """Names of the parameters whose gradient is zero in every entry."""
        return tuple(p.name for p in self.parameters if p.norm == 0)

    @property
    def broken(self) -> tuple[str, ...]:
        """Names of the parameters with a gradient that is no number."""
        return tuple(p.name for p in self.parameters if p.norm is not None and not math.isfinite(p.norm))

    def factors(self) -> tuple[float | None, ...]:
        """Return for each block by how much the gradient grows on its way down through it; about 1 is usual.

        Example:
            >>> GradientFlow((), ("embed", "blocks.0", "blocks.1"), (1.0, 2.0, 8.0)).factors()
            (0.5, 0.25)
        """
        pairs = zip(self.activations[:-1], self.activations[1:], strict=True)
        return tuple(below / above if below is not None and above else None for below, above in pairs)

    def findings(self) -> tuple[Finding, ...]:
        """Say what this means."""
        usual = "every parameter has a gradient, and through the blocks it neither fades nor grows beyond measure"
        if self.broken:
            seen = f"the gradient is no number in {listed(self.broken)}"
            return (Finding("flow", "fix", seen, usual, "tl.detect_anomaly() names the op it came from"),)
        if self.cut:
            names = listed(self.missing, 2)
            seen = f"{self.cut} cuts the gradient off: {len(self.missing)} parameters get none, {names}"
            advice = f"look in {self.cut} for .data, .detach(), no_grad() or a Tensor made anew"
            return (Finding("flow", "fix", seen, usual, advice),)
        if self.missing:
            seen = f"no gradient reaches {listed(self.missing)}"
            return (Finding("flow", "fix", seen, usual, "see that forward uses them, and not through .data"),)
        factors = [f for f in self.factors() if f is not None]
        whole = math.prod(factors) if factors else 1.0
        fades = whole < _FADES or min(factors, default=1.0) < _DAMS
        if fades or whole > _GROWS:
            worst = min(factors) if fades else max(factors)
            name = self.layers[1 + self.factors().index(worst)]
            seen = (
                f"the gradient {'vanishes' if fades else 'explodes'}: from the last block down to the first it becomes "
                f"{whole:.0e} times what it was, most of it in {name} ({worst:.1e})"
            )
            advice = "residual connections, a norm before each half of a block, initial weights of 0.02"
            return (Finding("flow", "fix", seen, usual, advice),)
        if self.zero:
            seen = f"the gradient of {listed(self.zero)} is zero in every entry"
            return (Finding("flow", "note", seen, usual, "dead units, or a matrix after it that begins at zero"),)
        seen = f"all {len(self.parameters)} parameters have a gradient; through {len(factors)} blocks it becomes "
        return (Finding("flow", "ok", seen + f"{whole:.2g} times what it was", usual),)


def gradient_flow(model: GPT, x: Any, y: Any) -> GradientFlow:
    """Run one batch x, y (B, T) forward and backward through a copy, and measure the gradient everywhere.

    Args:
        model: stays as it is, its gradients included; dropout is off.
        x, y: token ids and the ones that come next.

    Raises:
        ShapeError, DataError: the batch cannot be used.

    Example:
        >>> from tinyllm.models import GPTConfig
        >>> config = GPTConfig.preset("gpt2", vocab_size=11, block_size=4, n_layer=2, n_head=1, n_embd=6)
        >>> flow = gradient_flow(GPT(config, np.random.default_rng(0)), [[1, 2, 3]], [[2, 3, 4]])
        >>> flow.layers, flow.missing
        (('embed', 'blocks.0', 'blocks.1'), ())
    """
    x, y = refuse_bad_batch("gradient_flow", model, x, y)
    trial = copy_of(model).eval()
    named = trial.named_parameters()
    watches = watch_blocks(trial)
    with np.errstate(all="ignore"):
        loss = trial.loss(x, y)
        if loss.requires_grad:
            loss.backward()
        found = tuple(
            ParameterGradient(name, _norm(p.grad), None if p.grad is None else rms(p.grad), rms(p.data))
            for name, p in named
        )
        tensors = [watches[0].into, *(watch.out for watch in watches)] if watches else []
        activations = tuple(None if t is None or t.grad is None else rms(t.grad) for t in tensors)
    layers = ("embed", *(f"blocks.{i}" for i in range(len(watches))))[: len(activations)]
    return GradientFlow(found, layers, activations, _cut(watches, activations))


def _norm(grad: Any) -> float | None:
    return None if grad is None else float(np.sqrt(np.sum(np.square(grad, dtype=np.float64))))


def _cut(watches: list[Watch], activations: tuple[float | None, ...]) -> str:
    """Name the layer where the gradient ends: the highest without one, or the one above it that did not pass it on."""
    for i in range(len(watches) - 1, -2, -1):
        if activations and activations[i + 1] is None:
            tensor = watches[i].out if i >= 0 else watches[0].into
            alive = tensor is not None and tensor.requires_grad  # it asks for a gradient, and nobody sends one
            if alive:
                return f"blocks.{i + 1}" if i + 1 < len(watches) else "the head"
            return f"blocks.{i}" if i >= 0 else "embed"
    return ""
