"""The bigram picture: how likely each byte is after each other, once counted and once learned."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from ..errors import ShapeError
from .style import AMOUNTS, GRAY, figure, styled, visible

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Bigram:
    """Two tables of probabilities over the same letters.

    Attributes:
        letters: V of them.
        tables: name -> (V, V); ``table[i, j]`` is how likely letter j is after letter i, each row summing to 1.
        title: of the picture.
        subtitle: one line below the title.
    """

    letters: Sequence[str]
    tables: dict[str, Array]
    title: str = "What comes after what"
    subtitle: str = ""

    def __post_init__(self) -> None:
        V = len(self.letters)
        if not V or not self.tables:
            raise ShapeError("Bigram: there is nothing to draw", hint="at least one letter and one table")
        for name, table in self.tables.items():
            if table.shape != (V, V):
                raise ShapeError(f"Bigram: table {name} has shape {table.shape}, not (V, V) for V={V} letters")

    def apart(self) -> float:
        """Return the largest difference between any two tables.

        Example:
            >>> Bigram("ab", {"one": np.eye(2), "other": np.full((2, 2), 0.5)}).apart()
            0.5
        """
        stacked = np.stack(list(self.tables.values()))
        return float((stacked.max(axis=0) - stacked.min(axis=0)).max())


@styled
def draw_bigram(data: Bigram) -> Figure:
    """Draw the tables side by side on one scale of color.

    Example:
        >>> fig = draw_bigram(Bigram("ab", {"counted": np.eye(2), "learned": np.eye(2)}))
        >>> [ax.get_title() for ax in fig.axes[:2]]
        ['counted', 'learned']
    """
    count = len(data.tables)
    fig = figure(1.1 + min(5.4, 7.4 / count), data.title, data.subtitle, alt=_in_words(data))
    axes = fig.subplots(1, count, sharey=True, squeeze=False)[0]
    labels = [visible(letter) for letter in data.letters]
    size = min(9.0, 250 / len(labels) / count**0.5)
    for ax, (name, table) in zip(axes, data.tables.items(), strict=True):
        image = ax.imshow(np.sqrt(table), cmap=matplotlib.colormaps[AMOUNTS], vmin=0, vmax=1, aspect="equal")
        ax.set_title(name)
        ax.set_xticks(range(len(labels)), labels, fontsize=size)
        ax.set_yticks(range(len(labels)), labels, fontsize=size)
        ax.tick_params(length=0, pad=2)
        ax.grid(visible=False)
        ax.set_xlabel("next byte")
    axes[0].set_ylabel("byte before it")
    shares = (0.0, 0.01, 0.1, 0.25, 0.5, 1.0)
    bar = fig.colorbar(image, ax=list(axes), location="bottom", shrink=0.5, ticks=[s**0.5 for s in shares], aspect=40)
    bar.set_ticklabels([f"{s:g}" for s in shares])
    bar.set_label("probability (each row sums to 1)", color=GRAY)
    bar.outline.set_visible(False)
    return fig


def _in_words(data: Bigram) -> str:
    name, table = next(iter(data.tables.items()))
    i, j = (int(k) for k in np.unravel_index(int(table.argmax()), table.shape))
    return (
        f"Heat maps of what follows each of {len(data.letters)} bytes: {', '.join(data.tables)}. The largest entry of "
        f"{name} is {visible(data.letters[j])} after {visible(data.letters[i])} ({table[i, j]:.2f})." + _apart(data)
    )


def _apart(data: Bigram) -> str:
    if len(data.tables) < 2:
        return ""
    apart = data.apart()
    return (
        f" No entry differs by as much as {10.0 ** (math.floor(math.log10(apart)) + 1):g}."
        if apart
        else " All are equal."
    )
