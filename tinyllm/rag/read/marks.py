"""Headings as ``chunk.Headings`` reads them, and lines that must not look like one.

Every reader writes headings as Markdown does ("## Food"), because that is what the chunker finds. A line of another
format that happens to look like such a mark gets a backslash before it, as Markdown has it, or, where it is indented,
enough indentation to be no mark.
"""

from __future__ import annotations

import re

_MARK = re.compile(r"( {0,3})(#{1,6}(?=[ \t]|$)|`{3,}|~{3,}|=+[ \t]*$|-{3,}[ \t]*$)")
_TICKS = re.compile(r"`+")


def heading(level: int, title: str) -> str:
    """Write a heading on one line.

    Example:
        >>> heading(2, " What ducks\\n eat")
        '## What ducks eat'
    """
    return f"{'#' * min(level, 6)} {' '.join(title.split())}"


def unmarked(line: str) -> str:
    r"""Return a line that is no heading, no underline and no fence.

    Example:
        >>> unmarked("# of ducks"), unmarked("  ---"), unmarked("a # b")
        ('\\# of ducks', '    ---', 'a # b')
    """
    found = _MARK.match(line)
    if not found:
        return line
    return "    " + line.lstrip(" ") if found[1] else "\\" + line


def fenced(code: str) -> str:
    """Write lines as they are, between fences that do not occur in them.

    Example:
        >>> fenced("x = 1\\n")
        '```\\nx = 1\\n```'
    """
    longest = max((len(found[0]) for found in _TICKS.finditer(code)), default=0)
    fence = "`" * max(3, longest + 1)
    return "\n".join((fence, code.strip("\n"), fence))
