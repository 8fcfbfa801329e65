"""The text of the first lessons: three-sentence stories, drawn at random, of which everything is known.

    Mia has a gold drum. She lends it to Tom. Now Tom has the gold drum.

A story is five choices, each as likely as the other; everything else follows. So the smallest number of bits in which
anybody could write one down is known exactly, and the choices of the first two sentences come back in the third:
whoever predicts it has to look back further than the last word.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

import numpy as np

SHE = ("Ada", "Eve", "Mia", "Zoe")
HE = ("Ben", "Leo", "Max", "Tom")
COLORS = ("red", "blue", "green", "white", "black", "gold")
THINGS = ("kite", "drum", "boat", "ball", "book", "cake", "hat", "lamp")
VERBS = ("gives", "sells", "lends", "sends")

_STORY = re.compile(
    r"(?P<giver>\w+) has a (?P<color>\w+) (?P<thing>\w+)\. (?P<pronoun>She|He) (?P<verb>\w+) it to (?P<taker>\w+)\. "
    r"Now (?P<owner>\w+) has the (?P<again>\w+) (?P<same>\w+)\."
)


def stories(rng: np.random.Generator, count: int) -> list[str]:
    """Draw so many stories, each without its line end.

    Example:
        >>> stories(np.random.default_rng(0), 1)
        ['Leo has a blue boat. He gives it to Tom. Now Tom has the blue boat.']
    """
    return [_story(rng) for _ in range(count)]


def _story(rng: np.random.Generator) -> str:
    names = SHE + HE
    giver, taker = (names[i] for i in rng.choice(len(names), size=2, replace=False))
    color, thing, verb = (words[rng.integers(len(words))] for words in (COLORS, THINGS, VERBS))
    pronoun = "She" if giver in SHE else "He"
    return f"{giver} has a {color} {thing}. {pronoun} {verb} it to {taker}. Now {taker} has the {color} {thing}."


def bits() -> float:
    """Return the bits that one story cannot be told in fewer of: the logarithm of how many there are.

    Example:
        >>> round(2 ** bits())
        10752
    """
    names = len(SHE) + len(HE)
    return math.log2(names * (names - 1) * len(COLORS) * len(THINGS) * len(VERBS))


def makes_sense(story: str) -> bool:
    """Does a story follow the rules: known words, the right pronoun, and at the end what was given, with its new owner?

    Example:
        >>> makes_sense("Mia has a gold drum. She lends it to Tom. Now Tom has the gold drum.")
        True
        >>> makes_sense("Mia has a gold drum. She lends it to Tom. Now Mia has the gold drum.")
        False
    """
    found = _STORY.fullmatch(story.strip())
    if found is None:
        return False
    giver, taker = found["giver"], found["taker"]
    return (
        {giver, taker} <= {*SHE, *HE}
        and giver != taker
        and found["color"] in COLORS
        and found["thing"] in THINGS
        and found["verb"] in VERBS
        and found["pronoun"] == ("She" if giver in SHE else "He")
        and (found["owner"], found["again"], found["same"]) == (taker, found["color"], found["thing"])
    )


def as_text(told: Sequence[str]) -> str:
    """Join stories, a line each.

    Example:
        >>> as_text(["one", "two"])
        'one\\ntwo\\n'
    """
    return "".join(f"{story}\n" for story in told)
