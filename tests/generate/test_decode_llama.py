"""A Llama decoded with a memory equals the model without one, in every family, and planted faults are seen."""

from __future__ import annotations

import numpy as np
import pytest

import tinyllm as tl
from tinyllm import kernels, nn
from tinyllm.errors import ConfigError
from tinyllm.generate import Decoder, decodable
from tinyllm.models import GPT, GPTConfig, Llama, LlamaConfig

V, T = 31, 19
SIZES = {"vocab_size": V, "block_size": T, "n_layer": 3, "n_head": 6, "n_kv_head": 2, "n_embd": 30, "n_hidden": 23}
BIASES = {"qkv_bias": True, "out_bias": True, "mlp_bias": True}
LLAMA3 = nn.RopeScaling("llama3", factor=8.0, low=1.0, high=4.0, original=8)
FAMILIES = {
    "llama": {"head_size": 10},
    "llama, all biases, llama3 scaling, tied": {
        **BIASES, "head_size": 4, "rope_scaling": LLAMA3, "rope_theta": 50.0, "tied": True
    },
    "llama, linear scaling, as many key heads": {
        "head_size": 6, "n_kv_head": 6, "rope_scaling": nn.RopeScaling("linear", factor=3.0)
    },
    "mistral, window": {"family": "mistral", "head_size": 8, "windows": 4},
    "mistral, window of one": {"family": "mistral", "head_size": 8, "windows": 1},
    "qwen2, one key head, tied": {"family": "qwen2", "head_size": 4, "n_kv_head": 1, "qkv_bias": True, "tied": True},
    "qwen2, a window in some layers": {"family": "qwen2", "head_size": 4, "qkv_bias": True, "windows": (None, 5, 3)},
    "qwen3": {"family": "qwen3", "head_size": 8, "qk_norm": True},
    "qwen3, biases, windows": {
        "family": "qwen3", "head_size": 12, "qk_norm": True, "qkv_bias": True, "out_bias": True, "windows": (2, None, 7)
    },
}  # fmt: skip


def made(kind, dtype=np.float64):
    """A model of a family, every parameter moved far from where it begins."""
    model = Llama(LlamaConfig(**{**SIZES, **FAMILIES[kind]}), np.random.default_rng(0)).eval()
    rng = np.random.default_rng(1)
    for p in model.parameters():
        p.data = (p.data + rng.normal(0, 0.3, p.shape)).astype(dtype)
    return model


def ids_of(B, T=T):
    return np.random.default_rng(2).integers(0, V, (B, T))


def steps(decoder, ids, first):
    """The logits after the first tokens, and after each that follows: (B, T - first + 1, V)."""
    logits = [decoder.prefill(ids[:, :first])]
    logits += [decoder.step(ids[:, t]) for t in range(first, ids.shape[1])]
    return np.stack(logits, axis=1)


def distance(model, decoder, ids, first=3):
    """The largest difference between logits with a memory and without one, over the largest logit."""
    with tl.no_grad():
        full = model(ids).data
    return np.abs(steps(decoder, ids, first) - full[:, first - 1 :]).max() / np.abs(full).max()


@pytest.mark.parametrize("kind", FAMILIES)
def test_cached_equals_uncached_in_float64(kind):
    model, ids = made(kind), ids_of(2)
    for backend, first in (("numpy", 1), ("numpy", T), ("numba", 3), ("numba", 12)):
        with kernels.use(backend):
            decoder = Decoder(model, batch=2)
            assert distance(model, decoder, ids, first) < 1e-12
            assert decoder.cache.keys.dtype == np.float64


@pytest.mark.parametrize("kind", FAMILIES)
def test_cached_equals_uncached_in_float32(kind):
    model, ids = made(kind, np.float32), ids_of(2)
    assert distance(model, Decoder(model, batch=2), ids) < 1e-5
    assert distance(made(kind, np.float64), Decoder(made(kind), "float32", batch=2), ids) < 1e-5


@pytest.mark.parametrize("kind", FAMILIES)
def test_texts_of_a_batch_that_stand_at_different_places(kind):
    model, ids, lengths = made(kind), ids_of(3), np.array([2, 9, 1])
    decoder = Decoder(model, batch=3)
    got = [decoder.prefill(ids[:, :9], lengths)]
    got += [decoder.step(ids[np.arange(3), lengths + i]) for i in range(3)]
    with tl.no_grad():
        full = model(ids).data
    for b, length in enumerate(lengths):
        expected = full[b, length - 1 : length + 3]
        np.testing.assert_allclose([g[b] for g in got], expected, rtol=0, atol=1e-12 * np.abs(full).max())


ROUNDED = {
    "int8": (kernels.quantize_8, kernels.dequantize_8),
    "int4": (kernels.quantize_4, kernels.dequantize_4),
}


