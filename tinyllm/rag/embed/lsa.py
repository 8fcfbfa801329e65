"""LSA, latent semantic analysis: words that keep the same company come to lie close to each other.

A text is the vector of its words' weights (tf-idf), thousands of entries wide. The directions along which a corpus
extends most are mixtures of words that occur together, "wing, lift, drag" for one; a text's vector is what it has of
each of the first 200 of them. So a text about lift is found by a question about drag, which no search for words does.

Nothing is downloaded and no judgment is needed, but the whole corpus is read before the first search: say so where it
is compared with something that never saw it. Texts that come later are put where their known words say (folding in);
what is new in them stays unseen, and ``unseen`` tells how much that is.

Source: Deerwester et al. 1990, Indexing by latent semantic analysis, JASIS 41(6).
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from os import PathLike
from typing import Any, Self

import numpy as np

from ...errors import ConfigError, DataError
from ...kernels import Array
from ...kernels.sparse import Sparse, sparse_dot
from ..index.file import pack_ids, read, unpack_ids, write
from ..lexical.tfidf import weigh
from ..lexical.words import chosen
from ..types import Kind
from .door import checked_texts, unit
from .svd import randomized_svd


class LSA:
    """An embedder made of the texts it is to search.

    Args:
        dim: how many directions; there are fewer where a corpus has not so many.
        seed: of the random start of the SVD.
        words: the preset that makes words of a text.

    Attributes:
        dim: how wide a vector is: after ``fit``, exactly.
        max_tokens: None, all of a text is read.
        strengths: of each direction its singular value, how much of the corpus lies along it.
        why: why it was chosen, where ``embedder`` chose it.

    Raises:
        ConfigError: dim is below 1, or there is no such preset.

    Example:
        >>> lsa = LSA(dim=2).fit(["a duck swims", "ducks and geese swim", "stars shine", "a star shines at night"])
        >>> (lsa.embed(["goose", "the night"]) @ lsa.embed(["swimming", "shining"]).T).round(2).tolist()
        [[0.0, 0.0], [0.0, 1.0]]
        >>> lsa.unseen("the geese at night, honking")
        0.3333333333333333
    """

    def __init__(self, dim: int = 200, seed: int = 0, words: str = "default") -> None:
        if isinstance(dim, bool) or not isinstance(dim, int) or dim < 1:
            raise ConfigError(f"LSA: dim={dim!r}", hint="a whole number, 1 or more")
        self.settings: dict[str, Any] = {"dim": dim, "seed": seed, "words": words}
        self.max_tokens: int | None = None
        self.strengths: Array = np.zeros(0)
        self.why = ""
        self._words = chosen(words)
        self._corpus = ""  # sha256 of the texts
        self._columns: dict[str, int] = {}
        self._idf: Array = np.zeros(0)
        self._directions: Array = np.zeros((0, dim), np.float32)  # (V, dim)

    @property
    def id(self) -> str:
        """The settings, and which corpus it was made of."""
        said = ",".join(f"{name}={value}" for name, value in self.settings.items())
        return f"lsa-1({said},corpus={self._corpus[:16] or 'none'})"

    @property
    def dim(self) -> int:
        """How many numbers a vector has."""
        return self._directions.shape[1]

    def fit(self, texts: Sequence[str]) -> Self:
        """Learn from a corpus, all of it at once, and return self.

        Raises:
            DataError: there are no texts, or no two texts differ in any word.
        """
        taken = checked_texts(texts)
        counted = [Counter(self._words(text)) for text in taken]
        columns: dict[str, int] = {}
        for text in counted:
            for word in text:
                columns.setdefault(word, len(columns))
        df = Counter(word for text in counted for word in text)
        idf = np.log(len(taken) / np.array([df[word] for word in columns], np.float64))
        rows = weighted(counted, columns, idf)
        if not rows[2].any():
            raise DataError(
                f"LSA: {len(taken)} texts without a word that sets one apart", hint="fit(texts), two or more"
            )
        _, strengths, directions = randomized_svd(rows, len(columns), self.settings["dim"], self.settings["seed"])
        self.strengths, self._directions = strengths, directions.astype(np.float32)
        self._columns, self._idf, self._corpus = columns, idf, digest(taken)
        return self

    def embed(self, texts: Sequence[str], kind: Kind = "document") -> Array:
        """Return a vector of each text, float32 (N, dim): of length 1, or 0 where no word of it is known.

        Documents and queries are treated alike.

        Raises:
            ConfigError: ``fit`` comes first; or kind is neither "document" nor "query".
            DataError: one string instead of several, or something that is no string.
        """
        taken = checked_texts(texts, kind)
        if not self._corpus:
            raise ConfigError("LSA: knows no word before it has read a corpus", hint="LSA().fit(texts)")
        rows = weighted([Counter(self._words(text)) for text in taken], self._columns, self._idf)
        return unit(sparse_dot(rows, self._directions))

    def count(self, text: str) -> int:
        """Return how many words a text has for it, stop words left out."""
        return len(self._words(text))

    def unseen(self, text: str) -> float:
        """Return the share of a text's words that the corpus did not have: 0 for none of them, or for no words."""
        words = self._words(text)
        return sum(word not in self._columns for word in words) / max(1, len(words))

    def save(self, path: str | PathLike[str]) -> None:
        """Write it to one file, with a checksum.

        Raises:
            CheckpointError: the file system refuses.
        """
        arrays = {
            "words": pack_ids(list(self._columns)),
            "idf": self._idf,
            "directions": self._directions,
            "strengths": self.strengths,
        }
        write(path, type(self).__name__, {**self.settings, "corpus": self._corpus}, arrays, what="embedder")

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Self:
        """Read what ``save`` wrote: it has the same id and gives the same vectors.

        Raises:
            CheckpointError: the file is missing, damaged, or holds something else.
        """
        settings, arrays = read(path, cls.__name__, what="embedder")
        corpus = settings.pop("corpus")
        made = cls(**settings)
        made._corpus, made.strengths = corpus, arrays["strengths"]
        made._columns = {word: column for column, word in enumerate(unpack_ids(arrays["words"]))}
        made._idf, made._directions = arrays["idf"], arrays["directions"]
        return made


