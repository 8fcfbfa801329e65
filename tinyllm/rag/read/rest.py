"""reStructuredText, and plain chapters with underlined titles: headings as Markdown has them, code fenced.

The order in which kinds of underlines first come is the order of levels, as the format has it:

    Ducks            # Ducks
    *****
    What they eat    ## What they eat
    =============

Comments, link targets and lists of contents are left out; ``:role:`text <target>` `` is its text. This reads what
running text is made of and is no full parser: other directives stay as they are.
"""

from __future__ import annotations

import re

from ...errors import DataError
from ..types import Document
from .decode import decoded
from .marks import fenced, heading, unmarked

_LINE = re.compile(r"([!-/:-@\[-`{-~])\1{2,}")
_MARKDOWN = {"=", "-"}  # underlines that Markdown has, too
_ROLE = re.compile(r":[\w:+.-]{1,40}:`([^`<]{1,200}?)(?:\s*<[^`>]{1,200}>)?`")
_TITLE_ROLE = re.compile(r":[\w:+.-]{1,40}:`[~!]([^`<]{1,200})`")
_DIRECTIVE = re.compile(r"\.\.[ \t]+([\w:+.-]{1,60})::(?:[ \t]+(.*))?")
_CODE = {"code", "code-block", "sourcecode", "parsed-literal", "doctest", "testcode", "productionlist", "math"}
_LEFT_OUT = {"toctree", "contents", "index", "highlight", "module", "currentmodule", "image", "include", "raw", "only"}


def rest(id: str, data: bytes, title: str = "") -> Document:
    r"""Read a file in reStructuredText.

    Args:
        id: the document's.
        data: the file's bytes.
        title: what it is called if it has no heading.

    Raises:
        DataError: it is binary, or there is no text in it.

    Example:
        >>> note = rest("a.rst", b".. _ducks:\n\nDucks\n=====\n\nSee :ref:`their food <food>`::\n\n   # bread\n")
        >>> note.title, note.text
        ('Ducks', '# Ducks\n\nSee their food:\n\n```\n# bread\n```')
    """
    text, meta = decoded(data, id)
    text, first = with_headings(_running(text))
    if not text.strip():
        raise DataError(f"{id}: there is no text in it")
    return Document(id, text.strip("\n"), first or title, meta=meta)


def with_headings(text: str, all_marks: bool = True) -> tuple[str, str]:
    r"""Return a text with its underlined titles as headings, and the first title.

    Args:
        text: with line feeds; fenced blocks are left as they are.
        all_marks: other lines that look like a mark of Markdown are made to look like none. False for a text that may
            be Markdown itself: then it comes back as it is unless it has an underline that Markdown does not know.

    Example:
        >>> with_headings("Ducks\n*****\nThey swim.\n\nFood\n----\nBread.")
        ('# Ducks\nThey swim.\n\n## Food\nBread.', 'Ducks')
    """
    lines = text.split("\n")
    found = [title for title in _titles(lines) if all_marks or not _fence(lines, title)]
    if not all_marks and all(lines[title + 1][0] in _MARKDOWN for title in found):
        return text, ""
    over = {title - 1 for title in found if _overlined(lines, title)}
    under = {title + 1 for title in found}
    styles = {title: (lines[title + 1][0], title - 1 in over) for title in found}
    levels = {style: level for level, style in enumerate(dict.fromkeys(styles.values()), 1)}
    fence = ""
    made = []
    for number, line in enumerate(lines):
        if fence or (line.startswith("```") and all_marks):
            fence = "" if line == fence else fence or line
            made.append(line)
        elif number in styles:
            made.append(heading(levels[styles[number]], line))
        elif number not in over and number not in under:
            made.append(unmarked(line) if all_marks else line)
    return "\n".join(made), " ".join(lines[found[0]].split()) if found else ""


def _titles(lines: list[str]) -> list[int]:
    """Return the numbers of lines that are titles: text after a blank line or an overline, and an underline."""
    found: list[int] = []
    fence = ""
    for number, line in enumerate(lines[:-1]):
        if fence or line.startswith("```"):
            fence = "" if line == fence else fence or line
            continue
        mark = _LINE.fullmatch(lines[number + 1].rstrip())
        if not mark or not line.strip() or _LINE.fullmatch(line.rstrip()):
            continue
        long_enough = len(mark[0]) >= min(len(line.strip()), 4)
        begins = number == 0 or not lines[number - 1].strip() or (found and found[-1] == number - 2)
        if long_enough and (_overlined(lines, number) or (begins and not line[0].isspace())):
            found.append(number)
    return found


def _overlined(lines: list[str], title: int) -> bool:
    return title > 0 and lines[title - 1].rstrip() == lines[title + 1].rstrip()


def _fence(lines: list[str], title: int) -> bool:
    """Tell whether Markdown would take over- and underline for a fence around a line of code."""
    return _overlined(lines, title) and lines[title + 1][0] in "`~"


def _running(text: str) -> str:
    """Leave out what is not read, fence what is literal, and take roles for their text."""
    lines = text.expandtabs(8).split("\n")
    made: list[str] = []
    at = 0
    while at < len(lines):
        line = lines[at].rstrip()
        bare = line.lstrip()
        at += 1
        if bare == ".." or bare.startswith(".. "):
            directive = _DIRECTIVE.fullmatch(bare)
            if directive and directive[1] not in _LEFT_OUT:
                end = _block(lines, at, len(line) - len(bare)) if directive[1] in _CODE else at
                if end > at:
                    made += ["", *_code(lines[at:end], options=True), ""]
                elif directive[1] not in _CODE:
                    made.append(_plain(directive[2] or ""))
                at = end
            else:
                at = _block(lines, at, len(line) - len(bare))
            continue
        end = _block(lines, at, len(line) - len(bare)) if bare.endswith("::") else at
        if end > at:
            line = line.removesuffix("::").rstrip() if bare == "::" or line.endswith(" ::") else line[:-1]
            made += [_plain(line), "", *_code(lines[at:end]), ""]
            at = end
        else:
            made.append(_plain(line))
    return "\n".join(made)


def _block(lines: list[str], begin: int, indent: int) -> int:
    """Return where the lines end that are indented by more, blank ones between them included."""
    end = begin
    for number in range(begin, len(lines)):
        bare = lines[number].lstrip()
        if bare and len(lines[number]) - len(bare) <= indent:
            break
        if bare:
            end = number + 1
    return end


def _code(lines: list[str], options: bool = False) -> list[str]:
    """Fence a literal block without its indentation; a directive's options come before its first blank line."""
    if options:
        while lines and lines[0].lstrip().startswith(":"):
            lines = lines[1:]
    indent = min((len(line) - len(line.lstrip()) for line in lines if line.strip()), default=0)
    code = "\n".join(line[indent:].rstrip() for line in lines)
    return fenced(code).split("\n") if code.strip() else []


def _plain(line: str) -> str:
    return _ROLE.sub(r"\1", _TITLE_ROLE.sub(r"\1", line)) if "`" in line else line
