"""The lens picture: what each layer of a model would say after each token, the last layer on top."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from ..errors import ShapeError
from .style import AMOUNTS, VERMILION, figure, ink_on, styled, visible

WINDOW = 16  # more columns than this leave no room for words
_INCHES = 6.3  # about what the table is wide
_LEVELS = ("·░▒▓█", ".:-=#")  # a fifth of the probability each


@dataclass(frozen=True)
class LensTable:
    """What each layer would say.

    Attributes:
        tokens: the T tokens of the text.
        said: for each layer, first the embedding, the T tokens that it holds for the likeliest.
        probabilities: (layers, T) theirs.
        ranks: (layers, T) the rank of the model's answer in each layer, 0 for the first; None not to mark it.
        title: of the picture.
        subtitle: one line below the title.
    """

    tokens: Sequence[str]
    said: Sequence[Sequence[str]]
    probabilities: np.ndarray[Any, Any]
    ranks: np.ndarray[Any, Any] | None = None
    title: str = "What each layer would say"
    subtitle: str = ""

    def __post_init__(self) -> None:
        shape = (len(self.said), len(self.tokens))
        if not all(shape):
            raise ShapeError("LensTable: there is nothing to draw", hint="at least one layer and one token")
        ranks = self.probabilities if self.ranks is None else self.ranks
        if {np.shape(self.probabilities), np.shape(ranks), *((len(self.said), len(row)) for row in self.said)} != {
            shape
        }:
            raise ShapeError(
                f"LensTable: probabilities {np.shape(self.probabilities)} and ranks {np.shape(ranks)}, not "
                f"(layers, T) for {shape[0]} rows of T={shape[1]} words"
            )

    def last(self, window: int = WINDOW) -> LensTable:
        """Keep the last ``window`` tokens only."""
        if len(self.tokens) <= window:
            return self
        ranks = None if self.ranks is None else self.ranks[:, -window:]
        said = [row[-window:] for row in self.said]
        return LensTable(self.tokens[-window:], said, self.probabilities[:, -window:], ranks, self.title, self.subtitle)

    def layers(self) -> list[str]:
        """Name the rows, the embedding first."""
        return ["embedding", *(f"layer {l}" for l in range(len(self.said) - 1))]

    def answered(self, layer: int, place: int) -> bool:
        """Is what this layer says the model's answer already?"""
        return self.ranks is not None and not self.ranks[layer, place]


@styled
def draw_lens(data: LensTable) -> Figure:
    """Draw a table of words, colored by probability; the model's own answer is framed from where it first comes up.

    Past 16 tokens the last 16 are drawn, and the picture says so.

    Example:
        >>> table = LensTable(["a", "b"], [["x", "y"], ["b", "c"]], np.array([[0.1, 0.2], [0.9, 0.8]]))
        >>> [label.get_text() for label in draw_lens(table).axes[0].get_yticklabels()]
        ['embedding', 'layer 0']
    """
    total = len(data.tokens)
    data = data.last()
    rows, columns = np.shape(data.probabilities)
    shown = f"the last {columns} of {total} tokens" if columns < total else ""
    framed = "framed: the model's answer" if data.ranks is not None else ""
    subtitle = "; ".join(part for part in (data.subtitle, shown, framed) if part)
    fig = figure(1.9 + 0.42 * rows, data.title, subtitle, alt=_in_words(data))
    ax = fig.subplots()
    image = ax.imshow(data.probabilities, cmap=AMOUNTS, vmin=0, vmax=1, aspect="auto", origin="lower")
    for (layer, place), p in np.ndenumerate(data.probabilities):
        _word(ax, data, layer, place, float(p), columns)
    size = min(9.0, 88 / columns)
    labels = [visible(token, 9) for token in data.tokens]
    ax.set_xticks(range(columns), labels, fontsize=max(size, 7), rotation=90 if max(map(len, labels)) > 5 else 0)
    ax.set_yticks(range(rows), data.layers())
    ax.tick_params(length=0)
    ax.grid(visible=False)
    ax.set_xlabel("token read; each column holds what should come after it")
    for side in ax.spines.values():
        side.set_visible(False)
    bar = fig.colorbar(image, ax=ax, shrink=0.8, pad=0.015)
    bar.set_label("probability")
    bar.outline.set_visible(False)
    return fig


def _word(ax: Axes, data: LensTable, layer: int, place: int, p: float, columns: int) -> None:
    """A word and its probability, in the ink that can be read on its color."""
    ink = ink_on(p)
    size = min(9.0, 100 / columns)
    word = visible(data.said[layer][place], max(3, 110 // columns))
    wide = sum(0.92 if letter in "MWmw@%" or ord(letter) > 0x2FF else 0.66 for letter in word)  # letters' heights
    fitting = min(size, 0.95 * 72 * _INCHES / columns / wide)
    ax.text(place, layer + 0.12, word, ha="center", va="center", fontsize=fitting, color=ink)
    ax.text(place, layer - 0.28, f"{p:.2f}", ha="center", va="center", fontsize=min(6.5, size), color=ink)
    if data.answered(layer, place):
        frame = Rectangle((place - 0.46, layer - 0.45), 0.92, 0.9, fill=False, edgecolor=VERMILION, linewidth=1.8)
        ax.add_patch(frame)


def lens_lines(data: LensTable, width: int = 80, unicode: bool = True) -> list[str]:
    """Write the table for a terminal: the last layer on top, a sign for each probability, the answer in brackets.

    Example:
        >>> table = LensTable(["a", "b"], [["x", "y"], ["b", "c"]], np.array([[0.1, 0.2], [0.9, 0.8]]),
        ...                   ranks=np.array([[4, 3], [0, 0]]))
        >>> print(*lens_lines(table, width=40, unicode=False), sep="\\n")
        layer 0     [b      ]#  [c      ]#
        embedding    x       .   y       :
        read         a           b
    """
    cell = 12
    names = data.layers()
    label = max(map(len, names)) + 3
    data = data.last(max(1, (width - label) // cell))
    signs = _LEVELS[0] if unicode else _LEVELS[1]

    def shown(token: str) -> str:
        word = visible(token, 7)
        return word if unicode else word.encode("ascii", "replace").decode()

    lines = []
    for layer in reversed(range(len(names))):
        cells = []
        for place, word in enumerate(data.said[layer]):
            left, right = "[]" if data.answered(layer, place) else "  "
            sign = signs[min(4, int(5 * data.probabilities[layer, place]))]
            cells.append(f"{left}{shown(word):<7}{right}{sign} ")
        lines.append(f"{names[layer]:<{label}}{' '.join(cells)}")
    lines.append(f"{'read':<{label}}" + " ".join(f" {shown(token):<10}" for token in data.tokens))
    return [line[:width].rstrip() for line in lines]


def _in_words(data: LensTable) -> str:
    rows = [
        f"{name} says {visible(row[-1])} ({p:.2f})"
        for name, row, p in zip(data.layers(), data.said, data.probabilities[:, -1], strict=True)
    ]
    return (
        f"Table of the likeliest next token by layer, after each of {len(data.tokens)} tokens. After the last, "
        f"{visible(data.tokens[-1])}: {'; '.join(rows)}."
    )
