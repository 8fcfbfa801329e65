"""Four rows of x times one row of weights in 8 or in 4 bits.

What takes the time of a product with a few rows is arithmetic: a block of 32 weights is two vectors of floats once it
has been taken apart, and each row of x then costs three multiply-adds. Done for four rows at once, the taking apart is
paid a quarter as often. Each sum is the same chain of multiply-adds as that of a row alone, so it has the same bits.
"""

from __future__ import annotations

from ..compiler import step
from ..quantized import BLOCK
from .vectors import SIXTEEN, floats, high_nibbles, int8s, low_nibbles, plus_product, splat, total


@step
def four_8(x, m, q, scales, y):
    """y[m : m + 4] += x[m : m + 4] q: where fewer are left, the last one is calculated again."""
    zero, last = x.dtype.type(0), x.shape[0] - 1
    m1, m2, m3 = min(m + 1, last), min(m + 2, last), min(m + 3, last)
    x0, x1, x2, x3 = x[m], x[m1], x[m2], x[m3]
    nothing = splat(zero)
    s0, s1, s2, s3 = splat(zero), splat(zero), splat(zero), splat(zero)
    for k in range(scales.size):
        first, second, scale = k * BLOCK, k * BLOCK + SIXTEEN, splat(scales[k])
        one, two = int8s(q, first, zero), int8s(q, second, zero)
        b0 = plus_product(two, floats(x0, second), plus_product(one, floats(x0, first), nothing))
        b1 = plus_product(two, floats(x1, second), plus_product(one, floats(x1, first), nothing))
        b2 = plus_product(two, floats(x2, second), plus_product(one, floats(x2, first), nothing))
        b3 = plus_product(two, floats(x3, second), plus_product(one, floats(x3, first), nothing))
        s0, s1 = plus_product(scale, b0, s0), plus_product(scale, b1, s1)
        s2, s3 = plus_product(scale, b2, s2), plus_product(scale, b3, s3)
    y0, y1, y2, y3 = y[m] + total(s0), y[m1] + total(s1), y[m2] + total(s2), y[m3] + total(s3)
    y[m], y[m1], y[m2], y[m3] = y0, y1, y2, y3


@step
def four_4(x, eights, m, p, scales, y):
    """y[m : m + 4] += x[m : m + 4] (q - 8): where fewer are left, the last one is calculated again."""
    zero, last = x.dtype.type(0), x.shape[0] - 1
    m1, m2, m3 = min(m + 1, last), min(m + 2, last), min(m + 3, last)
    x0, x1, x2, x3 = x[m], x[m1], x[m2], x[m3]
    e0, e1, e2, e3 = eights[m], eights[m1], eights[m2], eights[m3]
    s0, s1, s2, s3 = splat(zero), splat(zero), splat(zero), splat(zero)
    for k in range(scales.size):
        first, second, pairs, scale = k * BLOCK, k * BLOCK + SIXTEEN, k * SIXTEEN, splat(scales[k])
        one, two = low_nibbles(p, pairs, zero), high_nibbles(p, pairs, zero)
        b0 = plus_product(two, floats(x0, second), plus_product(one, floats(x0, first), floats(e0, pairs)))
        b1 = plus_product(two, floats(x1, second), plus_product(one, floats(x1, first), floats(e1, pairs)))
        b2 = plus_product(two, floats(x2, second), plus_product(one, floats(x2, first), floats(e2, pairs)))
        b3 = plus_product(two, floats(x3, second), plus_product(one, floats(x3, first), floats(e3, pairs)))
        s0, s1 = plus_product(scale, b0, s0), plus_product(scale, b1, s1)
        s2, s3 = plus_product(scale, b2, s2), plus_product(scale, b3, s3)
    y0, y1, y2, y3 = y[m] + total(s0), y[m1] + total(s1), y[m2] + total(s2), y[m3] + total(s3)
    y[m], y[m1], y[m2], y[m3] = y0, y1, y2, y3
