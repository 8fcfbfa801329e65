"""exp and erf for use inside of kernels: written so that LLVM can put them into vector registers.

``math.exp`` is a call into the C library, one number at a time; these are a dozen multiply-adds without a branch.
Each is one name for two dtypes; Numba picks the version when it compiles the kernel that calls it.

    exp     relative error below 1 eps in both; 0 where the result would be below the smallest normal number
    erf     float32: relative error below 4 eps; float64: the C library's
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import types
from numba.extending import overload

# Contraction alone: reassociation would undo the splitting of log 2 below.
_OPTIONS: Any = {"error_model": "numpy", "fastmath": {"contract"}}

F = np.float32  # a Python literal is a float64 and would widen the whole loop: float32 constants are spelled out
_LOG2_E = math.log2(math.e)
_LOG2_HIGH, _LOG2_LOW = 0.693359375, -2.12194440054690583e-4  # log 2; the first has few bits: n * _LOG2_HIGH is exact
_LOG2_HIGH64, _LOG2_LOW64 = 6.93145751953125e-1, 1.42860682030941723212e-6


def like(x: float, constant: float) -> float:
    """Return the constant in the type of x, which no product with it then widens."""
    return constant


@overload(like, jit_options=_OPTIONS)
def _like(x, constant):
    return (lambda x, constant: F(constant)) if x == types.float32 else (lambda x, constant: np.float64(constant))


def exp(x: float) -> float:
    """Return e to the power of x; inside of a kernel, without a branch or a call."""
    return math.exp(x)


@overload(exp, jit_options=_OPTIONS)
def _exp(x):
    return _exp32 if x == types.float32 else _exp64 if x == types.float64 else None


def _exp32(x):
    # e^x = 2^n e^r with n = round(x / log 2) and |r| <= log(2) / 2, where 8 terms of Taylor's series are enough.
    c = min(max(x, F(-87.3365)), F(89.0))
    n = np.int32(c * F(_LOG2_E) + math.copysign(F(0.5), c))
    r = c - F(n) * F(_LOG2_HIGH) - F(n) * F(_LOG2_LOW)
    y = F(1 / 5040)
    y = y * r + F(1 / 720)
    y = y * r + F(1 / 120)
    y = y * r + F(1 / 24)
    y = y * r + F(1 / 6)
    y = y * r + F(1 / 2)
    y = y * r + F(1)
    y = y * r + F(1)
    # 2^n by writing n into the exponent bits, in two halves: 2^128 alone does not exist.
    half = np.int32(n >> np.int32(1))
    low = np.int32((half + np.int32(127)) << np.int32(23)).view(np.float32)
    high = np.int32((n - half + np.int32(127)) << np.int32(23)).view(np.float32)
    y = y * low * high
    y = F(0) if x < F(-87.3365) else y
    return y if x == x else x


def _exp64(x):
    c = min(max(x, -708.39), 710.0)
    n = np.int32(c * _LOG2_E + math.copysign(0.5, c))
    r = c - n * _LOG2_HIGH64 - n * _LOG2_LOW64
    y = 1 / 6227020800
    y = y * r + 1 / 479001600
    y = y * r + 1 / 39916800
    y = y * r + 1 / 3628800
    y = y * r + 1 / 362880
    y = y * r + 1 / 40320
    y = y * r + 1 / 5040
    y = y * r + 1 / 720
    y = y * r + 1 / 120
    y = y * r + 1 / 24
    y = y * r + 1 / 6
    y = y * r + 1 / 2
    y = y * r + 1.0
    y = y * r + 1.0
    half = np.int32(n >> np.int32(1))
    low = np.int64((np.int64(half) + 1023) << 52).view(np.float64)
    high = np.int64((np.int64(n - half) + 1023) << 52).view(np.float64)
    y = y * low * high
    y = 0.0 if x < -708.39 else y
    return y if x == x else x


def erf(x: float) -> float:
    """Return the error function of x."""
    return math.erf(x)


@overload(erf, jit_options=_OPTIONS)
def _erf(x):
    return _erf32 if x == types.float32 else _erf64 if x == types.float64 else None


def _erf32(x):
    # x P(x^2) / Q(x^2) over |x| <= 3.9, beyond which erf is 1 in float32. Coefficients: our own fit of the least
    # largest relative error (1.7e-8) by reweighted least squares on 4001 Chebyshev nodes.
    c = min(max(x, F(-3.9)), F(3.9))
    t = c * c
    p = F(2.066467051304505e-06)
    p = p * t + F(0.00028506281701042295)
    p = p * t + F(0.0037383765741861447)
    p = p * t + F(0.05266817788020037)
    p = p * t + F(0.18966754403284322)
    p = p * t + F(1.1283791476288283)
    q = F(3.826998839209671e-05)
    q = q * t + F(0.0011573834114644505)
    q = q * t + F(0.014914338659857173)
    q = q * t + F(0.11381925538530485)
    q = q * t + F(0.5014212659902952)
    q = q * t + F(1)
    y = min(max(c * p / q, F(-1)), F(1))
    return y if x == x else x


def _erf64(x):
    return math.erf(x)
