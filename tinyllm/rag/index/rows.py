"""The vectors of an index, in the order in which their ids were first added.

Row r holds one vector, and rows are never reused: an id that is added again keeps its row, one that is removed leaves a
dead row behind. Once a quarter of all rows is dead they are squeezed out, in order. So the order of rows is always the
order of insertion, and ties are decided by it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from ...errors import ConfigError, DataError, ShapeError
from ...kernels import Array

STORAGES = {"float32": np.float32, "float16": np.float16, "int8": np.int8}
LARGEST = 1e15  # of a vector's numbers: products of two vectors then stay far from infinity


class Rows:
    """Vectors by their ids; float16 and int8 take a half and a quarter of the memory, rounded.

    int8 has one scale per vector: its largest number becomes 127.
    """

    def __init__(self, storage: str = "float32") -> None:
        if storage not in STORAGES:
            raise ConfigError(f"storage {storage!r} of an index", hint="one of " + ", ".join(STORAGES))
        self.storage = storage
        self.ids: list[str] = []  # of every row, dead ones too
        self.row_of: dict[str, int] = {}
        self.alive: Array = np.zeros(0, np.bool_)
        self.data: Array = np.zeros((0, 0), STORAGES[storage])
        self.scales: Array = np.zeros(0, np.float32)

    def __len__(self) -> int:
        return len(self.row_of)

    @property
    def dim(self) -> int | None:
        """How wide the vectors are; None before the first."""
        return self.data.shape[1] or None

    @property
    def dead(self) -> int:
        """How many rows are left behind by removed ids."""
        return len(self.ids) - len(self.row_of)

    def live_ids(self) -> list[str]:
        """Return the ids, in order of insertion."""
        return list(self.row_of)

    def put(self, ids: Sequence[str], vectors: Array) -> Array:
        """Store checked vectors and return their rows, (N,): new ones at the end, known ones where they were."""
        if not len(ids):
            return np.zeros(0, np.int64)
        if self.dim is None:
            self.data = np.zeros((0, vectors.shape[1]), STORAGES[self.storage])
        rows = np.empty(len(ids), np.int64)
        for n, name in enumerate(ids):
            row = self.row_of.get(name)
            if row is None:
                row = self.row_of[name] = len(self.ids)
                self.ids.append(name)
            rows[n] = row
        self._grow(len(self.ids))
        self.alive[rows] = True
        if self.storage == "int8":
            scales = np.abs(vectors).max(axis=1) / np.float32(127)
            self.scales[rows] = scales
            self.data[rows] = np.rint(vectors / np.where(scales > 0, scales, 1)[:, None])
        else:
            self.data[rows] = vectors
        return rows

    def drop(self, ids: Iterable[str]) -> Array:
        """Leave the rows of these ids dead, and return them, (N,).

        Raises:
            DataError: an id is not there; nothing has changed then.
        """
        names = list(dict.fromkeys(ids))
        for name in names:
            if name not in self.row_of:
                raise DataError(f"remove: there is no id {name!r} in this index", hint="`id in index` tells")
        rows = np.array([self.row_of.pop(name) for name in names], np.int64)
        self.alive[rows] = False
        return rows

    def squeeze(self) -> Array:
        """Take dead rows out, and return which rows are left, (live,): old row of each new one."""
        kept = np.flatnonzero(self.alive[: len(self.ids)])
        self.ids = [self.ids[row] for row in kept]
        self.row_of = {name: row for row, name in enumerate(self.ids)}
        self.alive, self.data, self.scales = self.alive[kept], self.data[kept], self.scales[kept]
        return kept

    def floats(self, rows: Any) -> Array:
        """Return the vectors of these rows (an array or a slice) in float32, (N, D)."""
        found = self.data[rows]
        if self.storage == "int8":
            return found.astype(np.float32) * self.scales[rows][:, None]
        return found.astype(np.float32, copy=False)

    def allowed(self, allow: Iterable[str] | Array | None) -> Array | None:
        """Return which rows may be found, (rows,) of booleans, or None when all of them may.

        Raises:
            ShapeError: a bitmap that has not one entry for each id.
        """
        count = len(self.ids)
        if allow is None:
            return self.alive[:count] if self.dead else None
        if isinstance(allow, str):
            raise DataError(f"allow is the text {allow!r}", hint="a list of ids, or a bitmap over index.ids")
        mask = np.zeros(count, np.bool_)
        if isinstance(allow, np.ndarray) and allow.dtype == np.bool_:
            if allow.shape != (len(self),):
                raise ShapeError(f"allow {allow.shape} is not ({len(self)},)", hint="one entry for each of index.ids")
            mask[self.alive[:count]] = allow
        else:
            mask[[self.row_of[name] for name in allow if name in self.row_of]] = True
        return mask

    def _grow(self, rows: int) -> None:
        """Make room for that many rows, twice as much as before, so that adding one by one copies little."""
        if rows > len(self.alive):
            room = max(rows, 2 * len(self.alive), 16)
            alive, scales = np.zeros(room, np.bool_), np.zeros(room, np.float32)
            data = np.zeros((room, self.data.shape[1]), self.data.dtype)
            held = len(self.alive)
            alive[:held], scales[:held], data[:held] = self.alive, self.scales, self.data
            self.alive, self.scales, self.data = alive, scales, data


def checked(ids: Sequence[str], vectors: Any, dim: int | None, unit: bool) -> Array:
    """Return the vectors to add as float32 (N, D), brought to length 1 if ``unit``.

    Raises:
        DataError: an id is empty, repeated, no text or holds NUL; a vector holds NaN, inf or very large numbers.
        ShapeError: not one vector of the right width for each id.
    """
    if isinstance(ids, str):
        raise DataError(f"add: ids is the text {ids!r}", hint="a list of ids")
    for name in ids:
        if not isinstance(name, str) or not name or "\0" in name:
            raise DataError(f"add: the id {name!r}", hint="an id is a text, not empty, without NUL")
    if len(set(ids)) < len(ids):
        seen: set[str] = set()
        double = next(name for name in ids if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise DataError(f"add: the id {double!r} is there twice", hint="each id once in a call")
    x = np.asarray(vectors, np.float32)
    if not len(ids) and not x.size:
        return x.reshape(0, dim or 0)
    if x.ndim != 2 or len(x) != len(ids) or not x.shape[1]:
        raise ShapeError(f"add: vectors {x.shape} for {len(ids)} ids", hint=f"({len(ids)}, {dim or 'D'})")
    return _numbers("add", x, dim, unit)


def checked_query(q: Any, k: int, dim: int | None, unit: bool) -> Array:
    """Return the query or queries as float32, (D,) or (Q, D).

    Raises:
        DataError: NaN, inf or very large numbers.
        RangeError: k is negative (ConfigError: it is no whole number).
        ShapeError: another width than the vectors of the index.
    """
    if isinstance(k, bool) or not isinstance(k, (int, np.integer)) or k < 0:
        raise ConfigError(f"search: k is {k!r}", hint="a whole number, 0 or more")
    x = np.asarray(q, np.float32)
    if x.ndim not in (1, 2):
        raise ShapeError(f"search: a query of shape {x.shape}", hint="(D,), or (Q, D) for many")
    return _numbers("search", x, dim, unit)


def _numbers(who: str, x: Array, dim: int | None, unit: bool) -> Array:
    if dim is not None and x.shape[-1] != dim:
        raise ShapeError(f"{who}: vectors of width {x.shape[-1]}, in the index they have {dim}", hint="one embedder")
    if unit:
        squares = np.einsum("...d,...d->...", x, x)
        odd = ~((squares > 1e-20) & (squares < 1e20))  # too short or too long for that, or no numbers at all
        if not odd.any():  # as nearly always
            return x / np.sqrt(squares)[..., None]
    largest = np.abs(x).max(axis=-1, keepdims=True, initial=0.0)
    if not (largest <= LARGEST).all():
        raise DataError(f"{who}: a vector holds NaN, inf or a number beyond {LARGEST:g}", hint="look at its embedder")
    if not unit:
        return np.ascontiguousarray(x)
    scaled = x / np.where(largest > 0, largest, 1)  # whose squares neither vanish nor grow
    length = np.sqrt((scaled * scaled).sum(axis=-1, keepdims=True))
    one = scaled / np.where(length > 0, length, 1)
    # A vector becomes the same, to the last bit, in whose company it may come: so it finds itself.
    return np.ascontiguousarray(np.where(odd[..., None], one, x / np.sqrt(np.where(odd, 1, squares))[..., None]))
