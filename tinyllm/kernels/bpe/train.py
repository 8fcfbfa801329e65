"""Merges learned from words and their counts: again and again, the most frequent pair of neighbors becomes one token.

    train_v1        naive: count every pair anew for every merge
    train_v2        counts kept exact by increments, a list of places for every pair, a lazy heap for the most frequent
    train_v3        pairs too rare to be merged soon wait beside the heap, which stays small

Rungs two and three keep all words in a row of cells (cells.py). They stand on two facts.

Counts only fall. A pair's places all come into being in one merge, and are lost one by one in later ones. So a heap
that ranks pairs as they once were can only rank them too high: what comes out on top is looked at again.

No token is made twice. Nothing outside a token has a say in how its bytes were merged, so equal bytes are merged in the
same way everywhere, and no two merges spell the same bytes.

Source: the naive rung is Sennrich, Haddow, Birch, "Neural Machine Translation of Rare Words with Subword Units" (2016).
"""
# mypy: disable-error-code="no-untyped-def"
# ruff: noqa: D103 (the head of this file says what each rung adds)

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any

import numpy as np

from ...errors import KernelError
from ..compiler import bare, inner, unlocked
from ..table import Array
from .cells import (
    BEGIN,
    LOWER_HALF,
    NONE,
    SIZE,
    TOTAL,
    first_place,
    join,
    lay_out,
    list_all,
    list_new,
    open_lists,
    pair_bytes,
    pair_up,
)
from .count import Words
from .ties import FIRST, HALF, TIES, push, replace_top, row_at, tie_of, wins_tie

DONE, STOP = 0, 1  # what a running kernel says, and what it is told


# the naive rung


@bare
def count_pairs(symbols, starts, ends, counts, keys, totals, firsts):
    """Count the pairs of all words in a hash table, which is emptied first; keep the first place of each."""
    mask = keys.size - 1
    keys[:] = -1
    for word in range(counts.size):
        for i in range(starts[word], ends[word] - 1):
            key = np.int64(symbols[i]) << HALF | np.int64(symbols[i + 1])
            slot = (key ^ key >> 15) * 0x5851F42D4C957F2D >> 20 & mask
            while keys[slot] != -1 and keys[slot] != key:
                slot = (slot + 1) & mask
            if keys[slot] == -1:
                keys[slot], totals[slot], firsts[slot] = key, 0, i
            totals[slot] += counts[word]


@bare
def merge_everywhere(symbols, starts, ends, a, b, new, tokens):
    """Join every occurrence of (a, b), from left to right, and close the gaps."""
    _, place, length = tokens
    for word in range(ends.size):
        i = j = offset = starts[word]
        while i < ends[word]:
            symbol = symbols[i]
            if i + 1 < ends[word] and symbol == a and symbols[i + 1] == b:
                symbol = new
                place[new] = offset
                i += 1
            symbols[j] = symbol
            offset += length[symbol]
            i += 1
            j += 1
        ends[word] = j


@unlocked
def train_v1(text, starts, counts, byte_ids, rule, least, longest, merges, times, state):
    symbols, ends = byte_ids[text], starts[1:].copy()
    tokens = text, np.zeros(256 + times.size, np.int64), np.ones(256 + times.size, np.int64)
    _, place, length = tokens
    for i in range(text.size):
        place[symbols[i]] = i
    size = 64
    while size < 2 * text.size:
        size *= 2
    keys, totals, firsts = np.empty(size, np.int64), np.empty(size, np.int64), np.empty(size, np.int64)
    for n in range(times.size):
        count_pairs(symbols, starts, ends, counts, keys, totals, firsts)
        highest, best, a, b = 0, 0, 0, 0
        for slot in range(size):
            if keys[slot] == -1 or totals[slot] < max(highest, least):
                continue
            x, y = keys[slot] >> HALF, keys[slot] & LOWER_HALF
            if length[x] + length[y] > longest:
                continue
            tie = tie_of(rule, tokens, x, y, firsts[slot])
            if totals[slot] > highest or tie < best or (tie == best and wins_tie(rule, tokens, x, y, a, b)):
                highest, best, a, b = totals[slot], tie, x, y
        if highest == 0 or state[STOP]:
            return n
        merges[n, 0], merges[n, 1], times[n] = a, b, highest
        length[256 + n] = length[a] + length[b]
        merge_everywhere(symbols, starts, ends, a, b, 256 + n, tokens)
        state[DONE] = n + 1
    return times.size


# the rungs with a heap


@inner
def with_room(table, used, more):
    """Return a table with room for ``more`` rows after those in use: this one, or a longer copy."""
    if used + more <= table.shape[0]:
        return table
    longer = np.empty((max(2 * table.shape[0], used + more), table.shape[1]), table.dtype)
    for i in range(used):
        for j in range(table.shape[1]):
            longer[i, j] = table[i, j]
    return longer


