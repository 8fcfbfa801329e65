r"""tf-idf: texts as vectors of their words' weights, and the cosine between them.

A word that occurs tf times in a text, and in df of N documents, weighs (1 + ln tf) ln(N / df). A text is the vector of
these, divided by its length; a document scores by its scalar product with the query. Repeated words count less and
less, as in BM25, but nothing says how long a document may be: that is what the division does, and does too well.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...errors import ConfigError
from .postings import Postings
from .words import chosen

Array = np.ndarray[Any, np.dtype[Any]]
Text = str | Sequence[str]  # a text, or its words


def weigh(counts: Array, idf: Array) -> Array:
    """Return the weights of words that occur ``counts`` times in a text, before it is given length 1.

    Args:
        counts: of each word, how often; 1 or more.
        idf: of each word, ln(N / df).

    Example:
        >>> weigh(np.array([1, 3]), np.array([2.0, 2.0])).round(2)
        array([2. , 4.2])
    """
    return (1 + np.log(counts)) * idf


class TfIdf:
    """An index of texts by the cosine of their tf-idf vectors.

    Args:
        words: a preset's name, or what turns a text into its words.

    Example:
        >>> index = TfIdf()
        >>> index.add(["a", "b"], ["A cat sat", "Cats and dogs"])
        >>> ids, scores = index.search("dogs", k=5)
        >>> ids, scores.round(3)
        (['b'], array([1.], dtype=float32))
    """

    def __init__(self, words: str | Callable[[str], list[str]] = "default") -> None:
        self.words = chosen(words) if isinstance(words, str) else words
        self._postings = Postings()
        self._vectors: tuple[int, Array, Array] = -1, np.zeros(0), np.zeros(0)  # of which version: weights, ln(N / df)

    def __len__(self) -> int:
        return len(self._postings)

    def add(self, ids: Sequence[str], texts: Sequence[Text]) -> None:
        """Add documents: texts, or lists of words that nothing is done to.

        Raises:
            DTypeError: an id is no str.
            DataError: an id is empty, comes twice or is there already, or there are not as many ids as texts.
        """
        self._postings.add(ids, [self._split(text) for text in texts])

    def remove(self, ids: Sequence[str]) -> None:
        """Remove documents, as if they had never been there.

        Raises:
            DataError: an id is not there, or comes twice; nothing was removed then.
        """
        self._postings.remove(ids)

    def search(self, query: Text, k: int = 10) -> tuple[list[str], Array]:
        """Return the ids of the k documents with the highest cosine above 0, best first, and the cosines (float32).

        Raises:
            ConfigError: k is below 1.
        """
        if k < 1:
            raise ConfigError(f"search: k is {k}", hint="1 or more")
        lists = self._postings
        counted = Counter(t for word in self._split(query) if (t := lists.vocabulary.get(word)) is not None)
        weights, idf = self._current()
        terms = np.array(list(counted), np.int64)
        vector = weigh(np.array(list(counted.values()), np.float64), idf[terms])
        length = np.sqrt(vector @ vector)
        scores = np.zeros(len(lists.ids))
        for t, weight in zip(terms.tolist(), vector.tolist(), strict=True):
            at = slice(lists.starts[t], lists.starts[t] + lists.lengths[t])
            scores[lists.docs[at]] += weight * weights[at]
        hits = np.flatnonzero(scores)
        best = hits[np.lexsort((hits, -scores[hits]))[:k]]
        ids: Any = lists.ids  # none of those that are found is None
        return [ids[n] for n in best.tolist()], (scores[best] / (length or 1.0)).astype(np.float32)

    def _split(self, text: Text) -> Sequence[str]:
        return self.words(text) if isinstance(text, str) else text

    def _current(self) -> tuple[Array, Array]:
        """Return the weight of every posting, its document's length being 1, and the idf of every term."""
        lists = self._postings
        if self._vectors[0] != lists.version:
            docs, counts, starts, lengths = lists.pool(lists.counts)
            idf = np.log(len(lists) / np.maximum(lengths, 1))
            ends = np.cumsum(lengths)
            places = np.arange(int(lengths.sum())) + np.repeat(starts - ends + lengths, lengths)
            raw = weigh(counts[places], np.repeat(idf, lengths))
            length = np.sqrt(np.bincount(docs[places], raw * raw, minlength=len(lists.ids)))
            weights = np.zeros(docs.size)
            weights[places] = raw / np.where(length > 0, length, 1.0)[docs[places]]
            self._vectors = lists.version, weights, idf
        return self._vectors[1], self._vectors[2]
