"""How a verdict, a hint or a list of exercises looks: rows of words with styles, the same in color and in plain lines.

A page is a list of rows, a row a list of (text, style) pairs; styles are rich's words and show where colors do. What a
row means is always in its words: "ok", "FAIL", "--".
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence

from ..verdict import Line, Verdict

Row = list[tuple[str, str]]
Page = list[Row]

MARKS = {"ok": "green", "FAIL": "bold red", "--": "dim"}
_INDENT = "  "
_CODE = 12  # lines of a counter-example
_OUTPUT = 10  # lines of what the code printed


def verdict_page(verdict: Verdict, title: str, width: int = 80, output: str = "") -> Page:
    """Draw a verdict.

    Args:
        verdict: what the checks found.
        title: the exercise's name after its id: "attend_backward".
        width: of the screen.
        output: what the code printed while it was checked.

    Example:
        >>> verdict = Verdict("10.3", "failed", [Line("FAIL", "dq", "rel err 2.3", ["Divide."])])
        >>> for row in page_text(verdict_page(verdict, "attend", width=50)).splitlines():
        ...     row
        '10.3 attend                      checked in 0.00 s'
        '  FAIL  dq  rel err 2.3'
        '            Divide.'
    """
    page = [_head(verdict, title, width)]
    if verdict.state == "stub":
        asked = "; ".join(line.name for line in verdict.lines if line.name != "runs")
        return page + paragraph(f"Still to be written. It will be checked: {asked or 'that it runs'}.", width, _INDENT)
    names = max((len(line.name) for line in verdict.lines), default=0)
    for line in verdict.lines:
        page += _line(line, min(names, 18), width)
    for text in [line.code for line in verdict.lines if line.code]:
        page += [[("", "")], [("the smallest case that shows it", "dim")], *code(text)]
    if output.strip():
        page += _printed(output, width)
    return page


def _head(verdict: Verdict, title: str, width: int) -> Row:
    where = f"   {verdict.where}" if verdict.where else ""
    took = f"{verdict.seconds:.{1 if verdict.seconds >= 0.1 else 2}f} s"
    left, right = f"{verdict.exercise} {title}", f"checked in {took}"
    if len(left) + len(where) + len(right) + 2 > width - 1:
        return [(left, "bold"), (where, "cyan")]
    gap = " " * (width - 1 - len(left) - len(where) - len(right))
    return [(left, "bold"), (where, "cyan"), (gap, ""), (right, "dim")]


def _line(line: Line, names: int, width: int) -> Page:
    margin = len(_INDENT) + 6
    head: Row = [(_INDENT, ""), (f"{line.mark:<6}", MARKS.get(line.mark, "")), (f"{line.name:<{names}}", "")]
    hang = " " * (margin + names + 2)
    if len(hang) > width // 2 or len(line.name) > names:
        hang = " " * (margin + 2)
    used = max(margin + len(f"{line.name:<{names}}") + 2, len(hang))
    pieces = _wrapped(line.text, width - 1 - used, width - 1 - len(hang))
    rows: Page = [[*head, (f"  {pieces[0]}" if pieces and pieces[0] else "", "dim" if line.mark == "--" else "")]]
    rows += [[(hang + piece, "")] for piece in pieces[1:]]
    for i, sentence in enumerate(line.because):
        told = paragraph(sentence, width, hang, "bold" if i == 0 else "")
        if i == 0 and not line.text:  # beside the name, where there is room for it
            rows[0] = [*head, (told[0][0][0][len(hang) - 2 :], "bold")]
            told = told[1:]
        rows += told
    return rows


def code(text: str, indent: str = _INDENT, most: int = _CODE) -> Page:
    """Draw lines of Python as they are, never cut or broken, so that they can be copied."""
    lines = text.strip("\n").splitlines()
    rows: Page = [[(indent + line, "cyan")] for line in lines[:most]]
    if len(lines) > most:
        rows.append([(f"{indent}... {len(lines) - most} more lines", "dim")])
    return rows


def paragraph(text: str, width: int, indent: str = "", style: str = "") -> Page:
    """Draw text that is broken at blanks, at most 88 characters wide; an empty line parts paragraphs."""
    rows: Page = []
    for part in text.strip("\n").split("\n"):
        pieces = _wrapped(part, min(width, 88) - 1 - len(indent))
        rows += [[(indent + piece if piece else "", style)] for piece in pieces]
    return rows


def panel(title: str, text: str, width: int, verbatim: bool = False) -> Page:
    """Draw a title with a text below; ``verbatim`` keeps its lines as they are."""
    body = code(text) if verbatim else paragraph(text, width, _INDENT)
    return [[(title, "bold")], *body]


def table(rows: Iterable[Sequence[str]], styles: Sequence[str] = ()) -> Page:
    """Draw columns, each as wide as its widest cell; the last one is left as it is."""
    cells = [list(map(str, row)) for row in rows]
    if not cells:
        return []
    widths = [max(len(row[i]) for row in cells) for i in range(len(cells[0]) - 1)]
    page: Page = []
    for row in cells:
        padded = [f"{cell:<{size}}  " for cell, size in zip(row, widths, strict=False)] + [row[-1]]
        page.append([(cell, style) for cell, style in zip(padded, [*styles, *[""] * len(padded)], strict=False)])
    return page


def page_text(page: Page) -> str:
    """Write a page as plain text."""
    return "\n".join("".join(text for text, _ in row).rstrip() for row in page)


def _printed(output: str, width: int) -> Page:
    lines = output.rstrip("\n").splitlines()
    rows: Page = [[("", "")], [("your code printed", "dim")]]
    rows += [[(_INDENT + line[: width - 3], "")] for line in lines[:_OUTPUT]]
    if len(lines) > _OUTPUT:
        rows.append([(f"{_INDENT}... {len(lines) - _OUTPUT} more lines", "dim")])
    return rows


def _wrapped(text: str, first: int, rest: int | None = None) -> list[str]:
    """Break text at blanks: the first piece at most ``first`` characters, the others ``rest``."""
    rest = first if rest is None else rest
    skip = max(rest - first, 0)
    pieces = textwrap.wrap(" " * skip + text if skip else text, max(rest, 16), drop_whitespace=True) if text else [""]
    return [piece.strip() if i == 0 and skip else piece for i, piece in enumerate(pieces)]
