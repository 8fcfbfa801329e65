"""The bundle's file: written over an older bundle, never over anything that somebody has changed."""

from __future__ import annotations

import hashlib
from pathlib import Path

from ...errors import LearnError
from ..work.files import write
from .join import Joined

_MARK = "# made by tinyllm learn bundle, "  # and what the text above it hashes to


def save(made: Joined, path: Path) -> None:
    """Write a bundle.

    Raises:
        LearnError: there is another file of that name, or a bundle that was changed since; or it cannot be written.
    """
    if path.exists() and not _untouched(path):
        raise LearnError(
            f"{path} is there, and is no bundle as it was made", hint="--out another.py, or move that one away"
        )
    write(path, f"{made.text}\n\n{_MARK}{_hash(made.text)}\n".encode())


def _untouched(path: Path) -> bool:
    try:
        text, mark, found = path.read_text(encoding="utf-8").rpartition(f"\n\n{_MARK}")
    except (OSError, ValueError):
        return False
    return bool(mark) and found == f"{_hash(text)}\n"


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
