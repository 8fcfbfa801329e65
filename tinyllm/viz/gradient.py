"""The gradient-check picture: how far each gradient is from the slope that was measured, against the tolerance."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator

from ..errors import ShapeError
from .style import BLACK, BLUE, VERMILION, figure, note, styled

_MOST = 60


@dataclass(frozen=True)
class GradientErrors:
    """Relative errors of gradients.

    Attributes:
        names: of the parameters or operations that were checked.
        errors: |gradient - measured slope| / size of the slope, one for each name; 0 is exact, NaN or infinity failed.
        tolerance: errors above it are wrong.
        title: of the picture.
        subtitle: one line below the title.
    """

    names: Sequence[str]
    errors: Sequence[float]
    tolerance: float
    title: str = "Gradients against measured slopes"
    subtitle: str = ""

    def __post_init__(self) -> None:
        if len(self.names) != len(self.errors):
            raise ShapeError(f"GradientErrors: {len(self.errors)} errors for {len(self.names)} names")

    def wrong(self) -> list[str]:
        """Name those whose error is above the tolerance or no number.

        Example:
            >>> GradientErrors(["w", "b"], [1e-9, 0.5], 1e-6).wrong()
            ['b']
        """
        return [name for name, error in zip(self.names, self.errors, strict=True) if not error <= self.tolerance]


@styled
def draw_gradient_check(data: GradientErrors) -> Figure:
    """Draw one point per name on a logarithmic scale, the worst on top; those beyond the tolerance are crosses.

    Past 60 names the 60 worst are drawn, and the picture says so.

    Example:
        >>> fig = draw_gradient_check(GradientErrors(["w", "b"], [1e-9, 0.5], 1e-6))
        >>> fig.axes[0].get_xlabel()
        'relative error of the gradient (logarithmic)'
    """
    ranked = sorted(
        zip(data.names, data.errors, strict=True), key=lambda pair: -pair[1] if math.isfinite(pair[1]) else -math.inf
    )
    shown = ranked[:_MOST]
    subtitle = data.subtitle
    if len(shown) < len(ranked):
        subtitle = f"{subtitle}{'; ' if subtitle else ''}the {_MOST} largest of {len(ranked)}"
    fig = figure(max(2.0, 1.7 + 0.2 * len(shown)), data.title, subtitle, alt=_in_words(data))
    ax = fig.subplots()
    ax.set_xlabel("relative error of the gradient (logarithmic)")
    if not shown:
        note(ax, "nothing was checked")
        return fig
    finite = [e for e in data.errors if math.isfinite(e) and e > 0]
    floor = min([1e-16, *finite]) / 4  # an exact gradient has no logarithm: it sits at the left end
    ceiling = max([1.0, data.tolerance * 100, *finite]) * 4
    wrong = set(data.wrong())
    for failed in (False, True):
        rows = [(row, e) for row, (name, e) in enumerate(shown) if (name in wrong) == failed]
        if rows:
            ax.plot(
                [min(max(e, floor), ceiling) if math.isfinite(e) else ceiling for _, e in rows],
                [row for row, _ in rows],
                linestyle="none", marker="X" if failed else "o", markersize=8 if failed else 6,
                color=VERMILION if failed else BLUE,
                label=f"wrong ({len(wrong)})" if failed else f"within tolerance ({len(data.names) - len(wrong)})",
            )  # fmt: skip
    ax.axvline(data.tolerance, color=BLACK, linestyle="--", linewidth=1.2, label=f"tolerance {data.tolerance:.0e}")
    ax.set_xscale("log")
    ax.set_xlim(floor / 2, ceiling * 2)
    ax.xaxis.set_major_locator(LogLocator(numticks=12))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0e}"))
    ax.minorticks_off()
    ax.set_yticks(range(len(shown)), [name for name, _ in shown], fontsize=8.5)
    ax.set_ylim(len(shown) - 0.4, -0.6)  # the worst on top
    ax.grid(axis="both")
    fig.legend(loc="outside lower center", ncols=3, fontsize=9)
    return fig


def _in_words(data: GradientErrors) -> str:
    wrong = data.wrong()
    if not data.names:
        return "A gradient check of nothing."
    worst, error = max(
        zip(data.names, data.errors, strict=True), key=lambda pair: (not math.isfinite(pair[1]), pair[1])
    )
    verdict = f"{len(wrong)} of {len(data.names)} are wrong: {', '.join(wrong[:10])}" if wrong else "All are within it"
    return (
        f"Relative errors of {len(data.names)} gradients against a tolerance of {data.tolerance:.0e}. {verdict}. "
        f"The largest is {error:.1e}, of {worst}."
    )
