"""The classes of characters that split patterns ask for, frozen at Unicode 16.0.

A tokenizer must cut a text the same way on every machine and in every year. Python's ``unicodedata`` is as old as the
Python it came with, and the ``regex`` package as young as its last release; here the ranges are a file of their own,
``unicode16.txt``, with what tiktoken and tokenizers agree on for all code points.
"""

from __future__ import annotations

from functools import cache
from importlib import resources

UNICODE_VERSION = "16.0.0"
CODE_POINTS = 0x110000

OTHER, UPPER, LOWER, CASELESS, MARK, NUMBER, SPACE = range(7)
_CODES = {"upper": UPPER, "lower": LOWER, "caseless": CASELESS, "mark": MARK, "number": NUMBER, "space": SPACE}


@cache
def classes() -> bytes:
    """Return the class of every code point, one byte each, made from the ranges at the first call.

    Surrogates and what is not assigned in Unicode 16.0 are OTHER, as punctuation and symbols are.

    Example:
        >>> [classes()[ord(char)] for char in "Aa中\u0301½ !"] == [UPPER, LOWER, CASELESS, MARK, NUMBER, SPACE, OTHER]
        True
    """
    table = bytearray(CODE_POINTS)
    code = OTHER
    for line in resources.files(__package__).joinpath("unicode16.txt").read_text("ascii").splitlines():
        if line.endswith(":"):
            code = _CODES[line[:-1]]
        elif not line.startswith("#"):
            for span in line.split():
                first, _, last = span.partition("-")
                begin, end = int(first, 16), int(last or first, 16) + 1
                table[begin:end] = bytes((code,)) * (end - begin)
    return bytes(table)
