"""Tiny models and batches for all tests of this room, on NumPy, and layers with planted faults."""

from __future__ import annotations

import numpy as np
import pytest

from tinyllm import kernels
from tinyllm.models import GPTConfig
from tinyllm.models.gpt import GPT
from tinyllm.models.llama import Llama
from tinyllm.models.llama_config import LlamaConfig
from tinyllm.nn import Module

V, T = 29, 8


@pytest.fixture(autouse=True)
def on_numpy():
    with kernels.use("numpy"):
        yield


@pytest.fixture
def make():
    """Make a model of one of three kinds from a seed."""

    def make(kind="gpt2", seed=0, layers=2, **options):
        rng = np.random.default_rng(seed)
        if kind == "llama":
            return Llama(LlamaConfig("llama", V, T, n_layer=layers, n_head=2, n_embd=16, n_hidden=40, **options), rng)
        config = GPTConfig.preset(kind, vocab_size=V, block_size=T, n_layer=layers, n_head=2, n_embd=16, **options)
        return GPT(config, rng)

    return make


@pytest.fixture
def batch():
    """Draw a batch of random tokens, each with the one after it."""

    def batch(seed=0, rows=3, length=T):
        tokens = np.random.default_rng([seed, 7]).integers(0, V, size=(rows, length + 1))
        return tokens[:, :-1], tokens[:, 1:]

    return batch


class Around(Module):
    """A block with something wrong about it."""

    def __init__(self, block, change):
        self.block = block
        self.change = change

    def forward(self, x):
        return self.change(self.block, x)


@pytest.fixture
def plant():
    """Put a change around the block of this number: change(block, x) computes in its place."""

    def plant(model, number, change):
        model.blocks[number] = Around(model.blocks[number], change)
        return model

    return plant
