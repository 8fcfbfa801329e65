"""A model's weights as decoding holds them: laid out once, read for every token, in full or in 8 or 4 bits.

All in which GPT, Llama, Mistral, Qwen2 and Qwen3 differ is inside of a ``Layer``, which takes it from the model's own
modules: which norms, which biases, normed queries and keys or not, how wide a window, what bends the hidden numbers.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import kernels
from ..autograd import gelu, gelu_tanh
from ..errors import ConfigError, nearest
from ..kernels.quantized import BLOCK

Array = np.ndarray[Any, np.dtype[Any]]

FORMATS = ("float32", "int8", "int4", "int4x8")  # the last: products of 4-bit weights and x in 8 bits
_QUANTIZE = {"int8": kernels.quantize_8, "int4": kernels.quantize_4, "int4x8": kernels.quantize_4}
_PRODUCT = {"int8": kernels.linear_8, "int4": kernels.linear_4, "int4x8": kernels.linear_4_by_8}
_BENDS = {gelu: kernels.gelu, gelu_tanh: kernels.gelu_tanh}
FEW = 8  # queries: more of them keep the processor busy, not the memory, and want the kernel that models train with
_ALIGNED = 64  # bytes: a line of the processor's cache


def checked(weights: str | None) -> str | None:
    """Return the name of a format, if there is one of that name.

    Raises:
        ConfigError: there is none.
    """
    if weights is not None and weights not in FORMATS:
        hint = nearest(str(weights), FORMATS) or ", ".join(FORMATS) + ", or None for the model's own"
        raise ConfigError(f"Decoder: there is no format {weights!r} of weights", hint=hint)
    return weights


class Matrix:
    r"""One matrix (N, C) with its bias (N,), and the product of rows of numbers with it: y = x w^T + b.

    Args:
        weights: "int8", "int4" or "int4x8"; anything else keeps w as it is.
        dtype: of x, y and what is not quantized.
        w, b: (N, C), and (N,) or None.

    Example:
        >>> Matrix("int8", np.float32, np.ones((3, 64)))(np.ones((1, 64), np.float32)).round(2)
        array([[64., 64., 64.]], dtype=float32)
    """

    def __init__(self, weights: str | None, dtype: Any, w: Array, b: Array | None = None) -> None:
        w = w.astype(dtype, copy=False)
        quantize = _QUANTIZE.get(str(weights))
        self.product: Callable[..., Array] = _PRODUCT.get(str(weights), _product)
        self.arrays: list[Array] = list(quantize(w)) if quantize else [w]
        self.short = -w.shape[1] % BLOCK if quantize else 0  # numbers that x lacks to whole blocks of weights
        self.b = None if b is None else b.astype(dtype, copy=False)

    def __call__(self, x: Array) -> Array:
        """Return x w^T + b for x (N, C)."""
        if self.short:
            x = np.concatenate([x, np.zeros((len(x), self.short), x.dtype)], axis=1)
        return self.product(x, *self.arrays, self.b)

    @property
    def nbytes(self) -> int:
        """The bytes that a product reads."""
        return sum(a.nbytes for a in self.arrays) + (0 if self.b is None else self.b.nbytes)


class Layer:
    """One block of a GPT or a Llama: its matrices, and what is done between them, on arrays.

    The two matrices that widen in a SwiGLU become one, gate above up, so that they are one product; the norms of
    queries and keys become one as well, of all their heads.

    Args:
        block: of the model.
        weights: a format, or None.
        dtype: of what is not quantized.
    """

    def __init__(self, block: Any, weights: str | None, dtype: Any) -> None:
        def matrix(*linears: Any) -> Matrix:
            w, b = ([getattr(linear, name) for linear in linears] for name in ("weight", "bias"))
            return Matrix(weights, dtype, _stacked(w), None if b[0] is None else _stacked(b))

        attn, gated = block.attn, hasattr(block.mlp, "gate")
        self.H, self.K, self.D, self.window = attn.H, attn.K, attn.D, attn.window
        self.norm1, self.norm2 = norm(block.norm1, dtype), norm(block.norm2, dtype)
        self.qk_norm = None if attn.q_norm is None else _qk_norm(attn, dtype)
        self.qkv, self.out, self.down = matrix(attn.qkv), matrix(attn.out), matrix(block.mlp.down)
        self.up = matrix(block.mlp.gate, block.mlp.up) if gated else matrix(block.mlp.up)
        self.bend = _swiglu if gated else _BENDS[block.mlp.activation]
        self.matrices = [self.qkv, self.out, self.up, self.down]

    def heads(self, x: Array, B: int, angles: tuple[Array, Array] | None) -> tuple[Array, Array, Array]:
        """Return q (B, H, T, D), k and v (B, K, T, D) of x (B T, C).

        Args:
            x: the residual stream, text after text.
            B: how many texts there are.
            angles: cos and sin (B T, D/2) at the positions, by which queries and keys are turned; None for no turning.
        """
        heads = self.qkv(self.norm1(x)).reshape(len(x), -1, self.D).transpose(1, 0, 2)  # (H + 2 K, B T, D)
        turned, v = heads[: self.H + self.K], heads[self.H + self.K :]  # (H + K, B T, D), (K, B T, D)
        if self.qk_norm is not None:
            turned = self.qk_norm(turned)
        if angles is not None:
            turned = kernels.rope_half(turned, *angles)
        q, k = turned[: self.H], turned[self.H :]
        return _by_text(q, B), _by_text(k, B), _by_text(v, B)

    def attend(self, q: Array, keys: Array, values: Array, lengths: Array) -> Array:
        """Let the queries q (B, H, T, D) of the last T tokens attend to all tokens of their text.

        Args:
            q: queries.
            keys, values: (B, K, S, D), of which each text has filled ...
            lengths: ... so many places, (B,).
        """
        scale = 1 / math.sqrt(self.D)
        if q.shape[2] <= FEW:
            return kernels.attention_decode(q, keys, values, lengths, self.window, scale)
        out = np.empty(q.shape, q.dtype)
        for b, S in enumerate(lengths.tolist()):
            text = slice(b, b + 1)
            k, v = keys[text, :, :S], values[text, :, :S]
            out[text] = kernels.attention(q[text], k, v, True, self.window, scale)[0]
        return out

    def add(self, x: Array, a: Array) -> Array:
        """Add to x (B T, C) what attention gathered, a (B, H, T, D), then what the MLP makes of it."""
        x = x + self.out(a.transpose(0, 2, 1, 3).reshape(len(x), -1))
        return x + self.down(self.bend(self.up(self.norm2(x))))


def norm(module: Any, dtype: Any) -> Callable[[Array], Array]:
    """Return what a LayerNorm or an RMSNorm does to x (..., C), as a function of arrays."""
    gain, eps = module.gain.data.astype(dtype, copy=False), module.eps
    if not hasattr(module, "bias"):
        return lambda x: kernels.rms_norm(x, gain, eps)[0]
    bias = np.zeros_like(gain) if module.bias is None else module.bias.data.astype(dtype, copy=False)
    return lambda x: kernels.layer_norm(x, gain, bias, eps)[0]


def side_by_side(matrices: list[Matrix]) -> None:
    """Move the arrays of all matrices into one piece of memory.

    The system gives large pages to large pieces only, and every page has to be looked up: a model's 8-bit matrices of 1
    or 2 MB each were read at 18 GB/s on small pages, and at 29 on large ones.
    """
    lines = sum(-(-a.nbytes // _ALIGNED) for matrix in matrices for a in matrix.arrays)
    memory = np.empty((lines + 1) * _ALIGNED, np.uint8)
    start = -memory.ctypes.data % _ALIGNED
    for matrix in matrices:
        for i, a in enumerate(matrix.arrays):
            moved = memory[start : start + a.nbytes].view(a.dtype).reshape(a.shape)
            moved[:] = a
            moved.flags.writeable = False
            matrix.arrays[i] = moved
            start += -(-a.nbytes // _ALIGNED) * _ALIGNED


def _product(x: Array, w: Array, b: Array | None) -> Array:
    y = kernels.matmul(x, w.T)
    return y if b is None else y + b


def _swiglu(x: Array) -> Array:
    half = x.shape[-1] // 2
    return kernels.swiglu(x[..., :half], x[..., half:])


def _qk_norm(attn: Any, dtype: Any) -> Callable[[Array], Array]:
    """Return the RMSNorms of queries and keys as one function of the heads of both, (H + K, N, D)."""
    norms = [attn.q_norm] * attn.H + [attn.k_norm] * attn.K
    gain = np.stack([module.gain.data for module in norms])[:, None].astype(dtype)  # (H + K, 1, D)
    ones, eps = np.ones(attn.D, dtype), attn.q_norm.eps
    return lambda heads: kernels.rms_norm(heads, ones, eps)[0] * gain


def _by_text(heads: Array, B: int) -> Array:
    """Turn the heads (N, B T, D) of all texts into (B, N, T, D)."""
    N, _, D = heads.shape
    return heads.reshape(N, B, -1, D).transpose(1, 0, 2, 3)


def _stacked(parameters: list[Any]) -> Array:
    """Return the rows of all parameters in one array: a single one as it is."""
    return parameters[0].data if len(parameters) == 1 else np.concatenate([p.data for p in parameters])
