"""Machine code on disk: one file for each kernel and its types, named after everything it depends on.

    0a1b2c3d-softmax.softmax_v3-78.py311-4e5f60718293a4b5.nbc
    sources  kernel, its line, Python    types, processor, Numba

Numba has a cache of its own; this takes the place of its files. Numba keeps an index for each kernel and numbers its
files: two processes that compile one kernel for different types at once can end up with an index that gives to one the
machine code of the other. Sources that have changed leave files behind whenever a kernel has moved to another line. And
a file that was cut short, or a disk that is full, ends the program. Here a name says it all, so that there is nothing
to keep in step: whoever writes last writes the same. What does not fit its name is compiled again; what cannot be
written is not kept; what was made from other sources is thrown away by the first who writes.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import pickle
import re
from functools import cache
from pathlib import Path
from typing import Any

import llvmlite
import numba
from numba.core.serialize import dumps

_VERSIONS = numba.__version__, llvmlite.__version__
_OURS = re.compile(r"[0-9a-f]{8}-.+-[0-9a-f]{16}\.nbc")


class MachineCode:
    """The files of one kernel, in the terms of Numba's ``IndexDataCacheFile``: save, load and flush."""

    def __init__(self, folder: str | Path, kernel: str, stamp: str) -> None:
        self.folder = Path(folder)
        self.stamp = stamp
        self._prefix = f"{stamp[:8]}-{kernel}-"

    def load(self, key: Any) -> Any:
        """Return what was saved under a key; None where nothing was, or nothing that can be read."""
        try:
            saved, data = pickle.loads(self._path(key).read_bytes())
            return pickle.loads(data) if saved == self._name(key) else None
        except (OSError, EOFError, ValueError, TypeError, AttributeError, ImportError, pickle.UnpicklingError):
            return None

    def save(self, key: Any, data: Any) -> None:
        """Save data under a key, whole or not at all."""
        path = self._path(key)
        temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
        try:
            _sweep(self.folder, self.stamp)
            temporary.write_bytes(pickle.dumps((self._name(key), dumps(data))))
            os.replace(temporary, path)
        except OSError:  # no room, or no right: the next process compiles for itself
            with contextlib.suppress(OSError):
                temporary.unlink()

    def flush(self) -> None:
        """Forget everything about this kernel."""
        for path in self.folder.glob(f"{self._prefix}*.nbc"):
            path.unlink(missing_ok=True)

    def _name(self, key: Any) -> str:
        return repr((self.stamp, key, _VERSIONS))

    def _path(self, key: Any) -> Path:
        return self.folder / f"{self._prefix}{hashlib.sha256(self._name(key).encode()).hexdigest()[:16]}.nbc"


@cache
def _sweep(folder: Path, stamp: str) -> None:
    """Delete what other sources have left behind, once in a process."""
    for path in folder.glob("*.nbc"):
        if _OURS.fullmatch(path.name) and not path.name.startswith(stamp[:8]):
            path.unlink(missing_ok=True)
