"""The picture of a derivative by trying: its error against the length of the step, a line for each way to try."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator

from ..errors import ShapeError
from .style import BLACK, BLUE, GRAY, GREEN, VERMILION, figure, styled

_LOOKS = ((VERMILION, "--", "s"), (BLUE, "-", "o"), (GREEN, "-", "^"), (BLACK, ":", "D"))


@dataclass(frozen=True)
class StepErrors:
    """Relative errors of numeric derivatives.

    Attributes:
        steps: the lengths h, each above zero.
        errors: for each way to try, its relative error at each step; what is exact is 0.
        title: of the picture.
        subtitle: one line below the title.
    """

    steps: Sequence[float]
    errors: Mapping[str, Sequence[float]]
    title: str = "Error of a slope against the length of the step"
    subtitle: str = ""

    def __post_init__(self) -> None:
        for name, values in self.errors.items():
            if len(values) != len(self.steps):
                raise ShapeError(f"StepErrors: {len(values)} errors of {name} for {len(self.steps)} steps")
        if not self.errors or not self.steps:
            raise ShapeError("StepErrors: there is nothing to draw", hint="at least one way, and one step")

    def best(self, name: str) -> tuple[float, float]:
        """Return the step with the smallest error, and that error.

        Example:
            >>> StepErrors([1e-1, 1e-3], {"central": [1e-2, 1e-6]}).best("central")
            (0.001, 1e-06)
        """
        place = int(np.argmin(self.errors[name]))
        return float(self.steps[place]), float(self.errors[name][place])


@styled
def draw_step_errors(data: StepErrors) -> Figure:
    """Draw both axes on logarithmic scales; an error of zero lies on the bottom line.

    Example:
        >>> fig = draw_step_errors(StepErrors([1e-1, 1e-3], {"central": [1e-2, 1e-6]}))
        >>> fig.axes[0].get_xlabel()
        'step h (logarithmic; smaller to the left)'
    """
    fig = figure(4.6, data.title, data.subtitle, alt=_in_words(data))
    ax = fig.subplots()
    every = [e for values in data.errors.values() for e in values if e > 0 and np.isfinite(e)]
    floor = min([1e-16, *every]) / 3
    for k, (name, values) in enumerate(data.errors.items()):
        color, line, marker = _LOOKS[k % len(_LOOKS)]
        shown = [max(e, floor) if np.isfinite(e) else np.nan for e in values]
        ax.plot(data.steps, shown, color=color, linestyle=line, marker=marker, markersize=4, label=name)
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_ylim(floor / 2, 30 * max([1.0, *every]) if every else 1.0)
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(LogLocator(numticks=12))
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0e}"))
    ax.minorticks_off()
    ax.set_xlabel("step h (logarithmic; smaller to the left)")
    ax.set_ylabel("relative error")
    ax.grid(axis="both")
    ax.axhline(np.finfo(np.float64).eps, color=GRAY, linewidth=1, linestyle=":")
    ax.annotate(
        "the last digit of a float64", (ax.get_xlim()[1], np.finfo(np.float64).eps), fontsize=8.5, color=GRAY,
        xytext=(-4, 4), textcoords="offset points", ha="right",
    )  # fmt: skip
    fig.legend(loc="outside lower center", ncols=2, fontsize=9)
    return fig


def _in_words(data: StepErrors) -> str:
    parts = [f"Relative error of a slope for steps from {min(data.steps):.0e} to {max(data.steps):.0e}."]
    for name in data.errors:
        step, error = data.best(name)
        parts.append(f"{name}: smallest error {max(error, 1e-16):.0e}, at a step of {step:.0e}.")
    return " ".join(parts)
