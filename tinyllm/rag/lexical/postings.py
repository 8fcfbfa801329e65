"""The inverted file: for each word the documents that hold it, kept right through any history of add and remove.

All lists lie in one pool, each with some room behind it. A document that comes is appended to the lists of its words,
whose order stays ascending because numbers only grow; a list without room moves to the pool's end, with twice as much.
A document that goes is taken out of its lists, which a forward index (document -> words) finds. So what a search needs,
how many documents there are, how many hold a word and how many words they have, are integers that are always right.
When holes take up too much, or when much comes at once, the whole is written anew.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any, Self

import numpy as np

from ...errors import DataError
from ..types import checked_id

Array = np.ndarray[Any, np.dtype[Any]]

MUCH = 8  # what comes, or goes, is much when it is an eighth of what is there
SPARE = 64  # documents or postings that may go to waste before anybody counts


class Postings:
    """Words -> documents, and documents -> words.

    Attributes:
        ids: of each document its name, in the order of insertion; None where one was removed.
        number: of each name its document.
        sizes: of each document, how many words it has (float64; more room than documents).
        vocabulary: word -> term.
        total: how many words all documents have together.
        version: grows with every change.

    Example:
        >>> postings = Postings()
        >>> postings.add(["a", "b"], [["x", "y", "x"], ["x"]])
        >>> postings.remove(["a"])
        >>> len(postings), postings.vocabulary["x"], postings.lengths.tolist()
        (1, 0, [1])
    """

    def __init__(self) -> None:
        self.ids: list[str | None] = []
        self.number: dict[str, int] = {}
        self.vocabulary: dict[str, int] = {}
        self.sizes: Array = np.zeros(0)
        self.total = self.version = 0
        self._forward: list[tuple[Array, Array]] = []  # of each document its terms, and how often each
        self.docs: Array = np.zeros(0, np.uint32)
        self.counts: Array = np.zeros(0, np.int32)
        self._end = 0  # of what is in use of the pool
        self.starts: Array = np.zeros(0, np.int64)
        self.lengths: Array = np.zeros(0, np.int64)
        self._rooms: Array = np.zeros(0, np.int64)

    def __len__(self) -> int:
        return len(self.number)

    def add(self, ids: Sequence[str], documents: Sequence[Iterable[str]]) -> None:
        """Add documents, given as their words.

        Raises:
            DTypeError: an id is no str.
            DataError: an id is empty, comes twice or is there already, or there are not as many ids as documents;
                nothing was added then.
        """
        if len(ids) != len(documents):
            raise DataError(f"add: {len(ids)} ids for {len(documents)} texts", hint="one id for each text")
        fresh = dict.fromkeys(checked_id(i) for i in ids)
        if len(fresh) < len(ids) or not self.number.keys().isdisjoint(fresh):
            twice = next(i for i in ids if i in self.number or ids.count(i) > 1)
            raise DataError(f"add: the id {twice!r} is there already", hint="remove it first, or give another")
        first, came = len(self.ids), 0
        self.sizes = _grown(self.sizes, first + len(ids))
        for number, (name, text) in enumerate(zip(ids, documents, strict=True), start=first):
            counted = Counter(text)
            known = self.vocabulary
            terms = np.array([known.setdefault(word, len(known)) for word in counted], np.int64)
            self._forward.append((terms, np.array(list(counted.values()), np.int32)))
            self.ids.append(name)
            self.number[name] = number
            self.sizes[number] = counted.total()
            self.total += counted.total()
            came += terms.size
        if came * MUCH > self._end:
            self._write_anew()
        else:
            for number in range(first, len(self.ids)):
                self._append(number)
        self.version += 1

    def remove(self, ids: Iterable[str]) -> None:
        """Remove documents.

        Raises:
            DataError: an id is not there, or comes twice; nothing was removed then.
        """
        names = list(ids)
        missing = [name for name in names if name not in self.number]
        if missing or len(set(names)) < len(names):
            what = f"the id {missing[0]!r} is not there" if missing else "an id comes twice"
            raise DataError(f"remove: {what}", hint="ids that were added, each once")
        much = len(names) * MUCH > len(self)
        for name in names:
            number = self.number.pop(name)
            if not much:
                self._take_out(number)
            self.total -= int(self.sizes[number])
            self.sizes[number] = 0
            self.ids[number] = None
            self._forward[number] = _NOTHING
        if much or len(self.ids) > 2 * len(self) + SPARE:
            self._write_anew()
        self.version += 1

    def pool(self, values: Array) -> tuple[Array, Array, Array, Array]:
        """Return the lists as the kernels take them, with what belongs to each posting: ``counts``, or weights."""
        V = len(self.vocabulary)
        return self.docs, values, self.starts[:V], self.lengths[:V]

    def packed(self) -> dict[str, Array]:
        """Return all of it as arrays without gaps, which a file can hold."""
        self._write_anew()
        self.version += 1  # every list has another place
        terms, counts = (np.concatenate([x[i] for x in (_NOTHING, *self._forward)]) for i in (0, 1))
        sizes = np.array([terms.size for terms, _ in self._forward], np.int64)
        return {
            "terms": terms.astype(np.int32),
            "counts": counts,
            "different": sizes,
            **_texts_packed("ids", self.number),
            **_texts_packed("words", self.vocabulary),
        }

    @classmethod
    def unpacked(cls, arrays: dict[str, Array]) -> Self:
        """Return what ``packed`` made arrays of."""
        made = cls()
        made.ids = [*_texts_unpacked("ids", arrays)]
        made.number = {name: n for n, name in enumerate(_texts_unpacked("ids", arrays))}
        made.vocabulary = {word: n for n, word in enumerate(_texts_unpacked("words", arrays))}
        ends = np.cumsum(arrays["different"]).tolist()
        terms, counts = arrays["terms"].astype(np.int64), arrays["counts"]
        starts = [0, *ends[:-1]] if ends else []
        made._forward = [(terms[i:j], counts[i:j]) for i, j in zip(starts, ends, strict=True)]
        total = np.concatenate([[0], np.cumsum(counts, dtype=np.int64)])
        made.sizes = (total[ends] - total[starts]).astype(float) if ends else np.zeros(0)
        made.total = int(total[-1])
        made._write_anew()
        return made

    def _append(self, number: int) -> None:
        """Put the last document into the lists of its terms."""
        terms, counts = self._forward[number]
        V = len(self.vocabulary)
        self.starts, self.lengths, self._rooms = (_grown(a, V) for a in (self.starts, self.lengths, self._rooms))
        full = terms[self.lengths[terms] == self._rooms[terms]]
        rooms = 2 * self.lengths[full] + 2
        starts = self._end + np.cumsum(rooms) - rooms
        self._end += int(rooms.sum())
        self.docs, self.counts = _grown(self.docs, self._end), _grown(self.counts, self._end)
        for old, new, n in zip(self.starts[full].tolist(), starts.tolist(), self.lengths[full].tolist(), strict=True):
            self.docs[new : new + n] = self.docs[old : old + n]
            self.counts[new : new + n] = self.counts[old : old + n]
        self.starts[full], self._rooms[full] = starts, rooms
        places = self.starts[terms] + self.lengths[terms]
        self.docs[places], self.counts[places] = number, counts
        self.lengths[terms] += 1
        if self._end > 4 * int(self.lengths.sum()) + SPARE:
            self._write_anew()

    def _take_out(self, number: int) -> None:
        for t in self._forward[number][0].tolist():
            first, last = self.starts[t], self.starts[t] + self.lengths[t]
            at = first + np.searchsorted(self.docs[first:last], np.uint32(number))
            self.docs[at : last - 1] = self.docs[at + 1 : last]
            self.counts[at : last - 1] = self.counts[at + 1 : last]
            self.lengths[t] -= 1

    def _write_anew(self) -> None:
        """Number documents and terms without gaps, and write every list, with room for a quarter more."""
        live = list(self.number.values())  # ascending: a dict keeps the order of insertion
        self.sizes, self._forward = self.sizes[live], [self._forward[n] for n in live]
        self.ids = list(self.number)
        self.number = {name: n for n, name in enumerate(self.number)}
        terms, counts = (np.concatenate([x[i] for x in (_NOTHING, *self._forward)]) for i in (0, 1))
        used = np.zeros(len(self.vocabulary), bool)
        used[terms] = True
        renamed = np.cumsum(used) - 1
        self.vocabulary = {word: n for n, word in enumerate(w for w, t in self.vocabulary.items() if used[t])}
        self._forward = [(renamed[t], c) for t, c in self._forward]
        terms = renamed[terms]
        docs = np.repeat(np.arange(len(live), dtype=np.uint32), [t.size for t, _ in self._forward])
        order = np.argsort(terms, kind="stable")
        self.lengths = np.bincount(terms, minlength=len(self.vocabulary))
        self._rooms = self.lengths + self.lengths // 4 + 1
        ends = np.cumsum(self._rooms)
        self.starts, self._end = ends - self._rooms, int(self._rooms.sum())
        packed = np.cumsum(self.lengths) - self.lengths
        places = np.arange(terms.size) + np.repeat(self.starts - packed, self.lengths)
        self.docs, self.counts = np.zeros(self._end, np.uint32), np.zeros(self._end, np.int32)
        self.docs[places], self.counts[places] = docs[order], counts[order]


_NOTHING = np.zeros(0, np.int64), np.zeros(0, np.int32)


def _texts_packed(name: str, texts: Iterable[str]) -> dict[str, Array]:
    """Return texts as their bytes in a row and how many each has: any text may be among them."""
    parts = [text.encode("utf-8", "surrogatepass") for text in texts]
    return {
        name: np.frombuffer(b"".join(parts), np.uint8),
        f"{name} sizes": np.array([len(part) for part in parts], np.int64),
    }


def _texts_unpacked(name: str, arrays: dict[str, Array]) -> list[str]:
    whole, ends = arrays[name].tobytes(), np.cumsum(arrays[f"{name} sizes"]).tolist()
    if whole.isascii():
        letters = whole.decode()
        return [letters[i:j] for i, j in pairwise([0, *ends])]
    return [whole[i:j].decode("utf-8", "surrogatepass") for i, j in pairwise([0, *ends])]


def _grown(array: Array, size: int) -> Array:
    """Return the array with room for that many, half as much again where it had to grow."""
    if array.size >= size:
        return array
    larger = np.zeros(size + size // 2, array.dtype)
    larger[: array.size] = array
    return larger
