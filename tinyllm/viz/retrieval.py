"""The retrieval ladder: each step's mean with its interval, and what it changed against the step before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from matplotlib.figure import Figure

from ..errors import ShapeError
from .style import BLUE, GRAY, GREEN, PALE, VERMILION, figure, styled

# verdict -> color, mark: never color alone
_LOOKS = {"better": (GREEN, "^"), "worse": (VERMILION, "v"), "not shown": (GRAY, "D"), "": (BLUE, "o")}


@dataclass(frozen=True)
class RetrievalLadder:
    """Steps of a retrieval pipeline, each held against the one before.

    Attributes:
        names: of the steps, from the first.
        means: of each, with their intervals: (value, low, high); higher is better.
        deltas: against the step before, with their intervals; None for the first.
        p_values: of the deltas, corrected for their number; None for the first.
        detectable: the least difference that so many queries could have shown; None for the first.
        verdicts: "better", "not shown" or "worse"; "" for the first.
        predictions: what was expected, written before the run; "" where nothing was.
        what: is measured.
        title: of the picture.
        subtitle: one line below the title.
    """

    names: Sequence[str]
    means: Sequence[tuple[float, float, float]]
    deltas: Sequence[tuple[float, float, float] | None]
    p_values: Sequence[float | None]
    detectable: Sequence[float | None]
    verdicts: Sequence[str]
    predictions: Sequence[str] = field(default=())
    what: str = "nDCG@10"
    title: str = "Each step of retrieval, measured"
    subtitle: str = ""

    def __post_init__(self) -> None:
        if not self.names:
            raise ShapeError("RetrievalLadder: there is nothing to draw", hint="at least one step")
        parts = [self.means, self.deltas, self.p_values, self.detectable, self.verdicts]
        parts += [self.predictions] if self.predictions else []
        lengths = [len(part) for part in parts]
        if any(n != len(self.names) for n in lengths):
            raise ShapeError(f"RetrievalLadder: {lengths} means, deltas, ... for {len(self.names)} names")

    @classmethod
    def of(cls, report: Any, what: str = "nDCG@10", title: str = "Each step of retrieval, measured") -> RetrievalLadder:
        """Take the numbers out of a report as ``rag.ladder`` returns it: anything with title, queries and steps.

        Args:
            report: its steps have a name, a mean, a prediction, and a change with delta, p_holm, least and verdict.
            what: is measured.
            title: of the picture; the report's own title and the number of queries go below it.
        """
        changes = [step.change for step in report.steps]
        return cls(
            names=[step.name for step in report.steps],
            means=[_interval(step.mean) for step in report.steps],
            deltas=[_interval(change.delta) if change else None for change in changes],
            p_values=[change.p_holm if change else None for change in changes],
            detectable=[change.least if change else None for change in changes],
            verdicts=[change.verdict if change else "" for change in changes],
            predictions=[step.prediction or "" for step in report.steps],
            what=what,
            title=title,
            subtitle=f"{report.title}, {report.queries} queries",
        )


@styled
def draw_retrieval_ladder(data: RetrievalLadder) -> Figure:
    """Draw the means at the left and the differences at the right, a row for each step.

    Behind each difference lies a pale bar: a difference inside of it could have gone unseen with so few queries.

    Example:
        >>> data = RetrievalLadder(["words", "bm25"], [(0.3, 0.25, 0.35), (0.5, 0.45, 0.55)], [None, (0.2, 0.15, 0.25)],
        ...                        [None, 0.0002], [None, 0.04], ["", "better"])
        >>> [text.get_text() for text in draw_retrieval_ladder(data).axes[1].texts]
        ['+0.200  better\\n(p = 0.0002)']
    """
    rows = len(data.names)
    fig = figure(1.95 + 0.5 * rows, data.title, data.subtitle, alt=_in_words(data))
    left, right = fig.subplots(1, 2, sharey=True, width_ratios=[1.2, 1])
    ends = [end for delta in data.deltas if delta for end in delta] or [0.1]
    low, high = min(0.0, *ends), max(0.0, *ends)
    reach = (high - low) or 0.1
    for row, (mean, delta, verdict) in enumerate(zip(data.means, data.deltas, data.verdicts, strict=True)):
        color, mark = _LOOKS[verdict]
        left.plot(mean[1:], [row, row], color=color, linewidth=2.5, solid_capstyle="butt")
        left.plot([mean[0]], [row], marker=mark, color=color, markersize=8, linestyle="none")
        left.annotate(f"{mean[0]:.3f}", (mean[0], row), xytext=(0, 8), textcoords="offset points", ha="center",
                      fontsize=8.5)  # fmt: skip
        if data.predictions and data.predictions[row]:
            left.annotate(_shortened(f"predicted: {data.predictions[row]}", 46), (0, row), xytext=(4, -13),
                          xycoords=left.get_yaxis_transform(), textcoords="offset points", fontsize=7.5,
                          color=GRAY, style="italic")  # fmt: skip
        if delta is None:
            continue
        seen = min(data.detectable[row] or 0.0, reach)
        right.barh([row], [2 * seen], left=[-seen], height=0.62, color=PALE)
        right.plot(delta[1:], [row, row], color=color, linewidth=2.5, solid_capstyle="butt")
        right.plot([delta[0]], [row], marker=mark, color=color, markersize=8, linestyle="none")
        right.text(1.03, row, _written(data, row, "\n"), transform=right.get_yaxis_transform(), va="center",
                   fontsize=8.5, color=color if verdict != "not shown" else "black")  # fmt: skip
    for ax in (left, right):
        ax.grid(axis="x", color=PALE)
        ax.grid(visible=False, axis="y")
    right.axvline(0, color="black", linewidth=1)
    widest = min(max((seen for seen in data.detectable if seen is not None), default=0.0), reach)
    right.set_xlim(min(low, -widest) - 0.08 * reach, max(high, widest) + 0.08 * reach)
    left.set_yticks(range(rows), [_shortened(name, 24) for name in data.names], fontsize=9)
    left.tick_params(axis="y", length=0)
    right.tick_params(axis="y", length=0)
    left.set_ylim(rows - 0.4, -0.75)
    left.set_xlabel(f"{data.what}\n(higher is better)")
    right.set_xlabel("difference to the step before\n(gray: too small for so few queries)")
    return fig


def retrieval_ladder_lines(data: RetrievalLadder, width: int = 80, unicode: bool = True) -> list[str]:
    """Draw a line for each step: its mean as a bar to scale, the interval's ends in it, and what it changed.

    Example:
        >>> data = RetrievalLadder(["words", "bm25"], [(0.3, 0.25, 0.35), (0.5, 0.45, 0.55)], [None, (0.2, 0.15, 0.25)],
        ...                        [None, 0.0002], [None, 0.04], ["", "better"])
        >>> for line in retrieval_ladder_lines(data, width=64, unicode=False):
        ...     print(line)
        words  0.300  #########==|==
        bm25   0.500  ################==|==  +0.200  better (p = 0.0002)
    """
    full, part = ("█", "▒") if unicode else ("#", "=")
    end = "┃" if unicode else "|"
    wide = min(max(map(len, data.names)), max(width - 50, 10))
    ends = [_written(data, row) if delta else "" for row, delta in enumerate(data.deltas)]
    room = max(width - wide - 11 - max(map(len, ends)), 8)
    highest = max(max(mean) for mean in data.means)
    scale = (room - 1) / highest if highest > 0 else 0.0
    lines = []
    for name, mean, said in zip(data.names, data.means, ends, strict=True):
        low, middle, high = (round(max(value, 0.0) * scale) for value in (mean[1], mean[0], mean[2]))
        cells = [full] * low + [part] * (high - low + 1)
        cells[middle] = end
        line = f"{_shortened(name, wide):<{wide}}  {mean[0]:.3f}  {''.join(cells):<{room}}  {said}"
        lines.append(line[:width].rstrip())
    return lines


def _interval(found: Any) -> tuple[float, float, float]:
    return float(found.value), float(found.low), float(found.high)


def _written(data: RetrievalLadder, row: int, between: str = " ") -> str:
    delta, p = data.deltas[row], data.p_values[row]
    if delta is None:
        return ""
    return f"{delta[0]:+.3f}  {data.verdicts[row]}" + (f"{between}(p = {p:.4f})" if p is not None else "")


def _shortened(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"


def _in_words(data: RetrievalLadder) -> str:
    parts = [f"{data.what} of {len(data.names)} steps, higher is better."]
    for row, (name, mean) in enumerate(zip(data.names, data.means, strict=True)):
        said = _written(data, row)
        parts.append(f"{name}: {mean[0]:.3f} [{mean[1]:.3f}, {mean[2]:.3f}]" + (f", {said}." if said else "."))
    return " ".join(parts)
