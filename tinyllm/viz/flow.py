"""The gradient-flow picture: how large the gradient is at every depth, of what flows and of every parameter."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator

from ..errors import ShapeError
from .style import BLACK, BLUE, GREEN, ORANGE, PURPLE, VERMILION, figure, note, styled

# what a parameter belongs to -> its color and mark
KINDS = {"embed": (PURPLE, "D"), "attn": (BLUE, "o"), "mlp": (GREEN, "s"), "norm": (ORANGE, "^"), "head": (BLACK, "v")}
_DECADES = 3.0
_WORDS = {"embed": "embedding", "attn": "attention", "mlp": "MLP", "norm": "norms", "head": "head"}


@dataclass(frozen=True)
class FlowMap:
    """Sizes of gradients over the depth of a model.

    Attributes:
        layers: "embed", "blocks.0", ...: where activations were watched, from the first to the last.
        activations: size of the loss's gradient with respect to what leaves each; None or 0 where there is none.
        parameters: name -> size of its gradient; None where there is none.
        title: of the picture.
        subtitle: one line below the title.
    """

    layers: Sequence[str]
    activations: Sequence[float | None]
    parameters: Mapping[str, float | None]
    title: str = "Gradient flow by layer"
    subtitle: str = ""

    def __post_init__(self) -> None:
        if len(self.layers) != len(self.activations):
            raise ShapeError(f"FlowMap: {len(self.activations)} activations for {len(self.layers)} layers")
        if not self.layers and not self.parameters:
            raise ShapeError("FlowMap: there is nothing to draw", hint="at least one layer or parameter")

    def place(self, name: str) -> tuple[int, str]:
        """Return the column of a parameter and its kind.

        Example:
            >>> FlowMap(["embed", "blocks.0"], [1.0, 1.0], {}).place("blocks.0.mlp.up.weight")
            (1, 'mlp')
        """
        parts = name.split(".")
        if len(parts) > 2 and ".".join(parts[:2]) in self.layers:
            kind = next((kind for kind in ("attn", "mlp") if parts[2].startswith(kind)), "norm")
            return list(self.layers).index(".".join(parts[:2])), kind
        if parts[0] in ("wte", "wpe"):
            return 0, "embed"
        return len(self.layers), "norm" if parts[0].startswith("norm") else "head"

    def without(self) -> list[str]:
        """Name the parameters that got no gradient, or one that is zero or no number."""
        return [name for name, size in self.parameters.items() if not _drawn(size)]


@styled
def draw_flow(data: FlowMap) -> Figure:
    """Draw the activations' gradients above and the parameters' below, both on logarithmic scales.

    What has no gradient, or one of zero, is a cross on the bottom line.

    Example:
        >>> fig = draw_flow(FlowMap(["embed", "blocks.0"], [1e-3, 2e-3], {"wte.weight": 1e-4, "head.weight": None}))
        >>> [ax.get_ylabel() for ax in fig.axes]
        ['of activations', 'of parameters']
    """
    fig = figure(5.6, data.title, data.subtitle, alt=_in_words(data))
    top, bottom = fig.subplots(2, 1, sharex=True, height_ratios=[2, 3])
    places = range(len(data.layers))
    _points(top, [(x, size) for x, size in zip(places, data.activations, strict=True)], BLACK, "o", "", line=True)
    top.set_ylabel("of activations")
    for kind, (color, mark) in KINDS.items():
        sizes = [(*data.place(name), size) for name, size in data.parameters.items()]
        own = [(x, size) for x, of, size in sizes if of == kind]
        if own:
            shift = {"embed": 0.0, "attn": -0.14, "mlp": 0.14, "norm": 0.0, "head": 0.14}[kind]
            _points(bottom, [(x + shift, size) for x, size in own], color, mark, _WORDS[kind])
    bottom.set_ylabel("of parameters")
    if not data.parameters:
        note(bottom, "no parameters")
    names = [name.removeprefix("blocks.") for name in data.layers]
    every = -(-len(names) // 24)  # more labels than this run into each other
    ticks = [x for x in places if x == 0 or (x - 1) % every == 0]
    bottom.set_xticks([*ticks, len(names)], [*(names[x] for x in ticks), "end"])
    bottom.set_xlim(-0.6, len(names) + 0.6)
    bottom.set_xlabel("block, from the embedding to the head (the gradient comes from the right)")
    handles, labels = bottom.get_legend_handles_labels()
    unique = dict(zip(labels, handles, strict=True))
    if unique:
        fig.legend(unique.values(), unique.keys(), loc="outside lower center", ncols=6, fontsize=9)
    return fig


def flow_lines(data: FlowMap, width: int = 80, unicode: bool = True) -> list[str]:
    """Draw the activations' gradients for a terminal: a bar for each layer on a logarithmic scale, and its number.

    Example:
        >>> for line in flow_lines(FlowMap(["embed", "blocks.0"], [1e-3, 1e-2], {}), width=40, unicode=False):
        ...     print(line)
        embed    1.0e-03 ###############
        blocks.0 1.0e-02 #######################
    """
    sizes = [math.log10(size) for size in data.activations if size and _drawn(size)]
    high = max(sizes, default=0.0)
    low = min([*sizes, high - _DECADES])  # less is no difference worth a look
    wide = max(map(len, data.layers), default=0)
    room = max(width - wide - 9, 1)
    full = "█" if unicode else "#"
    lines = []
    for name, size in zip(data.layers, data.activations, strict=True):
        if size is None or not _drawn(size):
            lines.append(f"{name:<{wide}} {'none' if size is None else f'{size:g}':>7}"[:width])
            continue
        share = (math.log10(size) - low) / (high - low)
        lines.append(f"{name:<{wide}} {size:.1e} {full * max(1, round(share * room))}"[:width])
    return lines


def _points(ax: Axes, points: Sequence[tuple[float, float | None]], color: str, mark: str, label: str,
            line: bool = False) -> None:  # fmt: skip
    """Draw what has a size, and crosses on the bottom line for what has none."""
    there = [(x, size) for x, size in points if _drawn(size)]
    if there:
        xs, sizes = zip(*there, strict=True)
        ax.plot(xs, sizes, color=color, marker=mark, markersize=5, linestyle="-" if line else "none",
                linewidth=1.2, label=label or None)  # fmt: skip
    ax.set_yscale("log")
    ax.yaxis.set_major_locator(LogLocator(numticks=7))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0e}"))
    ax.minorticks_off()
    if line and there:
        ax.set_ylim(min(sizes) / 10, max(sizes) * 10)
    for x, size in points:
        if not _drawn(size):
            ax.plot([x], [0.02], marker="X", markersize=9, color=VERMILION, linestyle="none", clip_on=False,
                    transform=ax.get_xaxis_transform(), label="none", zorder=5)  # fmt: skip


def _drawn(size: float | None) -> bool:
    return size is not None and math.isfinite(size) and size > 0


def _in_words(data: FlowMap) -> str:
    parts = ["The size of the gradient at every depth, on logarithmic scales."]
    there = [(name, size) for name, size in zip(data.layers, data.activations, strict=True) if size and _drawn(size)]
    if there:
        (first, low), (last, high) = there[0], there[-1]
        parts.append(f"Of activations it is {low:.1e} at {first} and {high:.1e} at {last}.")
    gone = [name for name, size in zip(data.layers, data.activations, strict=True) if not _drawn(size)]
    parts.append(f"None arrives at {', '.join(gone)}." if gone else "It arrives everywhere.")
    without = data.without()
    if without:
        parts.append(f"{len(without)} of {len(data.parameters)} parameters have none, such as {without[0]}.")
    return " ".join(parts)
