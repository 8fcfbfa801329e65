"""Halves of UTF-16 pairs inside a Python string, which no UTF-8 can spell."""

from __future__ import annotations


def without_surrogates(text: str) -> str:
    r"""Join surrogates that make a pair; a lone one becomes U+FFFD. Other text comes back as it is.

    Example:
        >>> without_surrogates("\ud83d\ude00, \ud83d") == "\U0001f600, \ufffd"
        True
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text
