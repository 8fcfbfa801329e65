"""Libraries that a command is given, and the texts that they are made of."""

from __future__ import annotations

from collections.abc import Iterable, Sized
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from ...errors import ConfigError, DataError
from ..parser import Parser
from ..screen import Screen
from ..waiting import busy

if TYPE_CHECKING:
    from ...rag import Document, Library

FOLDER = "libraries"
MANUAL = "python-manual"
_QUARTERS = 4


def add_library(parser: Parser) -> None:
    """Declare the library."""
    parser.add_argument("library", metavar="LIBRARY", help="a folder that tinyllm rag index has made")


def opened(path: str) -> Library:
    """Open a library, while the terminal says so.

    Raises:
        DataError: there is none; the next thing to do is named.
    """
    from ...rag import Library

    with busy(f"opening {path}"):
        return Library(Path(path).expanduser())


def documents_of(sources: list[str], patterns: list[str]) -> Iterable[Document]:
    """Return the documents of a folder, of files, or of Python's manual.

    Raises:
        DataError: there is no such file or folder, or a file is no text.
        ConfigError: a folder beside other sources, or patterns without a folder.
    """
    from ...rag.read import folder, manual, read

    folders = [source for source in sources if source != MANUAL and Path(source).expanduser().is_dir()]
    if folders and len(sources) > 1:
        raise ConfigError(f"rag index: {folders[0]} and others", hint="one folder (--only chooses in it), or files")
    if folders:
        return folder(Path(folders[0]).expanduser(), patterns)
    if patterns:
        raise ConfigError("rag index: --only chooses files of a folder", hint="a folder, or leave it out")
    found: list[Document] = []
    for source in sources:
        found += manual() if source == MANUAL else [read(Path(source).expanduser())]
    return found


def default_folder(sources: list[str]) -> Path:
    """Return where a library goes when nobody says: libraries/ and the name of what is in it."""
    name = sources[0] if sources[0] == MANUAL else Path(sources[0]).expanduser().resolve().stem
    if not name:
        raise DataError(f"rag index: {sources[0]} has no name to call a library by", hint="--to FOLDER")
    return Path(FOLDER) / name


class Indexing:
    """Says how far it is: a bar on a terminal, elsewhere a line for each quarter; silent where nobody reads it."""

    def __init__(self, screen: Screen, documents: Iterable[Any], silent: bool = False) -> None:
        self.screen, self.silent = screen, silent
        self.total = len(documents) if isinstance(documents, Sized) else None
        self.bar: Any = None
        self.said = 0

    def __enter__(self) -> Indexing:
        if not self.silent and not self.screen.plain:
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

            columns = [TextColumn("documents"), BarColumn(bar_width=30), MofNCompleteColumn(), TimeRemainingColumn()]
            self.bar = Progress(*columns, console=self.screen.console, transient=True)
            self.task = self.bar.add_task("", total=self.total)
            self.bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.bar is not None:
            self.bar.stop()

    def __call__(self, done: int, total: int | None) -> None:
        """Take note of how many documents are indexed."""
        total = total or self.total
        if self.bar is not None:
            self.bar.update(self.task, completed=done, total=total)
        elif not self.silent and total:
            quarter = _QUARTERS * done // total
            if 0 < quarter < _QUARTERS and quarter != self.said:
                self.screen.line(f"{done:,} of {total:,} documents", style="dim")
            self.said = quarter
