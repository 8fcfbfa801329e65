"""The descent picture: how the loss of a layout such as t-SNE's falls, and where its first phase ends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure

from ..errors import ShapeError
from .style import BLUE, GRAY, PALE, figure, styled
from .terminal import curve


@dataclass(frozen=True)
class Descent:
    """A loss at some steps.

    Attributes:
        steps: where it was measured.
        losses: what it was.
        phase: how many steps the first phase took, as t-SNE's early exaggeration; 0 for none.
        phase_name: what to call it.
        measure: what the loss is.
        title: of the picture.
        subtitle: one line below the title.
    """

    steps: Sequence[float]
    losses: Sequence[float]
    phase: float = 0
    phase_name: str = "early exaggeration"
    measure: str = "KL(p || q), nats"
    title: str = "t-SNE finds its picture"
    subtitle: str = ""

    def __post_init__(self) -> None:
        if len(self.steps) != len(self.losses) or not len(self.steps):
            raise ShapeError(f"Descent: {len(self.losses)} losses for {len(self.steps)} steps", hint="one for each")


@styled
def draw_descent(data: Descent) -> Figure:
    """Draw the curve, with the first phase shaded.

    Example:
        >>> draw_descent(Descent([0, 10, 20], [2.0, 1.5, 0.7], phase=10)).axes[0].get_ylabel()
        'KL(p || q), nats'
    """
    fig = figure(4.0, data.title, data.subtitle, alt=_in_words(data))
    ax = fig.subplots()
    high = 1.08 * max(*data.losses, 1e-9)
    if data.phase > 0:
        ax.axvspan(data.steps[0], data.phase, color=PALE, linewidth=0, zorder=0)
        ax.text(data.phase, 0.985 * high, data.phase_name + " ", ha="right", va="top", fontsize=9, color=GRAY)
    ax.plot(data.steps, data.losses, color=BLUE, marker="o" if len(data.steps) <= 20 else "", markersize=4)
    ax.annotate(
        f"{data.losses[-1]:.3f}", (data.steps[-1], data.losses[-1]), (0, 7), textcoords="offset points", ha="right",
        fontsize=9, color=BLUE,
    )  # fmt: skip
    ax.set_ylim(min(0, *data.losses), high)
    ax.margins(x=0.01)
    ax.set_xlabel("step")
    ax.set_ylabel(data.measure)
    return fig


def descent_lines(data: Descent, width: int = 60, height: int = 8, unicode: bool = True) -> list[str]:
    """Write the curve for a terminal.

    Example:
        >>> data = Descent([0, 5, 10, 15], [2.0, 1.0, 0.5, 0.4])
        >>> print(*descent_lines(data, width=20, height=3, unicode=False), sep="\\n")
        KL(p || q), nats
        2.000 |#
              |#
        0.400 |####
               0 15
    """
    steps = (data.steps[0], data.steps[-1])
    return [data.measure, *curve(list(data.losses), width=width, height=height, unicode=unicode, steps=steps)]


def _in_words(data: Descent) -> str:
    phase = f" {data.phase_name} ends at step {data.phase:g}." if data.phase > 0 else ""
    return (
        f"Line chart of {data.measure} against steps: from {data.losses[0]:.3f} at step {data.steps[0]:g} to "
        f"{data.losses[-1]:.3f} at step {data.steps[-1]:g}.{phase}"
    )
