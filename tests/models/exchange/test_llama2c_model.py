"""Llamas in llama2.c's .bin: stories260K tells its story, and what the format cannot say is refused."""

from __future__ import annotations

import dataclasses
import hashlib

import numpy as np
import pytest

import tinyllm as tl
from tinyllm import kernels, nn
from tinyllm.errors import CheckpointError, ConfigError
from tinyllm.models import GPT, GPTConfig, Llama, LlamaConfig
from tinyllm.models.exchange.llama2c_model import load_llama2c, save_llama2c
from tinyllm.models.formats.llama2c import read_llama2c
from tinyllm.tokenizer.scores import ScoredBPE

PLAIN = LlamaConfig(
    "llama", vocab_size=11, block_size=9, n_layer=2, n_head=6, n_kv_head=2, n_embd=36, n_hidden=5, norm_eps=1e-5
)


@pytest.fixture(autouse=True)
def on_numpy():
    with kernels.use("numpy"):
        yield


def noisy(model):
    rng = np.random.default_rng(7)
    for p in model.parameters():
        p.data += rng.normal(0, 0.3, p.shape).astype(p.dtype)
    return model


def logits(model, idx):
    with tl.no_grad():
        return model(idx).data


@pytest.mark.parametrize("tied", [True, False])
def test_round_trip(tmp_path, tied):
    model = noisy(Llama(dataclasses.replace(PLAIN, tied=tied), np.random.default_rng(0)))
    save_llama2c(model, tmp_path / "a.bin")
    again = load_llama2c(tmp_path / "a.bin")
    assert again.config == model.config
    for (name, ours), (other, theirs) in zip(model.named_parameters(), again.named_parameters(), strict=True):
        assert name == other and np.array_equal(ours.data, theirs.data), name
    save_llama2c(again, tmp_path / "b.bin")
    assert (tmp_path / "a.bin").read_bytes() == (tmp_path / "b.bin").read_bytes()
    assert load_llama2c(tmp_path / "a.bin", np.float64).wte.weight.dtype == np.float64


def test_the_file_computes_the_same_with_its_own_convention(tmp_path):
    """Run the file's matrices through rope_pairs by hand; the model, which turns halves, must agree."""
    model = noisy(Llama(PLAIN, np.random.default_rng(0)))
    save_llama2c(model, tmp_path / "a.bin")
    header, file = read_llama2c(tmp_path / "a.bin")
    H, K, D = header.n_heads, header.n_kv_heads, header.head_size
    idx = np.array([3, 1, 4, 1, 5, 9, 2, 6])
    T = len(idx)
    angles = kernels.rope_angles(np.arange(T), D, 10000.0)

    def norm(x, name):
        return x / np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + 1e-5) * file[name]

    x = file["tok_embeddings.weight"][idx].astype(np.float64)
    for i in range(header.n_layers):
        of = f"layers.{i}."
        a = norm(x, of + "attention_norm.weight")
        q, k, v = ((a @ file[f"{of}attention.w{one}.weight"].T).reshape(T, -1, D).swapaxes(0, 1) for one in "qkv")
        q, k = (kernels.rope_pairs(one[None], *angles)[0] for one in (q, k))
        k, v = np.repeat(k, H // K, axis=0), np.repeat(v, H // K, axis=0)
        score = q @ k.swapaxes(1, 2) / np.sqrt(D) + np.triu(np.full((T, T), -np.inf), 1)
        weights = np.exp(score - score.max(-1, keepdims=True))
        taken = (weights / weights.sum(-1, keepdims=True) @ v).swapaxes(0, 1).reshape(T, -1)
        x = x + taken @ file[of + "attention.wo.weight"].T
        a = norm(x, of + "ffn_norm.weight")
        gate = a @ file[of + "feed_forward.w1.weight"].T
        x = (
            x
            + (gate / (1 + np.exp(-gate)) * (a @ file[of + "feed_forward.w3.weight"].T))
            @ file[of + "feed_forward.w2.weight"].T
        )
    expected = norm(x, "norm.weight") @ file["output.weight"].T
    assert np.abs(logits(model, idx[None])[0] - expected).max() < 1e-5 * np.abs(expected).max()


def test_a_modern_gpt_is_written_too(tmp_path):
    config = GPTConfig.preset("modern", vocab_size=11, block_size=9, n_layer=2, n_head=4, n_embd=16, norm_eps=1e-5)
    model = noisy(GPT(config, np.random.default_rng(0)))
    save_llama2c(model, tmp_path / "a.bin")
    idx = np.array([[3, 1, 4, 1, 5]])
    assert np.array_equal(logits(load_llama2c(tmp_path / "a.bin"), idx), logits(model, idx))


@pytest.mark.parametrize(
    "change",
    [
        {"qkv_bias": True},
        {"out_bias": True},
        {"mlp_bias": True},
        {"qk_norm": True},
        {"windows": 4},
        {"head_size": 4},
        {"rope_theta": 5e5},
        {"rope_scaling": nn.RopeScaling("linear", 2.0)},
        {"norm_eps": 1e-6},
    ],
)
def test_what_the_format_cannot_say(tmp_path, change):
    model = Llama(dataclasses.replace(PLAIN, **change), np.random.default_rng(0))
    with pytest.raises(ConfigError, match=next(iter(change))):
        save_llama2c(model, tmp_path / "a.bin")
    with pytest.raises(ConfigError, match="learned"):
        save_llama2c(GPT(GPTConfig(11, 9, 1, 2, n_embd=8), np.random.default_rng(0)), tmp_path / "a.bin")
    assert not list(tmp_path.iterdir())


def test_a_file_of_something_else(tmp_path):
    (tmp_path / "a.bin").write_bytes(b"PK\x03\x04" + bytes(100))
    with pytest.raises(CheckpointError, match="pickle"):
        load_llama2c(tmp_path / "a.bin")
    with pytest.raises(CheckpointError, match="no such file"):
        load_llama2c(tmp_path / "b.bin")


def test_stories260k_tells_its_story(data_file, tmp_path):
    """A real model, token by token with the whole text read again: 60 tokens; the decoder tells it whole."""
    path = data_file("models/stories260K/stories260K.bin")
    model = load_llama2c(path)
    tokenizer = ScoredBPE.from_file(data_file("models/stories260K/tok512.bin"))
    golden = data_file("models/stories260K/golden.txt").read_bytes()
    ids = [1]
    for _ in range(60):
        ids.append(int(logits(model, np.array([ids]))[0, -1].argmax()))
    told = tokenizer.decode(ids[1:])
    assert len(told) > 100 and golden.decode().startswith(told.lstrip())

    save_llama2c(model, tmp_path / "again.bin")
    again, first = (tmp_path / "again.bin").read_bytes(), path.read_bytes()
    assert len(again) == len(first) == 1_056_540
    T, D = 512, 8
    tables = 4 * T * D  # at the end: cosines and sines, which nobody reads and another library computed in float32
    assert hashlib.sha256(again[:-tables]).digest() == hashlib.sha256(first[:-tables]).digest()
    ours, theirs = (np.frombuffer(raw[-tables:], "<f4") for raw in (again, first))
    assert np.abs(ours - theirs).max() < 1e-4
