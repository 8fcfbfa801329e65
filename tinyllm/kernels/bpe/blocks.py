"""Where do pieces start among the next 64 bytes? The scanners' rules, for all of them at once.

A piece starts at the first byte. From there on every rule speaks of a place and its neighbors, so a set of places is
one 64-bit word, and a rule is a few operations on words: letters that do not follow a letter, and so on.

What bytes beyond the block may make a start is not yet one: whoever asks goes on from the last start that is known. And
what such bytes may unmake, or what is too rare to be worth a rule here, is left undecided, with everything after it; if
no start is known, the scanner is asked.
"""

from __future__ import annotations

import numpy as np

from ..compiler import bare
from .bits import BLOCK, EVERYWHERE, NOWHERE, ONE, after, before, below, between, first_of, place, runs_from
from .scan import CASELESS, GPT2, LOWER, MARK, NUMBER, O200K, SPACE, UPPER, character, contraction


@bare
def beyond_ascii(data, p, inside, classes):
    """Return the places of upper, lower and caseless letters, marks, numbers and spaces beyond ASCII."""
    upper = lower = caseless = marks = numbers = spaces = NOWHERE
    left = between(data, p, 0x80, 0xFF, 0) & inside
    while left:
        i = first_of(left)
        kind, size = character(data, p + i, classes)
        bytes_of_it = below(size) << np.uint64(i)
        left &= ~bytes_of_it
        bytes_of_it &= inside
        if kind == LOWER:
            lower |= bytes_of_it
        elif kind == CASELESS:
            caseless |= bytes_of_it
        elif kind == UPPER:
            upper |= bytes_of_it
        elif kind == MARK:
            marks |= bytes_of_it
        elif kind == NUMBER:
            numbers |= bytes_of_it
        elif kind == SPACE:
            spaces |= bytes_of_it
    return upper, lower, caseless, marks, numbers, spaces


@bare
def decided_before(places):
    """Return the places before the first of these."""
    return below(first_of(places)) if places else EVERYWHERE


@bare
def every(numbers, digits):
    """Return where runs of numbers start, and within them each group of ``digits`` more."""
    starts = new = numbers & ~after(numbers)
    if digits:
        no_start = numbers & after(numbers)
        run = no_start
        for _ in range(1, digits):
            run &= after(no_start)
            no_start = after(no_start)
        while new:
            new = (new << np.uint64(digits)) & run
            starts |= new
    return starts


@bare
def space_starts(spaces, newlines, absorbed, inside, ends, ends_whole):
    """Return where pieces of spaces start, in cl100k and o200k, and what is decided.

    A run of spaces goes through its last CR or LF. What is left over is one piece but for its last character, which
    belongs to what follows.
    """
    free = spaces & ~absorbed
    blanks = free & ~newlines
    starts = free & ~after(free)
    starts |= blanks & before(inside & ~spaces)
    decided = EVERYWHERE
    left = blanks & after(free & newlines)
    while left:
        i = first_of(left)
        left &= left - ONE
        rest = ~blanks & ~below(i)
        end = first_of(rest & inside)
        if end < BLOCK:
            if not place(end) & newlines:
                starts |= place(i)
        elif not ends:
            return starts, below(i)
        elif not ends_whole:
            starts |= place(i)
    return starts, decided


@bare
def contracted(data, p, starts, apostrophes, any_case, after_words):
    """Return the starts once contractions at these apostrophes are pieces, or the ends of words, of their own."""
    end = 0
    while apostrophes:
        i = first_of(apostrophes)
        apostrophes &= apostrophes - ONE
        size = contraction(data, p + i, any_case)
        if size and not (after_words and i == end):  # a word has one contraction at most
            end = i + size
            starts &= ~(below(size) << np.uint64(i)) | (NOWHERE if after_words else place(i))
            if end < BLOCK:
                starts |= place(end)
    return starts


@bare
def gpt2_starts(letters, numbers, others, blanks, spaces, inside):
    """Return where pieces start in gpt2, but for contractions; ``blanks`` are U+0020."""
    starts = letters & ~after(letters) | numbers & ~after(numbers) | others & ~after(others)
    starts &= ~after(blanks)  # a blank is the head of what follows it
    return starts | spaces & (~after(spaces) | before(inside & ~spaces))


@bare
def word_starts(
    words, numbers, others, blanks, spaces, newlines, absorbed, continued, inside, digits, ends, ends_whole
):
    """Return where pieces start in cl100k and o200k, but for contractions and cases, and what is decided.

    ``absorbed`` are the line ends (in o200k slashes, too) that belong to the signs before them, ``continued`` the later
    bytes of characters.
    """
    starts = others & ~after(others | blanks)
    leads = starts | runs_from(continued, continued & after(starts)) | spaces & ~newlines
    starts |= words & ~after(words | leads) | every(numbers, digits)
    from_spaces, decided = space_starts(spaces, newlines, absorbed, inside, ends, ends_whole)
    return starts | from_spaces, decided


@bare
def block_starts(data, p, n, classes, family, digits, ends_whole):
    """Return the places (p itself left out) among 64 bytes where pieces start, and whether they all are decided.

    They all are if the slice data[:n] ends in this block and nothing rare is in it.
    """
    ends = n - p <= BLOCK
    inside = below(n - p) if n - p < BLOCK else EVERYWHERE
    decided = EVERYWHERE

    upper = between(data, p, 65, 90, 0) & inside
    lower = between(data, p, 97, 122, 0) & inside
    numbers = between(data, p, 48, 57, 0) & inside
    blanks = between(data, p, 32, 32, 0) & inside
    spaces = between(data, p, 9, 13, 0) & inside | blanks
    caseless = marks = continued = NOWHERE
    if between(data, p, 0x80, 0xFF, 0) & inside:
        wide_upper, wide_lower, caseless, marks, wide_numbers, wide_spaces = beyond_ascii(data, p, inside, classes)
        upper |= wide_upper
        lower |= wide_lower
        numbers |= wide_numbers
        spaces |= wide_spaces
        decided &= decided_before(wide_spaces)
        if digits:  # of which characters are counted, not bytes
            decided &= decided_before(wide_numbers)
        continued = between(data, p, 0x80, 0xBF, 0)
    letters = upper | lower | caseless
    others = inside & ~(letters | numbers | spaces)
    apostrophes = between(data, p, 39, 39, 0) & inside

    if family == GPT2:
        starts = gpt2_starts(letters, numbers, others, blanks, spaces, inside)
        starts = contracted(data, p, starts, apostrophes & (starts | ONE), False, False)
        return starts & decided & inside & ~ONE, ends and decided == EVERYWHERE

    newlines = (between(data, p, 10, 10, 0) | between(data, p, 13, 13, 0)) & inside
    words, absorbing = letters, newlines
    if family == O200K:
        words |= marks
        others &= ~marks
        decided &= decided_before(marks & after(others))  # a mark after signs may be one of them
        tails = caseless | marks
        decided &= decided_before(upper & after(tails) | tails & after(upper))
        absorbing |= between(data, p, 47, 47, 0) & inside
    absorbed = runs_from(absorbing, newlines & after(others))
    others &= ~absorbed
    starts, certain = word_starts(
        words, numbers, others, blanks, spaces, newlines, absorbed, continued, inside, digits, ends, ends_whole
    )
    if family == O200K:
        starts |= upper & after(lower)
        starts = contracted(data, p, starts, apostrophes & after(words), True, True)
    else:
        starts = contracted(data, p, starts, apostrophes & starts, True, False)
    decided &= certain
    return starts & decided & inside & ~ONE, ends and decided == EVERYWHERE
