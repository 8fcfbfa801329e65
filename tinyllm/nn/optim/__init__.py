"""Optimizers: each rule for moving parameters along their gradients in a file of its own, on top of one shared loop."""

from __future__ import annotations

from .adam import Adam
from .adamw import AdamW
from .lion import Lion
from .muon import Muon
from .optimizer import Group, Optimizer, decay_groups
from .sgd import SGD

__all__ = ["SGD", "Adam", "AdamW", "Group", "Lion", "Muon", "Optimizer", "decay_groups"]
