"""The Numba kernels, one ladder to a file; importing this package loads numba but compiles nothing.

FAST names what the library uses: the doors at the end of each file. They prepare the arrays and call the last rung, or
return NotImplemented where shapes are not what the kernels expect: the reference then broadcasts, or complains.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..threads import prepare

prepare()  # before the first of these imports numba: its thread pool reads the environment once

from . import (  # noqa: E402
    activation,
    add,
    attention,
    attention_backward,
    cross_entropy,
    decode,
    dropout,
    norm,
    optimizer,
    products,
    quantized,
    rope,
    scatter,
    softmax,
)

FAST: dict[str, Callable[..., Any]] = {
    "adamw": optimizer.adamw,
    "adamw_all": optimizer.adamw_all,
    "add": add.add,
    "add_layer_norm": norm.add_layer_norm,
    "add_rms_norm": norm.add_rms_norm,
    "add_to": add.add_to,
    "attention": attention.attention,
    "attention_backward": attention_backward.attention_backward,
    "attention_decode": decode.attention_decode,
    "cross_entropy": cross_entropy.cross_entropy,
    "cross_entropy_backward": cross_entropy.cross_entropy_backward,
    "cross_entropy_chunk": cross_entropy.cross_entropy_chunk,
    "dequantize_4": quantized.dequantize_4,
    "dequantize_8": quantized.dequantize_8,
    "dropout": dropout.dropout,
    "erf": activation.erf_of,
    "gelu": activation.gelu,
    "gelu_backward": activation.gelu_backward,
    "gelu_tanh": activation.gelu_tanh,
    "gelu_tanh_backward": activation.gelu_tanh_backward,
    "layer_norm": norm.layer_norm,
    "layer_norm_backward": norm.layer_norm_backward,
    "linear": products.linear,
    "linear_4": quantized.linear_4,
    "linear_4_by_8": quantized.linear_4_by_8,
    "linear_8": quantized.linear_8,
    "log_softmax": softmax.log_softmax,
    "log_softmax_backward": softmax.log_softmax_backward,
    "logsumexp": softmax.logsumexp,
    "matmul": products.matmul,
    "matmul_into": products.matmul_into,
    "rms_norm": norm.rms_norm,
    "rms_norm_backward": norm.rms_norm_backward,
    "rope_half": rope.rope_half,
    "rope_pairs": rope.rope_pairs,
    "scatter_add": scatter.scatter_add,
    "sigmoid": activation.sigmoid,
    "silu": activation.silu,
    "silu_backward": activation.silu_backward,
    "softmax": softmax.softmax,
    "softmax_backward": softmax.softmax_backward,
    "sum_of_squares": optimizer.sum_of_squares,
    "sum_of_squares_of": optimizer.sum_of_squares_of,
    "swiglu": activation.swiglu,
    "swiglu_backward": activation.swiglu_backward,
}
