"""Which of several settings is better? Train each with several seeds, and say how sure the answer is.

A difference between two runs may be luck: another seed, another winner. So every setting is run with the same seeds,
and what is compared is the difference from the first setting, seed by seed: what a seed brings (its first weights, its
batches) is in both, and drops out.

Source: Dror et al. 2018 (bootstrap tests for language processing); Agarwal et al. 2021, "Deep Reinforcement Learning
at the Edge of the Statistical Precipice" (intervals over few seeds instead of single numbers).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import nn
from ..bootstrap import Interval, bca, percentile
from ..errors import ConfigError
from ..models import GPT
from ..train import TrainConfig, estimate_loss
from ..train.loop import schedule_of, take_step
from ..train.state import State, optimizer_of
from ..train.stream import Stream, split
from .trial import Told

Array = np.ndarray[Any, Any]
_FEW = 5
Measure = Callable[[Mapping[str, Any], int], float]


@dataclass(frozen=True)
class Arm:
    """One setting and how it went.

    Attributes:
        setting: name -> value.
        values: what was measured, one for each seed; NaN where it diverged.
        mean: with its interval, over the seeds that did not diverge; None when all did.
        difference: from the first setting, paired by seed, with its interval; None for the first itself, or where a
            run diverged.
    """

    setting: Mapping[str, Any]
    values: tuple[float, ...]
    mean: Interval | None
    difference: Interval | None

    @property
    def label(self) -> str:
        """The setting in words."""
        return ", ".join(f"{name}={value}" for name, value in self.setting.items())

    @property
    def verdict(self) -> str:
        """Lower is better: "better", "worse", "no clear difference", "too few seeds", "diverged" or "the first"."""
        if not all(map(math.isfinite, self.values)):
            return "diverged"
        if self.difference is None:
            return "the first"
        if self.difference.count < _FEW:  # by luck alone, four seeds agree one time in eight
            return "too few seeds"
        return "better" if self.difference.high < 0 else "worse" if self.difference.low > 0 else "no clear difference"


@dataclass(frozen=True)
class Ablation:
    """A table of settings.

    Attributes:
        arms: in the order of the grid; the first is what the others are compared with.
        seeds: that each was run with.
        what: is measured.
    """

    arms: tuple[Arm, ...]
    seeds: tuple[int, ...]
    what: str = "validation loss"

    def best(self) -> Arm | None:
        """Return the setting with the lowest mean; None when all diverged."""
        known = [arm for arm in self.arms if arm.mean is not None and arm.verdict != "diverged"]
        return min(known, key=lambda arm: arm.mean.value if arm.mean else math.inf, default=None)


def ablate(
    measure: Measure,
    grid: Mapping[str, Sequence[Any]],
    seeds: int | Sequence[int] = 5,
    level: float = 0.95,
    method: str = "percentile",
    what: str = "validation loss",
    told: Told | None = None,
) -> Ablation:
    """Measure every combination of settings with every seed.

    Args:
        measure: (setting, seed) -> a number, the lower the better; ``trained`` makes one.
        grid: name -> values to try; all combinations, the first value of each together come first.
        seeds: which, or how many.
        level, method: of the intervals: "percentile" or "bca".
        what: is measured, for the table.
        told: is told how far it is.

    Raises:
        ConfigError: the grid is empty, seeds are missing or given twice, or there is no such method.

    Example:
        >>> table = ablate(lambda s, seed: s["a"] + 0.1 * seed, {"a": [1, 2]}, seeds=5)
        >>> [(arm.label, arm.verdict) for arm in table.arms]
        [('a=1', 'the first'), ('a=2', 'worse')]
    """
    chosen = tuple(range(seeds)) if isinstance(seeds, int) else tuple(int(s) for s in seeds)
    intervals = {"percentile": percentile, "bca": bca}
    if not grid or not all(grid.values()):
        raise ConfigError("ablate: the grid is empty", hint='{"lr": [1e-3, 3e-3]}')
    if not chosen or len(set(chosen)) < len(chosen):
        raise ConfigError(f"ablate: seeds are {list(chosen)}", hint="at least one, each once")
    if method not in intervals:
        raise ConfigError(f"ablate: there is no method {method!r}", hint="percentile or bca")
    interval = intervals[method]
    settings = [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]
    arms: list[Arm] = []
    for i, setting in enumerate(settings):
        values = []
        for j, seed in enumerate(chosen):
            values.append(float(measure(setting, seed)))
            if told:
                told("measuring settings", i * len(chosen) + j + 1, len(settings) * len(chosen))
        finite = [value for value in values if math.isfinite(value)]
        apart = [value - first for value, first in zip(values, arms[0].values, strict=True)] if arms else []
        arms.append(
            Arm(
                setting,
                tuple(values),
                interval(finite, level) if finite else None,
                interval(apart, level) if apart and all(map(math.isfinite, apart)) else None,
            )
        )
    return Ablation(tuple(arms), chosen, what)


def trained(tokens: Array, vocab_size: int, config: TrainConfig) -> Measure:
    """Return what trains a GPT with a setting and a seed, and measures its validation loss at the end.

    Args:
        tokens: ids (N,), of which the last part is validated on.
        vocab_size: V.
        config: everything that a setting does not change, such as ``TrainConfig.preset("smoke", steps=50)``. A setting
            names fields of it, or fields of the model as "model.n_layer". A run that diverges measures NaN.

    Example:
        >>> tokens = np.arange(400, dtype=np.uint16) % 7
        >>> measure = trained(tokens, 7, TrainConfig.preset("smoke", steps=3))
        >>> 0 < measure({"lr": 1e-2, "model.n_layer": 1}, 0) < 2
        True
    """

    def measure(setting: Mapping[str, Any], seed: int) -> float:
        chosen = changed(config, setting).but(seed=seed)
        rng = np.random.default_rng([seed, 1])
        learn, check = split(tokens, chosen.validation, chosen.block_size)
        model = GPT(chosen.gpt_config(vocab_size), rng)
        batches = Stream(learn, chosen.batch_size, chosen.block_size, np.random.default_rng([seed, 2]))
        state = State(model, optimizer_of(chosen, model), batches)
        schedule: nn.schedules.Schedule = schedule_of(chosen)
        try:
            with np.errstate(all="ignore"):
                while state.step < chosen.steps:
                    take_step(state, chosen, schedule(state.step))
                return estimate_loss(model, check, chosen.batch_size, chosen.block_size, chosen.eval_batches)
        except ArithmeticError:  # NaNError: it diverged, which is an answer
            return math.nan

    return measure


def changed(config: TrainConfig, setting: Mapping[str, Any]) -> TrainConfig:
    """Return a config with some fields changed; "model.NAME" changes a field of the model.

    Raises:
        ConfigError: there is no such field, or the value does not fit.

    Example:
        >>> changed(TrainConfig(), {"lr": 1e-4, "model.n_layer": 2}).model["n_layer"]
        2
    """
    model = {"preset": config.model} if isinstance(config.model, str) else dict(config.model)
    own = {name: value for name, value in setting.items() if not name.startswith("model.")}
    inner = {name.removeprefix("model."): value for name, value in setting.items() if name.startswith("model.")}
    if "lr" in own and "min_lr" not in own:
        own["min_lr"] = own["lr"] * config.min_lr / config.lr  # the schedule keeps its shape
    return config.but(**own, **({"model": {**model, **inner}} if inner else {}))
