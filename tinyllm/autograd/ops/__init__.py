"""The ops: importing this package declares them all."""

from __future__ import annotations

from . import (
    activation,
    attention,
    contrast,
    einsum,
    elementwise,
    fused,
    index,
    linalg,
    loss,
    norm,
    reduce,
    rope,
    shape,
)

__all__ = [
    "activation",
    "attention",
    "contrast",
    "einsum",
    "elementwise",
    "fused",
    "index",
    "linalg",
    "loss",
    "norm",
    "reduce",
    "rope",
    "shape",
]
