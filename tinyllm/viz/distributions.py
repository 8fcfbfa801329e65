"""The distributions picture: what temperature, top-k and other settings make of the same next token, as bars."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..errors import ShapeError
from .style import BLUE, GRAY, ORANGE, figure, styled, visible

MOST = 16  # bars in a panel
REST = "all others"


@dataclass(frozen=True)
class Distributions:
    """Probabilities of the same tokens under several settings.

    Attributes:
        names: of the S settings.
        tokens: the k that are shown.
        probabilities: (S, k) theirs.
        rest: (S,) the probability of all others.
        kept: (S,) how many tokens can be drawn at all.
        entropy: (S,) in nats.
        title: of the picture.
        subtitle: one line below the title.
    """

    names: Sequence[str]
    tokens: Sequence[str]
    probabilities: np.ndarray[Any, Any]
    rest: Sequence[float]
    kept: Sequence[int]
    entropy: Sequence[float]
    title: str = "The next token"
    subtitle: str = ""

    def __post_init__(self) -> None:
        S, k = len(self.names), len(self.tokens)
        if np.shape(self.probabilities) != (S, k) or not S or not k:
            raise ShapeError(
                f"Distributions: probabilities {np.shape(self.probabilities)}, not (S, k) for S={S} settings and "
                f"k={k} tokens",
                hint="at least one of both",
            )
        for name in ("rest", "kept", "entropy"):
            if len(getattr(self, name)) != S:
                raise ShapeError(f"Distributions: {len(getattr(self, name))} values of {name} for {S} settings")

    def facts(self, setting: int) -> str:
        """Say how many tokens can be drawn, and how uncertain the draw is.

        Example:
            >>> Distributions(["T=1"], ["a"], np.array([[0.5]]), [0.5], [2], [0.693]).facts(0)
            '2 can be drawn, entropy 0.69'
        """
        return f"{self.kept[setting]:,} can be drawn, entropy {self.entropy[setting]:.2f}"


@styled
def draw_distributions(data: Distributions) -> Figure:
    """Draw a panel of bars for each setting, on one scale; what cannot be drawn has no bar but a cross.

    Example:
        >>> data = Distributions(["T=1"], ["a", "b"], np.array([[0.75, 0.25]]), [0.0], [2], [0.56])
        >>> [label.get_text() for label in draw_distributions(data).axes[0].get_yticklabels()]
        ['a', 'b', 'all others']
    """
    k = min(len(data.tokens), MOST)
    count = len(data.names)
    columns = min(count, 3)
    rows = -(-count // columns)
    subtitle = data.subtitle or "bars: probability; a cross: cannot be drawn"
    fig = figure(0.8 + rows * (0.95 + 0.23 * (k + 1)), data.title, subtitle, alt=_in_words(data))
    axes = fig.subplots(rows, columns, squeeze=False, sharey=True)
    highest = max(float(np.max(data.probabilities)), max(data.rest), 1e-9)
    for setting, ax in zip(range(count), axes.flat, strict=False):
        _panel(ax, data, setting, k, highest)
    for ax in axes.flat[count:]:
        ax.set_axis_off()
    return fig


def _panel(ax: Axes, data: Distributions, setting: int, k: int, highest: float) -> None:
    shown = np.asarray(data.probabilities[setting], dtype=float)
    values = [*shown[:k], data.rest[setting] + shown[k:].sum()]
    ax.barh(range(k), values[:k], color=BLUE, height=0.72)
    ax.barh([k], values[k:], color=ORANGE, height=0.72, hatch="///", edgecolor="white", linewidth=0)
    for y, p in enumerate(values):
        if p > 1e-12:
            ax.text(p + 0.015 * highest, y, _number(p), va="center", fontsize=7.5, color=GRAY)
        else:
            ax.plot([0.02 * highest], [y], "x", color=GRAY, markersize=5)
    ax.set_xlim(0, 1.22 * highest)
    ax.set_ylim(k + 0.6, -0.6)
    ax.set_yticks(range(k + 1), [*(visible(token) for token in data.tokens[:k]), REST])
    ax.tick_params(axis="y", length=0)
    ax.grid(visible=True, axis="x")
    ax.grid(visible=False, axis="y")
    ax.set_title(data.names[setting], loc="left", fontweight="bold", pad=16)
    ax.text(0, 1.02, data.facts(setting), transform=ax.transAxes, fontsize=8, color=GRAY, va="bottom")


def _number(p: float) -> str:
    return "<.01" if 1e-12 < p < 0.01 else f"{max(p, 0.0):.2f}"


def distribution_lines(data: Distributions, width: int = 72, unicode: bool = True) -> list[str]:
    """Write the bars for a terminal, one setting below another.

    Example:
        >>> data = Distributions(["T=1"], ["a", "b"], np.array([[0.75, 0.25]]), [0.0], [2], [0.56])
        >>> print(*distribution_lines(data, width=30, unicode=False), sep="\\n")
        T=1: 2 can be drawn, entropy 0.56
          a          0.75 ############
          b          0.25 ####
          all others 0.00 x
    """
    full, none = ("█", "✗") if unicode else ("#", "x")
    highest = max(float(np.max(data.probabilities)), max(data.rest), 1e-9)
    lines = []
    for setting, name in enumerate(data.names):
        lines.append(f"{name}: {data.facts(setting)}")
        row = np.asarray(data.probabilities[setting], dtype=float)
        for token, p in [*zip(data.tokens, row, strict=True), (None, data.rest[setting])]:
            word = REST if token is None else visible(token)
            word = word if unicode else word.encode("ascii", "replace").decode()
            bar = full * max(1, round(p / highest * (width - 18))) if p > 1e-12 else none
            lines.append(f"  {word:<10} {_number(p)} {bar}")
    return lines


def _in_words(data: Distributions) -> str:
    parts = []
    for setting, name in enumerate(data.names):
        row = data.probabilities[setting]
        best = int(np.argmax(row))
        parts.append(f"{name}: {visible(data.tokens[best])} {row[best]:.2f}, {data.facts(setting)}")
    return (
        f"Bars of the probabilities of {len(data.tokens)} tokens under {len(data.names)} settings. {'; '.join(parts)}."
    )
