"""What the loop tells whoever listens: a callback is any object with some of these methods.

on_start(run)                               before the first step
on_step(info)                               after each step: a StepInfo
on_eval(step, train_loss, val_loss)         after each evaluation
on_sample(step, text)                       a text the model wrote, its prompt not included
on_checkpoint(step, path)                   after everything was saved
on_stop(result)                             at the end, unless an error ended the run: a Result
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ..errors import ConfigError, nearest

EVENTS = ("on_start", "on_step", "on_eval", "on_sample", "on_checkpoint", "on_stop")


@dataclass(frozen=True)
class StepInfo:
    """One step, as it went.

    Attributes:
        step: how many steps are done, this one included.
        loss: mean over the step's batches, in nats per token.
        lr: learning rate.
        grad_norm: norm of the gradient before clipping.
        tokens: how many tokens were learned from so far.
        tokens_per_second: of this step alone.
        seconds: since the beginning, over all resumed parts, evaluations included.
        mfu: share of the machine's peak that the step reached, 0 to 1.
    """

    step: int
    loss: float
    lr: float
    grad_norm: float
    tokens: int
    tokens_per_second: float
    seconds: float
    mfu: float


@dataclass(frozen=True)
class Result:
    """How a run ended.

    Attributes:
        steps: how many were done in all.
        train_loss, val_loss: of the last evaluation, in nats per token.
        best_loss: the lowest validation loss of all evaluations.
        tokens: how many were learned from.
        seconds: over all resumed parts.
        tokens_per_second: of the median step since the last start.
        stopped: why: "steps" (done), "time", "tokens", "patience", "interrupt" (Ctrl-C) or "until".
    """

    steps: int
    train_loss: float
    val_loss: float
    best_loss: float
    tokens: int
    seconds: float
    tokens_per_second: float
    stopped: str


class Listeners:
    """Several callbacks, told as one.

    Raises:
        ConfigError: one of them has a method on_... that is never called, or none that is.
    """

    def __init__(self, callbacks: Iterable[Any]) -> None:
        self.callbacks = list(callbacks)
        for callback in self.callbacks:
            events = [name for name in dir(callback) if name.startswith("on_")]
            for name in events:
                if name not in EVENTS:
                    raise ConfigError(
                        f"{type(callback).__name__}.{name}: there is no such event", hint=nearest(name, EVENTS)
                    )
            if not events:
                raise ConfigError(f"{callback!r} is no callback", hint="an object with some of " + ", ".join(EVENTS))

    def tell(self, event: str, *news: Any) -> None:
        """Call the method named ``event`` of every callback that has it."""
        for callback in self.callbacks:
            if method := getattr(callback, event, None):
                method(*news)
