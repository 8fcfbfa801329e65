"""A text as the words that lexical search counts: one way for us, and one that repeats the published figures.

Queries and documents have to come through the same door, or "Fluxes" in the one never meets "flux" in the other.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

from ...errors import ConfigError, nearest
from .porter2 import stem

__all__ = ["PRESETS", "stem", "words"]

# The 33 words that Lucene and bm25s leave out of an English text.
_FEW = (
    "a an and are as at be but by for if in into is it no not of on or such that the their then there these they this "
    "to was will with"
)
# What else a question or a sentence is made of and says nothing about its subject.
_MORE = (
    "about after all also am among any anybody been before being between both can could did do does doing done each "
    "either else few from had has have having he her here hers him his how however i its just may me might more most "
    "much must my neither nor only other our ours out over own same shall she should so some than them themselves "
    "those through thus too under until up upon us very we were what when where whether which while who whom whose "
    "why would you your yours"
)
STOP_WORDS = frozenset(_FEW.split())
MORE_STOP_WORDS = STOP_WORDS | frozenset(_MORE.split())

_WORD = re.compile(r"\w+(?:'\w+)*")
_TWO_LETTERS = re.compile(r"\b\w\w+\b")
_APOSTROPHES = str.maketrans({"\u2019": "'", "\uff07": "'"})


def words(text: str, preset: str = "default") -> list[str]:
    """Return the stems of a text's words, in order, without those that say nothing.

    Args:
        text: any text; letters of any script make words.
        preset: "default" folds letters (NFKC, casefold) and keeps one-letter words and inner apostrophes; "bm25s"
            does what the library of that name does by default, with its Porter2 stemmer, as published figures do.

    Raises:
        ConfigError: there is no such preset.

    Example:
        >>> words("The boundary-layer's 2 equations, solved")
        ['boundari', 'layer', '2', 'equat', 'solv']
        >>> words("The boundary-layer's 2 equations, solved", "bm25s")
        ['boundari', 'layer', 'equat', 'solv']
    """
    return chosen(preset)(text)


def chosen(preset: str) -> Callable[[str], list[str]]:
    """Return the function behind a preset's name.

    Raises:
        ConfigError: there is no such preset.

    Example:
        >>> chosen("default")("Flows")
        ['flow']
    """
    if preset not in PRESETS:
        near = nearest(preset, PRESETS)
        raise ConfigError(
            f"words: there is no preset {preset!r}", hint=repr(near) if near else "one of " + ", ".join(PRESETS)
        )
    return PRESETS[preset]


def _default(text: str) -> list[str]:
    folded = text.lower() if text.isascii() else unicodedata.normalize("NFKC", text).casefold().translate(_APOSTROPHES)
    return [stem(word) for word in _WORD.findall(folded) if word not in MORE_STOP_WORDS]


def _bm25s(text: str) -> list[str]:
    return [stem(word) for word in _TWO_LETTERS.findall(text.lower()) if word not in STOP_WORDS]


PRESETS: dict[str, Callable[[str], list[str]]] = {"default": _default, "bm25s": _bm25s}
