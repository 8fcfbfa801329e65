"""Chunkers: what cuts a document into pieces that an embedder reads whole."""

from __future__ import annotations

from .fixed import FixedTokens
from .header import contextual_header
from .headings import Headings
from .limit import Limit, count_words
from .semantic import Semantic
from .sentences import SentencePack
from .whole import Whole

__all__ = [
    "FixedTokens",
    "Headings",
    "Limit",
    "Semantic",
    "SentencePack",
    "Whole",
    "contextual_header",
    "count_words",
]