@pytest.mark.parametrize("weights", [*ROUNDED, "int4x8"])
@pytest.mark.parametrize("kind", ["llama, all biases, llama3 scaling, tied", "qwen3, biases, windows"])
def test_coarse_weights_are_those_of_a_model_with_rounded_ones(kind, weights):
    model, ids = made(kind, np.float32), ids_of(2)
    got = steps(Decoder(model, weights, batch=2), ids, 3)
    embedding = model.wte.weight.data
    quantize, dequantize = ROUNDED[weights[:4]]
    for name, p in model.named_parameters():
        if p.ndim == 2 and (model.head is None or "wte" not in name):
            p.data = dequantize(*quantize(p.data))[:, : p.shape[1]]  # without what filled up the last block
    rounded = Decoder(model, batch=2)
    rounded.embedding = embedding  # it is looked up in full
    error = np.abs(got - steps(rounded, ids, 3)).max() / np.abs(got).max()
    assert error < (0.2 if weights == "int4x8" else 2e-5)  # in the first x, too, is rounded


# planted faults: each makes the decoder wrong in a single way, and the comparison above must tell


def no_norms(decoder):
    for layer in decoder.layers:
        layer.qk_norm = None


def norms_after_rope(decoder):
    for layer in decoder.layers:
        inside, norms, layer.qk_norm = layer.heads, layer.qk_norm, None

        def heads(x, B, angles, layer=layer, inside=inside, norms=norms):
            q, k, v = inside(x, B, angles)
            both = norms(np.concatenate([q[0], k[0]]))
            return both[None, : layer.H], both[None, layer.H :], v

        layer.heads = heads


def widen(by, layers=slice(None)):
    def plant(decoder):
        for layer in decoder.layers[layers]:
            layer.window = None if layer.window is None else layer.window + by

    return plant


def first_window_everywhere(decoder):
    for layer in decoder.layers:
        layer.window = decoder.layers[0].window


def angles_of(rope):
    def plant(decoder):
        decoder.angles = rope.tables(T, np.dtype(np.float64))

    return plant


def no_bias(name):
    def plant(decoder):
        for layer in decoder.layers:
            getattr(layer, name).b = None

    return plant


def tied_head(decoder):
    decoder.head.arrays[0] = decoder.embedding


def no_positions(decoder):
    decoder.angles = None


def late_positions(decoder):
    decoder.angles = tuple(np.roll(table, -1, axis=0) for table in decoder.angles)


FAULTS = {
    "no norms of queries and keys": ("qwen3", no_norms),
    "norms after RoPE": ("qwen3", norms_after_rope),
    "a window one too wide": ("mistral, window", widen(1)),
    "a window one too narrow": ("mistral, window", widen(-1)),
    "a window one too wide in the last layer": ("qwen2, a window in some layers", widen(1, slice(2, 3))),
    "one window for all layers": ("qwen3, biases, windows", first_window_everywhere),
    "no llama3 scaling": ("llama, all biases, llama3 scaling, tied", angles_of(nn.RopeHalf(4, 50.0))),
    "no linear scaling": ("llama, linear scaling, as many key heads", angles_of(nn.RopeHalf(6))),
    "no q, k, v biases": ("qwen2, one key head, tied", no_bias("qkv")),
    "no output biases": ("qwen3, biases, windows", no_bias("out")),
    "no biases that widen": ("llama, all biases, llama3 scaling, tied", no_bias("up")),
    "no biases that narrow": ("llama, all biases, llama3 scaling, tied", no_bias("down")),
    "the embedding for the head": ("llama", tied_head),
    "no positions": ("llama", no_positions),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_seen(fault):
    kind, plant = FAULTS[fault]
    model, decoder = made(kind), Decoder(made(kind))
    assert distance(model, decoder, ids_of(1)) < 1e-12
    decoder.reset()
    plant(decoder)
    assert distance(model, decoder, ids_of(1)) > 1e-3


def test_a_shift_of_all_positions_is_no_fault():
    """RoPE sees distances only; what this would hide, a window or a cache off by one, is planted above."""
    model, decoder = made("llama"), Decoder(made("llama"))
    late_positions(decoder)
    assert distance(model, decoder, ids_of(1, T - 1)) < 1e-12


# kinds of models


def test_what_a_decoder_reads():
    gpt = GPT(GPTConfig.preset("modern", vocab_size=V, block_size=T, n_layer=1, n_head=2, n_embd=8), rng())

    class Other(GPT):
        """A model that may compute anything."""

    assert decodable(gpt) and decodable(made("llama")) and not decodable(Other(gpt.config, rng()))
    with pytest.raises(ConfigError, match="a Linear does not write texts"):
        Decoder(nn.Linear(2, 2, rng=rng()))


def rng():
    return np.random.default_rng(0)


def test_a_modern_gpt_and_the_llama_it_is_say_the_same():
    config = GPTConfig.preset("modern", vocab_size=V, block_size=T, n_layer=2, n_head=4, n_embd=24, window=5)
    gpt = GPT(config, rng())
    llama = Llama(LlamaConfig.from_gpt(config), rng())
    for mine, theirs in zip(llama.parameters(), gpt.parameters(), strict=True):
        mine.data = theirs.data
    np.testing.assert_array_equal(steps(Decoder(llama), ids_of(1), 4), steps(Decoder(gpt), ids_of(1), 4))
