"""Where the watch loop is seen: a terminal that is drawn anew at every event, or lines that only follow each other.

rich turns styles into what the terminal understands; nothing is drawn while nothing happens.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from .screen import Page, Row

if TYPE_CHECKING:
    from ..cli.screen import Screen

_CLEAR = "\x1b[2J\x1b[H"  # what has scrolled away stays: it may be the learner's, from before

_LEAST = 8  # lines: where there is less room the page scrolls instead


def print_page(screen: Screen, page: Page) -> None:
    """Print a page where a command prints."""
    for row in page:
        print_row(screen, row)


def print_row(screen: Screen, row: Row) -> None:
    """Print one row, with its styles where there are colors."""
    if screen.plain:
        screen.line("".join(text for text, _ in row).rstrip())
        return
    from rich.text import Text

    text = Text.assemble(*[(screen.fit(part), style) for part, style in row])
    text.rstrip()
    screen.console.print(text, soft_wrap=True)


class LinesView:
    """Prints every page below the last one: no colors, no cursor movement; the menu has numbers."""

    def __init__(self, screen: Screen) -> None:
        self.screen = screen
        self.told: object = None

    @property
    def width(self) -> int:
        """How many characters a line may have."""
        return self.screen.width

    def __enter__(self) -> LinesView:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def show(self, page: Page) -> None:
        """Print a page."""
        print_page(self.screen, page)

    add = show

    def resized(self) -> bool:
        """What is printed is printed."""
        return False

    def foot(self, menu: list[tuple[str, str]], where: str, status: str) -> None:
        """Print what goes on, and the menu where it has changed."""
        if status:
            self.screen.line(status)
        elif (menu, where) != self.told:
            self.told = (menu, where)
            from .watch import MENU

            numbers = {letter: i for i, (letter, _) in enumerate(MENU, start=1)}
            self.screen.line(where)
            self.screen.paragraph("type a number, then Enter: " + ", ".join(f"{numbers[k]} {name}" for k, name in menu))


class TerminalView:
    """Draws the whole screen at every event."""

    def __init__(self, screen: Screen) -> None:
        self.screen = screen
        self.page: Page = []
        self.more: Page = []
        self.last: tuple[list[tuple[str, str]], str, str] = ([], "", "")
        self.size = shutil.get_terminal_size()

    @property
    def width(self) -> int:
        """How many characters a line may have."""
        return max(self.size.columns, 20)

    def __enter__(self) -> TerminalView:
        return self

    def __exit__(self, *_: object) -> None:
        self.screen.stream.write("\n")
        self.screen.stream.flush()

    def show(self, page: Page) -> None:
        """Draw a page in place of everything."""
        self.page, self.more = page, []

    def add(self, page: Page) -> None:
        """Draw a page below the verdict, in place of what was there."""
        self.more = [[("", "")], *page]

    def foot(self, menu: list[tuple[str, str]], where: str, status: str) -> None:
        """Draw everything, with the keys below."""
        self.last = menu, where, status
        self.draw()

    def resized(self) -> bool:
        """Has the terminal another size than when it was drawn?"""
        now = shutil.get_terminal_size()
        changed = now != self.size
        self.size = now
        return changed

    def draw(self) -> None:
        """Write the whole screen at once, so that nothing flickers."""
        console = self.screen.console
        console.width = self.width
        below = [*self.more, [("", "")], *self._foot()]
        with console.capture() as captured:
            for row in [*self._fitting(self.size.lines - self._height(below)), *below]:
                console.print(self._text(row), soft_wrap=True)
        self.screen.stream.write(_CLEAR + captured.get().rstrip("\n"))
        self.screen.stream.flush()

    def _fitting(self, room: int) -> Page:
        """Return as much of the page as fits above the rest: it begins with what matters most."""
        if room < _LEAST or self._height(self.page) <= room:
            return self.page
        kept: Page = []
        while self._height([*kept, self.page[len(kept)]]) < room:
            kept.append(self.page[len(kept)])
        return [*kept, [("... a taller window shows the rest", "dim")]]

    def _height(self, page: Page) -> int:
        """How many lines of the terminal a page takes: what is too long for one goes on in the next."""
        return sum(max(1, -(-sum(len(text) for text, _ in row) // self.width)) for row in page)

    def _text(self, row: Row) -> object:
        from rich.text import Text

        return Text.assemble(*[(self.screen.fit(part), style) for part, style in row])

    def _foot(self) -> Page:
        menu, where, status = self.last
        rows: Page = [[(status, "yellow")]] if status else []
        keys: Row = []
        for i, (letter, name) in enumerate(menu):
            keys += [(" | " if i else "", "dim"), (letter, "bold"), (f" {name}", "")]
        length = sum(len(text) for text, _ in keys)
        if length + len(where) + 3 < self.width:
            return [*rows, [*keys, (" " * (self.width - 1 - length - len(where)), ""), (where, "dim")]]
        return [*rows, [(where, "dim")], keys]
