"""A folder of files to documents, one after the other: which files count, in which order, and what was left out."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

from ...errors import ConfigError, DataError, TinyLLMError
from ..types import Document
from .file import MAX_BYTES, read

IGNORED = ("__pycache__/", "node_modules/")
_PIECE = re.compile(r"\[[!^]?\]?[^\]]*\]|.", re.DOTALL)  # of a pattern: a set of characters, or one


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file or a folder that was left out, and why, in one line."""

    id: str
    reason: str


class Folder:
    """The documents of a folder; iterating reads them, each time anew.

    Attributes:
        files: the ids that will be read, with their paths, sorted; an id is the path below the folder, with "/".
        skipped: what was left out, by the last walk and the last reading: files that cannot be read, are binary, too
            large or without text, and links to folders.

    Raises:
        DataError: there is no such folder.
        ConfigError: a pattern cannot be used.
    """

    def __init__(
        self,
        path: str | PathLike[str],
        patterns: Sequence[str] = (),
        ignore: Sequence[str] = IGNORED,
        *,
        hidden: bool = False,
        follow: bool = False,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        self.path = Path(path)
        self._wanted, self._ignored = _patterns(patterns), _patterns(ignore)
        self._hidden, self._follow, self._max_bytes = hidden, follow, max_bytes
        self._unwalked: list[Skipped] = []
        if not self.path.is_dir():
            what = "is a file, not a folder" if self.path.exists() else "there is no such folder"
            raise DataError(f"{self.path}: {what}", hint="read(path)" if self.path.exists() else None)
        self.files = sorted(self._walk())
        self._unwalked.sort(key=lambda each: each.id)
        self.skipped: list[Skipped] = list(self._unwalked)

    def __len__(self) -> int:
        """How many files there are; some may turn out not to be readable."""
        return len(self.files)

    def __iter__(self) -> Iterator[Document]:
        """Read one file after the other.

        Raises:
            DataError: not one of them could be read.
        """
        self.skipped = list(self._unwalked)
        none = True
        for id, path in self.files:
            try:
                document = read(path, id, self._max_bytes)
            except TinyLLMError as error:
                self.skipped.append(Skipped(id, _reason(error, id, path)))
                continue
            none = False
            yield document
        if none:
            raise DataError(
                f"{self.path}: there is nothing to read in this folder ({len(self.skipped)} left out)",
                hint=f"{self.skipped[0].id}: {self.skipped[0].reason}" if self.skipped else "a folder with texts",
            )

    def _walk(self) -> Iterator[tuple[str, Path]]:
        waiting: list[tuple[Path, str, frozenset[tuple[int, int]]]] = [(self.path, "", frozenset())]
        while waiting:
            folder, above, chain = waiting.pop()
            try:
                state = folder.stat()
                here = (state.st_dev, state.st_ino)
                if here in chain:
                    self._unwalked.append(Skipped(above, "a link back to a folder it is in"))
                    continue
                entries = list(os.scandir(folder))
            except OSError as error:
                self._unwalked.append(Skipped(above or ".", (error.strerror or str(error)).lower()))
                continue
            for entry in entries:
                id = above + os.fsencode(entry.name).decode("utf-8", "backslashreplace")
                is_folder = _is_folder(entry)
                if (entry.name.startswith(".") and not self._hidden) or _matches(self._ignored, id, is_folder):
                    continue
                if not is_folder:
                    if not self._wanted or _matches(self._wanted, id, False):
                        yield id, Path(entry.path)
                elif entry.is_symlink() and not self._follow:
                    self._unwalked.append(Skipped(id + "/", "a link to a folder"))
                else:
                    waiting.append((Path(entry.path), id + "/", chain | {here}))


def folder(
    path: str | PathLike[str],
    patterns: Sequence[str] = (),
    ignore: Sequence[str] = IGNORED,
    *,
    hidden: bool = False,
    follow: bool = False,
    max_bytes: int = MAX_BYTES,
) -> Folder:
    """Return the documents of a folder and of all folders below it.

    Args:
        path: the folder.
        patterns: only files that match one of them, such as "*.md" or "docs/**"; all if none is given. One without a
            "/" is held against names, one with it against the whole id; "*" and "?" stop at "/", "**" does not.
        ignore: leave out what matches one of these, written alike; one that ends in "/" is for folders.
        hidden: whether names that begin with a dot count.
        follow: whether links to folders are followed; a link back to a folder it is in never is.
        max_bytes: the most of a file, see ``read``.

    Returns:
        An iterable of documents in the order of their ids; ``len`` says how many files there are, and, after reading,
        ``skipped`` which were left out and why.

    Raises:
        DataError: there is no such folder; while reading: not one of its files can be read.
        ConfigError: a pattern cannot be used.
    """
    return Folder(path, patterns, ignore, hidden=hidden, follow=follow, max_bytes=max_bytes)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # links in a circle; reading it will tell
        return False


@dataclass(frozen=True, slots=True)
class _Pattern:
    form: re.Pattern[str]
    whole: bool  # against the whole id, not only the name
    folders: bool  # for folders only


def _patterns(given: Sequence[str]) -> list[_Pattern]:
    if isinstance(given, str):
        raise ConfigError(f"folder: patterns are given as the text {given!r}", hint=f"a list: [{given!r}]")
    made = []
    for pattern in given:
        bare = pattern.removesuffix("/").removeprefix("./")
        if not bare or bare.startswith("!"):
            raise ConfigError(f"folder: {pattern!r} is no pattern", hint='such as "*.md", "docs/**" or "build/"')
        whole = "/" in bare
        try:
            form = re.compile(_form(bare.removeprefix("/")))
        except re.error as error:
            raise ConfigError(f"folder: {pattern!r} is no pattern: {error}", hint="[a-z] goes upwards") from error
        made.append(_Pattern(form, whole, pattern.endswith("/")))
    return made


def _form(pattern: str) -> str:
    """Translate part by part, so that a star stays within its part; "**" stands for any number of parts."""
    *above, last = pattern.split("/")
    forms = [r"(?:[^/]+/)*" if part == "**" else _part(part) + "/" for part in above]
    return "".join(forms) + (r"(?s:.*)" if last == "**" else _part(last))


def _part(part: str) -> str:
    pieces = []
    for piece in _PIECE.findall(part):
        if len(piece) > 1:
            negated = piece[1] in "!^"
            inside = re.sub(r"([\\\[\]^&~|])", r"\\\1", piece[1 + negated : -1])
            pieces.append(f"[{'^/' if negated else ''}{inside}]")
        else:
            pieces.append({"*": "[^/]*", "?": "[^/]"}.get(piece) or re.escape(piece))
    return "".join(pieces)


def _matches(patterns: list[_Pattern], id: str, is_folder: bool) -> bool:
    name = id.rsplit("/", 1)[-1]
    return any(
        pattern.form.fullmatch(id if pattern.whole else name) and (is_folder or not pattern.folders)
        for pattern in patterns
    )


def _reason(error: TinyLLMError, id: str, path: Path) -> str:
    """An error's message without the name it begins with, which is told beside it."""
    for name in (id, str(path)):
        if error.message.startswith(f"{name}: "):
            return error.message[len(name) + 2 :]
    return error.message
