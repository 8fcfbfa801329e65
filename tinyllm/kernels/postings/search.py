"""Search over postings in Numba.

search_weights_v1   naive: a query's scores, then the best of all documents, each looked at
search_weights_v2   64 documents at a time are passed over where none of them reaches the worst of the best so far
search_weights_v3   MaxScore: lists whose best weights together lift nobody above the worst of the best so far are
                    not read through, only asked about those whom the other lists name (Turtle & Flood 1995). The
                    library uses v2: adding up all lists is a short loop, and going through several at once is not
search_counts_v1    v2, with weights calculated as postings are met

A score is positive, so as an integer its bits have the same order, and integers have a maximum that vectorizes. The
score's bits above, the document's number from the other end below: one int64 orders documents as they are returned.
"""
# ruff: noqa: D103 (the head of this file says what each rung adds)

from __future__ import annotations

import numpy as np

from ..compiler import inner, unlocked
from ..table import Array
from . import TINY

BLOCK = 64  # documents
LEAST = np.float32(TINY)
LOW = 0xFFFFFFFF

Pool = tuple[Array, Array, Array, Array]


@inner
def _weight(tf, size, gain, steady, slope):
    return max(np.float32(gain * tf / (steady + slope * size + tf)), LEAST)


@inner
def _sift(heap, last):
    """Let the root of a heap whose least is on top sink to its place."""
    value, at = heap[0], 0
    while 2 * at + 1 < last:
        child = 2 * at + 1
        if child + 1 < last and heap[child + 1] < heap[child]:
            child += 1
        if heap[child] >= value:
            break
        heap[at] = heap[child]
        at = child
    heap[at] = value


