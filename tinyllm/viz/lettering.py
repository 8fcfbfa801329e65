"""Monospaced text in pictures: how wide it is, and what stands for characters that the font lacks."""

from __future__ import annotations

import functools
import unicodedata

from matplotlib.font_manager import FontProperties, findfont, get_font

MONO = "DejaVu Sans Mono"  # comes with matplotlib
_ADVANCE = 0.602 / 72  # inches from a character to the next, for a point of size


def width_of(text: str, size: float) -> float:
    """Return how wide a text is in inches.

    Args:
        text: only of characters that ``drawable`` leaves.
        size: of the font, in points.
    """
    return len(text) * _ADVANCE * size


def drawable(text: str) -> str:
    """Spell what the font lacks, and marks that would be drawn over their neighbors, by number.

    Example:
        >>> drawable("naïve \\u65e5")
        'naïve U+65E5'
    """
    return "".join(char if _in_font(char) else f"U+{ord(char):04X}" for char in text)


@functools.cache
def _in_font(char: str) -> bool:
    font = get_font(findfont(FontProperties(family=MONO)))
    return bool(font.get_char_index(ord(char))) and unicodedata.category(char)[0] != "M"
