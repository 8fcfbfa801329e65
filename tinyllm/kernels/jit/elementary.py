"""exp, exp2 and erf for use inside of kernels: written so that LLVM can put them into vector registers.

``math.exp`` is a call into the C library, one number at a time; these are a dozen multiply-adds without a branch.
Each is one name for two dtypes; Numba picks the version when it compiles the kernel that calls it.

    exp     relative error below 1 eps in both; 0 where the result would be below 2.5 times the smallest normal number
    exp2    the same
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
_LOG_2 = math.log(2)
# Added to a float of moderate size, 1.5 * 2^23 leaves no bits for a fraction: the sum is rounded to whole numbers. And
# 126 more, so that n is written as the exponent of 2^(n-1): 2^128 does not exist, but 2^127 times 2 e^r may.
_SHIFT32, _SHIFT64 = 1.5 * 2.0**23 + 126, 1.5 * 2.0**52 + 1022


def like(x: float, constant: float) -> float:
    """Return the constant in the type of x, which no product with it then widens."""
    return constant


@overload(like, jit_options=_OPTIONS)
def _like(x, constant):
    return (lambda x, constant: F(constant)) if x == types.float32 else (lambda x, constant: np.float64(constant))


def exp(x: float) -> float:
    """Return e to the power of x; inside of a kernel, without a branch or a call."""
    return math.exp(x)


def exp2(x: float) -> float:
    """Return 2 to the power of x, which takes three operations fewer: for an x that is a product anyway."""
    return math.exp2(x)


@overload(exp, jit_options=_OPTIONS)
def _exp(x):
    return _exp32 if x == types.float32 else _exp64 if x == types.float64 else None


@overload(exp2, jit_options=_OPTIONS)
def _exp2(x):
    return _exp2_32 if x == types.float32 else _exp2_64 if x == types.float64 else None


# e^x = 2^n e^r with n = round(x / log 2) and |r| <= log(2) / 2. Beyond the clamps 2^n is 0, or the product inf; written
# as they are, NaN passes them.


def _exp32(x):
    c = F(-87.2) if x < F(-87.2) else x
    c = F(89) if c > F(89) else c
    shifted = c * F(_LOG2_E) + F(_SHIFT32)
    n = shifted - F(_SHIFT32)
    return _times_power(c - n * F(_LOG2_HIGH) - n * F(_LOG2_LOW), shifted)


def _exp64(x):
    c = -708.2 if x < -708.2 else x
    c = 710.0 if c > 710.0 else c
    shifted = c * _LOG2_E + _SHIFT64
    n = shifted - _SHIFT64
    return _times_power(c - n * _LOG2_HIGH64 - n * _LOG2_LOW64, shifted)


def _exp2_32(x):
    c = F(-125.8) if x < F(-125.8) else x
    c = F(129) if c > F(129) else c
    shifted = c + F(_SHIFT32)
    return _times_power((c - (shifted - F(_SHIFT32))) * F(_LOG_2), shifted)


def _exp2_64(x):
    c = -1021.8 if x < -1021.8 else x
    c = 1025.0 if c > 1025.0 else c
    shifted = c + _SHIFT64
    return _times_power((c - (shifted - _SHIFT64)) * _LOG_2, shifted)


def _times_power(r, shifted):
    """Return e^r 2^n for |r| <= log(2) / 2 and shifted = n + _SHIFT."""
    return math.exp(r) * 2.0**shifted


@overload(_times_power, jit_options=_OPTIONS)
def _times_power_of(r, shifted):
    return _times_power32 if r == types.float32 else _times_power64


# Coefficients of 2 e^r = 2 + 2 r + ...: our own fit of the least largest relative error (3e-9, and 4e-18) by Remez's
# exchange. The exponent, in the lowest bits of ``shifted``, is moved to where a float keeps its own.


def _times_power32(r, shifted):
    y = F(0.0027629197293328069)
    y = y * r + F(0.01673743375945628)
    y = y * r + F(0.083336776090627993)
    y = y * r + F(0.33333041263418994)
    y = y * r + F(0.99999986895592974)
    y = y * r + F(2)
    y = y * r + F(2)
    return y * np.int32(np.float32(shifted).view(np.int32) << np.int32(23)).view(np.float32)


def _times_power64(r, shifted):
    y = 5.0000123205671333e-8
    y = y * r + 5.5260496758422888e-7
    y = y * r + 5.5115172747680327e-6
    y = y * r + 4.9602986197813101e-5
    y = y * r + 0.00039682539013157375
    y = y * r + 0.0027777777887260226
    y = y * r + 0.016666666666988923
    y = y * r + 0.083333333333060317
    y = y * r + 0.33333333333332825
    y = y * r + 1.0000000000000021
    y = y * r + 2.0
    y = y * r + 2.0
    return y * np.int64(np.float64(shifted).view(np.int64) << np.int64(52)).view(np.float64)


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
