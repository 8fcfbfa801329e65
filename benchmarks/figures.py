"""The picture of a benchmark: what was reached under the machine's roofline, and how cost grows with size."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.path import Path as MarkerPath
from matplotlib.textpath import TextPath
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter
from report import OURS, Row
from roofline import Ceilings
from slopes import Slope

from tinyllm.viz.style import BLACK, BLUE, GRAY, GREEN, ORANGE, PURPLE, SKY, VERMILION, figure, note, save, styled

# candidate -> (color, marker, line); what color says, the marker says as well
LOOKS = {
    OURS: (BLUE, "o", "-"),
    "numpy": (ORANGE, "s", "--"),
    "torch eager": (VERMILION, "^", "-."),
    "torch.compile": (PURPLE, "v", ":"),
    "jax": (GREEN, "D", (0, (5, 1, 1, 1))),
    "transformers": (BLACK, "P", ":"),
    "Flat": (BLUE, "o", "-"),
    "Flat int8": (SKY, "s", "--"),
    "IVF": (ORANGE, "^", "-."),
    "HNSW": (VERMILION, "v", ":"),
    "BM25": (GREEN, "D", (0, (5, 1, 1, 1))),
}
MOST_LINES = 4  # panels of slopes


def draw(name: str, rows: list[Row], ceilings: Ceilings, lines: list[Slope], path: Path) -> Path:
    """Draw what a benchmark has measured and write it to a file."""
    return save(picture(name, rows, ceilings, lines), path)


@styled
def picture(name: str, rows: list[Row], ceilings: Ceilings, lines: list[Slope]) -> Figure:
    """Draw the roofline where rows know their arithmetic, and a panel for each line of slopes."""
    points = points_under(rows)
    panels = list(dict.fromkeys((one.line, one.axis) for one in lines))[:MOST_LINES]
    above = bool(points) and bool(ceilings.memory)
    down = math.ceil(len(panels) / 2)
    heights = [4.4] * above + [4.3] * down
    title = f"{name.replace('_', ' ')}, {ceilings.threads} thread{'s' * (ceilings.threads != 1)}"
    fig = figure(max(3.0, 0.7 + sum(heights)), title, "medians of one run", alt=in_words(name, lines))
    if not heights:
        note(fig.subplots(), "nothing to draw")
        return fig
    parts = fig.subfigures(len(heights), 1, height_ratios=heights, squeeze=False)[:, 0]
    if above:
        _roofline(parts[0].subplots(), points, ceilings)
    for row in range(down):
        axes = parts[above + row].subplots(1, min(2, len(panels)), squeeze=False)[0]
        for i, ax in enumerate(axes):
            if 2 * row + i < len(panels):
                _slopes(ax, [one for one in lines if (one.line, one.axis) == panels[2 * row + i]])
            else:
                ax.set_axis_off()
    return fig


def points_under(rows: list[Row]) -> dict[str, list[tuple[float, float]]]:
    """Gather (intensity, flop/s) of everybody, in the rows that count float32 arithmetic and bytes."""
    points: dict[str, dict[tuple[float, float], None]] = {}
    for row in rows:
        if not (row.get("flop") and row.get("bytes")) or row.get("dtype") != "float32":
            continue
        intensity = row["flop"] / row["bytes"]
        mine = _number(row["rung"]) if row.get("rung") else OURS
        for who, seconds in ((mine, row["ours"]), (row["peer"], row["peer_seconds"])):
            if who and seconds:
                points.setdefault(who, {})[intensity, row["flop"] / seconds] = None
    return {who: list(found) for who, found in points.items()}


def _roofline(ax: Axes, points: dict[str, list[tuple[float, float]]], ceilings: Ceilings) -> None:
    peak, memory, cache = (ceilings.arithmetic["float32"]["all"], ceilings.memory["all"], ceilings.cache["all"])
    everything = [point for found in points.values() for point in found]
    low = min([0.05, *(x / 2 for x, _ in everything)])
    high = max([4 * peak / memory, *(2 * x for x, _ in everything)])
    ax.set(xscale="log", yscale="log", xlim=(low, high))
    floor = min(y for _, y in everything) / 2e9
    ax.set_ylim(floor, 3 * peak / 1e9)
    for bandwidth, style, name in ((memory, "-", "memory"), (cache, "--", "cache")):
        xs = [low, peak / bandwidth, high]
        ax.plot(xs, [min(peak, bandwidth * x) / 1e9 for x in xs], style, color=GRAY, linewidth=1.4, zorder=1)
        above = name == "cache"  # the words lie left of their line and above it, or right of it and below
        x = 0.7 * peak / bandwidth if above else max(low * 1.3, floor * 2e9 / bandwidth)
        y = bandwidth * x / 1e9 * (1.05 if above else 0.8)
        side: Any = {"ha": "right", "va": "bottom"} if above else {"ha": "left", "va": "top"}
        ax.text(x, y, f"{name} {bandwidth / 1e9:.0f} GB/s", color=GRAY, fontsize=8.5, **side)
    ax.text(high / 1.15, peak / 1e9 * 1.12, f"float32 {peak / 1e9:.0f} GFLOP/s", color=GRAY, fontsize=8.5, ha="right")
    for who in sorted(points, key=lambda who: list(LOOKS).index(who) if who in LOOKS else -1):
        found = points[who]
        color, marker, _ = LOOKS.get(who, (GRAY, _digit(who), ""))
        ax.scatter(
            [x for x, _ in found], [y / 1e9 for _, y in found], s=28 if who in LOOKS else 55, marker=marker, label=who,
            linewidths=1.0, edgecolors=color if who in LOOKS else "none", zorder=3 if who == OURS else 2,
            facecolors="none" if who in LOOKS and who != OURS else color,
        )  # fmt: skip
    _plain_numbers(ax)
    ax.grid(True, axis="both")
    ax.set_xlabel("arithmetic intensity (operations per byte that must be moved)")
    ax.set_ylabel("GFLOP/s")
    ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=8.5)


def _slopes(ax: Axes, lines: list[Slope]) -> None:
    """Draw the lines of one question; each label ends in the fitted exponent."""
    doors = [one for one in lines if one.candidate in LOOKS]
    rungs = [one for one in lines if one.candidate not in LOOKS]
    unit = lines[0].unit
    scale = 1e3 if unit == "seconds" else 1e-6
    for one in rungs:
        name = _number(one.candidate)
        ax.plot(
            one.sizes, [scale * y for y in one.seconds], color=SKY, linewidth=1, marker=_digit(name), markersize=7,
            markerfacecolor=GRAY, markeredgecolor=GRAY, markeredgewidth=0, label=f"{name}: {one.exponent:.2f}",
        )  # fmt: skip
    for one in doors:
        color, marker, style = LOOKS[one.candidate]
        ax.plot(
            one.sizes, [scale * y for y in one.seconds], linestyle=style, color=color, marker=marker,
            markersize=4.5, linewidth=1.6, markerfacecolor=color if one.candidate == OURS else "none",
            label=f"{one.candidate}: {one.exponent:.2f}", zorder=3 if one.candidate == OURS else 2,
        )  # fmt: skip
    ax.set(xscale="log", yscale="log")
    sizes = sorted({size for one in lines for size in one.sizes})
    ax.set_xticks(sizes, [short(size) for size in sizes], fontsize=8)
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.minorticks_off()
    ax.yaxis.set_major_locator(LogLocator(subs=(1, 3)))
    _plain_numbers(ax, x=False)
    ax.set_xlabel(f"{lines[0].axis} ({MEANINGS.get(lines[0].axis, 'size')})")
    ax.set_ylabel("milliseconds" if unit == "seconds" else "megabytes")
    ax.set_title(lines[0].line, loc="left", fontsize=10)
    ax.legend(
        title="exponent, fitted", fontsize=7.5, title_fontsize=8, handlelength=2.4, ncol=3, columnspacing=1.2,
        loc="upper center", bbox_to_anchor=(0.5, -0.14),
    )  # fmt: skip


def _number(rung: str) -> str:
    """Return the number of a rung as it is shown: "v3" for attention_v3."""
    return rung.rpartition("_")[2]


def _digit(number: str) -> MarkerPath:
    """Return the mark of a rung: its number, in the middle of the point."""
    text = TextPath((0, 0), number.removeprefix("v"), size=1)
    box = text.get_extents()
    return MarkerPath(text.vertices - [(box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2], text.codes)


def short(size: float) -> str:
    """Write a size so that there is room for it.

    Example:
        >>> short(4096), short(30_000), short(1_000_000)
        ('4096', '30k', '1M')
    """
    return f"{size:g}" if size < 10_000 else f"{size / 1e3:g}k" if size < 1e6 else f"{size / 1e6:g}M"


MEANINGS = {
    "T": "tokens in a sequence",
    "C": "channels",
    "L": "layers",
    "n": "rows and columns",
    "N": "vectors, or texts",
}


def _plain_numbers(ax: Axes, x: bool = True) -> None:
    """Write 0.1, 1, 10, 1000 instead of powers of ten."""
    plain: Any = FuncFormatter(lambda value, _: f"{value:,.10g}")
    ax.yaxis.set_major_formatter(plain)
    ax.yaxis.set_minor_formatter(NullFormatter())
    if x:
        ax.xaxis.set_major_formatter(plain)
        ax.xaxis.set_minor_formatter(NullFormatter())


def in_words(name: str, lines: list[Slope]) -> str:
    """Say what the picture shows, for those who cannot see it."""
    grown = "; ".join(f"{one.line}, {one.candidate}: cost ~ {one.axis}^{one.exponent:.2f}" for one in lines)
    return f"{name}: speed under the roofline of this machine. {grown}"
