"""A text and a run small enough that training takes a moment."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tinyllm import kernels
from tinyllm.train import Run, TrainConfig


@pytest.fixture(autouse=True)
def numpy_kernels() -> Iterator[None]:
    """At these sizes the NumPy kernels are as fast and need no compiling; test_resume and test_threads use Numba's."""
    with kernels.use("numpy"):
        yield


@pytest.fixture
def text_file(tmp_path: Path) -> Path:
    """Some 3,000 characters with a pattern that can be learned."""
    rng = np.random.default_rng(7)
    words = ["red", "green", "blue", "seven", "nine", "over", "under"]
    path = tmp_path / "text.txt"
    path.write_text(" ".join(rng.choice(words, size=600)) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def tiny(text_file: Path) -> TrainConfig:
    """Two layers, 16 wide, with dropout, so that every source of randomness takes part."""
    return TrainConfig(
        data=str(text_file),
        tokenizer="chars",
        model={"preset": "gpt2", "n_layer": 2, "n_head": 2, "n_embd": 16, "dropout": 0.1},
        block_size=11,
        batch_size=3,
        steps=12,
        lr=1e-2,
        warmup=2,
        eval_every=4,
        eval_batches=2,
        checkpoint_every=3,
        sample_every=6,
        sample_tokens=5,
        seed=5,
    )


class Log:
    """A callback that writes down everything it is told."""

    def __init__(self) -> None:
        self.events: list[tuple[Any, ...]] = []

    def on_start(self, run: Run) -> None:
        self.events.append(("start", run))

    def on_step(self, info: Any) -> None:
        self.events.append(("step", info.step, info.loss, info))

    def on_eval(self, step: int, train_loss: float, val_loss: float) -> None:
        self.events.append(("eval", step, train_loss, val_loss))

    def on_sample(self, step: int, text: str) -> None:
        self.events.append(("sample", step, text))

    def on_checkpoint(self, step: int, path: Path) -> None:
        self.events.append(("checkpoint", step, path))

    def on_stop(self, result: Any) -> None:
        self.events.append(("stop", result))

    def of(self, kind: str) -> list[tuple[Any, ...]]:
        """The events of one kind, without their kind."""
        return [event[1:] for event in self.events if event[0] == kind]


@pytest.fixture
def log() -> Log:
    return Log()
