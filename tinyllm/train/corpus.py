"""The text to learn from: Python's own manual, Shakespeare, any file, any folder, or what is piped in."""

from __future__ import annotations

import hashlib
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from .. import assets
from ..errors import DataError, nearest


@dataclass(frozen=True)
class Corpus:
    """A text with a name and a fingerprint.

    Attributes:
        text: all of it.
        name: "python-manual", "shakespeare", "stdin", or the name of the file or folder.
        sha256: of the text in UTF-8; equal fingerprints are equal training data.
        source: what loads it again: a name, an absolute path, or "-".
        files: how many files it was read from.
        skipped: files of a folder that were left out because they are binary or cannot be read.
    """

    text: str
    name: str
    sha256: str
    source: str
    files: int = 1
    skipped: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"Corpus({self.name!r}, {len(self.text):,} characters, sha256 {self.sha256[:12]})"


def load(source: str) -> Corpus:
    """Read a text to learn from.

    Args:
        source: "python-manual", "shakespeare", a path to a UTF-8 text file, a path to a folder (every text file in it
            and below, in the order of their names), or "-" for standard input.

    Raises:
        DataError: there is no such text, it is empty or binary, or it had to be downloaded and could not be.

    Example:
        >>> load("python-manual").text[:22]
        'The "assert" statement'
    """
    if source in NAMED:
        return _corpus(NAMED[source](), source, source)
    if source == "-":
        return _corpus(_decoded(sys.stdin.buffer.read(), "standard input"), "stdin", "-")
    path = Path(source).expanduser()
    try:
        if path.is_dir():
            return _folder(path)
        if path.is_file():
            return _corpus(_decoded(path.read_bytes(), str(path)), path.name, str(path.resolve()))
    except OSError as error:
        raise DataError(f"{source}: cannot be read: {(error.strerror or str(error)).lower()}") from error
    raise DataError(f"{source}: there is no such file, folder or named text", hint=_close_to(path))


def _corpus(text: str, name: str, source: str, files: int = 1, skipped: tuple[str, ...] = ()) -> Corpus:
    if not text.strip():
        raise DataError(f"{name}: the text is empty", hint="a file with some text in it, or 'python-manual'")
    return Corpus(text, name, sha256_of(text), source, files, skipped)


def sha256_of(text: str) -> str:
    """Return the fingerprint of a text: sha256 of its UTF-8 form."""
    return hashlib.sha256(text.encode()).hexdigest()


def _decoded(data: bytes, name: str) -> str:
    """Bytes to text, refusing what is not text."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise DataError(f"{name}: is UTF-16 text, not UTF-8", hint="iconv -f UTF-16 -t UTF-8")
    if b"\0" in data:
        raise DataError(f"{name}: is a binary file, not text", hint="a UTF-8 text file, or a folder of them")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{name}: is not UTF-8 text (byte {data[error.start]:#04x} at {error.start:,})",
            hint="if it is text in Latin-1, convert it: iconv -f LATIN1 -t UTF-8",
        ) from None


def _folder(folder: Path) -> Corpus:
    """Join all text files below a folder, hidden ones left aside, in the order of their relative paths."""
    paths = []
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        paths += [Path(parent, name) for name in names if not name.startswith(".")]
    texts, skipped = [], []
    for path in sorted(paths, key=lambda path: path.relative_to(folder).parts):
        try:
            texts.append(_decoded(path.read_bytes(), str(path)))
        except (DataError, OSError):
            skipped.append(path.relative_to(folder).as_posix())
    if not texts:
        found = f"its {len(skipped)} files are all binary" if skipped else "it holds no files"
        raise DataError(f"{folder}: no text to learn from: {found}", hint="a folder with UTF-8 text files")
    name = folder.resolve().name or str(folder.resolve())
    return _corpus("\n".join(texts), name, str(folder.resolve()), len(texts), tuple(skipped))


def _close_to(path: Path) -> str:
    """What the user may have meant by a path that is not there."""
    names = {name: name for name in NAMED}
    parent = path.parent
    if parent.is_dir():
        names |= {entry.name: str(parent / entry.name) for entry in parent.iterdir() if not entry.name.startswith(".")}
        close = nearest(path.name, names)
        return names[close] if close else "one of " + ", ".join(NAMED) + ", or a path that exists"
    return f"there is no folder {parent}, either; name a path that exists"


def _python_manual() -> str:
    """The manual that CPython carries for help(): about 465 kB of real English, another edition in each version."""
    try:
        from pydoc_data.topics import topics
    except ImportError:
        raise DataError(
            "python-manual: this Python was installed without pydoc_data", hint="shakespeare, or a text file of yours"
        ) from None
    return "\n\n".join(topics[name].strip() for name in sorted(topics)) + "\n"


def _shakespeare() -> str:
    """Find the text in TINYLLM_DATA or the cache, or fetch it into the cache."""
    try:
        return assets.read("shakespeare").decode()
    except DataError as error:
        raise DataError(error.message, hint=f"{error.hint}, or use python-manual, which needs no network") from None


NAMED = {"python-manual": _python_manual, "shakespeare": _shakespeare}
