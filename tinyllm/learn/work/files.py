"""Writing in the learner's folder: a file whole or not at all, in the line ends it had; trouble is one sentence."""

from __future__ import annotations

from pathlib import Path

from ...atomic import write_atomically
from ...errors import CheckpointError, LearnError


def write(path: Path, content: bytes) -> None:
    """Write a file, and make its folder where there is none.

    Raises:
        LearnError: it cannot be written; what was there is still there.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path.resolve(), lambda file: file.write(content))  # through a link, not over it
    except CheckpointError as error:
        raise LearnError(error.message, hint=error.hint) from error
    except OSError as error:
        raise LearnError(
            f"cannot make {path.parent}: {(error.strerror or str(error)).lower()}",
            hint="another folder, TINYLLM_MY=...",
        ) from error


def like(there: bytes, text: str) -> bytes:
    r"""Return a text as bytes, with the line ends of what is there.

    Example:
        >>> like(b"x\r\ny\r\n", "a\nb\n")
        b'a\r\nb\r\n'
    """
    return text.replace("\n", "\r\n" if b"\r\n" in there else "\n").encode()
