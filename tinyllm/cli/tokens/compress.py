"""``tinyllm tokens compress``: how well encodings do on files or languages."""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import DataError
from ...viz.cells import columns
from ..parser import Parser
from ..screen import Screen, say
from .asked import at_hand, encoding_of
from .patience import patience
from .train import sources

if TYPE_CHECKING:
    from ... import viz
    from ...tokenizer.explain import Compression, Row

# what is shown -> its name, and whether more is better
SHOWN = {
    "bytes": ("bytes per token", True),
    "characters": ("characters per token", True),
    "tokens": ("tokens", False),
    "times": ("tokens, as a multiple of those of the first text", False),
}
EXAMPLES = """\
  tinyllm tokens compress english.txt thai.txt --out languages.png
  tinyllm tokens compress src/ README.md --encodings gpt2,o200k_base,mine.json
  tinyllm tokens compress *.md --show tokens                  how many there are
  tinyllm tokens compress en.txt de.txt th.txt --show times   translations: what a language pays for the same content
"""


def add_arguments(parser: Parser) -> None:
    """Declare the options."""
    parser.add_argument(
        "texts", metavar="TEXT", nargs="+",
        help="files, folders (every text file in them), python-manual, shakespeare, or - for standard input",
    )  # fmt: skip
    parser.add_argument(
        "--encodings", metavar="NAMES", help="names or vocabulary files, with commas between them (all at hand)"
    )
    parser.add_argument(
        "--show", choices=SHOWN, default="bytes",
        help="bytes or characters per token, how many tokens, or how many times those of the first text (bytes)",
    )  # fmt: skip
    parser.add_argument("--out", metavar="FILE", help="draw it: .png, .svg or .pdf")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Count, and show the table."""
    from ...tokenizer.explain import compression

    names = [name.strip() for name in args.encodings.split(",")] if args.encodings else list(at_hand())
    if not names:
        raise DataError("no encoding is at hand", hint="--encodings mine.json, or tinyllm data get o200k_base")
    encodings = [encoding_of(name) for name in dict.fromkeys(names)]
    texts = texts_of(args.texts)
    with patience():
        found = compression(texts, encodings)
    table = Table.of(found, args.show)
    if args.json:
        say(json.dumps({"texts": [dataclasses.asdict(row) for row in found.rows]}))
    else:
        table.print(Screen.of())
    if args.out:
        from ...viz import draw_compression, save

        path = save(draw_compression(table.picture()), args.out)
        if not args.json:
            say(f"written  {path}")
    return 0


@dataclass(frozen=True)
class Table:
    """What encodings make of texts.

    Attributes:
        shown: what the values are, a name of SHOWN.
        names: of the texts, and "all" at the end of several.
        sizes: of the texts, in bytes.
        encodings: their names.
        values: for each text one for each encoding.
    """

    shown: str
    names: Sequence[str]
    sizes: Sequence[int]
    encodings: Sequence[str]
    values: Sequence[Sequence[float]]

    @classmethod
    def of(cls, found: Compression, shown: str) -> Table:
        """Arrange a report in rows and columns."""
        names = list(dict.fromkeys(row.language for row in found.rows))
        encodings = list(dict.fromkeys(row.encoding for row in found.rows))
        rows = [[found.row(name, encoding) for encoding in encodings] for name in names]
        sizes = [row[0].bytes for row in rows]
        values = [[_value(cell, shown) for cell in row] for row in rows]
        if len(names) > 1 and shown != "times":
            names.append("all")
            sizes.append(sum(sizes))
            values.append([_sum([row[i] for row in rows], shown) for i in range(len(encodings))])
        return cls(shown, names, sizes, encodings, values)

    def print(self, screen: Screen) -> None:
        """Print it, the best of each row with a star."""
        title, more = SHOWN[self.shown]
        screen.line(f"{title}; * {'the most' if more else 'the fewest'}", style="bold")
        table = [["", "bytes", *(name + " " for name in self.encodings)]]
        for name, size, values in zip(self.names, self.sizes, self.values, strict=True):
            best = (max if more else min)(values)
            cells = [f"{value:,.0f}" if self.shown == "tokens" else f"{value:.2f}" for value in values]
            cells = [cell + ("*" if value == best else " ") for cell, value in zip(cells, values, strict=True)]
            table.append([screen.fit(name), f"{size:,}", *cells])
        sizes = [max(columns(line[i]) for line in table) for i in range(len(table[0]))]
        sizes[0] = min(sizes[0], max(screen.width - sum(sizes[1:]) - 2 * len(sizes), 12))
        for number, line in enumerate(table):
            name = line[0] if columns(line[0]) <= sizes[0] else "..." + line[0][3 - sizes[0] :]
            cells = [f"{cell:>{size}}" for cell, size in zip(line[1:], sizes[1:], strict=True)]
            text = "  ".join([name + " " * (sizes[0] - columns(name)), *cells])
            screen.line(text.rstrip(), style="bold" if number == 0 else "")

    def picture(self) -> viz.Compression:
        """Return the data of the picture."""
        from ... import viz

        measure, more = SHOWN[self.shown]
        return viz.Compression(
            self.names,
            self.encodings,
            self.values,
            f"{measure} (the {'more' if more else 'fewer'} the better)",
            title=measure[:1].upper() + measure[1:],
            subtitle=f"{len(self.encodings)} encodings",
        )


def _value(row: Row, shown: str) -> float:
    if shown == "times":
        return row.to_language
    return {"bytes": row.bytes_per_token, "characters": row.characters_per_token, "tokens": row.tokens}[shown]


def _sum(rows: Sequence[Row], shown: str) -> float:
    tokens = sum(row.tokens for row in rows)
    return tokens if shown == "tokens" else sum(getattr(row, shown) for row in rows) / tokens


def texts_of(words: list[str]) -> dict[str, str]:
    """Return the texts that are named on the command line, by short names.

    Raises:
        DataError: there is no such text, or it is no UTF-8.
    """
    texts = []
    for name, one in sources(words)[0]:
        try:
            texts.append((name, one if isinstance(one, str) else one.read_bytes().decode()))
        except UnicodeDecodeError as error:
            raise DataError(f"{name} is no UTF-8 text: byte {error.start:,}", hint="leave it out") from None
    return dict(shortened(texts))


def shortened(texts: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Name texts by their file alone where that is enough to tell them apart.

    Example:
        >>> shortened([("a/en.txt", "x"), ("a/de.txt", "y")])
        [('en.txt', 'x'), ('de.txt', 'y')]
    """
    short = [Path(name).name or name for name, _ in texts]
    return (
        [(name, text) for name, (_, text) in zip(short, texts, strict=True)] if len({*short}) == len(short) else texts
    )
