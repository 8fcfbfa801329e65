"""Words in cells: where tokens and pairs are while merges are learned, and what one merge changes.

Cells. All words lie in one row of cells with borders between. A token writes its id into its first and into its last
cell, so a place finds its neighbors without links. The first cell also holds the number of the pair that begins there,
so no pair is ever looked up by its two ids: nothing is hashed.

Lists. All places of a pair come into being in the merge that makes the younger of its two tokens, so a pair is listed
once, in the order of the text. From then on places only get lost, to merges with other neighbors: a place is stale when
its cell names another pair. An entry is the cell in the upper half of a number, and its word in the lower.
"""
# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

from typing import Final

import numpy as np

from ..compiler import bare, inner
from .ties import HALF

ID, PAIR = 0, 1  # columns of the cells: the id of a token, the number of the pair that it begins
NONE: Final = 0  # the number of no pair: within tokens, at the end of words, and where a pair would be too long
BORDER: Final = -1  # the id in the cells around words
TOTAL, BEGIN, SIZE = 0, 1, 2  # columns of the pairs: how often it occurs; where its list of places begins, and its size
LOWER_HALF: Final = (1 << HALF) - 1


@inner
def lay_out(text, starts, byte_ids, tokens):
    """Return the cells (length of all words and their borders, 2) of words that are single bytes as yet."""
    _, place, length = tokens
    cells = np.empty((text.size + starts.size, 2), np.int32)
    cells[0, ID], cells[0, PAIR] = BORDER, NONE
    at = 1
    for word in range(starts.size - 1):
        for i in range(starts[word], starts[word + 1]):
            token = byte_ids[text[i]]
            place[token], length[token] = i, 1
            cells[at, ID], cells[at, PAIR] = token, NONE
            at += 1
        cells[at, ID], cells[at, PAIR] = BORDER, NONE
        at += 1
    return cells


@bare
def add_pair(sides, pairs, pair, a, b):
    """Begin to count the pair of tokens a and b."""
    sides[pair, 0], sides[pair, 1] = a, b
    pairs[pair, TOTAL], pairs[pair, BEGIN], pairs[pair, SIZE] = 0, 0, 0


@inner
def pair_bytes(cells, starts, counts, sides, pairs):
    """Number and count the pairs of neighboring bytes; return the next free number."""
    numbers = np.zeros((256, 256), np.int32)
    known = NONE + 1
    for word in range(counts.size):
        for at in range(starts[word] + word + 1, starts[word + 1] + word):
            a, b = cells[at, ID], cells[at + 1, ID]
            if numbers[a, b] == NONE:
                numbers[a, b] = known
                add_pair(sides, pairs, known, a, b)
                known += 1
            pair = numbers[a, b]
            pairs[pair, TOTAL] += counts[word]
            pairs[pair, SIZE] += 1
            cells[at, PAIR] = pair
    return known


@bare
def join(cells, listed, counts, pair, a, new, length, pairs):
    """Merge a pair at all of its places; move those that were not stale to the front, return how many they are.

    The pairs to the left and to the right lose a place each. One that lies between two merges loses it once: the first
    of them leaves NONE in its cell.
    """
    kept = 0
    for entry in listed:
        at, weight = entry >> HALF, counts[entry & LOWER_HALF]
        if cells[at, PAIR] != pair:
            continue  # one of the two tokens has merged with another since
        before, middle = cells[at - 1, ID], at + length[a]
        if before != BORDER:
            start = at - length[before]
            pairs[cells[start, PAIR], TOTAL] -= weight
            cells[start, PAIR] = NONE
        pairs[cells[middle, PAIR], TOTAL] -= weight
        cells[middle, PAIR] = NONE
        cells[at, ID], cells[at, PAIR] = new, NONE
        cells[at + length[new] - 1, ID] = new
        listed[kept] = entry
        kept += 1
    return kept


@bare
def pair_up(cells, joined, counts, new, length, longest, partners, sides, pairs, known):
    """Number and count the pairs of a new token with its neighbors; return the next free number.

    ``partners`` (2, number of tokens) holds, for either side, the last pair of each token with one that was new.
    """
    older = known
    for entry in joined:
        at, weight = entry >> HALF, counts[entry & LOWER_HALF]
        for side in range(2):
            other = cells[at + length[new], ID] if side else cells[at - 1, ID]
            if other == BORDER or (other == new and not side) or length[other] + length[new] > longest:
                continue  # of two new tokens side by side, the first sees to their pair
            pair = partners[side, other]
            if pair < older:
                pair = known
                known += 1
                partners[side, other] = pair
                add_pair(sides, pairs, pair, new if side else other, other if side else new)
            pairs[pair, TOTAL] += weight
            pairs[pair, SIZE] += 1
            cells[at if side else at - length[other], PAIR] = pair
    return known


# lists of places


@bare
def open_lists(pairs, older, known, top):
    """Give new pairs room for their places, from ``top`` on; return where it ends."""
    for pair in range(older, known):
        pairs[pair, BEGIN] = top
        top += pairs[pair, SIZE]
        pairs[pair, SIZE] = 0
    return top


@bare
def enter(places, pairs, cells, at, word, older):
    """Add a place to the list of its pair, if that is a new one."""
    pair = cells[at, PAIR]
    if pair >= older:
        places[pairs[pair, BEGIN] + pairs[pair, SIZE]] = at << HALF | word
        pairs[pair, SIZE] += 1


@bare
def list_all(places, pairs, cells, starts):
    """List the places of all pairs of bytes."""
    for word in range(starts.size - 1):
        for at in range(starts[word] + word + 1, starts[word + 1] + word):
            enter(places, pairs, cells, at, word, NONE + 1)


@bare
def list_new(places, pairs, cells, joined, new, length, older):
    """List the places of the pairs of a new token with its neighbors."""
    for entry in joined:
        at, word = entry >> HALF, entry & LOWER_HALF
        before = cells[at - 1, ID]
        if before != BORDER and before != new:
            enter(places, pairs, cells, at - length[before], word, older)
        enter(places, pairs, cells, at, word, older)


@bare
def first_place(places, pairs, cells, pair):
    """Return the first place of a pair, which must have one, once the stale ones before it are off the list."""
    while cells[places[pairs[pair, BEGIN]] >> HALF, PAIR] != pair:
        pairs[pair, BEGIN] += 1
        pairs[pair, SIZE] -= 1
    return places[pairs[pair, BEGIN]] >> HALF
