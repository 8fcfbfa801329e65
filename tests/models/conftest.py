"""Tiny models that leave no part of a GPT out, and one that is easy to count by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinyllm as tl

TINY: dict[str, dict[str, Any]] = {
    "gpt2": {"n_head": 3, "n_embd": 6},
    "modern": {"n_head": 4, "n_kv_head": 2, "n_embd": 16, "n_hidden": 7},
    "modern, window, untied": {"n_head": 3, "n_kv_head": 1, "n_embd": 12, "n_hidden": 5, "window": 2, "tied": False},
}


@pytest.fixture(params=TINY)
def config(request: pytest.FixtureRequest) -> tl.GPTConfig:
    """Each preset, with two layers, eleven tokens and blocks of five."""
    preset = request.param.split(",")[0]
    return tl.GPTConfig.preset(preset, vocab_size=11, block_size=5, n_layer=2, **TINY[request.param])


@pytest.fixture
def noisy() -> Callable[..., tl.GPT]:
    """Build a model whose every parameter was moved: with gains of 1 and biases of 0 some faults would not show."""

    def build(config: tl.GPTConfig, dtype: Any = np.float64, std: float = 0.2) -> tl.GPT:
        rng = np.random.default_rng(7)
        model = tl.GPT(config, rng).astype(dtype)
        for p in model.parameters():
            p.data += rng.normal(0, std, p.shape).astype(dtype)
        return model

    return build


@pytest.fixture
def batch() -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Three sequences of five tokens out of eleven, and the tokens that follow."""
    tokens = np.random.default_rng(8).integers(0, 11, (3, 6))
    tokens[:, 0] = 7, 2, 6  # with equal beginnings and different ends nobody could predict all of them
    return tokens[:, :-1], tokens[:, 1:]
