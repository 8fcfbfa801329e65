"""The walk of one query: its scores, what it may not see, its weights, and what it brings home."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..errors import RangeError, ShapeError
from .style import AMOUNTS, BLUE, GRAY, GREEN, PALE, VERMILION, figure, styled, visible

_MOST = 24  # keys


@dataclass(frozen=True)
class QueryWalk:
    """What one query does in attention.

    Attributes:
        tokens: the S keys as text.
        query: which of them asks.
        scores: (S,), of the query with every key.
        seen: (S,) of bool, which keys it may see.
        weights: (S,), after the softmax.
        values: (S, D), what each key has to offer.
        title: of the picture.
    """

    tokens: Sequence[str]
    query: int
    scores: np.ndarray[Any, Any]
    seen: np.ndarray[Any, Any]
    weights: np.ndarray[Any, Any]
    values: np.ndarray[Any, Any]
    title: str = "The walk of one query"

    def __post_init__(self) -> None:
        S = len(self.tokens)
        if not 0 < S <= _MOST:
            raise ShapeError(f"QueryWalk: {S} keys", hint=f"1 to {_MOST} of them can be drawn")
        for name in ("scores", "seen", "weights"):
            if getattr(self, name).shape != (S,):
                raise ShapeError(f"QueryWalk: {name} has shape {getattr(self, name).shape}, not ({S},)")
        if self.values.ndim != 2 or len(self.values) != S:
            raise ShapeError(f"QueryWalk: values have shape {self.values.shape}, not ({S}, D)")
        if not 0 <= self.query < S:
            raise RangeError(f"QueryWalk: query {self.query}, but there are positions 0 to {S - 1}")


@styled
def draw_walk(data: QueryWalk) -> Figure:
    """Draw scores, weights and values of one query below each other, a column for every key.

    Example:
        >>> seen = np.array([True, True, False])
        >>> w = np.array([0.25, 0.75, 0.0])
        >>> fig = draw_walk(QueryWalk(["a", "b", "c"], 1, np.array([0.0, 1.1, 2.0]), seen, w, np.eye(3)))
        >>> [ax.get_ylabel() for ax in fig.axes][::2]
        ['score', 'weight', 'value']
    """
    shown = visible(data.tokens[data.query])
    subtitle = f"{shown} at position {data.query} asks; hatched: what comes after it, and is hidden"
    fig = figure(6.6, data.title, subtitle, alt=_in_words(data))
    axes = fig.subplots(3, 2, width_ratios=[len(data.tokens), 1.6], height_ratios=[2.0, 2.0, 1.8], sharex="col")
    _scores(axes[0, 0], data)
    _weights(axes[1, 0], data)
    _values(axes[2, 0], axes[2, 1], data)
    for ax in (axes[0, 1], axes[1, 1]):
        ax.set_axis_off()
    return fig


def _scores(ax: Axes, data: QueryWalk) -> None:
    places = np.arange(len(data.tokens))
    ax.bar(places[data.seen], data.scores[data.seen], color=BLUE, width=0.7)
    hidden = places[~data.seen]
    ax.bar(hidden, data.scores[~data.seen], color=PALE, edgecolor=GRAY, hatch="///", linewidth=0.6, width=0.7)
    ax.axhline(0, color=GRAY, linewidth=0.8)
    ax.set_ylabel("score")
    ax.set_title("1  how well does each key match?  q k^T / sqrt(D)", loc="left")


def _weights(ax: Axes, data: QueryWalk) -> None:
    places = np.arange(len(data.tokens))
    ax.bar(places, data.weights, color=GREEN, width=0.7)
    top = float(data.weights.max())
    for place, weight in zip(places, data.weights, strict=True):
        text = f"{weight:.2f}" if weight else "0"
        ax.text(float(place), weight + 0.02 * top, text, ha="center", va="bottom", fontsize=8, color=GRAY)
    ax.set_ylim(0, 1.18 * top)
    ax.set_ylabel("weight")
    ax.set_title("2  softmax over what is visible: shares of one whole", loc="left")


def _values(ax: Axes, beside: Axes, data: QueryWalk) -> None:
    out = data.weights @ data.values  # (D,)
    limit = max(float(np.abs(data.values).max()), 1e-9)
    look: Any = {"cmap": AMOUNTS, "vmin": -limit, "vmax": limit, "aspect": "auto"}
    ax.imshow(data.values.T, **look)
    beside.imshow(out[:, None], **look)
    labels = [visible(token) for token in data.tokens]
    ax.set_xticks(range(len(labels)), labels)
    ax.get_xticklabels()[data.query].set_color(VERMILION)
    ax.get_xticklabels()[data.query].set_fontweight("bold")
    ax.set_ylabel("value")
    ax.set_title("3  the weighted mean of the values", loc="left")
    beside.set_title("= out")
    beside.set_xticks([])
    for one in (ax, beside):
        one.set_yticks([])
        one.grid(visible=False)


def _in_words(data: QueryWalk) -> str:
    most = int(data.weights.argmax())
    hidden = int((~data.seen).sum())
    later = f"{hidden or 'No'} later token{'s' * (hidden != 1)} hidden from it"
    return (
        f"Three rows of columns, one column for each of {len(data.tokens)} tokens: scores, weights and values of the "
        f"query {visible(data.tokens[data.query])}. {later}; most "
        f"weight, {data.weights[most]:.2f}, goes to {visible(data.tokens[most])}."
    )
