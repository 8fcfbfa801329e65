"""Normalization: LayerNorm and RMSNorm over the channels of a position, BatchNorm over the positions of a channel."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..autograd import Tensor, batch_norm, layer_norm, rms_norm
from ..errors import ShapeError
from .module import Module, Parameter

Array = np.ndarray[Any, np.dtype[Any]]


class LayerNorm(Module):
    r"""Bring every vector to mean 0 and variance 1, then scale and shift each channel.

    Forward   y = (x - mean) / sqrt(var + eps) gain + bias, mean and (biased) variance over C
    Shapes    x (..., C), gain (C,), bias (C,) -> y (..., C)
    Source    Ba, Kiros & Hinton 2016

    Args:
        C: number of channels.
        bias: is there a shift?
        eps: keeps the division finite.

    Example:
        >>> LayerNorm(2)(np.array([[1.0, 3.0]], dtype=np.float32)).data.round(3)
        array([[-1.,  1.]], dtype=float32)
    """

    def __init__(self, C: int, bias: bool = True, eps: float = 1e-5) -> None:
        self.gain = Parameter(np.ones(C, dtype=np.float32))
        self.bias = Parameter(np.zeros(C, dtype=np.float32)) if bias else None
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        """Normalize x (..., C)."""
        return layer_norm(x, self.gain, self.bias, eps=self.eps)


class RMSNorm(Module):
    r"""Bring every vector to a mean square of 1, then scale each channel: LayerNorm without centering and shift.

    Forward   y = x / sqrt(mean(x^2) + eps) gain
    Shapes    x (..., C), gain (C,) -> y (..., C)
    Source    Zhang & Sennrich 2019

    Example:
        >>> RMSNorm(2)(np.array([[3.0, -3.0]], dtype=np.float32)).data.round(3)
        array([[ 1., -1.]], dtype=float32)
    """

    def __init__(self, C: int, eps: float = 1e-6) -> None:
        self.gain = Parameter(np.ones(C, dtype=np.float32))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        """Normalize x (..., C)."""
        return rms_norm(x, self.gain, eps=self.eps)


class BatchNorm(Module):
    r"""Bring every channel to mean 0 and variance 1 over the batch, then scale and shift it.

    In training mean and variance are those of the batch, and running averages of them are kept:
    running <- (1 - momentum) running + momentum batch, with the unbiased variance. In evaluation the running averages
    take their place, so that one example's result does not depend on its neighbors. Inside of ``tl.checkpoint`` the
    averages follow every batch twice, because it is computed twice.

    Forward   y = (x - mean) / sqrt(var + eps) gain + bias, per channel, over all axes but the last
    Shapes    x (..., C), gain, bias, running_mean, running_var (C,) -> y (..., C)
    Source    Ioffe & Szegedy 2015

    Errors: training on a single vector is refused (ShapeError): it has no variance.

    Example:
        >>> norm = BatchNorm(1)
        >>> norm(np.array([[1.0], [3.0]], dtype=np.float32)).data.ravel().round(3), norm.running_mean
        (array([-1.,  1.], dtype=float32), array([0.2], dtype=float32))
    """

    buffers = ("running_mean", "running_var")

    def __init__(self, C: int, momentum: float = 0.1, eps: float = 1e-5) -> None:
        self.gain = Parameter(np.ones(C, dtype=np.float32))
        self.bias = Parameter(np.zeros(C, dtype=np.float32))
        self.running_mean: Array = np.zeros(C, dtype=np.float32)
        self.running_var: Array = np.ones(C, dtype=np.float32)
        self.momentum = momentum
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        """Normalize x (..., C)."""
        if not self.training:
            scale = self.gain * (1 / np.sqrt(self.running_var + self.eps))  # (C,)
            return x * scale + (self.bias - scale * self.running_mean)
        self._follow(x.data if isinstance(x, Tensor) else x)
        return batch_norm(x, self.gain, self.bias, eps=self.eps)

    def _follow(self, x: Array) -> None:
        """Move the running averages towards the mean and variance of this batch."""
        rows = x.real.reshape(-1, x.shape[-1])  # (N, C)
        if len(rows) < 2:
            raise ShapeError(
                f"BatchNorm: x {x.shape} holds a single vector, which has no variance", hint="eval() first"
            )
        self.running_mean += self.momentum * (rows.mean(axis=0) - self.running_mean)
        self.running_var += self.momentum * (rows.var(axis=0, ddof=1) - self.running_var)
