"""The picture of one batch learned by heart: its loss from knowing nothing down to the floor."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ..errors import ShapeError
from .style import BLACK, BLUE, GRAY, GREEN, VERMILION, figure, note, styled
from .terminal import curve


@dataclass(frozen=True)
class OverfitCurve:
    """How a batch was learned.

    Attributes:
        losses: before each step, and after the last, in nats per token.
        floor: the lowest loss that is possible on the batch.
        chance: ln V, the loss of one that knows nothing; None to leave its line out.
        learned: did it come to the floor?
        title: of the picture.
        subtitle: one line below the title.
    """

    losses: Sequence[float]
    floor: float = 0.0
    chance: float | None = None
    learned: bool = True
    title: str = "One batch, learned by heart"
    subtitle: str = ""

    def __post_init__(self) -> None:
        if not len(self.losses):
            raise ShapeError("OverfitCurve: there is nothing to draw", hint="at least one loss")


@styled
def draw_overfit(data: OverfitCurve) -> Figure:
    """Draw the loss over the steps, with lines where it may begin and must end.

    Example:
        >>> fig = draw_overfit(OverfitCurve([3.4, 1.2, 0.1, 0.02], chance=3.3))
        >>> sorted(line.get_label() for line in fig.axes[0].lines)
        ['floor: 0.00', 'learned: 0.02 after 3 steps', 'ln V = 3.30, knowing nothing', 'loss on the batch']
    """
    fig = figure(4.2, data.title, data.subtitle, alt=_in_words(data))
    ax = fig.subplots()
    finite = [loss for loss in data.losses if math.isfinite(loss)]
    steps = len(data.losses) - 1
    if data.chance is not None:
        label = f"ln V = {data.chance:.2f}, knowing nothing"
        ax.axhline(data.chance, color=GRAY, linestyle=":", linewidth=1.5, label=label)
    ax.axhline(data.floor, color=BLACK, linestyle="--", linewidth=1.2, label=f"floor: {data.floor:.2f}")
    if not finite:
        note(ax, "the loss is no number from the beginning")
    else:
        ax.plot(range(len(data.losses)), data.losses, color=BLUE, label="loss on the batch")
        color, mark, word = (GREEN, "*", "learned") if data.learned else (VERMILION, "X", "not learned")
        last = max(i for i, loss in enumerate(data.losses) if math.isfinite(loss))
        ax.plot([last], [data.losses[last]], color=color, marker=mark, markersize=14 if data.learned else 11,
                markeredgecolor="black", linestyle="none", clip_on=False, zorder=5,
                label=f"{word}: {data.losses[-1]:.2f} after {steps} steps")  # fmt: skip
    top = max([*finite[:1], data.chance or 0.0, data.floor, *finite[-1:]], default=1.0)
    ax.set_ylim(min([0.0, *finite]), 1.15 * top or 1.0)
    ax.set_xlim(-0.02 * max(steps, 1), 1.02 * max(steps, 1))
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_xlabel("step")
    ax.set_ylabel("loss (nats per token)")
    fig.legend(loc="outside lower center", ncols=2, fontsize=9)
    return fig


def overfit_lines(data: OverfitCurve, width: int = 80, unicode: bool = True) -> list[str]:
    """Draw the losses as a small chart for a terminal, and a line that says how it ended.

    Example:
        >>> overfit_lines(OverfitCurve([3.0, 0.05]), width=40, unicode=False)[-1]
        'learned: 3.00 to 0.05 in 1 steps, the floor is 0.00'
    """
    chart = curve(list(data.losses), width, 6, unicode, steps=(0, len(data.losses) - 1))
    word = "learned" if data.learned else "not learned"
    end = f"{word}: {data.losses[0]:.2f} to {data.losses[-1]:.2f} in {len(data.losses) - 1} steps"
    return [*chart, f"{end}, the floor is {data.floor:.2f}"]


def _in_words(data: OverfitCurve) -> str:
    word = "It is learned." if data.learned else "It is not learned."
    return (
        f"Line chart of the loss on one batch: from {data.losses[0]:.2f} to {data.losses[-1]:.2f} in "
        f"{len(data.losses) - 1} steps; the lowest possible is {data.floor:.2f}. {word}"
    )
