"""The attention picture: which earlier token each token looks at, one head in full and every head small below it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..errors import RangeError, ShapeError
from .style import AMOUNTS, GRAY, PALE, VERMILION, figure, styled, visible

WINDOW = 64  # more tokens than this cannot be told apart in 800 pixels
_ROW = 8  # small maps in a row


@dataclass(frozen=True)
class AttentionMaps:
    """Attention probabilities of one text.

    Attributes:
        maps: one array (H, T, T) for each layer; ``maps[l][h, t, s]`` is how much token t looks at token s.
        tokens: the T tokens as text.
        title: of the picture.
    """

    maps: Sequence[np.ndarray[Any, Any]]
    tokens: Sequence[str]
    title: str = "Attention"

    def __post_init__(self) -> None:
        count = len(self.tokens)
        if not len(self.maps) or not count:
            raise ShapeError(
                "AttentionMaps: there is nothing to draw", hint="at least one layer, and at least one token"
            )
        for layer, array in enumerate(self.maps):
            if array.ndim != 3 or array.shape[1:] != (count, count):
                raise ShapeError(
                    f"AttentionMaps: layer {layer} has shape {array.shape}, not (H, T, T) for T={count} tokens"
                )

    def last(self, window: int = WINDOW) -> AttentionMaps:
        """Keep the last ``window`` tokens only; what they looked at before that is cut off."""
        if len(self.tokens) <= window:
            return self
        return AttentionMaps([m[:, -window:, -window:] for m in self.maps], self.tokens[-window:], self.title)

    def sharpest(self) -> tuple[int, int]:
        """Return (layer, head) of the head that looks at few tokens at a time, and not always at the same one.

        The measure is the mean largest probability of a row, less the share that the most popular token gets: many
        heads rest on one token, often the first, when they have nothing to say.
        """
        best, sharpest = (0, 0), -1.0
        for layer, array in enumerate(self.maps):
            for head, p in enumerate(array):
                value = float(p.max(axis=-1).mean() - p.mean(axis=0).max())
                if value > sharpest:
                    best, sharpest = (layer, head), value
        return best


@styled
def draw_attention(data: AttentionMaps, layer: int | None = None, head: int | None = None) -> Figure:
    """Draw one head with its tokens, and all heads of all layers small below it.

    Past 64 tokens the last 64 are drawn, and the picture says so.

    Args:
        data: the maps.
        layer: of the head in full, counted from 0; by default that of the sharpest head.
        head: the head in full, counted from 0.

    Raises:
        RangeError: there is no such layer or head.

    Example:
        >>> fig = draw_attention(AttentionMaps([np.eye(3)[None]], ["a", "b", "c"]))
        >>> [label.get_text() for label in fig.axes[0].get_yticklabels()]
        ['a', 'b', 'c']
    """
    total = len(data.tokens)
    data = data.last()
    chosen = data.sharpest()
    layer = chosen[0] if layer is None else layer
    if not 0 <= layer < len(data.maps):
        raise RangeError(f"draw_attention: layer {layer}, but there are layers 0 to {len(data.maps) - 1}")
    if head is None:
        head = chosen[1] if layer == chosen[0] else 0
    if not 0 <= head < len(data.maps[layer]):
        raise RangeError(f"draw_attention: head {head}, but layer {layer} has heads 0 to {len(data.maps[layer]) - 1}")
    small = [(l, h) for l, array in enumerate(data.maps) for h in range(len(array))]
    heads = max(len(array) for array in data.maps)
    columns = min(heads * max(1, _ROW // heads), len(small)) if heads <= 16 else _ROW  # a layer stays on one line
    lines = -(-len(small) // columns)
    several = len(small) > 1
    below = lines * (7.2 / max(columns, 6) + 0.3) + 0.3 if several else 0.0
    shown = f"the last {len(data.tokens)} of {total} tokens" if len(data.tokens) < total else f"{total} tokens"
    fig = figure(7.9 + below, data.title, f"layer {layer}, head {head}, over {shown}", alt=_in_words(data, layer, head))
    if not several:
        _in_full(fig, fig.subplots(), data, layer, head)
    else:
        upper, lower = fig.subfigures(2, 1, height_ratios=[7.0, below], squeeze=False).flat
        _in_full(upper, upper.subplots(), data, layer, head)
        lower.suptitle("every head, each on its own scale of color", fontsize=9.5, color=GRAY, x=0.012, ha="left")
        _all_small(lower.subplots(lines, columns, squeeze=False), data, (layer, head))
    return fig


def _masked(p: np.ndarray[Any, Any]) -> Any:
    """Hide what a causal model may not look at, if nothing there is looked at: gray, other than a zero."""
    future = np.triu(np.ones(p.shape, dtype=bool), 1)
    return np.ma.array(p, mask=future) if not p[future].any() else p


def _colors() -> Any:
    return matplotlib.colormaps[AMOUNTS].with_extremes(bad=PALE)


def _in_full(fig: Any, ax: Axes, data: AttentionMaps, layer: int, head: int) -> None:
    p = data.maps[layer][head]
    image = ax.imshow(_masked(p), cmap=_colors(), vmin=0, vmax=max(float(p.max()), 1e-9), aspect="equal")
    labels = [visible(token) for token in data.tokens]
    size = min(9.0, 420 / len(labels))
    ax.set_xticks(range(len(labels)), labels, fontsize=size, rotation=0 if max(map(len, labels)) <= 2 else 90)
    ax.set_yticks(range(len(labels)), labels, fontsize=size)
    ax.tick_params(length=0)
    ax.grid(visible=False)
    ax.set_xlabel("token looked at (key)")
    ax.set_ylabel("token that looks (query)")
    bar = fig.colorbar(image, ax=ax, shrink=0.6, pad=0.02)
    bar.set_label("share of attention (each row sums to 1)")
    bar.outline.set_visible(False)


def _all_small(axes: np.ndarray[Any, Any], data: AttentionMaps, chosen: tuple[int, int]) -> None:
    free = iter(axes.flat)
    for layer, array in enumerate(data.maps):
        for head, p in enumerate(array):
            ax = next(free)
            ax.imshow(_masked(p), cmap=_colors(), vmin=0, vmax=max(float(p.max()), 1e-9), aspect="equal")
            ax.set_xticks([])
            ax.set_yticks([])
            ax.grid(visible=False)
            own = (layer, head) == chosen
            ax.set_title(
                f"layer {layer}\nhead {head}", fontsize=7.5, pad=3,
                color=VERMILION if own else GRAY, fontweight="bold" if own else "normal",
            )  # fmt: skip
            for side in ax.spines.values():
                side.set_visible(own)
                side.set_color(VERMILION)
                side.set_linewidth(2)
    for ax in free:
        ax.set_axis_off()


def _in_words(data: AttentionMaps, layer: int, head: int) -> str:
    p = data.maps[layer][head]
    at = f"Attention of layer {layer}, head {head} over {len(data.tokens)} tokens"
    row = p[-1]
    most = int(row.argmax())
    return (
        f"{at}, queries as rows and keys as columns. The last token, {visible(data.tokens[-1])}, looks most at token "
        f"{most}, {visible(data.tokens[most])} ({row[most]:.2f})."
    )
