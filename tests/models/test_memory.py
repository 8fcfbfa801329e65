"""Free memory, and models that are refused before they are made."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tinyllm.errors import MemoryShortError
from tinyllm.models import GPT, GPTConfig, Llama, LlamaConfig, memory
from tinyllm.models.exchange.gguf_model import load_gguf, save_gguf
from tinyllm.models.exchange.llama2c_model import save_llama2c
from tinyllm.models.footprint import footprint
from tinyllm.models.memory import free_memory, in_bytes, refuse_unloadable
from tinyllm.models.plan import Plan
from tinyllm.models.pretrained import load_model, save_model

CONFIG = LlamaConfig("llama", 64, 96, n_layer=2, n_head=2, n_embd=32, n_hidden=64)


@pytest.fixture
def free(tmp_path, monkeypatch):
    """Pretend that so many kilobytes are free."""

    def free(kilobytes):
        (tmp_path / "meminfo").write_text(f"MemTotal:  9 kB\nMemAvailable:    {kilobytes} kB\n")
        monkeypatch.setattr(memory, "_MEMINFO", tmp_path / "meminfo")

    return free


def test_free_memory(free, tmp_path, monkeypatch):
    free(1234)
    assert free_memory() == 1234 * 1024
    assert Plan("toy", "llama", CONFIG, 0, footprint(CONFIG)).fits()
    assert not Plan("toy", "llama", CONFIG, 0, footprint(CONFIG, batch=100)).fits()
    for text in ("MemAvailable: much\n", "MemTotal: 9 kB\n", "no colon"):  # then the number of pages tells
        (tmp_path / "meminfo").write_text(text)
        assert free_memory() > 1 << 20
    monkeypatch.setattr(memory, "_MEMINFO", tmp_path / "none")
    assert free_memory() > 1 << 20


def test_a_model_that_is_too_large_is_not_made(free, tmp_path):
    model = Llama(CONFIG, np.random.default_rng(0))
    save_gguf(model, tmp_path / "a.gguf", kind="Q8_0")
    needs = 4 * model.count_parameters()
    free(needs // 1024 + 1)
    assert load_gguf(tmp_path / "a.gguf")[0].config == CONFIG
    with pytest.raises(MemoryShortError, match=r"a.gguf: the model has .* in float64.*dtype=np.float32, or a model of"):
        load_gguf(tmp_path / "a.gguf", np.float64)
    free(needs // 1024 - 1)
    with pytest.raises(MemoryShortError, match="in float32, and"):
        load_gguf(tmp_path / "a.gguf")


def test_without_looking_at_the_system():
    refuse_unloadable(GPTConfig(), memory=498 * 10**6)
    with pytest.raises(MemoryShortError, match="takes 498 MB in float32, and 497 MB of memory are free"):
        refuse_unloadable(GPTConfig(), memory=497 * 10**6)


def test_bytes_in_words():
    words = [in_bytes(count) for count in (0, 999, 1000, 99_949, 999_600, 10**18)]
    assert words == ["0 B", "999 B", "1.00 kB", "99.9 kB", "1.00 MB", "1000 PB"]


def test_other_files_are_refused_in_the_same_way(free, tmp_path):
    llama = Llama(dataclasses.replace(CONFIG, norm_eps=1e-5), np.random.default_rng(0))
    gpt = GPT(GPTConfig(64, 32, n_layer=1, n_head=2, n_embd=32), np.random.default_rng(0))
    save_model(llama, tmp_path / "llama")
    save_llama2c(llama, tmp_path / "a.bin")
    save_model(gpt, tmp_path / "gpt2", dtype="bfloat16")
    free(20)
    for name in ("llama", "a.bin", "gpt2"):
        with pytest.raises(MemoryShortError, match=r"20\.5 kB of memory are free"):
            load_model(tmp_path / name)
