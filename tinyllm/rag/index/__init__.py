"""Search in vectors: exactly (Flat), in the nearest of many lists (IVF), or along a graph of neighbors (HNSW).

    index = Flat()
    index.add(["a", "b"], vectors)              # (2, D); an id that is there already is given its new vector
    ids, scores = index.search(query, k=10)     # (D,) -> up to k ids, best first, and their cosines

The three have the same methods and the same contract. Higher scores are better; of equal ones the vector that was added
first comes first; with fewer than k vectors a search returns what there is.
"""

from __future__ import annotations

from .flat import Flat
from .hnsw import HNSW
from .ivf import IVF

__all__ = ["HNSW", "IVF", "Flat"]
