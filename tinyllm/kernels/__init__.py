"""Arrays in, arrays out: every heavy calculation of the house, as a readable reference and as a fast Numba kernel.

    from tinyllm import kernels

    p = kernels.softmax(x)              # Numba where it is installed, NumPy where it is not
    with kernels.use("numpy"):
        p = kernels.softmax(x)          # the reference

Importing this package does not load numba; the first kernel that needs it does.
"""

from __future__ import annotations

from .activation import (
    gelu,
    gelu_backward,
    gelu_tanh,
    gelu_tanh_backward,
    sigmoid,
    silu,
    silu_backward,
    swiglu,
    swiglu_backward,
)
from .attention import attention, attention_backward
from .cross_entropy import cross_entropy, cross_entropy_backward
from .dropout import dropout
from .erf import erf
from .matmul import matmul
from .norm import layer_norm, layer_norm_backward, rms_norm, rms_norm_backward
from .optimizer import adamw, sum_of_squares
from .quantized import dequantize_4, dequantize_8, linear_4, linear_4_by_8, linear_8, quantize_4, quantize_8
from .rope import rope_angles, rope_half, rope_pairs
from .scatter import scatter_add
from .softmax import log_softmax, log_softmax_backward, logsumexp, softmax, softmax_backward
from .table import BACKENDS, TABLE, Array, backend, kernel, use
from .threads import threads
from .warm import warm

__all__ = [
    "BACKENDS",
    "TABLE",
    "Array",
    "adamw",
    "attention",
    "attention_backward",
    "backend",
    "cross_entropy",
    "cross_entropy_backward",
    "dequantize_4",
    "dequantize_8",
    "dropout",
    "erf",
    "gelu",
    "gelu_backward",
    "gelu_tanh",
    "gelu_tanh_backward",
    "kernel",
    "layer_norm",
    "layer_norm_backward",
    "linear_4",
    "linear_4_by_8",
    "linear_8",
    "log_softmax",
    "log_softmax_backward",
    "logsumexp",
    "matmul",
    "quantize_4",
    "quantize_8",
    "rms_norm",
    "rms_norm_backward",
    "rope_angles",
    "rope_half",
    "rope_pairs",
    "scatter_add",
    "sigmoid",
    "silu",
    "silu_backward",
    "softmax",
    "softmax_backward",
    "sum_of_squares",
    "swiglu",
    "swiglu_backward",
    "threads",
    "use",
    "warm",
]
