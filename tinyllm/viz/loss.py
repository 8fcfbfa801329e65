"""The loss picture: training and validation loss against steps, the best point, and the learning rate below."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ..errors import ShapeError
from .style import BLUE, GRAY, VERMILION, figure, note, styled

Numbers = Sequence[float] | np.ndarray[Any, Any]


@dataclass(frozen=True)
class LossCurve:
    """What a training run measured.

    Attributes:
        steps: the steps at which ``train`` was measured.
        train: training loss in nats per token.
        val_steps: the steps at which ``val`` was measured.
        val: validation loss in nats per token.
        lr: the learning rate of each step in ``steps``; empty to leave its panel out.
        bytes_per_token: how many bytes of text a token stands for; with it a second scale shows bits per byte.
        title: of the picture.
        subtitle: one line below the title.
    """

    steps: Numbers = ()
    train: Numbers = ()
    val_steps: Numbers = ()
    val: Numbers = ()
    lr: Numbers = ()
    bytes_per_token: float | None = None
    title: str = "Loss"
    subtitle: str = ""

    def __post_init__(self) -> None:
        for name, steps, values in (
            ("train", self.steps, self.train),
            ("val", self.val_steps, self.val),
            ("lr", self.steps, self.lr),
        ):
            if len(steps) != len(values) and not (name == "lr" and not len(values)):
                raise ShapeError(f"LossCurve: {len(values)} values of {name} for {len(steps)} steps")

    def best(self) -> tuple[float, float] | None:
        """Return (step, loss) of the lowest validation loss, or None when none was measured.

        Example:
            >>> LossCurve(val_steps=[0, 5, 9], val=[4.0, 2.5, 2.75]).best()
            (5, 2.5)
        """
        finite = [(value, step) for step, value in zip(self.val_steps, self.val, strict=True) if math.isfinite(value)]
        if not finite:
            return None
        value, step = min(finite)
        return step, value


def smoothed(values: Numbers, span: int) -> np.ndarray[Any, Any]:
    """Average each value with its neighbors, ``span`` values in all, fewer at both ends; non-finite ones are left out.

    Example:
        >>> smoothed([1.0, 2.0, 6.0], span=3).tolist()
        [1.5, 3.0, 4.0]
    """
    array = np.asarray(values, dtype=np.float64)
    finite = np.isfinite(array)
    sums = np.concatenate([[0.0], np.cumsum(np.where(finite, array, 0.0))])
    counts = np.concatenate([[0], np.cumsum(finite)])
    places = np.arange(len(array))
    low = np.maximum(places - span // 2, 0)
    high = np.minimum(places + (span + 1) // 2, len(array))
    count = counts[high] - counts[low]
    return np.where(count > 0, (sums[high] - sums[low]) / np.maximum(count, 1), np.nan)


@styled
def draw_loss(curve: LossCurve) -> Figure:
    """Draw a run: loss above, learning rate below where there is one.

    Example:
        >>> fig = draw_loss(LossCurve(steps=[0, 1, 2], train=[4.2, 3.1, 2.9], val_steps=[2], val=[3.0], lr=[1, 2, 1]))
        >>> [ax.get_ylabel() for ax in fig.axes]
        ['loss (nats per token)', 'learning rate']
    """
    rate = len(curve.lr) > 0
    fig = figure(5.2 if rate else 4.4, curve.title, curve.subtitle, alt=_in_words(curve))
    if rate:
        top, bottom = fig.subplots(2, 1, sharex=True, height_ratios=[5, 1])
    else:
        top = bottom = fig.subplots()
    _losses(top, curve)
    if rate:
        bottom.plot(curve.steps, curve.lr, color=GRAY, linewidth=1.5)
        peak = max(curve.lr)
        bottom.set_ylim(0, 1.15 * peak or 1.0)
        bottom.set_yticks([0, peak] if peak > 0 else [0], ["0", f"{peak:.2g}"] if peak > 0 else ["0"])
        bottom.set_ylabel("learning rate", fontsize=9)
    last = max([1.0, *curve.steps, *curve.val_steps])
    bottom.set_xlim(-0.02 * last, 1.02 * last)
    bottom.xaxis.set_major_locator(MaxNLocator(integer=True))
    bottom.set_xlabel("step (updates of the parameters)")
    return fig


def _losses(ax: Axes, curve: LossCurve) -> None:
    ax.set_ylabel("loss (nats per token)")
    if not len(curve.train) and not len(curve.val):
        note(ax, "no step was taken")
        return
    if len(curve.train) > 20:
        span = max(5, len(curve.train) // 50)
        ax.plot(curve.steps, curve.train, color=BLUE, alpha=0.22, linewidth=1, label="training, one batch")
        ax.plot(curve.steps, smoothed(curve.train, span), color=BLUE, label=f"training, mean of {span} steps")
    elif len(curve.train):
        ax.plot(curve.steps, curve.train, color=BLUE, label="training")
    if len(curve.val):
        ax.plot(
            curve.val_steps, curve.val, color=VERMILION, linestyle="--", marker="o", markersize=4, label="validation"
        )
    best = curve.best()
    if best:
        step, value = best
        ax.plot(
            [step], [value], marker="*", markersize=15, color=VERMILION, markeredgecolor="black", linestyle="none",
            label=f"best validation: {value:.3f} at step {step:g}", zorder=5,
        )  # fmt: skip
    low, high = _range(curve)
    ax.set_ylim(low, high)
    ax.legend(loc="upper right")
    if curve.bytes_per_token:
        bits = 1 / (math.log(2) * curve.bytes_per_token)

        def to_bits(nats: Any) -> Any:
            return nats * bits

        def to_nats(value: Any) -> Any:
            return value / bits

        second = ax.secondary_yaxis("right", functions=(to_bits, to_nats))
        second.set_ylabel("bits per byte")


def _range(curve: LossCurve) -> tuple[float, float]:
    """All of the curves, without letting a single spike press the rest flat."""
    values = np.array([v for v in [*curve.train, *curve.val] if math.isfinite(v)])
    if not values.size:
        return 0.0, 1.0
    low, high = float(values.min()), float(values.max())
    usual = float(np.quantile(values, 0.995)) if values.size > 200 else high
    first = next((v for v in curve.train if math.isfinite(v)), high)
    high = min(high, max(usual, first) * 1.05)
    margin = 0.06 * (high - low) or 0.1
    return low - margin, high + margin


def _in_words(curve: LossCurve) -> str:
    parts = ["Line chart of the loss in nats per token against training steps."]
    if len(curve.train):
        parts.append(
            f"Training loss goes from {curve.train[0]:.3f} to {curve.train[-1]:.3f} by step {curve.steps[-1]:g}."
        )
    best = curve.best()
    if best:
        parts.append(f"The best validation loss is {best[1]:.3f}, at step {best[0]:g}.")
    return " ".join(parts)
