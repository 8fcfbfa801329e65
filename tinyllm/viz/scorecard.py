"""The scorecard: rows of cases against columns of checks, and a mark where a check caught a case."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from ..errors import ShapeError
from .style import BLUE, GRAY, VERMILION, figure, styled

_BLUE_WASH, _RED_WASH = "#D6E8F3", "#F9DFD0"


@dataclass(frozen=True)
class Scorecard:
    """Which check caught which case.

    Attributes:
        cases: names of the rows.
        checks: names of the columns.
        caught: a row of booleans for each case, one for each check.
        title: of the picture.
        subtitle: one line below the title.
        words: what a mark says: (when caught, when not).
    """

    cases: Sequence[str]
    checks: Sequence[str]
    caught: Sequence[Sequence[bool]]
    title: str = "What each check catches"
    subtitle: str = ""
    words: tuple[str, str] = ("caught", "missed")

    def __post_init__(self) -> None:
        if len(self.caught) != len(self.cases):
            raise ShapeError(f"Scorecard: {len(self.caught)} rows of marks for {len(self.cases)} cases")
        for case, row in zip(self.cases, self.caught, strict=True):
            if len(row) != len(self.checks):
                raise ShapeError(f"Scorecard: {len(row)} marks of {case} for {len(self.checks)} checks")
        if not self.cases or not self.checks:
            raise ShapeError("Scorecard: there is nothing to draw", hint="at least one case and one check")

    def counts(self) -> list[int]:
        """Return how many cases each check caught.

        Example:
            >>> Scorecard(["zeros", "sign"], ["weak", "strong"], [[False, True], [True, True]]).counts()
            [1, 2]
        """
        return [sum(bool(row[k]) for row in self.caught) for k in range(len(self.checks))]


@styled
def draw_scorecard(data: Scorecard) -> Figure:
    """Draw a grid of words: the color says no more than they do.

    Example:
        >>> card = Scorecard(["zeros"], ["weak", "strong"], [[False, True]])
        >>> [text.get_text() for text in draw_scorecard(card).axes[0].texts]
        ['missed', 'caught', '0 of 1', '1 of 1']
    """
    rows, columns = len(data.cases), len(data.checks)
    fig = figure(1.35 + 0.28 * (rows + 1), data.title, data.subtitle, alt=_in_words(data))
    ax = fig.subplots()
    for y, row in enumerate(data.caught):
        for x, caught in enumerate(row):
            wash, ink = (_BLUE_WASH, BLUE) if caught else (_RED_WASH, VERMILION)
            ax.add_patch(Rectangle((x + 0.02, y + 0.06), 0.96, 0.88, facecolor=wash, edgecolor="none"))
            ax.text(
                x + 0.5, y + 0.5, data.words[0 if caught else 1], ha="center", va="center", fontsize=9,
                color=ink, fontweight="normal" if caught else "bold",
            )  # fmt: skip
    for x, count in enumerate(data.counts()):
        ax.text(x + 0.5, rows + 0.5, f"{count} of {rows}", ha="center", va="center", fontweight="bold")
    ax.set_xlim(0, columns)
    ax.set_ylim(rows + 1, 0)
    ax.set_xticks([x + 0.5 for x in range(columns)], data.checks)
    ax.xaxis.tick_top()
    ax.set_yticks([y + 0.5 for y in range(rows + 1)], [*data.cases, data.words[0]])
    ax.get_yticklabels()[-1].set_color(GRAY)
    ax.tick_params(length=0)
    ax.grid(visible=False)
    for side in ax.spines.values():
        side.set_visible(False)
    return fig


def _in_words(data: Scorecard) -> str:
    parts = [f"A grid of {len(data.cases)} cases against {len(data.checks)} checks."]
    for k, (check, count) in enumerate(zip(data.checks, data.counts(), strict=True)):
        missed = [case for case, row in zip(data.cases, data.caught, strict=True) if not row[k]]
        tail = f"; {data.words[1]}: {', '.join(missed)}" if missed else ""
        parts.append(f"{check}: {count} {data.words[0]}{tail}.")
    return " ".join(parts)
