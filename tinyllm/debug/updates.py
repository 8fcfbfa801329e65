r"""How far does each step move each parameter, as a share of its size? About a thousandth is healthy.

    ratio = rms(p after - p before) / rms(p before)

A ratio of 1e-6 means that nothing will happen in a training run of usual length; one near 1 that every step replaces
the weights. Adam's very first steps move every entry by about the learning rate, whatever the gradient, so small
models with small weights begin at 1e-2 and settle.

Source: Karpathy 2022, "Building makemore, part 3" (the ratio, its logarithm, 1e-3); Stanford's CS231n notes before.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..models import GPT
from .finding import Finding, listed, rms
from .trial import Make, Step, Told, adamw, copy_of, plain_step, refuse_bad_batch

_LOW, _HIGH, _REPLACED = 1e-5, 1.0, 3.0


@dataclass(frozen=True)
class UpdateRatios:
    """How parameters moved.

    Attributes:
        names: of the parameters.
        matrices: for each, has it two axes? Verdicts look at these: a bias begins at zero, and any step is a large one.
        ratios: for each parameter its ratio at each step; NaN where the parameter was zero in every entry.
        losses: before each step.
        last_loss: after the last step.
    """

    names: tuple[str, ...]
    matrices: tuple[bool, ...]
    ratios: tuple[tuple[float, ...], ...]
    losses: tuple[float, ...]
    last_loss: float

    def log10(self) -> np.ndarray[Any, Any]:
        """Return log10 of the ratios, (parameters, steps); NaN where nothing moved or the parameter was zero."""
        ratios = np.array(self.ratios, dtype=np.float64).reshape(len(self.names), -1)
        with np.errstate(all="ignore"):
            return np.where(ratios > 0, np.log10(ratios), np.nan)

    @property
    def still(self) -> tuple[str, ...]:
        """Names of the parameters that never moved."""
        return tuple(name for name, row in zip(self.names, self.ratios, strict=True) if not any(row))

    def medians(self) -> tuple[float, ...]:
        """Return for each step the median ratio of the matrices.

        Example:
            >>> UpdateRatios(("a", "b"), (True, False), ((0.1, 0.02), (9.0, 9.0)), (3.0, 2.5), 2.4).medians()
            (0.1, 0.02)
        """
        rows = [row for row, matrix in zip(self.ratios, self.matrices, strict=True) if matrix]
        steps = ([value for value in step if math.isfinite(value)] for step in zip(*rows, strict=True))
        return tuple(float(np.median(step)) if step else 0.0 for step in steps)

    def typical(self) -> float:
        """Return the median over the second half of the steps; before it, Adam is still finding its pace."""
        medians = self.medians()
        return float(np.median(medians[len(medians) // 2 :])) if medians else 0.0

    def findings(self) -> tuple[Finding, ...]:
        """Say what this means."""
        usual = "about 1e-3 of a matrix per step (up to 1e-1 in small models), with a loss that falls"
        every = [*self.losses, self.last_loss]
        typical, peak = self.typical(), max(self.medians(), default=0.0)
        moved = f"the median matrix moves by {typical:.1e} of its size per step"
        if not all(math.isfinite(loss) for loss in every):
            seen = f"the loss is no longer a number after {sum(map(math.isfinite, every))} steps"
            return (Finding("updates", "fix", seen, usual, "a learning rate ten times smaller, and gradient clipping"),)
        if len(self.still) == len(self.names):
            advice = "a learning rate above 0, optimizer.step() after backward(), the optimizer over this model"
            return (Finding("updates", "fix", "no parameter moves at all", usual, advice),)
        course = f"the loss goes from {every[0]:.2f} to {every[-1]:.2f} in {len(self.losses)} steps"
        rises = every[-1] > every[0] + max(0.1, 0.02 * every[0])
        if rises or peak > _HIGH:
            seen = f"a step moves the median matrix by up to {peak:.2g} times its size; {course} on one batch"
            state = "fix" if rises or peak > _REPLACED else "note"
            advice = "the learning rate is too high: a third or a tenth of it, or a longer warm-up"
            return (Finding("updates", state, seen, usual, advice),)
        if self.still:
            seen = f"{listed(self.still)} never move"
            advice = "see that they get a gradient (flow), and that the optimizer was made with them"
            return (Finding("updates", "fix", seen, usual, advice),)
        if typical < _LOW:
            seen = f"{moved}; {course}"
            return (Finding("updates", "fix", seen, usual, "the learning rate is too low: ten times as much"),)
        return (Finding("updates", "ok", f"{moved}; {course}", usual),)


def update_ratios(
    model: GPT,
    x: Any,
    y: Any,
    steps: int = 20,
    lr: float = 1e-3,
    make: Make | None = None,
    step: Step = plain_step,
    told: Told | None = None,
) -> UpdateRatios:
    """Train a copy on one batch for some steps and measure how far each moves each parameter.

    Args:
        model: stays as it is.
        x, y: token ids and the ones that come next (B, T).
        steps: how many.
        lr: learning rate of the AdamW that is made where ``make`` is not given.
        make: makes the optimizer for the copy.
        step: makes one update; your own loop, with the signature of ``plain_step``.
        told: is told how far it is.

    Raises:
        ShapeError, DataError: the batch cannot be used.

    Example:
        >>> from tinyllm.models import GPTConfig
        >>> config = GPTConfig.preset("gpt2", vocab_size=11, block_size=4, n_layer=1, n_head=1, n_embd=6)
        >>> model = GPT(config, np.random.default_rng(0))
        >>> update_ratios(model, [[1, 2, 3]], [[2, 3, 4]], steps=2, lr=0.0).still == tuple(
        ...     name for name, _ in model.named_parameters())
        True
    """
    x, y = refuse_bad_batch("update_ratios", model, x, y)
    trial = copy_of(model).train()
    optimizer = (make or adamw(lr))(trial)
    named = trial.named_parameters()
    rows: list[list[float]] = [[] for _ in named]
    losses: list[float] = []
    with np.errstate(all="ignore"):
        for done in range(steps):
            before = [p.data.copy() for _, p in named]
            losses.append(step(trial, optimizer, x, y))
            for row, old, (_, p) in zip(rows, before, named, strict=True):
                size, moved = rms(old), rms(p.data - old)
                row.append(moved / size if size else math.nan if moved else 0.0)
            if told:
                told("watching updates", done + 1, steps)
            if not math.isfinite(losses[-1]):
                break
        last = float(trial.eval().loss(x, y).item())
    return UpdateRatios(
        tuple(name for name, _ in named),
        tuple(p.ndim >= 2 for _, p in named),
        tuple(tuple(row) for row in rows),
        tuple(losses),
        last,
    )
