r"""BM25: a document scores by the query's words it holds, rare ones most, repeated ones less and less.

Five variants are in use. Written as they are published, with N documents, df of them holding the word, tf times in this
one, and K = k1 (1 - b + b length / mean length):

    lucene      ln(1 + (N - df + .5) / (df + .5))         tf / (K + tf)
    robertson   ln(max(1, (N - df + .5) / (df + .5)))     tf / (K + tf)
    atire       ln(N / df)                                (k1 + 1) tf / (K + tf)
    bm25l       ln((N + 1) / (df + .5))                   (k1 + 1) (c + delta) / (k1 + c + delta),   c = k1 tf / K
    bm25+       ln((N + 1) / df)                          (k1 + 1) tf / (K + tf) + delta

The last two give a document something for a word it does not hold. That is the same for all, so only what lies above it
is stored, and the rest is added to whoever is found. What lies above it is, in all five,

    idf * factor * tf / (k (1 - b + b length / mean length) + tf)

for bm25l with k = k1 + delta and the factor k1 (k1 + 1) / (k1 + delta): multiply its fraction out. One kernel does all.

A title is a field of its own weight: a word counts in it as if it were written there so many times. Adding up counts
before they saturate, and not the scores of two indexes, is what Robertson, Zaragoza and Taylor (2004) found right: else
a word in both fields is taken for two independent signs, and each field has an idf of its own, of which the titles' is
made of very little text. The weight is a whole number, so that all that is kept stays whole numbers, and the scores
after any history those of a rebuild.

Source: Robertson & Zaragoza 2009; Lv & Zhai 2011 (bm25l, bm25+); Kamphuis et al. 2020; Lu 2024 (scores kept).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from os import PathLike
from typing import Any, Self

import numpy as np

from ...errors import ConfigError, DataError, nearest
from ...kernels import postings as kernels
from ..index.file import read, write
from .postings import Postings
from .words import chosen

Array = np.ndarray[Any, np.dtype[Any]]
Text = str | Sequence[str]  # a text, or its words
Found = tuple[list[str], Array]

# df and N -> the inverse document frequency
IDF: dict[str, Callable[[Array, int], Array]] = {
    "lucene": lambda df, N: np.log(1 + (N - df + 0.5) / (df + 0.5)),
    "robertson": lambda df, N: np.log(np.maximum(1, (N - df + 0.5) / (df + 0.5))),
    "atire": lambda df, N: np.log(N / df),
    "bm25l": lambda df, N: np.log((N + 1) / (df + 0.5)),
    "bm25+": lambda df, N: np.log((N + 1) / df),
}
MODES = ("eager", "live")


class BM25:
    """An index of texts by their words.

    Any history of ``add`` and ``remove`` gives the scores of an index built from the documents that are left.

    Args:
        k1: how much a second and a third mention count: at 0 nothing.
        b: how much long documents have to mention more: at 0 nothing, at 1 in proportion.
        method: "lucene", "robertson", "atire", "bm25l" or "bm25+".
        delta: what a word that is not there is worth, in bm25l and bm25+.
        mode: "eager" keeps every posting's weight, which answers fastest and calculates all of them after a change,
            at the next search; "live" calculates those that a query meets, which suits an index that changes often.
        words: a preset's name, or what turns a text into its words.
        title_weight: how often a word of the title counts, a whole number; at 0 titles are left out.

    Raises:
        ConfigError: a setting that does not exist, or is out of its range.

    Example:
        >>> index = BM25()
        >>> index.add(["a", "b"], ["The cat sat.", "Cats and dogs, dogs, dogs"])
        >>> ids, scores = index.search("a dog", k=5)
        >>> ids, scores.round(3)
        (['b'], array([0.427], dtype=float32))
    """

    def __init__(
        self,
        k1: float = 1.5,
        b: float = 0.75,
        method: str = "lucene",
        *,
        delta: float = 0.5,
        mode: str = "eager",
        words: str | Callable[[str], list[str]] = "default",
        title_weight: int = 1,
    ) -> None:
        if method not in IDF:
            near = nearest(method, IDF)
            raise ConfigError(f"BM25: there is no method {method!r}", hint=repr(near) if near else ", ".join(IDF))
        if mode not in MODES:
            raise ConfigError(f"BM25: there is no mode {mode!r}", hint=" or ".join(MODES))
        if not (0 <= k1 < np.inf and 0 <= b <= 1 and 0 <= delta < np.inf):
            raise ConfigError(
                f"BM25: k1 is {k1}, b is {b}, delta is {delta}", hint="k1 and delta at least 0, b from 0 to 1"
            )
        if isinstance(title_weight, bool) or not isinstance(title_weight, (int, np.integer)) or title_weight < 0:
            raise ConfigError(f"BM25: title_weight is {title_weight!r}", hint="a whole number, 0 or more")
        self.k1, self.b, self.delta, self.method, self.mode = k1, b, delta, method, mode
        self.title_weight = int(title_weight)
        self._preset = words if isinstance(words, str) else None
        self.words = chosen(words) if isinstance(words, str) else words
        self._postings = Postings()
        self._weights: tuple[int, Array] = -1, np.zeros(0, np.float32)  # of which version, and what they are
        self._k, self._factor, self._absent = k1, 1.0, 0.0
        if method in ("atire", "bm25+"):
            self._factor = k1 + 1
        if method == "bm25+":
            self._absent = delta
        if method == "bm25l":
            self._k = k1 + delta
            self._factor, self._absent = (
                ((k1 + 1) * k1 / self._k, (k1 + 1) * delta / self._k) if self._k else (0.0, 0.0)
            )

    def __len__(self) -> int:
        return len(self._postings)

    def __contains__(self, name: object) -> bool:
        return name in self._postings.number

    def add(self, ids: Sequence[str], texts: Sequence[Text], titles: Sequence[Text] | None = None) -> None:
        """Add documents: texts, or lists of words that nothing is done to; and their titles, in the same way.

        Raises:
            DTypeError: an id is no str.
            DataError: an id is empty, comes twice or is there already, or there are not as many ids as texts, or as
                many titles.
        """
        split = [self._split(text) for text in texts]
        if titles is not None:
            if len(titles) != len(split):
                raise DataError(f"add: {len(titles)} titles for {len(split)} texts", hint="one for each, or none")
            pairs = zip(titles, split, strict=True)
            split = [[*self.title_weight * list(self._split(title)), *words] for title, words in pairs]
        self._postings.add(ids, split)

    def remove(self, ids: Sequence[str]) -> None:
        """Remove documents, as if they had never been there.

        Raises:
            DataError: an id is not there, or comes twice; nothing was removed then.
        """
        self._postings.remove(ids)

    def search(self, query: Text, k: int = 10) -> Found:
        """Return the ids of the k best documents, best first, and their scores (float32).

        Only documents with a word of the query are found, so there may be fewer. A word that comes twice counts twice;
        of two equal scores the one inserted first comes first.

        Raises:
            ConfigError: k is below 1.
        """
        return self.search_many([query], k)[0]

    def search_many(self, queries: Sequence[Text], k: int = 10) -> list[Found]:
        """Return for each query what ``search`` returns.

        Raises:
            ConfigError: k is below 1.
        """
        if k < 1:
            raise ConfigError(f"search: k is {k}", hint="1 or more")
        known = self._postings.vocabulary.get
        terms: list[int] = []
        bounds = [0]
        for query in queries:
            terms += [t for word in self._split(query) if (t := known(word)) is not None]
            bounds.append(len(terms))
        if not terms:
            return [([], np.zeros(0, np.float32)) for _ in queries]
        asked = np.array(terms), np.array(bounds)
        documents, scores, found = self._run(asked, min(k, len(self)))
        if self._absent:
            scores += self._for_absent(asked)[:, None]
        ids: Any = self._postings.ids  # none of those that are found is None
        return [
            ([ids[n] for n in row[:count]], top[:count])
            for row, top, count in zip(documents.tolist(), scores, found.tolist(), strict=True)
        ]

    def save(self, path: str | PathLike[str]) -> None:
        """Write the index to one file, with a checksum. Words that a function of one's own made are kept as they are.

        Raises:
            CheckpointError: the file system refuses.
        """
        settings = {name: getattr(self, name) for name in ("k1", "b", "delta", "method", "mode", "title_weight")}
        write(path, "BM25", {**settings, "words": self._preset}, self._postings.packed())

    @classmethod
    def load(cls, path: str | PathLike[str], words: Callable[[str], list[str]] | None = None) -> Self:
        """Read an index that ``save`` wrote: it answers, and goes on, exactly as the one that was saved.

        Args:
            path: the file.
            words: what turned texts into words, if that was a function of one's own.

        Raises:
            CheckpointError: the file is missing, damaged, or holds another kind of index.
            ConfigError: the words were made by a function, and none is given, or by a preset, and one is.
        """
        settings, arrays = read(path, "BM25")
        preset = settings.pop("words")
        if (preset is None) == (words is None):
            made = "a function that is not in the file" if preset is None else f"the preset {preset!r}"
            raise ConfigError(
                f"the words of {path} were made by {made}", hint="BM25.load(path, words=...) with that function, only"
            )
        index = cls(words=words or preset, **settings)
        index._postings = Postings.unpacked(arrays)
        return index

    def _split(self, text: Text) -> Sequence[str]:
        return self.words(text) if isinstance(text, str) else text

    def _run(self, asked: tuple[Array, Array], k: int) -> tuple[Array, Array, Array]:
        """Let the kernel of the mode search: documents (Q, k), scores (Q, k), how many (Q,)."""
        lists = self._postings
        n = len(lists.ids)
        if self.mode == "live":
            pool, gain = lists.pool(lists.counts), self._gain(lists.lengths[asked[0]])
            return kernels.search_counts(pool, asked, lists.sizes[:n], gain, *self._line(), k)
        if self._weights[0] != lists.version:
            pool, gain = lists.pool(lists.counts), self._gain(lists.lengths[: len(lists.vocabulary)])
            self._weights = lists.version, kernels.weigh(pool, lists.sizes[:n], gain, *self._line())
        return kernels.search_weights(lists.pool(self._weights[1]), asked, n, k)

    def _gain(self, df: Array) -> Array:
        """Return what each term's fraction is multiplied with; df 0, of a word nobody holds anymore, is harmless."""
        return IDF[self.method](np.maximum(df, 1), len(self)) * self._factor

    def _line(self) -> tuple[float, float]:
        """Return k (1 - b + b length / mean length) as a line over the length: (at 0, for each word)."""
        mean_inverse = len(self) / self._postings.total if self._postings.total else 0.0
        return self._k * (1 - self.b), self._k * self.b * mean_inverse

    def _for_absent(self, asked: tuple[Array, Array]) -> Array:
        """Return what each query gives to every document, whether it holds the words or not."""
        terms, bounds = asked
        df = self._postings.lengths[terms]
        gifts = np.where(df > 0, IDF[self.method](np.maximum(df, 1), len(self)), 0.0) * self._absent
        return np.array([gifts[first:last].sum() for first, last in pairwise(bounds.tolist())], np.float32)
