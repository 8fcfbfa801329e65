r"""Regular languages over bytes, and what is left of one after a byte was read: its derivative.

The derivative of a language by a byte is what may follow that byte in it. It is a language again, so reading a text is
taking one derivative after the other; the text is in the language if the last one holds the empty text:

    d(b) = {empty}                              for the byte b itself
    d(r | s) = d(r) | d(s)
    d(r s) = d(r) s, and d(s) too if r may be empty
    d(r & s) = d(r) & d(s)
    d(r*) = d(r) r*                             and with a count, d(r{n}) = d(r) r{n - 1}

A language has only finitely many derivatives, if equal ones are seen to be equal; that is what the small functions
``cat``, ``either`` and ``many`` see to. The derivatives are the states of an automaton, and ``table`` lists them all.

Source: Brzozowski 1964, "Derivatives of Regular Expressions"; Owens, Reppy and Turon 2009, who take bytes together that
no part of the expression tells apart.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from ...errors import ConfigError

Array = np.ndarray[Any, np.dtype[Any]]
MOST_STATES = 20_000
SURROGATES = (0xD800, 0xDFFF)  # half characters, which no UTF-8 can spell


@dataclass(frozen=True)
class Language:
    """What all kinds have in common.

    Attributes:
        nullable: does it hold the empty text?
    """

    nullable: bool


@dataclass(frozen=True)
class OneByte(Language):
    """One of some bytes."""

    among: frozenset[int]


@dataclass(frozen=True)
class Cat(Language):
    """A text of each part, one after the other; without parts, the empty text alone."""

    parts: tuple[Language, ...]


@dataclass(frozen=True)
class Either(Language):
    """A text of any of them; of none, if there are none."""

    parts: frozenset[Language]


@dataclass(frozen=True)
class Many(Language):
    """Texts one after the other, up to ``most`` of them, or any number if that is None."""

    of: Language
    most: int | None


@dataclass(frozen=True)
class Both(Language):
    """A text of one that is also a text of the other."""

    one: Language
    other: Language


NOTHING: Language = Either(False, frozenset())  # not even the empty text
EMPTY: Language = Cat(True, ())


def cat(*parts: Language) -> Language:
    """Return the texts of one after the other."""
    flat: list[Language] = []
    for part in parts:
        flat += part.parts if isinstance(part, Cat) else (part,)
    if NOTHING in flat:
        return NOTHING
    return flat[0] if len(flat) == 1 else Cat(all(part.nullable for part in flat), tuple(flat))


def either(*parts: Language) -> Language:
    """Return the texts of any of them."""
    flat: set[Language] = set()
    for part in parts:
        flat |= part.parts if isinstance(part, Either) else {part}
    single = [part for part in flat if isinstance(part, OneByte)]
    if len(single) > 1:
        flat = flat.difference(single) | {OneByte(False, frozenset().union(*(part.among for part in single)))}
    if len(flat) == 1:
        return flat.pop()
    return Either(any(part.nullable for part in flat), frozenset(flat))


def many(part: Language, least: int = 0, most: int | None = None) -> Language:
    """Return from ``least`` to ``most`` of its texts, one after the other; None for any number.

    Example:
        >>> twice = many(literal("ab"), 1, 2)
        >>> [accepts(twice, "ab" * n) for n in range(4)]
        [False, True, True, False]
    """
    more = None if most is None else most - least
    rest = EMPTY if more == 0 or part in (NOTHING, EMPTY) else Many(True, part, more)
    return cat(*[part] * least, rest)


def both(one: Language, other: Language) -> Language:
    """Return the texts of one that are also texts of the other."""
    if NOTHING in (one, other):
        return NOTHING
    return one if one == other else Both(one.nullable and other.nullable, one, other)


def literal(text: str) -> Language:
    """Return the language of one text.

    Example:
        >>> accepts(literal("é"), "é"), accepts(literal("é"), "e")
        (True, False)
    """
    return cat(*(OneByte(False, frozenset({byte})) for byte in text.encode()))


def characters(ranges: Iterable[tuple[int, int]]) -> Language:
    """Return one character out of ranges of code points, both ends included, as its bytes in UTF-8.

    Example:
        >>> vowels = characters([(ord("a"), ord("a")), (0x20AC, 0x10400)])
        >>> [accepts(vowels, text) for text in ("a", "€", "𐐀", "b", "𐐁")]
        [True, True, True, False, False]
    """
    parts = []
    for low, high in ranges:
        for first, last in ((low, min(high, SURROGATES[0] - 1)), (max(low, SURROGATES[1] + 1), high)):
            for start, end in ((0, 0x7F), (0x80, 0x7FF), (0x800, 0xFFFF), (0x10000, 0x10FFFF)):  # of equal length
                if max(first, start) <= min(last, end):
                    parts.append(_between(chr(max(first, start)).encode(), chr(min(last, end)).encode()))
    return either(*parts)


def _between(low: bytes, high: bytes) -> Language:
    """Return the texts from one to another of the same length, byte by byte, whose later bytes are 0x80 to 0xBF."""
    if not low:
        return EMPTY
    rest = len(low) - 1
    if low[0] == high[0]:
        return cat(_bytes(low[0], low[0]), _between(low[1:], high[1:]))
    smallest, largest = b"\x80" * rest, b"\xbf" * rest
    middle = _bytes(low[0] + 1, high[0] - 1) if high[0] - low[0] > 1 else NOTHING
    return either(
        cat(_bytes(low[0], low[0]), _between(low[1:], largest)),
        cat(middle, _between(smallest, largest)),
        cat(_bytes(high[0], high[0]), _between(smallest, high[1:])),
    )


def _bytes(low: int, high: int) -> Language:
    return OneByte(False, frozenset(range(low, high + 1)))


@lru_cache(maxsize=1 << 16)
def derivative(language: Language, byte: int) -> Language:
    """Return what may follow a byte in a language; ``NOTHING`` if no text of it begins with that byte."""
    if isinstance(language, OneByte):
        return EMPTY if byte in language.among else NOTHING
    if isinstance(language, Either):
        return either(*(derivative(part, byte) for part in language.parts))
    if isinstance(language, Both):
        return both(derivative(language.one, byte), derivative(language.other, byte))
    if isinstance(language, Many):
        fewer = None if language.most is None else language.most - 1
        return cat(derivative(language.of, byte), many(language.of, 0, fewer))
    if isinstance(language, Cat):
        found = []
        for n, part in enumerate(language.parts):
            found.append(cat(derivative(part, byte), *language.parts[n + 1 :]))
            if not part.nullable:
                break  # a text must begin in here
        return either(*found)
    raise TypeError(f"no kind of language: {language!r}")


def accepts(language: Language, text: str | bytes) -> bool:
    """Is a text in a language?"""
    for byte in text.encode() if isinstance(text, str) else text:
        language = derivative(language, byte)
    return language.nullable


def table(language: Language) -> tuple[Array, Array]:
    """List all states of a language's automaton.

    Returns:
        Which state follows each state and byte, (states, 256); the first is the beginning, -1 stands for none. And at
        which of them a text may end, (states,) of bool.

    Raises:
        ConfigError: there are more than 20,000 of them, or no text at all is in the language.

    Example:
        >>> following, ends = table(many(literal("ab")))
        >>> following.shape, int(following[0, ord("a")]), int(following[0, ord("b")]), ends.tolist()
        ((2, 256), 1, -1, [True, False])
    """
    groups = _alike(language)
    numbers: dict[Language, int] = {language: 0}
    states, rows = [language], []
    for state in states:  # which grows on the way
        row = np.full(256, -1, np.int32)
        for group in groups:
            after = derivative(state, group[0])
            if after == NOTHING:
                continue
            if after not in numbers:
                numbers[after] = len(states)
                states.append(after)
            row[group] = numbers[after]
        rows.append(row)
        if len(states) > MOST_STATES:
            raise ConfigError(
                f"constraint: more than {MOST_STATES} states", hint="shorter counted repeats ({1,1000}, maxLength)"
            )
    following, ends = np.array(rows), np.array([state.nullable for state in states])
    alive = _alive(following, ends)
    if not alive[0]:
        raise ConfigError("constraint: there is no text of this form", hint="a pattern or schema that something fits")
    return np.where(alive[following] & (following >= 0), following, -1), ends


def _alive(following: Array, ends: Array) -> Array:
    """Return from which states an end can be reached: what two languages have in common may come to nothing later."""
    alive = ends
    while True:
        wider = alive | (alive[following] & (following >= 0)).any(axis=1)
        if (wider == alive).all():
            return alive
        alive = wider


def _alike(language: Language) -> list[list[int]]:
    """Sort the bytes into groups that no part of a language tells apart."""
    sets: set[frozenset[int]] = set()
    stack, seen = [language], set()
    while stack:
        part = stack.pop()
        if part in seen:
            continue
        seen.add(part)
        if isinstance(part, OneByte):
            sets.add(part.among)
        elif isinstance(part, (Cat, Either)):
            stack += part.parts
        elif isinstance(part, Both):
            stack += [part.one, part.other]
        elif isinstance(part, Many):
            stack.append(part.of)
    groups: dict[tuple[bool, ...], list[int]] = {}
    ordered = sorted(sets, key=sorted)
    for byte in range(256):
        groups.setdefault(tuple(byte in among for among in ordered), []).append(byte)
    return list(groups.values())
