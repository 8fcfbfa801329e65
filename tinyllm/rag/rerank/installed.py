"""A cross-encoder that somebody else trained, as a reranker: anything that scores pairs of texts.

    from sentence_transformers import CrossEncoder as Theirs

    rerank = InstalledCrossEncoder(Theirs("cross-encoder/ms-marco-MiniLM-L-6-v2"))

Its library is the user's choice and is not imported here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...errors import ConfigError, DataError
from ..types import Chunk

Array = np.ndarray[Any, np.dtype[Any]]


class InstalledCrossEncoder:
    """A reranker around a model with ``predict(pairs)``, or around a function of pairs.

    Args:
        model: what takes a list of (query, text) and returns a number for each, (N,) or (N, 1); higher is better.
        batch_size: how many pairs it is given at once.
        name: what its scores are called in a hit.

    Raises:
        ConfigError: neither, or a batch_size below 1.

    Example:
        >>> shared = lambda pairs: [len(set(query.split()) & set(text.split())) for query, text in pairs]
        >>> chunks = [Chunk("a:0-8", "a", "cats nap", 0, 8), Chunk("b:0-10", "b", "ducks swim", 0, 10)]
        >>> InstalledCrossEncoder(shared).score("who swim", chunks)
        array([0., 1.], dtype=float32)
    """

    def __init__(self, model: Any, batch_size: int = 32, name: str = "cross-encoder") -> None:
        predict: Callable[[Sequence[tuple[str, str]]], Any] | None = getattr(model, "predict", model)
        if not callable(predict):
            raise ConfigError(
                f"InstalledCrossEncoder: {type(model).__name__} has no predict", hint="a model of pairs, or a function"
            )
        if batch_size < 1:
            raise ConfigError(f"InstalledCrossEncoder: batch_size={batch_size}", hint="batch_size=32")
        self._predict, self.batch_size, self.name = predict, batch_size, name

    def score(self, query: str, chunks: Sequence[Chunk]) -> Array:
        """Return the score of each chunk, float32 (N,); the model reads header and text.

        Raises:
            DataError: the model returned another number of scores than pairs, or one that is not finite.
        """
        pairs = [(query, chunk.full) for chunk in chunks]
        scores = np.zeros(len(pairs), np.float32)
        for start in range(0, len(pairs), self.batch_size):
            batch = pairs[start : start + self.batch_size]
            found = np.asarray(self._predict(batch), dtype=np.float32)
            if found.shape not in ((len(batch),), (len(batch), 1)):
                raise DataError(f"{self.name}: scores {found.shape} for {len(batch)} pairs", hint="one for each pair")
            if not np.isfinite(found).all():
                raise DataError(f"{self.name}: a score that is not finite", hint="look at what predict returns")
            scores[start : start + len(batch)] = found.reshape(-1)
        return scores
