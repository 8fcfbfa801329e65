"""What follows a matrix product in a linear layer, in one pass: bias, activation and residual.

    epilogue_v1     activation(c + bias) + residual, in place, LANES columns of a row at a time
    epilogue_v2     blocks of rows shared by the threads

The last rung of matmul.py calls ``finish`` on each block of c while it is still in the cache; the rungs here run over
what BLAS has calculated. A bias or residual that there is none of is an array of no entries.
"""
# ruff: noqa: D103 (the head of this file says what each rung adds)

from __future__ import annotations

from numba import prange

from ..compiler import compiled, inner, parallel
from .activation import _gelu, _gelu_tanh, _silu
from .layout import any_layout
from .packing import contiguous
from .registers import LANES, lanes

GELU_TANH, GELU, SILU = 1, 2, 3
ACTIVATIONS = {None: 0, "gelu_tanh": GELU_TANH, "gelu": GELU, "silu": SILU}
BLOCK = 64  # rows a thread takes at a time


@inner
def finish(c, bias, residual, activation):
    """c = activation(c + bias) + residual: c (M, N), bias (N,) or empty, residual (1, M, N) or empty."""
    if bias.size == 0 and residual.size == 0 and activation == 0:
        return
    x = lanes(c.dtype.type(0))
    for i in range(c.shape[0]):
        for j0 in range(0, c.shape[1], LANES):
            out = contiguous(c[i, j0 : j0 + LANES])
            for j in range(out.size):
                x[j] = out[j]
            if bias.size:
                added = contiguous(bias[j0 : j0 + LANES])
                for j in range(out.size):
                    x[j] += added[j]
            if activation == GELU_TANH:
                for j in range(out.size):
                    x[j] = _gelu_tanh(x[j])[0]
            elif activation == GELU:
                for j in range(out.size):
                    x[j] = _gelu(x[j])[0]
            elif activation == SILU:
                for j in range(out.size):
                    x[j] = _silu(x[j])[0]
            if residual.size:
                stream = contiguous(residual[0, i, j0 : j0 + LANES])
                for j in range(out.size):
                    x[j] += stream[j]
            for j in range(out.size):
                out[j] = x[j]


@any_layout("c")
@compiled
def epilogue_v1(c, bias, residual, activation):
    finish(c, bias, residual, activation)


@any_layout("c")
@parallel
def epilogue_v2(c, bias, residual, activation):
    for block in prange((c.shape[0] + BLOCK - 1) // BLOCK):
        rows = slice(block * BLOCK, (block + 1) * BLOCK)
        finish(c[rows], bias, residual[:, rows], activation)
