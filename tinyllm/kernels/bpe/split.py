"""Text cut into pieces: the ends of all pieces of a slice of UTF-8 bytes.

    fill_ends_v1    the scanners, one character at a time
    fill_ends_v2    64 bytes at a time, all pieces that start among them; the scanners for what is rare

``next_end`` asks for the piece at byte p, ``fill_ends`` for the ends of the pieces from there on, as many as its buffer
holds, and says how many they are; ``split`` asks for all.

The slice is ``data[:n]``: a uint8 array with at least 16 zero bytes after it. ``classes`` holds the class of each of
the 1,114,112 code points; ``family`` is a number of FAMILIES; ``digits`` is the most numbers in one piece, 0 for no
limit; ``ends_whole`` says that spaces which reach the end of the slice are one piece (cl100k).
"""
# ruff: noqa: D103 (the head of this file says what each rung adds)

from __future__ import annotations

import numpy as np

from ..compiler import compiled
from ..table import Array
from .bits import BLOCK, ONE, first_of
from .blocks import block_starts
from .scan import CL100K, GPT2, O200K, WHOLE, scan_end

FAMILIES = {"gpt2": GPT2, "cl100k": CL100K, "o200k": O200K, "whole": WHOLE}
PADDING = 64  # zero bytes that follow a slice: the scanners need 16, and go faster with 64


@compiled
def next_end(data, p, n, classes, family, digits, ends_whole):
    """Return where the piece that starts at byte p of data[:n] ends."""
    return scan_end(data, p, n, classes, family, digits, ends_whole)


@compiled
def fill_ends_v1(data, p, n, classes, family, digits, ends_whole, ends):
    count = 0
    while p < n and count < ends.size:
        p = scan_end(data, p, n, classes, family, digits, ends_whole)
        ends[count] = p
        count += 1
    return count


@compiled
def fill_ends_v2(data, p, n, classes, family, digits, ends_whole, ends):
    count = 0
    while p < n and count < ends.size:
        if family != WHOLE and p + BLOCK <= data.size:
            starts, all_decided = block_starts(data, p, n, classes, family, digits, ends_whole)
            begin = p
            while starts and count < ends.size:
                p = begin + first_of(starts)
                starts &= starts - ONE
                ends[count] = p
                count += 1
            if all_decided and count < ends.size:
                ends[count] = p = n
                count += 1
            if p > begin:
                continue
        p = scan_end(data, p, n, classes, family, digits, ends_whole)
        ends[count] = p
        count += 1
    return count


fill_ends = fill_ends_v2


@compiled
def split(data, n, classes, family, digits, ends_whole):
    """Return the ends of all pieces of data[:n], int64 (number of pieces,)."""
    ends = np.empty(max(16, n // 4), np.int64)
    count = p = np.int64(0)
    while p < n:
        if count == ends.size:
            longer = np.empty(2 * ends.size, np.int64)
            for i in range(count):
                longer[i] = ends[i]
            ends = longer
        count += fill_ends(data, p, n, classes, family, digits, ends_whole, ends[count:])
        p = ends[count - 1]
    return ends[:count].copy()


def padded(data: bytes) -> Array:
    """Return bytes as the array that the kernels read: uint8, with PADDING zero bytes after it."""
    array = np.zeros(len(data) + PADDING, np.uint8)
    array[: len(data)] = np.frombuffer(data, np.uint8)
    return array
