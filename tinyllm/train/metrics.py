"""What a run reports about itself: metrics.jsonl, tokens per second, and how much of the machine it uses."""

from __future__ import annotations

import errno
import json
import os
import time
from pathlib import Path
from typing import Any

import numpy as np

from ..atomic import cannot_write
from ..errors import CheckpointError, DataError


class Metrics:
    """metrics.jsonl: one JSON object per line, only ever appended to.

    Every row has "kind" ("step", "eval" or "sample") and "step"; steps never fall from one line to the next.

    Raises:
        CheckpointError: the file cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._file = open(path, "ab", buffering=0)  # noqa: SIM115  stays open for the whole run
        except OSError as error:
            raise cannot_write(path, error) from error

    def write(self, kind: str, step: int, **values: Any) -> None:
        """Append one row; it reaches the operating system at once, so a killed process loses none."""
        row = {"kind": kind, "step": step, **values}
        line = (json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n").encode()
        try:
            if self._file.write(line) < len(line):  # a disk that fills up takes a part of the line
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            raise cannot_write(self.path, error, "the checkpoint saved before is intact") from error

    def sync(self) -> None:
        """Force all rows to the disk: called before each checkpoint, which counts on them."""
        try:
            os.fsync(self._file.fileno())
        except OSError as error:
            raise cannot_write(self.path, error, "the checkpoint saved before is intact") from error

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def read(path: Path) -> list[dict[str, Any]]:
    """Read the rows of metrics.jsonl; a last line that a kill left half-written is passed over.

    Raises:
        DataError: a line in the middle is not JSON.
    """
    return [row for row, _ in _rows(path)]


def truncate(path: Path, step: int) -> None:
    """Cut off the rows of steps after ``step`` and a half-written last line: a resumed run writes them again.

    Raises:
        DataError: a line in the middle is not JSON.
        CheckpointError: the file cannot be written.
    """
    if not path.exists():
        return
    keep = 0
    for row, end in _rows(path):
        if row["step"] > step:
            break
        keep = end
    try:
        os.truncate(path, keep)
    except OSError as error:
        raise cannot_write(path, error) from error


def _rows(path: Path) -> list[tuple[dict[str, Any], int]]:
    """List every row with the place in the file where its line ends."""
    try:
        lines = path.read_bytes().splitlines(keepends=True)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read: {(error.strerror or str(error)).lower()}") from error
    rows = []
    end = 0
    for number, line in enumerate(lines, start=1):
        end += len(line)
        try:
            if not line.endswith(b"\n"):
                raise ValueError("the line is not finished")
            row = json.loads(line)
            if not isinstance(row["step"], int):
                raise ValueError("its step is no number")
            rows.append((row, end))
        except (ValueError, KeyError, TypeError):
            if number == len(lines):
                break
            raise DataError(f"{path}: line {number} is not a row of metrics", hint="delete that line") from None
    return rows


def measure_peak_flops(size: int = 1024, repeats: int = 5) -> float:
    """Estimate how many floating-point operations this machine does per second: the best of a few matrix products.

    It takes about a tenth of a second. Model FLOP utilization (MFU) is the share of this that a training step reaches.
    """
    a = np.ones((size, size), dtype=np.float32)
    best = np.inf
    for _ in range(repeats):
        start = time.perf_counter()
        a @ a
        best = min(best, time.perf_counter() - start)
    return 2.0 * size**3 / best
