"""What this terminal can show: colors and moving lines, plain lines, or plain lines in ASCII only."""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from rich.console import Console

# what a legacy encoding lacks -> what is printed instead
_STAND_INS = str.maketrans({"·": "-", "→": "->", "≤": "<=", "≥": ">=", "…": "...", "│": "|", "∂": "d"})


def say(text: str = "", end: str = "\n", error: bool = False) -> None:
    """Print on standard output, or on standard error, without looking at what the terminal can show."""
    print(text, end=end, file=sys.stderr if error else sys.stdout, flush=True)


@dataclass
class Screen:
    """Where a command prints.

    Attributes:
        stream: what is written to.
        plain: one line per event: no colors, no cursor movement.
        unicode: may block characters and other signs beyond ASCII be printed?
        width: in characters.
    """

    stream: TextIO
    plain: bool
    unicode: bool
    width: int

    @classmethod
    def of(cls, stream: TextIO | None = None, environ: Mapping[str, str] | None = None) -> Screen:
        """Look at a stream (by default standard output) and at the environment.

        Example:
            >>> import io
            >>> screen = Screen.of(io.StringIO(), {"COLUMNS": "100"})
            >>> screen.plain, screen.width
            (True, 100)
        """
        stream = stream or sys.stdout
        environ = os.environ if environ is None else environ
        tty = bool(getattr(stream, "isatty", lambda: False)())
        asked = environ.get("TINYLLM_PLAIN", "").strip().lower() not in ("", "0", "no", "false")
        plain = not tty or asked or bool(environ.get("NO_COLOR")) or environ.get("TERM", "") == "dumb"
        columns = environ.get("COLUMNS", "")
        if columns.isdigit() and int(columns):
            width = int(columns)
        else:
            width = shutil.get_terminal_size((80, 24)).columns if tty else 80
        return cls(stream, plain, _speaks(stream, "▁█━·é"), max(width, 20))

    @property
    def console(self) -> Console:
        """A rich Console on this screen, to which text is text: no markup, no emoji codes, no coloring of numbers."""
        from rich.console import Console

        return Console(
            file=self.stream, markup=False, emoji=False, highlight=False, force_terminal=not self.plain,
            color_system=None if self.plain else "auto", legacy_windows=None if not self.plain else False,
        )  # fmt: skip

    def line(self, text: str = "", style: str = "") -> None:
        """Print a line; ``style`` (rich's words: "bold", "green", "dim") shows where colors do."""
        text = self.fit(text)
        if style and not self.plain:
            self.console.print(text, style=style, soft_wrap=True)
        else:
            print(text, file=self.stream, flush=True)

    def paragraph(self, text: str, indent: str = "", style: str = "") -> None:
        """Print text broken at blanks to the width of the screen, at most 88 characters."""
        for part in text.split("\n"):
            wrapped = textwrap.wrap(part, min(self.width, 88) - 1, initial_indent=indent, subsequent_indent=indent)
            for piece in wrapped or [""]:
                self.line(piece, style)

    def heading(self, text: str) -> None:
        """Print a title with an empty line above."""
        self.line()
        self.line(f"== {text}" if self.plain else text, style="bold")

    def fit(self, text: str) -> str:
        """Replace what this screen's encoding lacks, and what would move the cursor."""
        text = printable(text)
        if self.unicode or text.isascii():
            return text
        text = text.translate(_STAND_INS)
        encoding = getattr(self.stream, "encoding", None) or "ascii"
        return text.encode(encoding, "replace").decode(encoding)


def _speaks(stream: Any, signs: str) -> bool:
    try:
        signs.encode(getattr(stream, "encoding", None) or "utf-8")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def printable(text: str) -> str:
    r"""Make control characters visible, so that no text, whoever wrote it, can steer the terminal.

    Example:
        >>> printable("red: \x1b[31m\n")
        'red: \\x1b[31m\n'
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in "\n\t" else _escaped(c) for c in text)


def _escaped(char: str) -> str:
    return char if char.isspace() and char not in "\r\v\f\x1c\x1d\x1e\x85" else char.encode("unicode_escape").decode()
