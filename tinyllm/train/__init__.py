"""Training: text to token files, the loop, checkpoints, metrics, and the folder that holds a run.

from tinyllm import train

run = train.Run.create("runs/manual", train.TrainConfig.preset("tour"))
run.train()
model, tokenizer, run = train.load("runs/manual")
"""

from __future__ import annotations

from . import bits, callbacks, checkpoint, corpus, manifest, metrics, stream
from .callbacks import Result, StepInfo
from .config import PRESETS, TrainConfig
from .corpus import Corpus
from .loop import estimate_loss, take_step
from .run import Run, load
from .state import State
from .tokenfile import write_token_file

__all__ = [
    "PRESETS",
    "Corpus",
    "Result",
    "Run",
    "State",
    "StepInfo",
    "TrainConfig",
    "bits",
    "callbacks",
    "checkpoint",
    "corpus",
    "estimate_loss",
    "load",
    "manifest",
    "metrics",
    "stream",
    "take_step",
    "write_token_file",
]
