"""Tiny models of both kinds, moved away from where they begin, and text for them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tinyllm as tl
from tinyllm import kernels
from tinyllm.interpret import induction_gpt
from tinyllm.models import GPT, GPTConfig, Llama, LlamaConfig

SIZES: dict[str, Any] = {"vocab_size": 11, "block_size": 7, "n_layer": 2}


@pytest.fixture(autouse=True)
def _numpy():
    with kernels.use("numpy"):
        yield


@pytest.fixture(params=["gpt2", "modern", "untied", "qwen3"])
def model(request) -> tl.GPT:
    """A model whose every parameter was moved: with gains of 1 and biases of 0 some faults would not show."""
    rng = np.random.default_rng(7)
    made: GPT
    if request.param == "gpt2":
        made = GPT(GPTConfig.preset("gpt2", **SIZES, n_head=3, n_embd=6, dropout=0.3), rng)
    elif request.param == "qwen3":
        qwen3 = {
            "n_embd": 12,
            "n_hidden": 5,
            "n_head": 4,
            "n_kv_head": 2,
            "head_size": 8,
            "qk_norm": True,
            "windows": 3,
        }
        made = Llama(LlamaConfig("qwen3", **SIZES, **qwen3), rng)
    else:
        tied = request.param == "modern"
        made = GPT(GPTConfig.preset("modern", **SIZES, n_head=4, n_kv_head=2, n_embd=16, n_hidden=7, tied=tied), rng)
    made.astype(np.float64)
    for p in made.parameters():
        p.data += rng.normal(0, 0.3, p.shape)
    return made


@pytest.fixture
def handmade() -> tl.GPT:
    """The model whose inside is known."""
    return induction_gpt(V=9, T=12)


@pytest.fixture
def batch():
    """Three sequences of five tokens out of eleven, and the tokens that follow."""
    tokens = np.random.default_rng(8).integers(0, 11, (3, 6))
    return tokens[:, :-1], tokens[:, 1:]


@pytest.fixture
def clusters():
    """Three Gaussian clusters of 12 points in 6 dimensions, far apart, and which point is of which."""
    rng = np.random.default_rng(3)
    centers = 9 * np.eye(3, 6)
    return np.concatenate([c + rng.normal(size=(12, 6)) for c in centers]), np.repeat(np.arange(3), 12)
