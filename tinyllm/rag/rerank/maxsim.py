"""MaxSim: each word of the query looks for the word of the text that is most like it.

An embedder presses a text into one vector; here every token keeps its own, in the context of its text. A chunk scores
by the mean over the query's tokens of the highest cosine with any of its tokens (ColBERT takes the sum, which gives the
same order). The price is room: a vector for each token, as float16, 77 kB for 100 tokens of MiniLM's 384 numbers.

Nobody trained MiniLM for this. Whether it helps is a matter of measuring, as with every reranker.

Source: Khattab & Zaharia 2020, ColBERT, arXiv:2004.12832.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from ...autograd import no_grad
from ...errors import DataError, NaNError, ShapeError
from ...models.minilm import TOKENS_AT_ONCE, MiniLM, batches, rectangle
from ..types import Chunk

Array = np.ndarray[Any, np.dtype[Any]]
Tokens = Callable[[Sequence[str]], Sequence[Array]]  # texts -> of each its tokens' vectors (T, D)


class MaxSim:
    """A reranker by the vectors of tokens.

    Chunks that were added keep their vectors; those of any other chunk are calculated when it is scored.

    Args:
        tokens: texts -> a list of arrays (T, D), T as it comes, of any length of vector: cosines are what counts.
            ``minilm_tokens(MiniLM(folder))`` is one.

    Example:
        >>> letters = lambda texts: [np.eye(128)[list(text.encode())] for text in texts]
        >>> maxsim = MaxSim(letters)
        >>> chunks = [Chunk("a:0-4", "a", "duck", 0, 4), Chunk("b:0-3", "b", "cat", 0, 3)]
        >>> maxsim.score("dc", chunks)
        array([1. , 0.5], dtype=float32)
    """

    name = "maxsim"

    def __init__(self, tokens: Tokens) -> None:
        self.tokens = tokens
        self._kept: dict[str, tuple[str, Array]] = {}  # chunk id -> what was read, and its tokens (T, D)
        self._asked: tuple[str, Array] = "", np.zeros((0, 0), np.float32)

    def __len__(self) -> int:
        return len(self._kept)

    def add(self, chunks: Sequence[Chunk], vectors: Sequence[Array] | None = None) -> None:
        """Keep the vectors of chunks; those of an id that is there already are replaced.

        Args:
            chunks: what will be scored.
            vectors: (T, D) of each, if somebody has calculated them already.

        Raises:
            ShapeError: not one array (T, D) for each chunk, or not all of one D.
            NaNError: a number that is not finite.
        """
        texts = [chunk.full for chunk in chunks]
        found = self._read(texts) if vectors is None else _checked(vectors, len(chunks))
        self._kept |= {c.id: (text, v) for c, text, v in zip(chunks, texts, found, strict=True)}

    def remove(self, ids: Iterable[str]) -> None:
        """Forget the vectors of chunks.

        Raises:
            DataError: an id is not there; nothing was forgotten then.
        """
        names = list(ids)
        missing = [name for name in names if name not in self._kept]
        if missing:
            raise DataError(f"MaxSim: the id {missing[0]!r} is not there", hint="ids that were added")
        for name in names:
            self._kept.pop(name, None)

    def score(self, query: str, chunks: Sequence[Chunk]) -> Array:
        """Return the score of each chunk, float32 (N,), from -1 to 1; 0 where either side has no tokens."""
        scores = np.zeros(len(chunks), np.float32)
        if not len(scores):
            return scores
        asked = self._query(query)  # (S, D)
        held = self._vectors(chunks)
        full = [place for place, rows in enumerate(held) if len(rows)]
        if not full or not len(asked):
            return scores
        packed = np.concatenate([held[place] for place in full]).astype(np.float32)  # (sum of T, D)
        if packed.shape[1] != asked.shape[1]:
            raise ShapeError(
                f"MaxSim: tokens of D={packed.shape[1]}, a query of D={asked.shape[1]}", hint="one encoder"
            )
        starts = np.cumsum([0, *(len(held[place]) for place in full[:-1])])
        scores[full] = np.maximum.reduceat(asked @ packed.T, starts, axis=1).mean(axis=0)
        return scores

    def _query(self, query: str) -> Array:
        """Return the query's tokens; the last one's are remembered, since its chunks may come in portions."""
        if query != self._asked[0] or not self._asked[1].size:
            self._asked = query, self._read([query])[0].astype(np.float32)
        return self._asked[1]

    def _vectors(self, chunks: Sequence[Chunk]) -> list[Array]:
        """Return the tokens of chunks; a chunk under a known id whose text has changed is read anew."""
        texts = [chunk.full for chunk in chunks]
        known = [self._kept.get(chunk.id) for chunk in chunks]
        held = [kept[1] if kept and kept[0] == text else None for kept, text in zip(known, texts, strict=True)]
        fresh = [place for place, rows in enumerate(held) if rows is None]
        read = dict(zip(fresh, self._read([texts[place] for place in fresh]), strict=True)) if fresh else {}
        return [read[place] if rows is None else rows for place, rows in enumerate(held)]

    def _read(self, texts: Sequence[str]) -> list[Array]:
        return _checked(self.tokens(texts), len(texts))


def minilm_tokens(minilm: MiniLM, frame: bool = False) -> Tokens:
    """Return what gives the vectors of a text's tokens, float32 (T, C) each, by the encoder of a MiniLM.

    Args:
        minilm: the encoder; of longer texts than it reads the last pieces are left out.
        frame: keep the vectors of [CLS] and [SEP], too, which stand for no word.

    Example:
        >>> from tinyllm.models import Bert, BertConfig
        >>> config = BertConfig(vocab_size=128, block_size=8, n_layer=1, n_head=2, n_embd=6, n_hidden=12)
        >>> model = Bert(config, np.random.default_rng(0))
        >>> tokens = minilm_tokens(MiniLM(model, lambda text: [1, *text.encode("ascii"), 2], longest=8))
        >>> [rows.shape for rows in tokens(["to", "", "or not to be"])]
        [(2, 6), (0, 6), (6, 6)]
    """

    def tokens(texts: Sequence[str]) -> list[Array]:
        rows = [minilm.encode(text) for text in texts]
        rows = [row if len(row) <= minilm.longest else [*row[: minilm.longest - 1], row[-1]] for row in rows]
        found: list[Array] = [np.zeros((0, minilm.model.config.n_embd), np.float32)] * len(rows)
        with no_grad():
            for chosen in batches([len(row) for row in rows], TOKENS_AT_ONCE):
                vectors = minilm.model(*rectangle([rows[place] for place in chosen])).data  # (B, T, C)
                for place, each in zip(chosen, vectors, strict=True):
                    found[place] = each[: len(rows[place])] if frame else each[1 : len(rows[place]) - 1]
        return found

    return tokens


def _checked(vectors: Sequence[Array], count: int) -> list[Array]:
    """Return tokens as float16 of length 1, having looked at their shapes and numbers."""
    if len(vectors) != count:
        raise ShapeError(f"MaxSim: {len(vectors)} arrays of tokens for {count} texts", hint="one (T, D) for each")
    found = []
    for rows in map(np.asarray, vectors):
        if rows.ndim != 2 or rows.shape[1] != np.shape(vectors[0])[-1]:
            raise ShapeError(f"MaxSim: tokens {rows.shape}", hint="(T, D), the same D for all texts")
        if not np.isfinite(rows).all():
            raise NaNError("MaxSim: a token's vector holds a number that is not finite")
        rows = rows.astype(np.float32)
        lengths = np.sqrt((rows * rows).sum(axis=1, keepdims=True))
        found.append((rows / np.where(lengths > 0, lengths, 1)).astype(np.float16))
    return found
