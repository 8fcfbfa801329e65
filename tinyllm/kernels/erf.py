r"""The error function, erf(x) = 2 / sqrt(pi) * integral of exp(-t^2) from 0 to x, which NumPy lacks.

Source: W. J. Cody, "Rational Chebyshev approximation for the error function", Math. Comp. 23 (1969), 631-637. Three
quotients of polynomials, each for its own range of y = |x|:

    y <= 0.46875    erf(x) = x P(x^2) / Q(x^2)
    y <= 4          erf(y) = 1 - exp(-y^2) P(y) / Q(y)
    beyond          erf(y) = 1 - exp(-y^2) / y (1 / sqrt(pi) + P(1/y^2) / (y^2 Q(1/y^2)))

Ranges are chosen by ``.real`` and every formula is analytic, so the complex step goes through.
"""

from __future__ import annotations

import numpy as np

from .table import Array, kernel

# fmt: off
_NEAR = (
    (1.85777706184603153e-1, 3.16112374387056560e00, 1.13864154151050156e02, 3.77485237685302021e02,
     3.20937758913846947e03),
    (1.0, 2.36012909523441209e01, 2.44024637934444173e02, 1.28261652607737228e03, 2.84423683343917062e03),
)
_MIDDLE = (
    (2.15311535474403846e-8, 5.64188496988670089e-1, 8.88314979438837594e00, 6.61191906371416295e01,
     2.98635138197400131e02, 8.81952221241769090e02, 1.71204761263407058e03, 2.05107837782607147e03,
     1.23033935479799725e03),
    (1.0, 1.57449261107098347e01, 1.17693950891312499e02, 5.37181101862009858e02, 1.62138957456669019e03,
     3.29079923573345963e03, 4.36261909014324716e03, 3.43936767414372164e03, 1.23033935480374942e03),
)
_FAR = (
    (1.63153871373020978e-2, 3.05326634961232344e-1, 3.60344899949804439e-1, 1.25781726111229246e-1,
     1.60837851487422766e-2, 6.58749161529837803e-4),
    (1.0, 2.56852019228982242e00, 1.87295284992346725e00, 5.27905102951428412e-1, 6.05183413124413191e-2,
     2.33520497626869185e-3),
)
# fmt: on
_ONE_OVER_ROOT_PI = 0.56418958354775628695
_ALL_IS_ONE = 27.0  # exp(-27^2) is below the smallest float64: erf is 1 from here on, and y^2 must not overflow


@kernel
def erf(x: Array) -> Array:
    r"""Return the error function of every entry of x (any shape), accurate to the dtype's own rounding.

    Example:
        >>> erf(np.array([-30.0, 0.0, 0.5])).round(6)
        array([-1.    ,  0.    ,  0.5205])
    """
    sign = np.where(x.real < 0, -1, 1).astype(x.real.dtype)
    y = x * sign
    y = np.where(y.real > _ALL_IS_ONE, _ALL_IS_ONE, y)
    near, far = y.real <= 0.46875, y.real > 4
    # Each formula sees a harmless stand-in where it does not apply: no overflow, no division by zero.
    inside = np.where(near, y, 0)
    middle = np.where(near | far, 1, y)
    outside = np.where(far, y, 5)
    rest = np.exp(-middle * middle) * _quotient(_MIDDLE, middle)
    tail = _ONE_OVER_ROOT_PI - _quotient(_FAR, 1 / (outside * outside)) / (outside * outside)
    rest = np.where(far, np.exp(-outside * outside) / outside * tail, rest)
    return sign * np.where(near, inside * _quotient(_NEAR, inside * inside), 1 - rest)


def _quotient(polynomials: tuple[tuple[float, ...], tuple[float, ...]], z: Array) -> Array:
    """Evaluate P(z) / Q(z) by Horner's rule, the highest power first."""
    values = []
    for coefficients in polynomials:
        value = np.full_like(z, coefficients[0])
        for coefficient in coefficients[1:]:
            value = value * z + coefficient
        values.append(value)
    return values[0] / values[1]
