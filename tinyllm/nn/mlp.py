"""The feed-forward half of a transformer block: widen, bend, narrow, at every position alike."""

from __future__ import annotations

import numpy as np

from ..autograd import Tensor, gelu, gelu_tanh, relu, silu, swiglu
from ..errors import ConfigError, nearest
from .init import Init
from .linear import Linear
from .module import Module

ACTIVATIONS = {"gelu": gelu, "gelu_tanh": gelu_tanh, "relu": relu, "silu": silu}


class MLP(Module):
    r"""Two linear layers with a GELU between them.

    Forward   y = down(gelu(up(x)))
    Shapes    x (..., C) -> hidden (..., F) -> y (..., C)
    Source    Vaswani et al. 2017; Hendrycks & Gimpel 2016 (GELU)

    Args:
        C, F: sizes of the vectors and of the hidden layer; GPT-2 takes F = 4 C.
        bias: do both layers have one?
        activation: "gelu_tanh" (GPT-2's approximation), "gelu" (exact), "relu" or "silu".
        rng: draws the initial weights.
        init, init_down: how those of ``up`` and ``down`` are drawn.

    Example:
        >>> MLP(3, 12, rng=np.random.default_rng(0))(np.ones((2, 3), dtype=np.float32)).shape
        (2, 3)
    """

    def __init__(
        self,
        C: int,
        F: int,
        bias: bool = True,
        activation: str = "gelu_tanh",
        *,
        rng: np.random.Generator,
        init: Init | None = None,
        init_down: Init | None = None,
    ) -> None:
        if activation not in ACTIVATIONS:
            close = nearest(activation, ACTIVATIONS)
            raise ConfigError(f"MLP: there is no activation {activation!r}", hint=close or ", ".join(ACTIVATIONS))
        self.up = Linear(C, F, bias, rng=rng, init=init)
        self.down = Linear(F, C, bias, rng=rng, init=init_down or init)
        self.activation = ACTIVATIONS[activation]

    def forward(self, x: Tensor) -> Tensor:
        """Apply both layers to x (..., C)."""
        return self.down(self.activation(self.up(x)))


class SwiGLU(Module):
    r"""Three linear layers: one, bent by SiLU, gates another, and the third goes back.

    Forward   y = down(silu(gate(x)) up(x))
    Shapes    x (..., C) -> gate, up (..., F) -> y (..., C)
    Source    Shazeer 2020, "GLU Variants Improve Transformer"

    Args:
        C, F: sizes of the vectors and of the hidden layer; F = 8/3 C has as many weights as an MLP of 4 C.
        bias: do the layers have one?
        rng: draws the initial weights.
        init, init_down: how those of ``gate`` and ``up``, and of ``down``, are drawn.

    Example:
        >>> SwiGLU(3, 8, rng=np.random.default_rng(0))(np.ones((2, 3), dtype=np.float32)).shape
        (2, 3)
    """

    def __init__(
        self,
        C: int,
        F: int,
        bias: bool = False,
        *,
        rng: np.random.Generator,
        init: Init | None = None,
        init_down: Init | None = None,
    ) -> None:
        self.gate = Linear(C, F, bias, rng=rng, init=init)
        self.up = Linear(C, F, bias, rng=rng, init=init)
        self.down = Linear(F, C, bias, rng=rng, init=init_down or init)

    def forward(self, x: Tensor) -> Tensor:
        """Apply the three layers to x (..., C)."""
        return self.down(swiglu(self.gate(x), self.up(x)))
