"""The ladder picture: one number for each of a few models, best at the bottom, and the floor that none can go below."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure

from ..errors import ShapeError
from .style import BLACK, BLUE, PALE, figure, styled


@dataclass(frozen=True)
class Ladder:
    """A measure, lower being better, for each of a few models.

    Attributes:
        names: of the models, in the order in which they are drawn, from the top.
        values: one for each.
        unit: what the values are: "bits per byte".
        floor: what no model can go below, or None where nobody knows.
        title: of the picture.
        subtitle: one line below the title.
    """

    names: Sequence[str]
    values: Sequence[float]
    unit: str
    floor: float | None = None
    title: str = "Each model, measured"
    subtitle: str = ""

    def __post_init__(self) -> None:
        if len(self.names) != len(self.values):
            raise ShapeError(f"Ladder: {len(self.values)} values for {len(self.names)} names")
        if not self.names:
            raise ShapeError("Ladder: there is nothing to draw", hint="at least one model")

    def best(self) -> str:
        """Name the model with the lowest value.

        Example:
            >>> Ladder(["guess", "model"], [8.0, 0.5], "bits").best()
            'model'
        """
        return min(zip(self.values, self.names, strict=True))[1]


@styled
def draw_ladder(data: Ladder) -> Figure:
    """Draw a bar for each model with its value written out, and the floor as a dashed line.

    Example:
        >>> fig = draw_ladder(Ladder(["guess", "model"], [8.0, 0.5], "bits per byte", floor=0.25))
        >>> fig.axes[0].get_xlabel(), [text.get_text() for text in fig.axes[0].texts]
        ('bits per byte (lower is better)', ['8.000', '0.500'])
    """
    count = len(data.names)
    fig = figure(1.5 + 0.42 * count, data.title, data.subtitle, alt=_in_words(data))
    ax = fig.subplots()
    rows = range(count)
    ax.barh(rows, data.values, color=BLUE, height=0.6)
    for row, value in zip(rows, data.values, strict=True):
        ax.annotate(f"{value:.3f}", (value, row), xytext=(5, 0), textcoords="offset points", va="center", fontsize=9.5)
    if data.floor is not None:
        label = f"no model can go below {data.floor:.3f}"
        ax.axvline(data.floor, color=BLACK, linestyle="--", linewidth=1.2, label=label)
        ax.legend(loc="lower right", fontsize=9)
    ax.set_yticks(rows, data.names)
    ax.set_ylim(count - 0.4, -0.6)
    ax.set_xlim(0, 1.12 * max(data.values))
    ax.tick_params(axis="y", length=0)
    ax.set_xlabel(f"{data.unit} (lower is better)")
    ax.grid(visible=False, axis="y")
    ax.grid(visible=True, axis="x", color=PALE)
    return fig


def _in_words(data: Ladder) -> str:
    values = ", ".join(f"{name} {value:.3f}" for name, value in zip(data.names, data.values, strict=True))
    floor = f" No model can go below {data.floor:.3f}." if data.floor is not None else ""
    return f"Bars of {data.unit}, lower is better: {values}.{floor}"
