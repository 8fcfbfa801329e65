"""The training loop.

    draw a batch, run it forward, run it backward, clip the gradient, move the parameters; again

Everything else is bookkeeping around that: now and then the losses are evaluated, a text is written, all is saved; and
before each step it is asked whether there is a reason to stop.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np

from .. import nn
from ..autograd import no_grad
from ..errors import NaNError
from ..models import GPT
from .callbacks import Result, StepInfo
from .config import TrainConfig
from .interrupt import Interrupt
from .state import State
from .stream import blocks_at, evenly

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Hooks:
    """What the loop needs done and does not want to know how.

    Attributes:
        tell: passes an event on to all callbacks.
        save: saves the whole state.
        save_best: saves the weights, which are the best so far.
        write: lets the model write a text.
    """

    tell: Callable[..., None]
    save: Callable[[], None]
    save_best: Callable[[], None]
    write: Callable[[], str]


def train(
    state: State,
    config: TrainConfig,
    train_tokens: Array,
    val_tokens: Array,
    hooks: Hooks,
    until: int | None = None,
    flops_per_token: float = 0.0,
    peak_flops: float = math.inf,
) -> Result:
    """Train from where ``state`` is until there is a reason to stop.

    Args:
        state: is changed on the way.
        config: the knobs.
        train_tokens, val_tokens: what the two losses are evaluated on.
        hooks: what is told and saved.
        until: stop after this step, though the schedule goes on.
        flops_per_token, peak_flops: what the model needs and what the machine can do, for StepInfo.mfu.

    Raises:
        NaNError: the loss or the gradient is no longer a number; nothing is saved after that.
        CheckpointError: something cannot be saved.
    """
    schedule = schedule_of(config)
    started = time.perf_counter() - state.seconds
    saved_at = evaluated_at = state.step
    step_seconds: list[float] = []

    def evaluate() -> None:
        nonlocal evaluated_at
        evaluated_at = state.step
        sizes = config.batch_size, config.block_size, config.eval_batches
        state.train_loss = estimate_loss(state.model, train_tokens, *sizes)
        state.val_loss = estimate_loss(state.model, val_tokens, *sizes)
        if not math.isfinite(state.train_loss + state.val_loss):
            raise diverged("the evaluated loss", state, config)
        better = state.val_loss < state.best_loss
        state.evals_since_best = 0 if better else state.evals_since_best + 1
        if better:
            state.best_loss = state.val_loss
            if state.step:
                hooks.save_best()
        hooks.tell("on_eval", state.step, state.train_loss, state.val_loss)

    # NumPy need not warn of numbers that overflow: the loss and the gradient of every step are looked at
    with Interrupt() as interrupt, np.errstate(all="ignore"):
        if math.isnan(state.val_loss):  # this is the beginning
            evaluate()
            if config.sample_every:
                hooks.tell("on_sample", 0, hooks.write())
            hooks.save()  # a folder that cannot be written is found out now

        while not (stopped := reason_to_stop(state, config, interrupt.asked, until)):
            lr = schedule(state.step)
            begin = time.perf_counter()
            loss, grad_norm = take_step(state, config, lr)
            now = time.perf_counter()
            step_seconds.append(now - begin)
            state.seconds = now - started
            speed = config.tokens_per_step / step_seconds[-1]
            mfu = speed * flops_per_token / peak_flops
            hooks.tell("on_step", StepInfo(state.step, loss, lr, grad_norm, state.tokens, speed, state.seconds, mfu))

            last = state.step == config.steps
            if last or state.step % config.eval_every == 0:
                evaluate()
            if config.sample_every and (last or state.step % config.sample_every == 0):
                hooks.tell("on_sample", state.step, hooks.write())
            state.seconds = time.perf_counter() - started
            if last or state.step % config.checkpoint_every == 0:
                hooks.save()
                saved_at = state.step

        unsaved = saved_at != state.step
        if stopped in ("time", "tokens") and evaluated_at != state.step:
            evaluate()  # the result should speak of the model as it is
            unsaved = True
        if unsaved:
            hooks.save()

    speed = config.tokens_per_step / median(step_seconds) if step_seconds else 0.0
    losses = state.train_loss, state.val_loss, state.best_loss
    return Result(state.step, *losses, state.tokens, state.seconds, speed, stopped)


def take_step(state: State, config: TrainConfig, lr: float) -> tuple[float, float]:
    """Make one update; return the loss before it and the norm of its gradient.

    Raises:
        NaNError: the loss or the gradient is not finite; the parameters are still those of the step before.
    """
    state.model.zero_grad()
    total = 0.0
    for _ in range(config.accumulate):
        x, y = state.stream.next()  # (B, T) each
        loss = state.model.loss(x, y)
        if not math.isfinite(loss.item()):
            raise diverged("the loss", state, config)
        loss.backward(1 / config.accumulate)  # gradients add up to that of the mean
        total += loss.item() / config.accumulate
    grad_norm = nn.grad_norm(state.optimizer.params)
    if not math.isfinite(grad_norm):
        raise diverged("the gradient", state, config)
    state.optimizer.step(lr, nn.clip_scale(grad_norm, config.clip))
    state.step += 1
    state.tokens += config.tokens_per_step
    return total, grad_norm


def estimate_loss(model: GPT, tokens: Array, batch_size: int, block_size: int, batches: int) -> float:
    """Return the mean loss over blocks spread evenly over ``tokens``, the same blocks at every call.

    Args:
        model: is put into evaluation (no dropout), and back afterwards.
        tokens: ids (N,).
        batch_size, block_size: B and T.
        batches: how many; where they would cover more than there is, all of ``tokens`` is taken.
    """
    was_training = model.training
    model.eval()
    total = 0.0
    count = 0
    try:
        with no_grad():
            for starts in evenly(tokens, batch_size, block_size, batches):
                x, y = blocks_at(tokens, starts, block_size)
                total += model.loss(x, y).item() * len(starts)  # the last batch may be smaller
                count += len(starts)
    finally:
        model.train(was_training)
    return total / count


def reason_to_stop(state: State, config: TrainConfig, asked: bool, until: int | None) -> str:
    """Say why training ends here; an empty text when it goes on."""
    if state.step >= config.steps:
        return "steps"
    if asked:
        return "interrupt"
    if config.patience is not None and state.evals_since_best >= config.patience:
        return "patience"
    if config.max_tokens is not None and state.tokens >= config.max_tokens:
        return "tokens"
    if config.max_seconds is not None and state.seconds >= config.max_seconds:
        return "time"
    if until is not None and state.step >= until:
        return "until"
    return ""


def schedule_of(config: TrainConfig) -> nn.schedules.Schedule:
    """Return the learning rate of each step, counted from 0."""
    lr, low, warmup, steps = config.lr, config.min_lr, config.warmup, config.steps
    if config.schedule == "cosine":
        return nn.schedules.warmup_cosine(lr, low, warmup, steps)
    if config.schedule == "wsd":
        return nn.schedules.wsd(lr, low, warmup, min(steps // 5, steps - warmup), steps)
    fall = nn.schedules.linear(lr, low, steps - warmup) if config.schedule == "linear" else nn.schedules.constant(lr)
    climb = nn.schedules.linear(lr / (warmup + 1), lr, warmup)
    return nn.schedules.join([climb, fall], [warmup]) if warmup else fall


def diverged(what: str, state: State, config: TrainConfig) -> NaNError:
    """Say where training broke down and what to do."""
    return NaNError(
        f"{what} is no longer a number at step {state.step + 1}; the last checkpoint is intact",
        hint=f"a lower learning rate (lr={config.lr / 3:.1g}), a longer warm-up, or tl.detect_anomaly() around the "
        "training to name the op it came from",
    )
