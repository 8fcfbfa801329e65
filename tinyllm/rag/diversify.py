r"""Diversity: the next hit should fit the query and say something that the hits before it have not said.

Maximal marginal relevance takes the top hit, and then again and again the one with the highest

    weight * relevance - (1 - weight) * max cosine to the hits taken

Relevance and cosine have to be on one scale. So relevance is scaled to 0..1 over the hits of the query; scores that are
logits, as of a cross-encoder, first go through a sigmoid fitted to judged examples (``calibrate.py``): raw, one
enormous logit would press all the others together.

Diversity is never judged by nDCG, which knows nothing of repetition, but by ``distinct_documents`` and
``intra_list_similarity``, at a loss of nDCG of at most .01.

Source: Carbonell & Goldstein 1998.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..errors import ConfigError, DataError, ShapeError
from .calibrate import Sigmoid
from .fuse import min_max
from .retrieve import checked_k
from .types import Array, Hit


@dataclass(frozen=True, slots=True)
class MMR:
    """Orders hits by what each adds to those before it.

    The first hit stays the first; with a weight of 1 nothing changes place.

    Args:
        weight: of relevance, from 0 to 1; the rest is for being different.
        sigmoid: for scores that are logits; None takes them as they are.

    Raises:
        ConfigError: a weight outside of 0 to 1.

    Example:
        >>> from tinyllm.rag.types import Chunk
        >>> names = ("duck", "drake", "cat", "rain")
        >>> hits = [Hit(Chunk(f"{n}:0-1", n, "", 0, 0), 1 - r / 10, r + 1) for r, n in enumerate(names)]
        >>> vectors = [[1.0, 0.0, 0.0], [1.0, 0.1, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
        >>> [hit.chunk.doc_id for hit in MMR(0.5)(hits, vectors, k=3)]
        ['duck', 'cat', 'rain']
    """

    weight: float = 0.7
    sigmoid: Sigmoid | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.weight <= 1:
            raise ConfigError(f"MMR: weight={self.weight}", hint="from 0 to 1")

    @property
    def name(self) -> str:
        """What its score is called in ``Hit.parts``."""
        return "mmr"

    def __call__(self, hits: Sequence[Hit], vectors: Any, k: int) -> list[Hit]:
        """Return k of the hits in a new order; scores fall from hit to hit.

        Args:
            hits: best first.
            vectors: of their chunks, (N, D).
            k: how many; fewer when there are fewer hits.

        Raises:
            ConfigError: k is no whole number from 1 on.
            ShapeError: not one vector for each hit.
            DataError: a vector or a score that is not finite.
        """
        checked_k(k)
        units = _units(vectors, len(hits))
        if not hits:
            return []
        scores = [hit.score for hit in hits]
        relevance = min_max(scores if self.sigmoid is None else self.sigmoid(scores))
        # a cosine of -1 to nothing at all: the same for every hit, and no later one can score above the first
        closest = np.full(len(hits), -1.0)
        waiting = np.ones(len(hits), bool)
        chosen: list[Hit] = []
        take = 0
        while True:
            score = float(self.weight * relevance[take] - (1 - self.weight) * closest[take])
            parts = {**hits[take].parts, self.name: score}
            chosen.append(replace(hits[take], score=score, rank=len(chosen) + 1, parts=parts))
            waiting[take] = False
            if len(chosen) == min(k, len(hits)):
                return chosen
            closest = np.maximum(closest, np.clip(units @ units[take], -1, 1))
            value = np.where(waiting, self.weight * relevance - (1 - self.weight) * closest, -np.inf)
            take = int(value.argmax())  # the first of equal ones


def intra_list_similarity(vectors: Any) -> float:
    """Return the mean cosine of all pairs of vectors; 0 for fewer than two.

    Raises:
        ShapeError: no matrix.
        DataError: a vector that is not finite.

    Example:
        >>> intra_list_similarity([[1.0, 0.0], [0.0, 2.0], [1.0, 0.0]])
        0.333...
    """
    units = _units(vectors, len(vectors))
    count = len(units)
    if count < 2:
        return 0.0
    total = units.sum(0)
    return float((total @ total - (units * units).sum()) / (count * (count - 1)))


def distinct_documents(hits: Sequence[Hit]) -> int:
    """Return how many documents the hits come from.

    Example:
        >>> distinct_documents([])
        0
    """
    return len({hit.chunk.doc_id for hit in hits})


def _units(vectors: Any, count: int) -> Array:
    """Return vectors of length 1 in float64, (N, D); zeros stay zeros."""
    x = np.asarray(vectors, np.float64)
    if (x.ndim != 2 and not (count == 0 and x.size == 0)) or len(x) != count:
        raise ShapeError(f"MMR: vectors {x.shape} for {count} hits", hint=f"({count}, D)")
    if not np.isfinite(x).all():
        raise DataError("MMR: a vector holds NaN or inf", hint="look at its embedder")
    x = x.reshape(count, -1) if count else np.zeros((0, 1))
    length = np.sqrt((x * x).sum(1, keepdims=True))
    return x / np.where(length > 0, length, 1)
