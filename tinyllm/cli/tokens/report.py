"""All that ``tinyllm tokens`` finds out about a text, in three forms: for the screen, for programs, for a browser."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..screen import Screen
from .asked import Text, at_hand, encoding_of, numbers_of, text_of
from .compared import Compared, show_compared
from .prices import Prices, bill, prices_for, read_prices

if TYPE_CHECKING:
    from ...tokenizer import Encoding
    from ...viz.tokens import TokenText


@dataclass
class Report:
    """A text in tokens.

    Attributes:
        text: what was cut.
        encoding: by what.
        special: what became of special tokens in it.
        count: how many tokens are shown.
        prices: of a million tokens, by name.
        table: prices of all models and encodings that the user has given.
        price: the one that the user has given for all.
        notes: what the user should know of how things were understood.
    """

    text: Text
    encoding: Encoding
    special: str = "plain"
    count: int | None = None
    prices: Prices = field(default_factory=dict)
    table: Prices = field(default_factory=dict)
    price: float | None = None
    notes: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, args: argparse.Namespace) -> Report:
        """Find out what the command line asks for.

        Raises:
            DataError, ConfigError: there is no such text, encoding or price.
            SpecialTokenError: the text holds a special token, and is not to.
        """
        table = read_prices(args.prices) if args.prices else {}
        text = text_of(args.words, args.text)
        encoding = encoding_of(args.encoding, args.model)
        prices = prices_for(encoding.name, args.model, table, args.price)
        made = cls(text, encoding, args.special, None if args.all else args.head, prices, table, args.price)
        made.notes += [note for note in (text.note, made._note_on_specials()) if note]
        if args.prices and not prices:
            made.notes.append(f"{args.prices} holds no price for {args.model or encoding.name}")
        return made

    @cached_property
    def ids(self) -> Any:
        """Of all tokens, as an array."""
        return numbers_of(self.encoding, self.text, self.special)

    @cached_property
    def size(self) -> int:
        """Of the text, in bytes."""
        return len(self.text.data)

    @cached_property
    def shown(self) -> TokenText:
        """The first tokens, up to the end of a character, as they are drawn."""
        from ...viz.tokens import TokenText

        count = len(self.ids) if self.count is None else self.count
        ids = self.ids[: count + 4].tolist()
        tokens = self.encoding.decode_tokens_bytes(ids)
        end = min(count, len(tokens))
        while count and end < len(tokens) and 0x80 <= tokens[end][0] < 0xC0:
            end += 1
        names = set(self.encoding.specials.ids.values()) if self.special == "token" else set()
        return TokenText(
            self.encoding.name,
            ids[:end],
            tokens[:end],
            special=[place for place, i in enumerate(ids[:end]) if i in names],
            total=len(self.ids),
            characters=self.text.characters,
            size=self.size,
            notes=[f"{name} {bill(len(self.ids), price)}".strip() for name, price in self.prices.items()],
        )

    def others(self) -> list[Report]:
        """Return the same text in the other encodings that are at hand."""
        return [
            replace(self, encoding=encoding_of(name), prices=prices_for(name, None, self.table, self.price), notes=[])
            for name in at_hand()
            if name != self.encoding.name
        ]

    def compared(self) -> Compared:
        """Return what a table of encodings says of this one."""
        return Compared(self.encoding.name, len(self.ids), self.size, self.prices)

    def print(self, screen: Screen, ids: bool = False) -> None:
        """Show the tokens, then how many there are."""
        from .painted import show_ids, show_tokens

        shown, total = self.shown, len(self.ids)
        if shown.ids:
            show_tokens(screen, shown.tokens, shown.special)
            if ids:
                screen.line()
                show_ids(screen, shown.ids, shown.special)
            if left := total - len(shown.ids):
                screen.line(f"... and {left:,} more token{'s' * (left != 1)}; --all shows them", style="dim")
            screen.line()
        for name, value in self._lines(total):
            screen.line(f"{name:<12}{value}", style="bold" if name == "tokens" else "")

    def _lines(self, total: int) -> list[tuple[str, str]]:
        each = f"{self.size / total:.2f} bytes, {self.text.characters / total:.2f} characters" if total else "-"
        return [
            ("tokens", f"{total:,}"),
            ("characters", f"{self.text.characters:,}"),
            ("bytes", f"{self.size:,}"),
            ("per token", each),
            ("encoding", f"{self.encoding.name}, {self.encoding.n_vocab:,} ids"),
            *(("cost", bill(total, price) + (f", {name}" if name else "")) for name, price in self.prices.items()),
        ]

    def to_dict(self, ids: bool = False) -> dict[str, Any]:
        """Return the same as JSON can hold it; the tokens that the screen would show, and all ids where asked for."""
        shown = zip(self.shown.ids, self.shown.tokens, self.shown.spans(), strict=True)
        found = {
            **self.compared().to_dict(),
            "characters": self.text.characters,
            "bytes": self.size,
            "special": self.special,
            "notes": self.notes,
            "shown": [
                {"id": i, "text": _decoded(token), "hex": token.hex(), "bytes": span[:2], "characters": span[2:]}
                for i, token, span in shown
            ],
        }
        return {**found, "ids": self.ids.tolist()} if ids else found

    def page(self, others: list[Report]) -> str:
        """Return an HTML page that shows these tokens, beside those of other encodings."""
        from ...viz.tokens import tokens_page
        from .traces import traces_of

        reports = [self, *others]
        texts = [replace(each.shown, traces=traces_of(each.encoding, each.shown, each.special)) for each in reports]
        return tokens_page(texts, f"{Path(self.text.name).name or 'A text'} in tokens")

    def _note_on_specials(self) -> str:
        """Tell of special tokens that were cut up as plain text."""
        words, specials = self.text.text, self.encoding.specials
        if self.special != "plain" or words is None or not specials.may_occur(words):
            return ""
        found = [name for _, name in specials.occurrences(words, specials.names)]
        if not found:
            return ""
        what = f"{found[0]}{' and others' if len(set(found)) > 1 else ''}"
        times = "" if len(found) == 1 else f", {len(found):,} times"
        return f"the text holds {what}{times}, here plain text; --special token makes one token of each"


def show_comparison(screen: Screen, reports: list[Report]) -> None:
    """Print a table of the same text in several encodings."""
    screen.line()
    show_compared(screen, [report.compared() for report in reports])


def _decoded(token: bytes) -> str | None:
    """A token as text; None where its bytes are a part of a character only."""
    try:
        return token.decode()
    except UnicodeDecodeError:
        return None
