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
from .add import add, add_to
from .attention import (
    attend,
    attend_backward,
    attention,
    attention_backward,
    attention_decode,
    causal_mask,
    visible_keys,
)
from .cross_entropy import cross_entropy, cross_entropy_backward, cross_entropy_chunk
from .dropout import dropout
from .erf import erf
from .matmul import linear, matmul, matmul_into
from .norm import add_layer_norm, add_rms_norm, layer_norm, layer_norm_backward, rms_norm, rms_norm_backward
from .optimizer import adamw, adamw_all, sum_of_squares, sum_of_squares_of
from .quantized import dequantize_4, dequantize_8, linear_4, linear_4_by_8, linear_8, quantize_4, quantize_8
from .rope import rope_angles, rope_half, rope_pairs
from .scatter import scatter_add
from .softmax import log_softmax, log_softmax_backward, logsumexp, softmax, softmax_backward
from .table import BACKENDS, TABLE, Array, backend, kernel, reference, use, without_loading
from .threads import threads, use_threads
from .warm import TRAINING, warm, warm_search

__all__ = [
    "BACKENDS",
    "TABLE",
    "TRAINING",
    "Array",
    "adamw",
    "adamw_all",
    "add",
    "add_layer_norm",
    "add_rms_norm",
    "add_to",
    "attend",
    "attend_backward",
    "attention",
    "attention_backward",
    "attention_decode",
    "backend",
    "causal_mask",
    "cross_entropy",
    "cross_entropy_backward",
    "cross_entropy_chunk",
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
    "linear",
    "linear_4",
    "linear_4_by_8",
    "linear_8",
    "log_softmax",
    "log_softmax_backward",
    "logsumexp",
    "matmul",
    "matmul_into",
    "quantize_4",
    "quantize_8",
    "reference",
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
    "sum_of_squares_of",
    "swiglu",
    "swiglu_backward",
    "threads",
    "use",
    "use_threads",
    "visible_keys",
    "warm",
    "warm_search",
    "without_loading",
]
