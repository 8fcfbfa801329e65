"""What every index does the same way: ids and vectors in and out, queries checked, files written and read."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from os import PathLike
from typing import Any, Self

import numpy as np

from ...errors import DataError
from ...kernels import Array
from .file import pack_ids, read, unpack_ids, write
from .rows import Rows, checked, checked_query


class VectorIndex(ABC):
    """The contract of Flat, IVF and HNSW: see the package's docstring."""

    def __init__(self, storage: str = "float32", unit: bool = True) -> None:
        self._rows = Rows(storage)
        self._unit = unit

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, name: object) -> bool:
        return name in self._rows.row_of

    @property
    def ids(self) -> list[str]:
        """The ids, in the order in which they were first added."""
        return self._rows.live_ids()

    @property
    def dim(self) -> int | None:
        """How wide the vectors are; None before the first."""
        return self._rows.dim

    def add(self, ids: Sequence[str], vectors: Any) -> None:
        """Add vectors, (N, D), under ids; one that is there already is given its new vector and keeps its place.

        Raises:
            DataError: an id is empty, repeated, no text or holds NUL; a vector holds NaN or inf. Nothing is added then.
            ShapeError: not one vector of the right width for each id.
        """
        x = checked(ids, vectors, self.dim, self._unit)
        self._put(ids, x)

    def remove(self, ids: Iterable[str]) -> None:
        """Remove ids and their vectors.

        Raises:
            DataError: an id is not there; nothing is removed then.
        """
        self._removed(self._rows.drop([ids] if isinstance(ids, str) else ids))
        if 4 * self._rows.dead > len(self._rows.ids):
            self._squeeze()

    def search(self, q: Any, k: int, allow: Iterable[str] | Array | None = None) -> tuple[list[Any], Array]:
        """Return the ids of the k best vectors, best first, and their scores.

        Args:
            q: a query (D,), or many (Q, D).
            k: how many; there are fewer in the answer when the index, or ``allow``, has fewer.
            allow: the ids that may be found (unknown ones are none), or a bitmap: one boolean for each of ``self.ids``.

        Returns:
            For one query a list of ids and scores (k,), for many a list of lists and scores (Q, k).

        Raises:
            ConfigError: k is negative or no whole number.
            DataError: a query holds NaN or inf.
            ShapeError: a query of another width, or a bitmap of another length.
        """
        x = checked_query(q, k, self.dim, self._unit)
        allowed = self._rows.allowed(allow)
        k = min(int(k), len(self) if allowed is None else int(np.count_nonzero(allowed)))
        if k == 0:
            return (
                ([], np.zeros(0, np.float32)) if x.ndim == 1 else ([[] for _ in x], np.zeros((len(x), 0), np.float32))
            )
        rows, scores = self._found(x, k, allowed)
        names = self._rows.ids
        if x.ndim == 1:
            return [names[row] for row in rows.tolist()], scores
        found = list(map(names.__getitem__, rows.ravel().tolist()))
        return [found[start : start + k] for start in range(0, len(found), k)], scores

    def vectors(self, ids: Sequence[str]) -> Array:
        """Return the vectors of ids as they are stored, float32 (N, D): of length 1 where the metric is the cosine.

        Raises:
            DataError: an id is not there.
        """
        lost = next((name for name in ids if name not in self._rows.row_of), None)
        if lost is not None:
            raise DataError(f"vectors: there is no id {lost!r} in this index", hint="`id in index` tells")
        return self._rows.floats(np.array([self._rows.row_of[name] for name in ids], np.int64))

    def save(self, path: str | PathLike[str]) -> None:
        """Write the index to one file, with a checksum.

        Raises:
            CheckpointError: the file system refuses.
        """
        if self._rows.dead:
            self._squeeze()
        rows, count = self._rows, len(self._rows)
        settings = {"storage": rows.storage, **self._settings()}
        arrays = {"ids": pack_ids(rows.ids), "data": rows.data[:count], "scales": rows.scales[:count]}
        write(path, type(self).__name__, settings, {**arrays, **self._arrays()})

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Self:
        """Read an index that ``save`` wrote: it answers, and goes on, exactly as the one that was saved.

        Raises:
            CheckpointError: the file is missing, damaged, or holds another kind of index.
        """
        settings, arrays = read(path, cls.__name__)
        index = cls._made(settings)
        rows = index._rows
        rows.ids = unpack_ids(arrays.pop("ids"))
        rows.row_of = {name: row for row, name in enumerate(rows.ids)}
        rows.data, rows.scales = arrays.pop("data"), arrays.pop("scales")
        rows.alive = np.ones(len(rows.ids), np.bool_)
        index._restore(settings, arrays)
        return index

    @abstractmethod
    def _found(self, q: Array, k: int, allowed: Array | None) -> tuple[Array, Array]:
        """Return rows and scores, (k,) or (Q, k), of which k exist."""

    @abstractmethod
    def _settings(self) -> dict[str, Any]:
        """Return what __init__ was given."""

    @classmethod
    def _made(cls, settings: dict[str, Any]) -> Self:
        return cls(**settings)

    def _put(self, ids: Sequence[str], x: Array) -> None:
        """Store checked vectors (N, D) under their ids."""
        known = np.array([name in self._rows.row_of for name in ids], np.bool_)
        self._added(self._rows.put(ids, x), known)

    def _squeeze(self) -> None:
        """Take dead rows out."""
        self._squeezed(self._rows.squeeze())

    def _added(self, rows: Array, known: Array) -> None:  # noqa: B027 (Flat has nothing to do)
        """Take note of rows that were written, some of them over older vectors."""

    def _removed(self, rows: Array) -> None:  # noqa: B027 (Flat has nothing to do)
        """Take note of rows that are dead now."""

    def _squeezed(self, kept: Array) -> None:  # noqa: B027 (Flat has nothing to do)
        """Take note that row i is what row kept[i] was."""

    def _arrays(self) -> dict[str, Array]:
        """Return what else belongs in the file."""
        return {}

    def _restore(self, settings: dict[str, Any], arrays: dict[str, Array]) -> None:  # noqa: B027 (Flat has nothing to do)
        """Take back what ``_arrays`` gave."""
