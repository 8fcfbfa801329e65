"""Derivatives by trying: what a gradient is compared with.

Two ways. The **central difference** works on any function but loses half of the digits to cancellation. The
**complex step** (Squire & Trapp 1998) takes a step so small that its square vanishes, along the imaginary axis: no
subtraction, so no cancellation, and the derivative is exact to the last digit. It asks that the function be written
without ``abs``, conjugates, or comparisons that look at anything but the real part; every op of this house is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def central_difference(f: Callable[[Array], Any], x: Array, u: Array, h: float = 1e-5) -> Any:
    """Return the derivative of ``f`` at ``x`` in direction ``u``, right to about ``h`` squared.

    Args:
        f: takes an array like x; what it returns, the derivative is shaped like.
        x: where.
        u: the direction, an array like x: the slope of t -> f(x + t u) at t = 0 is asked for.
        h: how far to step.

    Example:
        >>> bool(abs(central_difference(np.sin, np.array(1.0), np.array(1.0)) - np.cos(1.0)) < 1e-10)
        True
    """
    return (f(x + h * u) - f(x - h * u)) / (2 * h)


def complex_step(f: Callable[[Array], Any], x: Array, u: Array, h: float = 1e-20) -> Any:
    """Return the derivative of an analytic ``f`` at ``x`` in direction ``u``, exact to rounding.

    Args:
        f: takes an array like x, of complex numbers too; what it returns, the derivative is shaped like.
        x: where.
        u: the direction, an array like x: the slope of t -> f(x + t u) at t = 0 is asked for.
        h: how far to step, along the imaginary axis.

    Example:
        >>> bool(complex_step(np.sin, np.array(1.0), np.array(1.0)) == np.cos(1.0))
        True
    """
    return np.imag(f(x + 1j * h * u)) / h


def numerical_grad(f: Callable[[Array], Any], x: Array, h: float = 1e-5) -> Array:
    """Return the gradient of a number-valued ``f`` by one central difference per entry of ``x``, which stays untouched.

    Example:
        >>> numerical_grad(lambda x: (x**2).sum(), np.array([1.0, 3.0])).round(6)
        array([2., 6.])
    """
    x = np.array(x, dtype=np.float64)  # a copy that may be moved about
    grad = np.zeros(x.shape)
    for index in np.ndindex(x.shape):
        kept = x[index]
        x[index] = kept + h
        above = f(x)
        x[index] = kept - h
        below = f(x)
        x[index] = kept  # the next entry is to be moved by itself
        grad[index] = (above - below) / (2 * h)
    return grad


def complex_step_grad(f: Callable[[Array], Any], x: Array, h: float = 1e-20) -> Array:
    """Return the gradient of a number-valued analytic ``f`` by one complex step per entry of ``x``.

    Example:
        >>> complex_step_grad(lambda x: (x**3).sum(), np.array([1.0, 2.0]))
        array([ 3., 12.])
    """
    grad = np.zeros(x.shape)
    for index in np.ndindex(x.shape):
        u = np.zeros(x.shape)
        u[index] = 1.0
        grad[index] = complex_step(f, x, u, h)
    return grad
