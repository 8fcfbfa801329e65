"""The merge-by-merge view of one word: its bytes, then one level for every two neighbors that became one token.

Data here, with the view for the terminal; ``merges_figure`` draws it, ``page`` has it with a slider.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import ShapeError
from .cells import columns, escaped
from .page import page, text

Line = list[tuple[str, str]]  # texts with what they are: "frame", "part", "new" or "about"


@dataclass(frozen=True)
class Merge:
    """Two neighbors that become one.

    Attributes:
        place: of the left one among the parts that there are before.
        rank: of the merge; the lowest comes first.
        times: how often the two stood side by side when the merge was learned; None where nobody knows.
    """

    place: int
    rank: int
    times: int | None = None


@dataclass(frozen=True)
class MergeTrace:
    """How one piece of text became tokens.

    Attributes:
        piece: the bytes of the piece.
        merges: in the order in which they were done.
        ids: of the tokens that are left at the end.
        encoding: its name.
        whole: the piece is a token and was taken at once; the merges are those that would have led to it, if any.
    """

    piece: bytes
    merges: Sequence[Merge]
    ids: Sequence[int]
    encoding: str = ""
    whole: bool = False

    def __post_init__(self) -> None:
        count = len(self.piece)
        for merge in self.merges:
            if not 0 <= merge.place < count - 1:
                raise ShapeError(f"MergeTrace: there is no pair {merge.place} among {count} parts")
            count -= 1
        if len(self.ids) != (1 if self.whole else count):
            raise ShapeError(f"MergeTrace: {len(self.ids)} ids for {count} tokens")

    def levels(self) -> list[list[tuple[int, int]]]:
        """Return where the parts begin and end, in bytes: first single bytes, then after each merge.

        Example:
            >>> MergeTrace(b"abc", [Merge(1, 0)], [97, 256]).levels()
            [[(0, 1), (1, 2), (2, 3)], [(0, 1), (1, 3)]]
        """
        rows = [[(i, i + 1) for i in range(len(self.piece))]]
        for merge in self.merges:
            row, place = rows[-1], merge.place
            rows.append([*row[:place], (row[place][0], row[place + 1][1]), *row[place + 2 :]])
        return rows

    def pairs(self) -> list[tuple[bytes, bytes]]:
        """Return the two parts that each merge joins.

        Example:
            >>> MergeTrace(b"abc", [Merge(1, 0), Merge(0, 1)], [300]).pairs()
            [(b'b', b'c'), (b'a', b'bc')]
        """
        found = []
        for level, merge in zip(self.levels(), self.merges, strict=False):
            (a, b), (_, c) = level[merge.place : merge.place + 2]
            found.append((self.piece[a:b], self.piece[b:c]))
        return found

    def about(self, unicode: bool = True) -> str:
        """Say in one line what happened."""
        merges, tokens = len(self.merges), len(self.ids)
        how = f"{merges} merge{'s' * (merges != 1)}, {tokens} token{'s' * (tokens != 1)}"
        if self.whole:
            left = len(self.piece) - merges
            rest = "give the same" if left == 1 else f"stop at {left} parts"
            how = "a token, taken whole" + (f"; {how.partition(',')[0]} would {rest}" if len(self.piece) > 1 else "")
        return f"{named(self.piece, unicode)}: {how}"

    def to_dict(self) -> dict[str, Any]:
        """Return the trace as the script of ``page`` reads it."""
        return {
            "about": self.about(),
            "size": len(self.piece),
            "places": [merge.place for merge in self.merges],
            "told": told(self),
            "levels": [[[a, b, named(self.piece[a:b])] for a, b in level] for level in self.levels()],
        }


def merges_page(traces: MergeTrace | Sequence[MergeTrace], title: str = "Merge by merge") -> str:
    """Write a page with a slider that goes from the bytes of a word to its tokens; of several words, one for each.

    Returns:
        HTML, to be written as UTF-8.
    """
    traces = [traces] if isinstance(traces, MergeTrace) else list(traces)
    body = f'<h1>{text(title)}</h1>\n<main class="one"></main>\n<div id="about"></div>'
    return page(title, body, {"stairs": [trace.to_dict() for trace in traces]})


def named(part: bytes, unicode: bool = True) -> str:
    """Spell a part so that blanks can be seen.

    Example:
        >>> named(b" the"), named(bytes((0xE6, 0x97))), named(" the".encode(), unicode=False)
        ('·the', '\\\\xe6\\\\x97', ' the')
    """
    text = escaped([part], unicode=unicode)[0]
    return text.replace("·", r"\u00b7").replace(" ", "·") if unicode else text


def staircase(trace: MergeTrace, width: int = 80, unicode: bool = True) -> list[Line]:
    """Draw a trace in characters: a row of bytes, then one row for each merge, with its rank and its count.

    Args:
        trace: what to draw.
        width: in columns; where the rows would be wider, only what is merged is told.
        unicode: may characters beyond ASCII be printed?

    Example:
        >>> trace = MergeTrace(b"hell", [Merge(0, 256, 9), Merge(1, 257, 5)], [256, 257])
        >>> for line in staircase(trace, unicode=False):
        ...     print("".join(text for text, _ in line))
           |h|e|l|l|
         1 |he |l|l|  h + e  rank 256  9 times
         2 |he |ll |  l + l  rank 257  5 times
    """
    bar = "│" if unicode else "|"
    levels = trace.levels()
    sizes = [columns(named(trace.piece[a:b], unicode)) for a, b in levels[0]]
    number = len(str(len(trace.merges)))
    room = width - (number + 3 + sum(sizes) + len(sizes) + 2)
    beside = told(trace, unicode)
    if max(map(columns, beside), default=0) > room > 0:
        beside = told(trace, unicode, halves=False)
    with_rows = max(map(columns, beside), default=0) <= room
    beside = beside if with_rows else told(trace, unicode)
    lines: list[Line] = []
    for i, level in enumerate(levels):
        line: Line = [(f" {i or '':>{number}} ", "about")]
        if with_rows:
            line.append((bar, "frame"))
            for place, (a, b) in enumerate(level):
                text = named(trace.piece[a:b], unicode)
                room = sum(sizes[a:b]) + b - a - 1
                new = i > 0 and place == trace.merges[i - 1].place
                line += [(text + " " * (room - columns(text)), "new" if new else "part"), (bar, "frame")]
        if i:
            line.append((("  " if with_rows else "") + beside[i - 1], "about"))
        if with_rows or i:
            lines.append(line)
    return lines


def told(trace: MergeTrace, unicode: bool = True, halves: bool = True) -> list[str]:
    """Write beside each merge what was joined, its rank and its count; without halves, rank and count only."""
    rows = labels(trace, unicode)
    sizes = [max((columns(row[i]) for row in rows), default=0) for i in range(3)]
    lines = []
    for pair, rank, times in rows:
        start = pair + " " * (sizes[0] - columns(pair) + 2) if halves else ""
        lines.append(f"{start}{rank:<{sizes[1]}}  {times:>{sizes[2]}}".rstrip())
    return lines


def labels(trace: MergeTrace, unicode: bool = True) -> list[tuple[str, str, str]]:
    """Return for each merge what was joined, its rank and its count, in words.

    Example:
        >>> labels(MergeTrace(b"hi", [Merge(0, 256, 1234)], [256]))
        [('h + i', 'rank 256', '1,234 times')]
    """
    return [
        (
            f"{named(left, unicode)} + {named(right, unicode)}",
            f"rank {merge.rank:,}",
            "" if merge.times is None else f"{merge.times:,} times",
        )
        for (left, right), merge in zip(trace.pairs(), trace.merges, strict=True)
    ]


def tree(trace: MergeTrace) -> list[tuple[int, int, int, list[tuple[int, int, int]]]]:
    """Return the boxes of the picture: (begin, end, level) in bytes and merges, with the two boxes each is made of.

    Example:
        >>> tree(MergeTrace(b"abc", [Merge(1, 0), Merge(0, 1)], [300]))[-1]
        (0, 3, 2, [(0, 1, 0), (1, 3, 1)])
    """
    levels = trace.levels()
    boxes: list[tuple[int, int, int, list[tuple[int, int, int]]]] = [(a, b, 0, []) for a, b in levels[0]]
    made_at = dict.fromkeys(levels[0], 0)
    for number, (before, merge) in enumerate(zip(levels, trace.merges, strict=False), start=1):
        left, right = before[merge.place : merge.place + 2]
        boxes.append((left[0], right[1], number, [(*left, made_at[left]), (*right, made_at[right])]))
        made_at[left[0], right[1]] = number
    return boxes
