"""Names of tensors in GGUF: each of ours has one or three, and what does not fit is listed."""

from __future__ import annotations

import numpy as np
import pytest

from tinyllm.errors import CheckpointError
from tinyllm.models import GPT, GPTConfig, Llama, LlamaConfig
from tinyllm.models.exchange.gguf_names import gguf_names, refuse_other_tensors, turned_heads

SIZES = {"vocab_size": 11, "block_size": 8, "n_layer": 2, "n_head": 2, "n_embd": 8, "n_hidden": 5}
BIASES = {"qkv_bias": True, "out_bias": True, "mlp_bias": True}
CONFIGS = [
    GPTConfig(**SIZES),
    GPTConfig(**SIZES, tied=False),
    LlamaConfig("llama", **SIZES, **BIASES),
    LlamaConfig("qwen3", **SIZES, qk_norm=True, tied=True, n_kv_head=1),
]


@pytest.mark.parametrize("config", CONFIGS)
def test_every_parameter_has_its_names_and_rows(config):
    model = (Llama if isinstance(config, LlamaConfig) else GPT)(config, np.random.default_rng(0))
    own = {name: p.shape for name, p in model.named_parameters()}
    entries = gguf_names(config)
    assert sorted(entry.ours for entry in entries) == sorted(own)
    for entry in entries:
        rows = sum(shape[0] for shape in entry.shapes)
        assert (rows, *entry.shapes[0][1:]) == own[entry.ours]
    names = [name for entry in entries for name in entry.theirs]
    assert len(set(names)) == len(names) and all(name.endswith((".weight", ".bias")) for name in names)
    assert max(len(name) for name in names) < 64


def test_which_rows_are_turned():
    names = [
        f"blk.1.attn_{one}" for one in ("q.weight", "q.bias", "k.weight", "v.weight", "q_norm.weight", "norm.weight")
    ]
    grouped = {**SIZES, "n_kv_head": 1}
    for family, heads in (("llama", 2), ("mistral", 2), ("qwen2", 0), ("qwen3", 0)):
        config = LlamaConfig(family, **grouped)
        assert [turned_heads(name, config) for name in names] == [heads, heads, heads // 2, 0, 0, 0]
    assert not any(turned_heads(name, CONFIGS[0]) for name in [*names, "blk.0.attn_qkv.weight"])


def test_what_does_not_fit_is_listed():
    wanted = {f"blk.{i}.ffn_up.weight": (2, 3) for i in range(9)}
    refuse_other_tensors(wanted, dict(wanted))
    found = {"blk.0.ffn_up.weight": (3, 2), "blk.1.fn_up.weight": (2, 3), "zzz": ()}
    with pytest.raises(CheckpointError) as caught:
        refuse_other_tensors(wanted, found)
    said = str(caught.value)
    assert "8 missing: blk.1.ffn_up.weight, blk.2" in said and "and 3 more" in said
    assert "2 extra: 'blk.1.fn_up.weight' (nearest: blk.1.ffn_up.weight), 'zzz'" in said
    assert "1 of another shape: blk.0.ffn_up.weight (3, 2), not (2, 3)" in said
