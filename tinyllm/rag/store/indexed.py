"""A SqliteStore that searches another library's index, which is kept in a file beside the database.

The database holds all that there is; the other file only spares building. It carries the database's name and counters:
what was written since is added to it, and one that is missing, damaged, or of another database is built anew.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from os import PathLike, fspath

from ...errors import CheckpointError
from .labels import Labelled
from .sqlite import SqliteStore


class IndexedStore(SqliteStore):
    """What FaissStore, HnswlibStore and UsearchStore share.

    Args:
        path: the database; ":memory:" for none.
        embedder_id: the ``id`` of the embedder whose vectors these are; may be left out if the file exists.
        dim: how wide they are; may be left out if the file exists.
        make: makes an empty index for vectors of a width.
        suffix: what the other file's name has more than the database's.

    Raises:
        CheckpointError: the database is damaged.
        ConfigError: it holds vectors of another embedder, or the other library is not installed.
    """

    def __init__(
        self,
        path: str | PathLike[str],
        embedder_id: str | None,
        dim: int | None,
        make: Callable[[int], Labelled],
        suffix: str,
    ) -> None:
        make(1)  # complains about a package or a setting before there is a file
        super().__init__(path, embedder_id, dim)
        self._beside = None if fspath(path) == ":memory:" else fspath(path) + suffix
        self._index: Labelled = make(self.dim)
        if self._beside is not None:
            with contextlib.suppress(CheckpointError):  # not there, or damaged
                self._recall(make(self.dim))
        self._kept = self._seen

    def _recall(self, index: Labelled) -> None:
        known = index.restore(self._beside or "")
        changes = self._file.state()["changes"]
        if known and known["name"] == self._file.name and known["seen"][0] <= changes:
            self._index, self._seen = index, (known["seen"][0], known["seen"][1])
            self._seq = dict(zip(index.ids, known["seq"], strict=True))

    def _close(self) -> None:
        if self._beside is not None and self._seen != self._kept:
            seq = [self._seq[name] for name in self._index.ids]
            with contextlib.suppress(CheckpointError):  # a full disk costs time at the next opening, nothing else
                self._index.save(self._beside, {"name": self._file.name, "seen": self._seen, "seq": seq})
        super()._close()
