"""The counts from the config are those of the real model."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import tinyllm as tl
from tinyllm.models import GPTConfig, count_params, flops_per_token


def test_the_sizes_of_gpt2_are_the_published_ones():
    sizes = {"n_layer": (12, 24, 36, 48), "n_head": (12, 16, 20, 25), "n_embd": (768, 1024, 1280, 1600)}
    configs = [GPTConfig(**dict(zip(sizes, values, strict=True))) for values in zip(*sizes.values(), strict=True)]
    assert [count_params(config) for config in configs] == [124_439_808, 354_823_168, 774_030_080, 1_557_611_200]


def test_a_llama_has_its_published_size():
    tinyllama = GPTConfig.preset(
        "modern",
        vocab_size=32000,
        block_size=2048,
        n_layer=22,
        n_head=32,
        n_kv_head=4,
        n_embd=2048,
        n_hidden=5632,
        tied=False,
    )
    assert count_params(tinyllama) == 1_100_048_384


CHOICES = {"position": ("learned", "rope"), "norm": ("layer", "rms"), "mlp": ("gelu", "swiglu")}


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("choice", list(itertools.product(*CHOICES.values())), ids="-".join)
def test_the_count_is_the_models(choice, bias, tied):
    fields = dict(zip(CHOICES, choice, strict=True))
    config = GPTConfig(13, 5, 3, 4, 2, 8, 11, bias=bias, tied=tied, **fields)
    assert count_params(config) == tl.GPT(config, np.random.default_rng(0)).count_parameters()


def test_flops_by_hand():
    config = GPTConfig(vocab_size=11, block_size=5, n_layer=2, n_head=3, n_embd=6)
    matrices = 2 * (6 * 18 + 6 * 6 + 2 * 6 * 24) + 11 * 6
    scores = 2 * 2 * 6 * 5  # layers x (q k and w v) x width x keys, in multiplications
    assert flops_per_token(config) == 3 * 2 * (matrices + scores)  # forward and twice back; multiply and add
    assert flops_per_token(config, T=2) == 3 * 2 * (matrices + 2 * 2 * 6 * 2)


def test_flops_do_not_depend_on_tying_but_on_the_window():
    fields = {"n_layer": 2, "n_head": 4, "n_embd": 32, "block_size": 64}
    tied, untied = (GPTConfig(tied=tied, **fields) for tied in (True, False))
    assert flops_per_token(tied) == flops_per_token(untied)
    windowed = GPTConfig(window=16, **fields)
    assert flops_per_token(windowed) == flops_per_token(tied, T=16)
    assert flops_per_token(windowed, T=8) == flops_per_token(tied, T=8)
