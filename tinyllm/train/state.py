"""State: everything that changes while training, and its way into a checkpoint and back."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .. import nn
from ..errors import CheckpointError
from ..models import GPT
from .checkpoint import Array, Checkpoint
from .config import OPTIMIZERS, TrainConfig
from .stream import Stream


@dataclass
class State:
    """What a run knows at one moment. A checkpoint holds all of it, so a resumed run cannot tell that it was resumed.

    Attributes:
        model, optimizer, stream: what learns, what moves it, where the batches come from.
        step: how many updates were done.
        tokens: how many tokens were learned from.
        seconds: how long it took, over all resumed parts.
        train_loss, val_loss: of the last evaluation; NaN before the first, which is before the first step.
        best_loss: the lowest validation loss so far.
        evals_since_best: how many evaluations have not beaten it.
    """

    model: GPT
    optimizer: nn.optim.Optimizer
    stream: Stream
    step: int = 0
    tokens: int = 0
    seconds: float = 0.0
    train_loss: float = math.nan
    val_loss: float = math.nan
    best_loss: float = math.inf
    evals_since_best: int = 0


_NUMBERS = ("step", "tokens", "seconds", "train_loss", "val_loss", "best_loss", "evals_since_best")


def optimizer_of(config: TrainConfig, model: GPT) -> nn.optim.Optimizer:
    """Make the optimizer that the config names; weight decay reaches matrices only."""
    make = OPTIMIZERS[config.optimizer]
    return make(nn.optim.decay_groups(model), lr=config.lr, betas=config.betas, weight_decay=config.weight_decay)


def pack(state: State) -> tuple[dict[str, Array], dict[str, Any]]:
    """Return all of the state: its arrays, and the rest as JSON can hold it."""
    arrays, about = pack_weights(state)
    numbers: dict[str, Any] = {}
    for name, value in state.optimizer.state_dict().items():
        if isinstance(value, np.ndarray):
            arrays[f"optimizer.{name}"] = value
        else:
            numbers[name] = value
    about["kind"] = "run"
    about["optimizer"] = {"kind": type(state.optimizer).__name__, "numbers": numbers}
    about["stream"] = state.stream.state()
    about["dropout"] = state.model.rng_state()
    about |= {name: getattr(state, name) for name in _NUMBERS}
    return arrays, about


def pack_weights(state: State) -> tuple[dict[str, Array], dict[str, Any]]:
    """Return the part of the state that is needed to use the model, but not to train on."""
    arrays = {f"model.{name}": array for name, array in state.model.state_dict().items()}
    about = {"kind": "weights", "model": state.model.config.to_dict(), "step": state.step, "val_loss": state.val_loss}
    return arrays, about


def unpack(path: Path, saved: Checkpoint, state: State) -> None:
    """Put everything back to where it was when ``pack`` was called.

    Args:
        path: named in errors.
        saved: the checkpoint.
        state: of a run with the same config; it is overwritten.

    Raises:
        CheckpointError: the checkpoint is of another model, optimizer or text, or holds weights only.
    """
    about = saved.about
    if about.get("kind") != "run":
        raise CheckpointError(
            f"{path}: holds weights only, so it cannot be trained on", hint="the run's checkpoint.npz"
        )
    unpack_weights(path, saved, state.model)
    try:
        then, now = about["optimizer"]["kind"], type(state.optimizer).__name__
        if then != now:
            raise CheckpointError(
                f"{path}: was trained with {then}, the config says {now}", hint="the config it began with"
            )
        state.optimizer.load_state_dict({**saved.part("optimizer"), **about["optimizer"]["numbers"]})
        state.stream.load_state(about["stream"])
        state.model.set_rng_state(about["dropout"])
        for name in _NUMBERS:
            setattr(state, name, about[name])
    except KeyError as error:
        raise CheckpointError(f"{path}: lacks {error}", hint="begin the run again") from None


def unpack_weights(path: Path, saved: Checkpoint, model: GPT) -> None:
    """Put the weights of a checkpoint into a model.

    Raises:
        CheckpointError: the checkpoint is of another model; the differences are named.
    """
    ours, theirs = model.config.to_dict(), saved.about.get("model")
    if not isinstance(theirs, dict):
        raise CheckpointError(f"{path}: does not say which model it is of", hint="the checkpoint.npz of a run folder")
    odd = [
        f"{name} is {theirs.get(name)} there and {ours[name]} here" for name in ours if theirs.get(name) != ours[name]
    ]
    if odd:
        raise CheckpointError(f"{path}: is of another model: {', '.join(odd)}", hint="the run folder it came from")
    model.load_state_dict(saved.part("model"))
