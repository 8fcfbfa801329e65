"""What lets another library's index stand where ours do: its whole numbers are labels, ours are ids.

A label is given once and never again: the new vector of a known id gets a new label and the old one is removed. (In a
graph, changing a vector in place or filling a removed one's slot is what makes live ones unreachable.) Once as many
are removed as are left, the index is built anew. Equal scores go by insertion, and a short answer, which a graph may
give after many removals, is replaced by an exact one.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from os import PathLike
from typing import Any

import numpy as np

from ...kernels.topk import top_k
from ..index.file import pack_ids, read, unpack_ids, write
from ..types import Array

EXACT = 10  # a filter that leaves less than one in so many is searched exactly


class Labelled(ABC):
    """An Index over another library's; vectors are expected to have length 1, scores are inner products."""

    def __init__(self, dim: int) -> None:
        self.dim = dim
        self._empty()

    def _empty(self) -> None:
        self._label: dict[str, int] = {}  # of what is alive
        self._ids: list[str] = []  # of every label, removed ones too
        self._place = np.zeros(0, np.int64)  # of every label, in the order of insertion
        self._places = 0
        self._make()

    def __len__(self) -> int:
        return len(self._label)

    @property
    def ids(self) -> list[str]:
        """The ids, as ``save`` orders them."""
        return list(self._label)

    def add(self, ids: Sequence[str], vectors: Array) -> None:
        """Add vectors (N, dim) under ids; one that is there already is replaced and keeps its place."""
        if not len(ids):
            return
        known = [name for name in ids if name in self._label]
        places = np.empty(len(ids), np.int64)
        for n, name in enumerate(ids):
            old = self._label.get(name)
            places[n] = self._places if old is None else self._place[old]
            self._places += old is None
        if known:
            self._drop(np.array([self._label[name] for name in known], np.int64))
        labels = np.arange(len(self._ids), len(self._ids) + len(ids))
        self._put(labels, np.ascontiguousarray(vectors, np.float32))
        self._ids.extend(ids)
        self._label.update(zip(ids, labels.tolist(), strict=True))
        self._place = np.concatenate([self._place, places])
        self._tidy()

    def remove(self, ids: Iterable[str]) -> None:
        """Forget vectors; ids that are not there are passed over."""
        labels = [self._label.pop(name) for name in dict.fromkeys(ids) if name in self._label]
        if labels:
            self._drop(np.array(labels, np.int64))
            self._tidy()

    def _tidy(self) -> None:
        """Build anew when as many labels are dead as alive."""
        if len(self._ids) < 64 or len(self._ids) < 2 * len(self._label):
            return
        ids = sorted(self._label, key=lambda name: self._place[self._label[name]])
        vectors = self._get(np.array([self._label[name] for name in ids], np.int64))
        self._empty()
        self.add(ids, vectors)

    def search(self, query: Array, k: int, allow: Iterable[str] | None = None) -> tuple[list[str], Array]:
        """Return the ids of the k best, best first, and their scores; fewer if there are fewer."""
        alive = self._label if allow is None else {n: self._label[n] for n in allow if n in self._label}
        k = min(k, len(alive))
        if k == 0:
            return [], np.zeros(0, np.float32)
        labels, scores = np.zeros(0, np.int64), np.zeros(0, np.float32)
        if allow is None:
            labels, scores = self._near(query, k)
        elif EXACT * len(alive) > len(self):  # ask for as many as should hold k that are allowed
            labels, scores = self._near(query, min(len(self), 2 * k * len(self) // len(alive) + 10))
            kept = np.isin(labels, np.fromiter(alive.values(), np.int64, len(alive)))
            labels, scores = labels[kept], scores[kept]
        if len(labels) < k:
            every = np.fromiter(alive.values(), np.int64, len(alive))
            every = every[np.argsort(self._place[every])]
            best, found = top_k(query[None] @ self._get(every).T, k)
            labels, scores = every[best[0]], found[0]
        order = np.lexsort((self._place[labels], -scores))[:k]
        return [self._ids[label] for label in labels[order]], scores[order]

    def save(self, path: str | PathLike[str], more: Mapping[str, Any] | None = None) -> None:
        """Write all of it, and what else belongs to it, to one file with a checksum.

        Raises:
            CheckpointError: the file system refuses.
        """
        labels = np.fromiter(self._label.values(), np.int64, len(self))
        arrays = {"ids": pack_ids(list(self._label)), "labels": labels, "place": self._place, "index": self._dump()}
        settings = {"dim": self.dim, "places": self._places, "more": dict(more or {}), "how": self._how()}
        write(path, type(self).__name__, settings, arrays)

    def restore(self, path: str | PathLike[str]) -> dict[str, Any] | None:
        """Take everything from a file that ``save`` wrote, and return what else belonged to it.

        None, and nothing is taken, if it was made with other settings than this one.

        Raises:
            CheckpointError: the file is missing or damaged, or another kind of index.
        """
        settings, arrays = read(path, type(self).__name__)
        if settings["dim"] != self.dim or settings["how"] != self._how():
            return None
        names, labels = unpack_ids(arrays["ids"]), arrays["labels"].tolist()
        self._label = dict(zip(names, labels, strict=True))
        self._place, self._places = arrays["place"], settings["places"]
        self._ids = [""] * len(self._place)
        for name, label in self._label.items():
            self._ids[label] = name
        self._load(arrays["index"])
        more: dict[str, Any] = settings["more"]
        return more

    @abstractmethod
    def _how(self) -> dict[str, Any]:
        """Return the settings that a graph is built with."""

    @abstractmethod
    def _make(self) -> None:
        """Make an empty index."""

    @abstractmethod
    def _put(self, labels: Array, vectors: Array) -> None:
        """Add vectors under new labels."""

    @abstractmethod
    def _drop(self, labels: Array) -> None:
        """Remove labels."""

    @abstractmethod
    def _near(self, query: Array, k: int) -> tuple[Array, Array]:
        """Return at most k labels that are alive and their scores."""

    @abstractmethod
    def _get(self, labels: Array) -> Array:
        """Return the vectors of labels, (N, dim)."""

    @abstractmethod
    def _dump(self) -> Array:
        """Return the index as bytes."""

    @abstractmethod
    def _load(self, content: Array) -> None:
        """Take the index from bytes."""
