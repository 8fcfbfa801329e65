"""What a model is built from and trained with: layers, initial weights, optimizers, clipping, schedules.

from tinyllm import nn

model = nn.MLP(3, 12, rng=rng)
optimizer = nn.optim.AdamW(nn.optim.decay_groups(model), lr=1e-3)
"""

from __future__ import annotations

from . import init, optim, schedules
from .attention import SelfAttention
from .clip import clip_grad_norm, clip_scale, grad_norm
from .dropout import Dropout
from .embedding import Embedding
from .linear import Linear
from .mlp import MLP, SwiGLU
from .module import Module, Parameter
from .norm import BatchNorm, LayerNorm, RMSNorm
from .rope import RopeHalf, RopeScaling

__all__ = [
    "MLP",
    "BatchNorm",
    "Dropout",
    "Embedding",
    "LayerNorm",
    "Linear",
    "Module",
    "Parameter",
    "RMSNorm",
    "RopeHalf",
    "RopeScaling",
    "SelfAttention",
    "SwiGLU",
    "clip_grad_norm",
    "clip_scale",
    "grad_norm",
    "init",
    "optim",
    "schedules",
]