@inner
def _offer(heap, found, key):
    """Put a key into the heap, or in place of its least if it is full; return how many there are."""
    if found < heap.size:
        at = found
        while at and heap[(at - 1) // 2] > key:
            heap[at] = heap[(at - 1) // 2]
            at = (at - 1) // 2
        heap[at] = key
        return found + 1
    if key > heap[0]:
        heap[0] = key
        _sift(heap, found)
    return found


@inner
def _write(heap, found, places, top):
    """Take the heap apart, least first, and write documents and the bits of their scores."""
    for rest in range(found - 1, -1, -1):
        key = heap[0]
        heap[0] = heap[rest]
        _sift(heap, rest)
        places[rest] = LOW - (key & LOW)
        top[rest] = key >> 32


@inner
def _best_v1(bits, heap, places, top):
    found = 0
    for document in range(bits.size):
        if bits[document]:
            found = _offer(heap, found, (np.int64(bits[document]) << 32) | (LOW - document))
        bits[document] = 0
    _write(heap, found, places, top)
    return found


@inner
def _best_v2(bits, heap, places, top):
    found, least = 0, np.int32(0)
    for first in range(0, bits.size, BLOCK):
        block = bits[first : first + BLOCK]
        highest = np.int32(0)
        for j in range(block.size):
            highest = max(highest, block[j])
        if highest > least:  # an equal one would come after those that are there
            for j in range(block.size):
                if block[j] > least:
                    found = _offer(heap, found, (np.int64(block[j]) << 32) | (LOW - first - j))
                    if found == heap.size:
                        least = np.int32(heap[0] >> 32)
        for j in range(block.size):
            block[j] = 0
    _write(heap, found, places, top)
    return found


@unlocked
def weigh_v1(docs, counts, starts, lengths, sizes, gain, steady, slope, weights):
    for t in range(starts.size):
        d, tf = docs[starts[t] : starts[t] + lengths[t]], counts[starts[t] : starts[t] + lengths[t]]
        w = weights[starts[t] : starts[t] + lengths[t]]
        for j in range(d.size):
            w[j] = _weight(tf[j], sizes[d[j]], gain[t], steady, slope)


@inner
def _add_weights(docs, weights, starts, lengths, terms, scores):
    for t in terms:
        d, w = docs[starts[t] : starts[t] + lengths[t]], weights[starts[t] : starts[t] + lengths[t]]
        for j in range(d.size):
            scores[d[j]] += w[j]


@unlocked
def search_weights_v1(docs, weights, starts, lengths, terms, bounds, scores, bits, places, top, found):
    heap = np.empty(places.shape[1], np.int64)
    for q in range(found.size):
        _add_weights(docs, weights, starts, lengths, terms[bounds[q] : bounds[q + 1]], scores)
        found[q] = _best_v1(bits, heap, places[q], top[q])


@unlocked
def search_weights_v2(docs, weights, starts, lengths, terms, bounds, scores, bits, places, top, found):
    heap = np.empty(places.shape[1], np.int64)
    for q in range(found.size):
        _add_weights(docs, weights, starts, lengths, terms[bounds[q] : bounds[q + 1]], scores)
        found[q] = _best_v2(bits, heap, places[q], top[q])


@inner
def _least_not_below(docs, first, last, document):
    """Return the first place from ``first`` on whose document is not below this one: steps that double, then halves."""
    step = 1
    while first + step < last and docs[first + step] < document:
        first += step
        step *= 2
    last = min(last, first + step)
    while first < last:
        middle = (first + last) // 2
        if docs[middle] < document:
            first = middle + 1
        else:
            last = middle
    return first


@unlocked
def search_weights_v3(docs, weights, starts, lengths, terms, bounds, scores, bits, places, top, found):
    # Measured, k 10: 17,000 queries a second of SciFact, of 62,196 documents 3,700; v2 167,000 and 25,600.
    heap = np.empty(places.shape[1], np.int64)
    highest = np.full(starts.size, -1, np.float32)  # weight in the list of a term, where somebody has looked
    for q in range(found.size):
        mine = terms[bounds[q] : bounds[q + 1]]
        for t in mine:
            if highest[t] < 0:
                w = weights[starts[t] : starts[t] + lengths[t]]
                best = np.float32(0)
                for j in range(w.size):
                    best = max(best, w[j])
                highest[t] = best
        order = np.argsort(highest[mine])  # lists of the least promising words first
        reach = np.cumsum(highest[mine][order].astype(np.float64)) * 1.000001  # float32 may round up as it adds
        at, ends = starts[mine].copy(), starts[mine] + lengths[mine]
        place = np.empty(mine.size, np.int64)  # of the document in each list, or -1
        count, floor, needed = 0, np.float32(0), 0
        while True:
            while needed < mine.size and count == heap.size and reach[needed] <= floor:
                needed += 1  # who is in this list and those before it only cannot be among the best
            document = np.int64(LOW)
            for i in order[needed:]:
                if at[i] < ends[i]:
                    document = min(document, np.int64(docs[at[i]]))
            if document == LOW:
                break
            place[:] = -1
            total = 0.0
            for i in order[needed:]:
                if at[i] < ends[i] and docs[at[i]] == document:
                    place[i] = at[i]
                    total += weights[at[i]]
                    at[i] += 1
            good = True
            for n in range(needed - 1, -1, -1):
                if count == heap.size and total * 1.000001 + reach[n] <= floor:
                    good = False
                    break
                i = order[n]
                at[i] = _least_not_below(docs, at[i], ends[i], document)
                if at[i] < ends[i] and docs[at[i]] == document:
                    place[i] = at[i]
                    total += weights[at[i]]
            if good:
                for i in place:  # in the query's order: the same bits as from the other rungs
                    if i >= 0:
                        scores[docs[i]] += weights[i]
                if count < heap.size or scores[document] > floor:
                    count = _offer(heap, count, (np.int64(bits[document]) << 32) | (LOW - document))
                    if count == heap.size:
                        bits[document] = np.int32(heap[0] >> 32)
                        floor = scores[document]
                scores[document] = 0
        _write(heap, count, places[q], top[q])
        found[q] = count


@unlocked
def search_counts_v1(
    docs, counts, starts, lengths, terms, bounds, sizes, gain, steady, slope, scores, bits, places, top, found
):
    heap = np.empty(places.shape[1], np.int64)
    for q in range(found.size):
        for i in range(bounds[q], bounds[q + 1]):
            first, last = starts[terms[i]], starts[terms[i]] + lengths[terms[i]]
            d, tf = docs[first:last], counts[first:last]
            for j in range(d.size):
                scores[d[j]] += _weight(tf[j], sizes[d[j]], gain[i], steady, slope)
        found[q] = _best_v2(bits, heap, places[q], top[q])


def weigh(pool: Pool, sizes: Array, gain: Array, steady: float, slope: float) -> Array:
    """Return the weight of every posting of the pool, and 0 for the room between the lists."""
    weights = np.zeros(pool[0].size, np.float32)
    weigh_v1(*pool, sizes, gain, steady, slope, weights)
    return weights


def search_weights(pool: Pool, queries: tuple[Array, Array], n: int, k: int) -> tuple[Array, Array, Array]:
    """Return the k best documents of each query, from weights that are kept."""
    scores, out = _room(n, len(queries[1]) - 1, k)
    search_weights_v2(*pool, *queries, scores, scores.view(np.int32), *out)
    return out[0], out[1].view(np.float32), out[2]


def search_counts(
    pool: Pool, queries: tuple[Array, Array], sizes: Array, gain: Array, steady: float, slope: float, k: int
) -> tuple[Array, Array, Array]:
    """Return the k best documents of each query, weighing postings as they are met."""
    scores, out = _room(sizes.size, len(queries[1]) - 1, k)
    search_counts_v1(*pool, *queries, sizes, gain, steady, slope, scores, scores.view(np.int32), *out)
    return out[0], out[1].view(np.float32), out[2]


def _room(n: int, Q: int, k: int) -> tuple[Array, tuple[Array, Array, Array]]:
    """Return scores to add up in, and what a search writes: documents, the bits of their scores, how many."""
    return np.zeros(n, np.float32), (np.zeros((Q, k), np.int32), np.zeros((Q, k), np.int32), np.zeros(Q, np.int64))
