"""Probes: how fast this machine could be, for the benchmarks to measure kernels against.

    multiply_add    multiply-adds in vector registers that touch no memory: the peak of arithmetic
    read_sum        a sum over an array: how fast memory, or a cache, can be read

They belong to no ladder, and the library does not call them. ``tasks`` is the number of threads that work.
"""

from __future__ import annotations

from numba import prange

from ..compiler import inner, parallel
from .registers import LANES, lanes

CHAINS = 4  # arrays of LANES sums in flight: enough that no multiply-add waits for the one before


@parallel
def multiply_add(start, steps, totals):
    """Let each of totals.size tasks do ``steps`` times 2 CHAINS LANES operations, in the type of ``start`` (2,)."""
    for task in prange(totals.size):
        totals[task] = _chains(start[0], start[1], steps)


@inner
def _chains(factor, addend, steps):
    s0, s1, s2, s3 = lanes(factor), lanes(factor), lanes(factor), lanes(factor)
    for t in range(LANES):
        s0[t] = addend
        s1[t] = addend + factor
        s2[t] = addend - factor
        s3[t] = addend * factor
    for _ in range(steps):
        for t in range(LANES):
            s0[t] = s0[t] * factor + addend
            s1[t] = s1[t] * factor + addend
            s2[t] = s2[t] * factor + addend
            s3[t] = s3[t] * factor + addend
    total = factor
    for t in range(LANES):
        total += s0[t] + s1[t] + s2[t] + s3[t]
    return total


@parallel
def read_sum(x, totals):
    """Add up x (N,), a share for each of totals.size tasks."""
    share = (x.size + totals.size - 1) // totals.size
    for task in prange(totals.size):
        totals[task] = _sum(x[task * share : min(x.size, (task + 1) * share)])


@inner
def _sum(x):
    zero, block = x.dtype.type(0), 4 * LANES
    s0, s1, s2, s3 = lanes(zero), lanes(zero), lanes(zero), lanes(zero)
    for t in range(LANES):
        s0[t] = zero
        s1[t] = zero
        s2[t] = zero
        s3[t] = zero
    whole = x.size - x.size % block
    for i in range(0, whole, block):
        p0, p1 = x[i : i + LANES], x[i + LANES : i + 2 * LANES]
        p2, p3 = x[i + 2 * LANES : i + 3 * LANES], x[i + 3 * LANES : i + block]
        for t in range(LANES):
            s0[t] += p0[t]
            s1[t] += p1[t]
            s2[t] += p2[t]
            s3[t] += p3[t]
    total = zero
    for t in range(LANES):
        total += s0[t] + s1[t] + s2[t] + s3[t]
    for i in range(whole, x.size):
        total += x[i]
    return total
