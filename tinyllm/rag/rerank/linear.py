"""Learning to rank with a weight for each feature: no text is read, only what other stages say about it.

    ltr = LinearLTR()
    ltr.add(chunks)
    ltr.fit(train.queries, train.qrels, train.documents)
    print(ltr)                                           # the weights, as a table
    scores = ltr.score(query, chunks)

A query's features are standardized over the chunks that are ranked, so that a weight means the same for a question of
three words and for one of thirty, and weights can be compared with each other. A weight is not what its feature is
worth: beside others that hold the same knowledge, BM25's may well turn negative.

Queries without a relevant candidate teach nothing. They still count when the ranking is measured.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from os import PathLike
from typing import Any, Self

import numpy as np

from ...autograd import Tensor
from ...errors import ConfigError, DataError, RangeError
from ...nn.optim import Adam
from ..index.file import read, write
from ..types import Chunk, Embedder, Hit
from .features import Features, standardized
from .listnet import gains, listnet, padded

Array = np.ndarray[Any, np.dtype[Any]]


class LinearLTR:
    """A reranker, and with its own candidates a retriever, that is trained in a second.

    Args:
        features: of the corpus, which several rankers may share; fresh ones unless told.
        embedder: whose cosine is one more of the fresh features.
        l2: how much a weight's square costs.
        lr: Adam's.
        steps: how many.

    Attributes:
        weights: feature -> weight; empty before ``fit``.
        trained_on: how many queries had a relevant candidate.

    Raises:
        ConfigError: features and an embedder, or a setting out of its range.

    Example:
        >>> from tinyllm.rag import Document
        >>> ltr = LinearLTR(steps=20)
        >>> chunks = [Chunk.cut(Document(t, t), 0, len(t)) for t in ("ducks swim", "cats nap", "swim far")]
        >>> ltr.add(chunks)
        >>> ltr.fit({"q": "swim"}, {"q": {"ducks swim": 1}}).score("nap", chunks).argmax().item()
        1
    """

    name = "ltr"

    def __init__(
        self,
        features: Features | None = None,
        *,
        embedder: Embedder | None = None,
        l2: float = 1e-3,
        lr: float = 0.05,
        steps: int = 300,
    ) -> None:
        if features is not None and embedder is not None:
            raise ConfigError("LinearLTR: features and an embedder", hint="Features(embedder)")
        if not (0 <= l2 < np.inf and 0 < lr < np.inf and steps >= 1):
            raise ConfigError(f"LinearLTR: l2={l2}, lr={lr}, steps={steps}", hint="l2=1e-3, lr=0.05, steps=300")
        self.features = Features(embedder) if features is None else features
        self.l2, self.lr, self.steps = l2, lr, steps
        self.trained_on = 0
        self._w: Array | None = None

    def add(self, chunks: Sequence[Chunk], vectors: Array | None = None) -> None:
        """Add chunks to the features' corpus; arguments and errors as ``Features.add``."""
        self.features.add(chunks, vectors)

    def remove(self, ids: Iterable[str]) -> None:
        """Remove chunks; errors as ``Features.remove``."""
        self.features.remove(ids)

    def fit(
        self,
        queries: Mapping[str, str],
        qrels: Mapping[str, Mapping[str, int]],
        documents: Container[str] | None = None,
    ) -> LinearLTR:
        """Learn the weights from judged queries. There is one best answer, so no seed is needed.

        Args:
            queries: id -> text.
            qrels: query -> document -> grade, 1 and above being relevant.
            documents: the only ones that may be learned from, such as those of a purged collection; all unless told.

        Raises:
            DataError: no query has a relevant candidate.
        """
        matrices, gain = [], []
        for query, text in queries.items():
            judged = qrels.get(query, {})
            chunks = [c for c in self.features.candidates(text) if documents is None or c.doc_id in documents]
            wanted = gains([judged.get(chunk.doc_id, 0) for chunk in chunks])
            if wanted.any():
                matrices.append(standardized(self.features.of(text, chunks)))
                gain.append(wanted)
        if not matrices:
            raise DataError("LinearLTR: no query has a relevant candidate", hint="judged queries, after add(chunks)")
        x, real = padded(matrices)  # (Q, N, F)
        wanted, _ = padded(gain)
        w = Tensor(np.zeros(x.shape[-1]), requires_grad=True)
        optimizer = Adam([w], lr=self.lr)
        for _ in range(self.steps):
            optimizer.zero_grad()
            objective(w, x, wanted, real, self.l2).backward()
            optimizer.step()
        self._w, self.trained_on = w.data.copy(), len(matrices)
        return self

    def save(self, path: str | PathLike[str]) -> None:
        """Write the weights to one file, with a checksum; the corpus and its features are not in it.

        Raises:
            ConfigError: it was not fitted.
            CheckpointError: the file system refuses.
        """
        if self._w is None:
            raise ConfigError("LinearLTR: it was not fitted, so there is nothing to save", hint="fit(queries, qrels)")
        settings = {"l2": self.l2, "lr": self.lr, "steps": self.steps}
        head = {**settings, "features": self.features.names, "trained_on": self.trained_on}
        write(path, type(self).__name__, head, {"weights": self._w}, what="reranker")

    @classmethod
    def load(cls, path: str | PathLike[str], features: Features | None = None) -> Self:
        """Read what ``save`` wrote, for the corpus of these features; for fresh ones unless told.

        Raises:
            CheckpointError: the file is missing, damaged, or holds something else.
            ConfigError: it was trained on other features.
        """
        settings, arrays = read(path, cls.__name__, what="reranker")
        names, trained_on = tuple(settings.pop("features")), settings.pop("trained_on")
        made = cls(features, **settings)
        if made.features.names != names:
            odd = sorted(set(names) ^ set(made.features.names))
            raise ConfigError(f"LinearLTR: {path} has weights of other features ({', '.join(odd)})",
                              hint="load(path, Features(...)) as it was trained with")  # fmt: skip
        made._w, made.trained_on = arrays["weights"], trained_on
        return made

    @property
    def weights(self) -> dict[str, float]:
        """Feature -> weight."""
        return {} if self._w is None else dict(zip(self.features.names, self._w.tolist(), strict=True))

    def __str__(self) -> str:
        if self._w is None:
            return "LinearLTR, not fitted"
        longest = max(map(len, self.weights))
        rows = sorted(self.weights.items(), key=lambda pair: -abs(pair[1]))
        return "\n".join(f"{name:<{longest}}  {weight:+.3f}" for name, weight in rows)

    def score(self, query: str, chunks: Sequence[Chunk]) -> Array:
        """Return the score of each chunk, float32 (N,), for a comparison among these.

        Raises:
            ConfigError: it was not fitted.
            DataError: a chunk that was not added.
        """
        if self._w is None:
            raise ConfigError("LinearLTR: it was not fitted", hint="fit(queries, qrels)")
        return (standardized(self.features.of(query, chunks)) @ self._w).astype(np.float32)

    def search(self, query: str, k: int) -> list[Hit]:
        """Rank its own candidates: the best of BM25, of LSA and of the embedder.

        Raises:
            RangeError: k is below 1.
        """
        if k < 1:
            raise RangeError(f"search: k is {k}", hint="1 or more")
        chunks = self.features.candidates(query)
        scores = self.score(query, chunks)
        best = np.argsort(-scores, kind="stable")[:k].tolist()
        return [
            Hit(chunks[place], float(scores[place]), rank, {self.name: float(scores[place])})
            for rank, place in enumerate(best, start=1)
        ]


def objective(w: Tensor, x: Array, gain: Array, real: Array, l2: float) -> Tensor:
    """Return what is made small: ListNet's loss of the scores x w, and l2 times the square of w.

    Shapes: w (F,), x (Q, N, F), gain and real (Q, N).
    """
    return listnet((w * x).sum(axis=-1), gain, real) + (w * w).sum() * l2
