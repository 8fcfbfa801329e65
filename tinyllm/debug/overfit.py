r"""Can the model learn one batch by heart? What cannot do that will not learn a text either.

A model with thousands of parameters learns a hundred tokens in a minute; a loss that stays up shows a fault in the
model, the loss or the optimizer, and not too little data. Two rows that begin alike and go on differently cannot both
be foretold, so the loss has a floor: the entropy of what follows, given all that came before.

Source: Karpathy 2019, "A Recipe for Training Neural Networks": overfit one batch.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..models import GPT
from .finding import Finding
from .trial import Step, Told, adamw, copy_of, plain_step, refuse_bad_batch

NEAR = 0.1  # nats above the floor that count as learned
_STUCK = 0.05  # a loss that has fallen by less than this share of its way has not moved


@dataclass(frozen=True)
class Overfit:
    """How a copy learned one batch.

    Attributes:
        losses: before each step, and after the last.
        floor: the lowest loss that any model can reach on this batch, in nats per token.
        lr: the learning rate it was tried with (the better one, if there were two).
        learned: did the loss come within 0.1 nats of the floor?
    """

    losses: tuple[float, ...]
    floor: float
    lr: float
    learned: bool

    @property
    def steps(self) -> int:
        """How many steps it took, or how many were tried."""
        return len(self.losses) - 1

    def findings(self) -> tuple[Finding, ...]:
        """Say what this means."""
        first, last = self.losses[0], self.losses[-1]
        usual = f"the loss falls to its floor ({self.floor:.2f} here) within a few hundred steps"
        course = f"the loss on one batch goes from {first:.2f} to {last:.2f} in {self.steps} steps at lr {self.lr:.1g}"
        if self.learned:
            return (Finding("overfit", "ok", course, usual),)
        if not math.isfinite(last):
            return (Finding("overfit", "fix", f"{course}: it diverges", usual, "see the other findings first"),)
        way = (first - last) / max(first - self.floor, 1e-9)
        if way < _STUCK:
            advice = "see that the loss reaches the parameters (flow), and that they move (updates)"
            return (Finding("overfit", "fix", f"{course}: it does not learn", usual, advice),)
        recent = self.losses[-1 - max(1, self.steps // 5)] - last
        if last - self.floor < 10 * recent:  # at this pace it takes twice as many steps more
            return (Finding("overfit", "note", f"{course}, still falling", usual, "more steps"),)
        advice = "a part of the model that does not take part: see flow, units and future"
        return (Finding("overfit", "fix", f"{course}: it cannot learn {1 - way:.0%} of the way", usual, advice),)


def overfit_batch(
    model: GPT,
    x: Any,
    y: Any,
    steps: int = 200,
    lr: float | None = None,
    step: Step = plain_step,
    told: Told | None = None,
) -> Overfit:
    """Train a copy on one batch until it knows it by heart, or for so many steps.

    Args:
        model: stays as it is; dropout is off.
        x, y: token ids and the ones that come next (B, T); a small batch is enough, and quicker.
        steps: how many at most.
        lr: of AdamW; None tries 0.4 / C (at most 0.01), and a quarter of that if it fails.
        step: makes one update; your own loop, with the signature of ``plain_step``.
        told: is told how far it is.

    Raises:
        ShapeError, DataError: the batch cannot be used.

    Example:
        >>> from tinyllm.models import GPTConfig
        >>> config = GPTConfig.preset("gpt2", vocab_size=5, block_size=4, n_layer=1, n_head=1, n_embd=8)
        >>> model = GPT(config, np.random.default_rng(0))
        >>> overfit_batch(model, [[1, 2, 3]], [[2, 3, 4]], steps=100).learned
        True
    """
    x, y = refuse_bad_batch("overfit_batch", model, x, y)
    floor = lowest_loss(x, y)
    usual = min(1e-2, 0.4 / model.config.n_embd)  # wider layers take smaller steps
    tried = [lr] if lr is not None else [usual, usual / 4]
    found: list[Overfit] = []
    for rate in tried:
        what = "learning one batch at a lower rate" if found else "learning one batch"
        found.append(_learn(copy_of(model).eval(), x, y, steps, rate, floor, step, what, told))
        if found[-1].learned or found[-1].losses[0] == found[-1].losses[-1]:
            break  # it does not move at all, and a lower rate will not change that
    return min(found, key=lambda one: one.losses[-1] if math.isfinite(one.losses[-1]) else math.inf)


def _learn(
    trial: GPT, x: Any, y: Any, steps: int, lr: float, floor: float, step: Step, what: str, told: Told | None
) -> Overfit:
    optimizer = adamw(lr)(trial)
    losses: list[float] = []
    with np.errstate(all="ignore"):
        for done in range(steps):
            losses.append(step(trial, optimizer, x, y))
            if told:
                told(what, done + 1, steps)
            if not math.isfinite(losses[-1]) or losses[-1] < floor + NEAR / 2:
                break
        losses.append(float(trial.loss(x, y).item()))
    return Overfit(tuple(losses), floor, lr, losses[-1] < floor + NEAR)


def lowest_loss(x: Any, y: Any) -> float:
    r"""Return the lowest mean cross-entropy that is possible for targets y after inputs x (B, T), each seeing its past.

    Positions with the same past share one prediction. The best one is how often each target follows, so the loss over
    them is its entropy: -sum n/N ln (n/N).

    Example:
        >>> round(lowest_loss([[1, 2], [1, 2]], [[2, 3], [2, 4]]), 4)  # a coin's ln 2 at one of two positions
        0.3466
    """
    x, y = np.asarray(x), np.asarray(y)
    followed: dict[bytes, Counter[int]] = {}
    for row, targets in zip(x, y, strict=True):
        for t, target in enumerate(targets):
            if target != -100:
                followed.setdefault(np.ascontiguousarray(row[: t + 1]).tobytes(), Counter())[int(target)] += 1
    total = sum(sum(counts.values()) for counts in followed.values())
    lost = sum(n * math.log(sum(counts.values()) / n) for counts in followed.values() for n in counts.values())
    return lost / total if total else 0.0
