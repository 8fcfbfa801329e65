"""A query and a text as one sequence of ids, in which the words they share are marked.

    ids     [CLS]  who  swims  [SEP]  ducks  swim  [SEP]
    kinds     0     0     1      0      2      3     2        1 and 3: words that stand on the other side as well

That two words are the same is the first thing a reranker has to know, and the hardest to learn from a few queries when
each word begins as a vector drawn at random. So it is said.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np

from ..lexical.words import words

Array = np.ndarray[Any, np.dtype[Any]]
PADDING, CLS, SEP, UNKNOWN = range(4)
KINDS = 4


class Pairs:
    """Turns (query, text) into ids and kinds, by the words of a corpus.

    Args:
        texts: whose stems, the most frequent first, become the vocabulary.
        most: how many ids there are at most.
        longest: of a sequence; a text's end is cut off first, then the query's beyond a third of it.

    Example:
        >>> pairs = Pairs(["Ducks swim", "Cats nap", "Ducks fly"])
        >>> pairs("who swims?", "ducks swim")
        (array([1, 5, 2, 4, 5, 2]), array([0, 1, 0, 2, 3, 2]))
    """

    def __init__(self, texts: Iterable[str], most: int = 4096, longest: int = 128) -> None:
        counted = Counter(word for text in texts for word in words(text))
        frequent = [word for word, _ in counted.most_common(most - UNKNOWN - 1)]
        self._ids = {word: place for place, word in enumerate(frequent, start=UNKNOWN + 1)}
        self.longest = longest

    def __len__(self) -> int:
        return len(self._ids) + UNKNOWN + 1

    def __call__(self, query: str, text: str) -> tuple[Array, Array]:
        """Return ids and kinds, (T,) each."""
        asked = words(query)[: max(1, self.longest // 3)]
        read = words(text)[: self.longest - len(asked) - 3]
        known = self._ids.get
        ids = [CLS, *(known(w, UNKNOWN) for w in asked), SEP, *(known(w, UNKNOWN) for w in read), SEP]
        left, right = set(asked), set(read)
        kinds = [0, *(int(word in right) for word in asked), 0, *(2 + int(word in left) for word in read), 2]
        return np.array(ids), np.array(kinds)
