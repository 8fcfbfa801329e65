"""Bytes foreseen from a config beside bytes measured: of models, Decoders, caches and what passes through them."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from tinyllm import kernels
from tinyllm.errors import ConfigError
from tinyllm.generate.decode import Decoder
from tinyllm.models import GPT, GPTConfig, Llama, LlamaConfig
from tinyllm.models.footprint import footprint

SIZES = {"vocab_size": 500, "block_size": 64, "n_layer": 3, "n_head": 4, "n_embd": 104}
CONFIGS = {
    "gpt2": GPTConfig(**SIZES),
    "modern": GPTConfig.preset("modern", **SIZES, tied=False),
    "qwen3": LlamaConfig("qwen3", **SIZES, n_kv_head=2, head_size=26, n_hidden=270, qk_norm=True, tied=True),
    "llama": LlamaConfig("llama", **SIZES, n_kv_head=1, n_hidden=250, qkv_bias=True, mlp_bias=True),
}


@pytest.fixture(autouse=True)
def on_numpy():
    with kernels.use("numpy"):
        yield


@pytest.fixture(params=CONFIGS)
def model(request):
    config = CONFIGS[request.param]
    return (Llama if isinstance(config, LlamaConfig) else GPT)(config, np.random.default_rng(0))


def measured(act):
    """What was kept and what was in use at most while ``act`` ran, beyond what was before."""
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        kept = act()
        after, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return after - before, most - before, kept


def test_the_model_and_its_cache(model):
    sizes = footprint(model.config, context=20, batch=3)
    assert sizes.parameters == model.count_parameters()
    assert sizes.model == sum(p.data.nbytes for p in model.parameters())
    assert sizes.cache == Decoder(model, batch=3, max_length=20).cache.nbytes


@pytest.mark.parametrize("weights", ["float32", "int8", "int4"])
def test_what_a_decoder_copies(model, weights):
    foreseen = footprint(model.config)
    kept, most, decoder = measured(lambda: Decoder(model, weights))
    cache = decoder.cache.nbytes
    small = 60_000  # the objects themselves, tables of angles, scales of norms
    assert abs(kept - cache - foreseen.copies[weights]) < small
    assert most - cache < foreseen.copies[weights] + foreseen.making[weights] + small
    needs = foreseen.needs(weights) - foreseen.model
    assert needs == foreseen.copies[weights] + max(foreseen.making[weights], foreseen.cache + foreseen.activations)


def test_what_passes_through_a_layer(model):
    for B, T in ((1, 64), (3, 40)):
        foreseen = footprint(model.config, T, B)
        decoder = Decoder(model, batch=B)
        ids = np.zeros((B, T), np.int64)
        decoder.prefill(ids)  # whatever is made once
        decoder.reset()
        _, most, _ = measured(lambda ids=ids, decoder=decoder: decoder.prefill(ids))
        assert 0.6 * foreseen.activations < most < 1.2 * foreseen.activations


def test_llama_3_8b():
    """The figures of the design notes."""
    config = LlamaConfig("llama", 128256, 8192, n_layer=32, n_head=32, n_kv_head=8, n_embd=4096, n_hidden=14336)
    sizes = footprint(config)
    assert sizes.parameters == 8_030_261_248 and sizes.model == 32_121_044_992
    assert sizes.cache == 65_536 * 4 * 8192
    with kernels.use("numba"):
        assert footprint(config).activations < sizes.activations  # no scores there


@pytest.mark.parametrize("wrong", [{"context": 0}, {"context": 65}, {"context": 2.0}, {"batch": 0}, {"batch": True}])
def test_out_of_range(wrong):
    with pytest.raises(ConfigError, match=f"plan: {next(iter(wrong))} is"):
        footprint(CONFIGS["gpt2"], **wrong)
    with pytest.raises(ConfigError, match=r"no format 'int9'.*Try: int"):
        footprint(CONFIGS["gpt2"]).needs("int9")