@inner
def learn(text, starts, counts, byte_ids, rule, least, longest, low, merges, times, state):
    """Learn merges; pairs that occur less than ``low`` times wait beside the heap until ``low`` comes down to them."""
    tokens = text, np.zeros(256 + times.size, np.int64), np.zeros(256 + times.size, np.int64)
    _, place, length = tokens
    cells = lay_out(text, starts, byte_ids, tokens)
    sides, pairs = np.zeros((1 + (1 << 16), 2), np.int32), np.zeros((1 + (1 << 16), 3), np.int64)
    known = pair_bytes(cells, starts, counts, sides, pairs) if longest > 1 else NONE + 1
    places = np.empty(3 * text.size, np.int64)  # every byte begins a pair, and a merge makes two places of one
    top = open_lists(pairs, NONE + 1, known, 0)
    list_all(places, pairs, cells, starts)
    partners = np.zeros((2, 256 + times.size), np.int32)
    heap, rows = np.empty((1 << 12, 3), np.int64), 0
    waiting = np.empty((1 << 16, 1), np.int32)  # the first ``seen`` are too rare; the others are still to be looked at
    for pair in range(NONE + 1, known):
        waiting[pair - NONE - 1, 0] = pair
    seen, queued, n = 0, known - NONE - 1, 0
    while n < times.size and not state[STOP]:
        heap = with_room(heap, rows, queued - seen)
        for i in range(seen, queued):
            pair = waiting[i, 0]
            total = pairs[pair, TOTAL]
            if total >= low:
                first = first_place(places, pairs, cells, pair)
                tie = tie_of(rule, tokens, sides[pair, 0], sides[pair, 1], first)
                push(rule, tokens, sides, heap, rows, (total, tie, pair))
                rows += 1
            elif total >= least:
                waiting[seen, 0] = pair
                seen += 1
        queued = seen
        if rows == 0 or heap[0, 0] < low:  # the next one is among those that wait
            if low <= least:
                break
            low, seen = max(low - max(1, low // 4), least), 0
            continue
        count, tie, pair = row_at(heap, 0)
        total = pairs[pair, TOTAL]
        stale = low <= total < count
        if stale and rule == FIRST:  # a first place cannot be lost but with a change of the count
            tie = first_place(places, pairs, cells, pair)
        if not stale:
            rows -= 1
        replace_top(rule, tokens, sides, heap, rows, (total, tie, pair) if stale else row_at(heap, rows))
        if stale:
            continue
        if total < low:
            waiting = with_room(waiting, queued, 1)
            waiting[queued, 0] = pair
            queued += 1
            continue
        a, b, new = sides[pair, 0], sides[pair, 1], 256 + n
        merges[n, 0], merges[n, 1], times[n] = a, b, total
        length[new] = length[a] + length[b]
        listed = places[pairs[pair, BEGIN] : pairs[pair, BEGIN] + pairs[pair, SIZE]]
        joined = listed[: join(cells, listed, counts, pair, a, new, length, pairs)]
        place[new] = (joined[0] >> HALF) - (joined[0] & LOWER_HALF) - 1
        more, older = 2 * min(joined.size, new + 1), known
        sides, pairs = with_room(sides, known, more), with_room(pairs, known, more)
        known = pair_up(cells, joined, counts, new, length, longest, partners, sides, pairs, known)
        top = open_lists(pairs, older, known, top)
        list_new(places, pairs, cells, joined, new, length, older)
        waiting = with_room(waiting, queued, known - older)
        for pair in range(older, known):
            waiting[queued, 0] = pair
            queued += 1
        n += 1
        state[DONE] = n
    return n


@unlocked
def train_v2(text, starts, counts, byte_ids, rule, least, longest, merges, times, state):
    return learn(text, starts, counts, byte_ids, rule, least, longest, least, merges, times, state)


@unlocked
def train_v3(text, starts, counts, byte_ids, rule, least, longest, merges, times, state):
    highest = least
    for word in range(counts.size):
        highest = max(highest, counts[word])
    return learn(text, starts, counts, byte_ids, rule, least, longest, highest, merges, times, state)


def train(
    words: Words,
    byte_ids: Array,
    n_merges: int,
    tie: str,
    min_frequency: int = 1,
    max_token_length: int | None = None,
    progress: Callable[[int], object] | None = None,
    rung: Any = train_v3,
) -> tuple[Array, Array]:
    """Learn merges from words and their counts.

    Args:
        words: distinct words in the order of their first appearance.
        byte_ids: int32 (256,), the id of each single byte; merge i makes the token 256 + i.
        n_merges: how many to learn.
        tie: which of equally frequent pairs is merged first, a name of TIES.
        min_frequency: pairs that occur less often are not merged.
        max_token_length: of a token, in bytes.
        progress: is told every now and then how many merges there are.
        rung: which version does it.

    Returns:
        Merges, int32 (N, 2), and how often each pair occurred when it was merged, int64 (N,). N is less than n_merges
        where no pair is left.

    Raises:
        KernelError: the words are longer together than 2^31 bytes.

    Example:
        >>> from .count import words_of
        >>> merges, times = train(words_of({b"low": 5, b"newer": 2}), np.arange(256, dtype=np.int32), 2, "ids")
        >>> merges.tolist(), times.tolist()
        ([[108, 111], [256, 119]], [5, 5])
    """
    cells = words.text.size + words.starts.size
    if cells >= 1 << 31:
        raise KernelError(f"train: the distinct words have {words.text.size:,} bytes, which is too many")
    merges, times = np.zeros((n_merges, 2), np.int32), np.zeros(n_merges, np.int64)
    state = np.zeros(2, np.int64)
    rules = TIES[tie], max(min_frequency, 1), max_token_length or cells
    with ThreadPoolExecutor(1) as worker:  # on another thread, so that this one can tell of it, and stop it
        running: Future[int] = worker.submit(lambda: rung(*words, byte_ids, *rules, merges, times, state))
        try:
            while not wait([running], timeout=0.2).done:
                if progress:
                    progress(int(state[DONE]))
        finally:
            state[STOP] = 1
    found = running.result()
    return merges[:found], times[:found]