def weighted(counted: Sequence[Counter[str]], columns: dict[str, int], idf: Array) -> Sparse:
    """Return texts as sparse rows of tf-idf weights, each of length 1; words without a column are left out.

    Args:
        counted: of each text its words, and how often.
        columns: word -> column.
        idf: of each column, ln(N / df).

    Example:
        >>> rows = weighted([Counter("aab"), Counter("xb")], {"a": 0, "b": 1}, np.array([0.0, 2.0]))
        >>> [part.tolist() for part in rows]
        [[0, 2, 3], [0, 1, 1], [0.0, 1.0, 1.0]]
    """
    known = [sorted((columns[word], n) for word, n in text.items() if word in columns) for text in counted]
    starts = np.concatenate([[0], np.cumsum([len(row) for row in known], dtype=np.int64)])
    pairs = np.array([pair for row in known for pair in row], np.int64).reshape(-1, 2)
    weights = weigh(pairs[:, 1], idf[pairs[:, 0]])
    owner = np.repeat(np.arange(len(known)), np.diff(starts))
    length = np.sqrt(np.bincount(owner, weights * weights, minlength=len(known)))
    return starts, pairs[:, 0].astype(np.int32), weights / np.where(length > 0, length, 1.0)[owner]


def digest(texts: Sequence[str]) -> str:
    """Return the sha256 of texts in their order, each with its length before it.

    Example:
        >>> digest(["ab", "c"]) == digest(["a", "bc"])
        False
    """
    seen = hashlib.sha256()
    for text in texts:
        data = text.encode("utf-8", "surrogatepass")
        seen.update(len(data).to_bytes(8, "little") + data)
    return seen.hexdigest()
