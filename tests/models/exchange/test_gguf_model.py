"""Models in GGUF: every family in every kind, what the file says, what is refused, and files damaged on purpose."""

from __future__ import annotations

import dataclasses
import tracemalloc

import numpy as np
import pytest

import tinyllm as tl
from tinyllm import kernels, nn
from tinyllm.errors import CheckpointError, ConfigError, DTypeError, NaNError, TinyLLMError
from tinyllm.models import GPT, GPTConfig, Llama, LlamaConfig
from tinyllm.models.exchange.gguf_model import config_of, load_gguf, save_gguf
from tinyllm.models.exchange.gguf_names import gguf_names, turned_heads
from tinyllm.models.exchange.gpt2_config import GPT2Config
from tinyllm.models.exchange.llama2c_model import load_llama2c, save_llama2c
from tinyllm.models.exchange.permute import half_to_pairs
from tinyllm.models.formats.ggml import READABLE
from tinyllm.models.formats.gguf import FILE_TYPES, read_gguf, write_gguf

TINY = {"vocab_size": 23, "block_size": 14, "n_layer": 2}
CONFIGS = {
    "gpt2": GPT2Config(**TINY, n_head=3, n_embd=36, n_hidden=64),
    "gpt2 untied": GPT2Config(**TINY, n_head=2, n_embd=32, n_hidden=64, tied=False, norm_eps=1e-3),
    "llama": LlamaConfig(
        "llama",
        **TINY,
        n_head=6,
        n_kv_head=2,
        n_embd=36,
        n_hidden=64,
        qkv_bias=True,
        out_bias=True,
        mlp_bias=True,
        rope_theta=5e5,
        rope_scaling=nn.RopeScaling("llama3", 8.0, 2.0, 5.5, 16),
        norm_eps=1e-5,
    ),
    "llama tied": LlamaConfig("llama", **TINY, n_head=2, n_embd=32, n_hidden=33, tied=True),
    "mistral": LlamaConfig(
        "mistral", **TINY, n_head=6, n_kv_head=3, n_embd=32, head_size=8, n_hidden=64, windows=5, norm_eps=1e-3
    ),
    "mistral in one layer": LlamaConfig("mistral", **TINY, n_head=2, n_embd=32, n_hidden=64, windows=(4, None)),
    "qwen2": LlamaConfig(
        "qwen2", **TINY, n_head=4, n_kv_head=2, n_embd=32, n_hidden=40, qkv_bias=True, tied=True, windows=(None, 3)
    ),
    "qwen3": LlamaConfig(
        "qwen3",
        **TINY,
        n_head=4,
        n_kv_head=2,
        n_embd=32,
        head_size=16,
        n_hidden=40,
        qk_norm=True,
        rope_theta=1e6,
        rope_scaling=nn.RopeScaling("linear", 3.0),
    ),
}
IDX = np.random.default_rng(5).integers(0, 23, (2, 14))


@pytest.fixture(autouse=True)
def on_numpy():
    with kernels.use("numpy"):
        yield


@pytest.fixture(params=CONFIGS)
def config(request):
    return CONFIGS[request.param]


def noisy(config):
    """A model whose every parameter was moved: with gains of 1 and biases of 0 some faults would not show."""
    rng = np.random.default_rng(7)
    model = (Llama if isinstance(config, LlamaConfig) else GPT)(config, rng)
    for p in model.parameters():
        p.data += rng.normal(0, 0.2, p.shape).astype(p.dtype)
    return model


def logits(model, idx=IDX):
    with tl.no_grad():
        return model(idx).data


def parameters(model):
    return {name: p.data for name, p in model.named_parameters()}


def bounds(w, kind):
    """How far a value may move: half a step of its kind, for a scale that is a float16 itself."""
    if w.ndim < 2 or kind == "F32":
        return np.zeros_like(w)
    if kind in ("F16", "BF16"):
        return np.abs(w) * (2.0**-11 if kind == "F16" else 2.0**-8) + 2.0**-24
    if w.shape[1] % 32:
        return bounds(w, "F16")
    most = np.abs(w).reshape(len(w), -1, 32).max(-1).repeat(32, -1)
    return most * ((0.5 / 127 if kind == "Q8_0" else 1 / 8) + 2.0**-11)


@pytest.mark.parametrize("kind", READABLE)
def test_round_trip(tmp_path, config, kind):
    model = noisy(config)
    save_gguf(model, tmp_path / "a.gguf", kind=kind)
    again, metadata = load_gguf(tmp_path / "a.gguf")
    assert again.config == config
    assert metadata["general.file_type"] == FILE_TYPES[kind]
    ours, theirs = parameters(model), parameters(again)
    assert list(ours) == list(theirs)
    moved = 0.0
    for name, w in ours.items():
        far = np.abs(theirs[name] - w)
        most = np.zeros_like(w) if name == "wpe.weight" else bounds(w, kind)
        assert theirs[name].dtype == np.float32 and np.all(far <= most), name
        moved = max(moved, far.max())
    assert (moved > 0) == (kind != "F32")
    # what was read is written again to the same bytes
    if kind in ("F32", "F16", "BF16"):
        save_gguf(again, tmp_path / "b.gguf", kind=kind)
        assert (tmp_path / "a.gguf").read_bytes() == (tmp_path / "b.gguf").read_bytes()
    if kind == "F32":
        assert np.array_equal(logits(again), logits(model))


def test_the_rows_of_queries_and_keys(tmp_path, config):
    """In a file of architecture llama they are in pairs; in the others as they are."""
    model = noisy(config)
    save_gguf(model, tmp_path / "a.gguf")
    file = read_gguf(tmp_path / "a.gguf")
    own = parameters(model)
    llama = file.metadata["general.architecture"] == "llama"
    turned = 0
    for entry in gguf_names(config):
        for name, part in entry.parts(own[entry.ours]):
            heads = config.n_head if ".attn_q." in name else config.n_kv_head if ".attn_k." in name else 0
            turned += bool(turned_heads(name, config))
            expected = half_to_pairs(part, heads) if llama and heads else part
            assert np.array_equal(file.array(name), expected), name
    assert bool(turned) == llama


def test_what_a_file_says(tmp_path):
    save_gguf(noisy(CONFIGS["llama"]), tmp_path / "a.gguf", kind="Q8_0")
    assert {key: v for key, v in read_gguf(tmp_path / "a.gguf").metadata.items() if not isinstance(v, np.ndarray)} == {
        "general.architecture": "llama",
        "general.file_type": 7,
        "general.quantization_version": 2,
        "llama.context_length": 14,
        "llama.embedding_length": 36,
        "llama.block_count": 2,
        "llama.feed_forward_length": 64,
        "llama.attention.head_count": 6,
        "llama.attention.head_count_kv": 2,
        "llama.attention.layer_norm_rms_epsilon": float(np.float32(1e-5)),
        "llama.rope.dimension_count": 6,
        "llama.rope.freq_base": 5e5,
        "llama.vocab_size": 23,
    }
    save_gguf(noisy(CONFIGS["qwen2"]), tmp_path / "a.gguf")
    file = read_gguf(tmp_path / "a.gguf")
    assert file.metadata["qwen2.attention.sliding_window"] == 3
    assert file.metadata["qwen2.attention.sliding_window_pattern"].tolist() == [False, True]
    assert "output.weight" not in file.tensors and "blk.1.attn_k.bias" in file.tensors
    save_gguf(noisy(CONFIGS["qwen3"]), tmp_path / "a.gguf")
    metadata = read_gguf(tmp_path / "a.gguf").metadata
    assert metadata["qwen3.attention.key_length"] == metadata["qwen3.attention.value_length"] == 16
    assert (metadata["qwen3.rope.scaling.type"], metadata["qwen3.rope.scaling.factor"]) == ("linear", 3.0)


def test_the_head_of_gpt2(tmp_path):
    """It is always written; equal to the embedding, it is tied again, whatever kind both are stored in."""
    for kind in READABLE:
        save_gguf(noisy(CONFIGS["gpt2"]), tmp_path / "a.gguf", kind=kind)
        file = read_gguf(tmp_path / "a.gguf")
        assert np.array_equal(file.array("output.weight"), file.array("token_embd.weight"))
        assert load_gguf(tmp_path / "a.gguf")[0].head is None
    tensors = dict(file.tensors)
    del tensors["output.weight"]  # old files go without
    write_gguf(tmp_path / "b.gguf", file.metadata, tensors, types=file.types)
    assert load_gguf(tmp_path / "b.gguf")[0].head is None
    tensors["output.weight"] = np.array(file.array("output.weight")) + np.float32(1)
    write_gguf(tmp_path / "b.gguf", file.metadata, tensors, types=file.types)
    assert load_gguf(tmp_path / "b.gguf")[0].head is not None


def test_a_gpt_without_biases_and_a_modern_one(tmp_path):
    bare = noisy(GPTConfig(**TINY, n_head=2, n_embd=16, bias=False))
    save_gguf(bare, tmp_path / "a.gguf")
    again, _ = load_gguf(tmp_path / "a.gguf")
    assert again.config.bias and np.allclose(logits(again), logits(bare), atol=1e-5)
    for changes, family in (({}, "llama"), ({"window": 4, "tied": False, "bias": True}, "mistral")):
        modern = noisy(GPTConfig.preset("modern", **TINY, n_head=4, n_embd=16, **changes))
        save_gguf(modern, tmp_path / "a.gguf")
        again, _ = load_gguf(tmp_path / "a.gguf")
        assert again.config == LlamaConfig.from_gpt(modern.config) and again.config.family == family
        assert np.array_equal(logits(again), logits(modern))


def test_dtype(tmp_path):
    model = noisy(CONFIGS["llama tied"])
    save_gguf(model.astype(np.float64), tmp_path / "a.gguf", kind="BF16")
    again, _ = load_gguf(tmp_path / "a.gguf", np.float64)
    assert {p.dtype.name for p in again.parameters()} == {"float64"}
    with pytest.raises(DTypeError, match="int32"):
        load_gguf(tmp_path / "a.gguf", np.int32)


def test_fields_come_and_go(tmp_path):
    V = TINY["vocab_size"]
    fields = {
        "general.name": "A model",
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.tokens": [f"t{i}" for i in range(V)],
        "tokenizer.ggml.token_type": [1] * V,
        "tokenizer.ggml.scores": [0.5] * V,
        "tokenizer.ggml.merges": ["a b"],
        "tokenizer.ggml.eos_token_id": 3,
    }
    model = noisy(CONFIGS["llama tied"])
    save_gguf(model, tmp_path / "a.gguf", fields)
    _, metadata = load_gguf(tmp_path / "a.gguf")
    for key, value in fields.items():
        assert (list(metadata[key]) if isinstance(value, list) else metadata[key]) == value
    taken = {key: value for key, value in metadata.items() if key.startswith("tokenizer.")}
    save_gguf(model, tmp_path / "b.gguf", {"general.name": "A model", **taken})
    assert (tmp_path / "a.gguf").read_bytes() == (tmp_path / "b.gguf").read_bytes()


def test_the_tokens_that_begin_and_end_a_text(tmp_path):
    for name in ("gpt2", "qwen2"):
        model = noisy(changed(name, extra={"eos_token_id": 3, "bos_token_id": [1, 2]}))
        save_gguf(model, tmp_path / "a.gguf", {})
        assert load_gguf(tmp_path / "a.gguf")[0].config.extra == {"eos_token_id": 3}
        fields = {"tokenizer.ggml.eos_token_id": 5, "tokenizer.ggml.bos_token_id": 99}
        save_gguf(model, tmp_path / "a.gguf", fields)  # the tokenizer knows better; 99 is no token of the model
        again, metadata = load_gguf(tmp_path / "a.gguf")
        assert again.config.extra == {"eos_token_id": 5} and metadata["tokenizer.ggml.bos_token_id"] == 99


def test_a_model_with_more_rows_than_tokens(tmp_path):
    few = {"tokenizer.ggml.tokens": ["a", "b"], "tokenizer.ggml.token_type": np.ones(2, np.int32)}
    save_gguf(noisy(CONFIGS["gpt2"]), tmp_path / "a.gguf", few)
    metadata = read_gguf(tmp_path / "a.gguf").metadata
    assert list(metadata["tokenizer.ggml.tokens"][:4]) == ["a", "b", "[PAD2]", "[PAD3]"]
    assert metadata["tokenizer.ggml.token_type"].tolist() == [1, 1] + [5] * 21
    assert len(metadata["tokenizer.ggml.tokens"]) == 23 and "tokenizer.ggml.scores" not in metadata
    with pytest.raises(ConfigError, match="24 tokens, and the model knows 23"):
        save_gguf(noisy(CONFIGS["gpt2"]), tmp_path / "b.gguf", {"tokenizer.ggml.tokens": ["a"] * 24})
    assert not (tmp_path / "b.gguf").exists()


def changed(name, **changes):
    return dataclasses.replace(CONFIGS[name], **changes)


def plain(**changes):
    return GPTConfig(**TINY, n_head=3, n_embd=36, **changes)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (changed("qwen2", qkv_bias=False), "qkv_bias is False, and readers of qwen2 take it for True"),
        (changed("qwen2", out_bias=True), "out_bias is True"),
        (changed("qwen3", mlp_bias=True), "mlp_bias is True"),
        (changed("qwen3", qk_norm=False), "qk_norm is False"),
        (changed("llama", qk_norm=True), "qk_norm is True"),
        (changed("qwen2", windows=(3, 4)), "several sizes"),
        (changed("qwen3", rope_scaling=nn.RopeScaling("llama3")), "no RoPE scaling of kind llama3"),
        (plain(window=3), "window=3 is no GPT-2"),
        (plain(n_kv_head=1), "n_kv_head=1 is no GPT-2"),
        (plain(norm="rms"), "norm='rms' is no GPT-2"),
        (plain(mlp="swiglu"), "mlp='swiglu' is no GPT-2"),
        (plain(position="rope"), "is no Llama"),
    ],
)
def test_what_readers_of_an_architecture_do_not_look_for(tmp_path, config, message):
    with pytest.raises(ConfigError, match=message):
        save_gguf(noisy(config), tmp_path / "a.gguf")
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_written(tmp_path):
    model = noisy(CONFIGS["llama tied"])
    for bad, error, message in (
        ({"kind": "Q4_K"}, ConfigError, r"no kind 'Q4_K'.*Q4_0"),
        ({"fields": {"llama.block_count": 3}}, ConfigError, "llama.block_count says what the model is"),
        ({"fields": {"general.architecture": "qwen2"}}, ConfigError, "general.architecture says"),
    ):
        with pytest.raises(error, match=message):
            save_gguf(model, tmp_path / "a.gguf", **bad)
    model.wte.weight.data[3, 4] = np.nan
    with pytest.raises(NaNError, match=r"token_embd.weight"):
        save_gguf(model, tmp_path / "a.gguf", kind="Q8_0")
    assert not list(tmp_path.iterdir())


@pytest.fixture
def spoilt(tmp_path):
    """Write a file of a family with other metadata and tensors, and load it."""

    def spoilt(name="llama tied", metadata=None, tensors=None, without=()):
        save_gguf(noisy(CONFIGS[name]), tmp_path / "a.gguf")
        file = read_gguf(tmp_path / "a.gguf")
        new = {**file.metadata, **(metadata or {})}
        kept = {key: value for key, value in new.items() if key not in without}
        types = {key: kind for key, kind in file.types.items() if key in kept and key not in (metadata or {})}
        arrays = {key: value for key, value in {**file.tensors, **(tensors or {})}.items() if key not in without}
        write_gguf(tmp_path / "b.gguf", kept, arrays, types=types)
        return load_gguf(tmp_path / "b.gguf")

    return spoilt


BIG = 2**31 - 1
BAD_METADATA = [
    ("llama tied", {"general.architecture": "lama"}, r"'lama', which is not known here.*Try: llama"),
    ("llama tied", {"general.architecture": "mixtral-of-ours"}, "one of gpt2, llama, qwen2, qwen3"),
    ("llama tied", {"general.architecture": [1, 2]}, "is not known here"),
    ("llama tied", {"llama.block_count": BIG}, "block_count is 2,147,483,647, and there are 20 tensors"),
    ("llama tied", {"llama.block_count": 1}, r"9 extra: 'blk.1.attn_k.weight'"),
    ("llama tied", {"llama.block_count": 3}, r"9 missing: blk.2.attn_norm.weight"),
    ("llama tied", {"llama.block_count": -1}, "block_count is -1"),
    (
        "llama tied",
        {"llama.embedding_length": 2**40, "llama.attention.key_length": 16},
        "of another shape: token_embd.weight",
    ),
    ("llama tied", {"llama.embedding_length": 33}, "2 heads do not divide a width of 33"),
    ("llama tied", {"llama.attention.head_count": BIG}, "do not divide"),
    ("llama tied", {"llama.attention.head_count": [2, 2]}, "not a whole number above 0"),
    ("llama tied", {"llama.attention.head_count": True}, "not a whole number above 0"),
    ("llama tied", {"llama.attention.head_count_kv": 3}, "n_kv_head"),
    ("llama tied", {"llama.attention.key_length": 8, "llama.attention.value_length": 4}, "value_length is 4"),
    ("llama tied", {"llama.rope.dimension_count": 8}, "dimension_count is 8, and a head has 16"),
    ("llama tied", {"llama.attention.layer_norm_rms_epsilon": "small"}, "not a number"),
    ("llama tied", {"llama.attention.layer_norm_rms_epsilon": float("nan")}, "norm_eps"),
    ("llama tied", {"llama.rope.freq_base": -1.0}, "rope_theta"),
    ("llama tied", {"llama.rope.scaling.type": "yarn"}, "'yarn', which is not known"),
    ("llama tied", {"llama.rope.scaling.type": "linear"}, "there is no llama.rope.scaling.factor"),
    ("llama tied", {"llama.attention.sliding_window_pattern": [True]}, None),
    ("qwen2", {"qwen2.attention.sliding_window_pattern": [True]}, "not 2 truth values"),
    ("qwen2", {"qwen2.attention.sliding_window_pattern": 6}, "not 2 truth values"),
    ("llama tied", {"llama.vocab_size": 24}, "vocab_size is 24, and token_embd.weight has 23 rows"),
    ("llama tied", {"llama.expert_count": 8}, "expert_count is 8, and is not understood"),
    ("llama tied", {"llama.attention.scale": 1.0}, "attention.scale is 1.0, and is not understood"),
    ("llama tied", {"llama.attention.causal": False}, "attention.causal is False"),
    ("llama tied", {"split.count": 3}, "one of 3 parts"),
    ("gpt2", {"gpt2.context_length": 15}, r"position_embd.weight \(14, 36\), not \(15, 36\)"),
    ("gpt2", {"gpt2.attention.head_count_kv": 1}, "a gpt2 has no groups"),
]


@pytest.mark.parametrize(("name", "metadata", "message"), BAD_METADATA)
def test_metadata_that_do_not_fit(spoilt, name, metadata, message):
    if message is None:
        assert spoilt(name, metadata)[0].config.layer_windows == (None, None)  # a pattern of no window
        return
    with pytest.raises(CheckpointError, match=message) as caught:
        spoilt(name, metadata)
    assert str(caught.value).startswith("E-CHECKPOINT b.gguf: ")


def test_metadata_that_change_nothing(spoilt):
    harmless = {
        "llama.attention.causal": True,
        "llama.expert_count": 0,
        "llama.rope.scaling.type": "none",
        "llama.rope.scaling.original_context_length": 99,
        "general.author": "somebody",
        "tokenizer.ggml.model": "llama",
    }
    model, metadata = spoilt(metadata=harmless)
    assert model.config == CONFIGS["llama tied"] and metadata["general.author"] == "somebody"
    assert spoilt(without=["llama.rope.freq_base", "llama.vocab_size"])[0].config == CONFIGS["llama tied"]
    for key in ("context_length", "embedding_length", "block_count", "attention.layer_norm_rms_epsilon"):
        with pytest.raises(CheckpointError, match=f"there is no llama.{key}"):
            spoilt(without=[f"llama.{key}"])
    with pytest.raises(CheckpointError, match="architecture is None"):
        spoilt(without=["general.architecture"])


def test_tensors_that_do_not_fit(spoilt):
    with pytest.raises(CheckpointError, match=r"1 missing: blk.1.ffn_up.weight"):
        spoilt(without=["blk.1.ffn_up.weight"])
    with pytest.raises(CheckpointError, match=r"no matrix token_embd.weight"):
        spoilt(without=["token_embd.weight"])
    with pytest.raises(CheckpointError, match=r"1 extra: 'blk.1.ffn_upp.weight' \(nearest: blk.1.ffn_up.weight\)"):
        spoilt(tensors={"blk.1.ffn_upp.weight": np.zeros((33, 32))})
    with pytest.raises(CheckpointError, match=r"blk.0.ffn_down.weight \(33, 32\), not \(32, 33\)"):
        spoilt(tensors={"blk.0.ffn_down.weight": np.zeros((33, 32))})
    with pytest.raises(CheckpointError, match=r"extra: 'blk.0.attn_q.bias'"):
        spoilt("qwen3", tensors={"blk.0.attn_q.bias": np.zeros(64)})
    with pytest.raises(CheckpointError, match=r"3 missing: blk.0.attn_k.bias, blk.0.attn_v.bias"):
        spoilt("qwen2", without=[f"blk.{i}.attn_{one}.bias" for i in (0, 1) for one in "k"] + ["blk.0.attn_v.bias"])
    with pytest.raises(CheckpointError, match=r"extra: 'rope_freqs.weight'"):
        spoilt("qwen2", tensors={"rope_freqs.weight": np.ones(4)})
    with pytest.raises(CheckpointError, match="not as Llama 3's scaling does"):
        spoilt("llama", tensors={"rope_freqs.weight": np.array([1.0, 3.0, 2.0])})
    with pytest.raises(CheckpointError, match="both slow the angles down"):
        spoilt("llama", {"llama.rope.scaling.type": "linear", "llama.rope.scaling.factor": 2.0})


def test_types_whose_values_are_not_read(tmp_path):
    """A Q4_K is named, before any of the others is converted."""
    model = noisy(changed("llama tied", n_embd=256, n_head=2))
    save_gguf(model, tmp_path / "a.gguf", kind="Q8_0")
    raw = bytearray((tmp_path / "a.gguf").read_bytes())
    file = read_gguf(tmp_path / "a.gguf")
    last = list(file.tensors)[-2]  # ffn_down of the last layer has rows of 33, and output_norm one axis
    assert file.tensors[last].type.name == "F16"
    at = raw.index(b"output_norm.weight") + len("output_norm.weight") + 4 + 8
    raw[at] = 18  # IQ3_XXS: one block of 256 values, 98 bytes
    end = len(raw) - 1024
    (tmp_path / "b.gguf").write_bytes(raw[: end + 128])
    with pytest.raises(
        CheckpointError, match=r"1 tensors are of types that are not read: output_norm.weight \(IQ3_XXS\)"
    ):
        load_gguf(tmp_path / "b.gguf")


def test_stories260k_from_bin_to_gguf_and_back(data_file, tmp_path):
    path = data_file("models/stories260K/stories260K.bin")
    model = load_llama2c(path)
    save_gguf(model, tmp_path / "a.gguf")
    again, _ = load_gguf(tmp_path / "a.gguf")
    assert again.config == model.config
    save_llama2c(model, tmp_path / "first.bin")
    save_llama2c(again, tmp_path / "again.bin")
    raw = (tmp_path / "again.bin").read_bytes()
    assert raw == (tmp_path / "first.bin").read_bytes()
    tables = 4 * 512 * 8  # which nobody reads
    assert raw[:-tables] == path.read_bytes()[:-tables]


def mutant(raw, rng, header):
    """Change some bytes of the header, copy some over others, or cut the file."""
    raw = bytearray(raw)
    for _ in range(int(rng.choice([1, 1, 2]))):
        at = int(rng.integers(header))
        match rng.integers(5):
            case 0:
                raw[at] = rng.integers(256)
            case 1:
                raw[at] ^= 1 << rng.integers(8)
            case 2:
                raw[at : at + 8] = int(rng.integers(0, 2**63)).to_bytes(8, "little")
            case 3:
                source = int(rng.integers(header))
                raw[at : at + 4] = raw[source : source + 4]
            case _:
                raw[at : at + 4] = int(rng.choice([0, 1, 2**31, 2**32 - 1, 255])).to_bytes(4, "little")
    return bytes(raw)


@pytest.mark.parametrize("name", ["gpt2", "llama"])
def test_mutants(tmp_path, name):
    """A damaged file is loaded, or refused by an error of ours; neither takes much more memory than the file has."""
    path = tmp_path / "a.gguf"
    save_gguf(noisy(CONFIGS[name]), path, {"tokenizer.ggml.tokens": ["a"] * 23}, kind="Q8_0")
    raw = path.read_bytes()
    header = raw.index(b"output_norm.weight") + 60
    rng = np.random.default_rng(11)
    outcomes = {"loaded": 0, "refused": 0}
    tracemalloc.start()
    try:
        for _ in range(250):
            path.write_bytes(mutant(raw, rng, header))
            tracemalloc.reset_peak()
            before = tracemalloc.get_traced_memory()[0]
            try:
                load_gguf(path)
                outcomes["loaded"] += 1
            except TinyLLMError as error:
                assert "a.gguf" in str(error)
                outcomes["refused"] += 1
            assert tracemalloc.get_traced_memory()[1] - before < 8 * len(raw) + 500_000
    finally:
        tracemalloc.stop()
    assert min(outcomes.values()) > 4, outcomes


def test_config_of_reads_no_weight(tmp_path):
    save_gguf(noisy(CONFIGS["mistral"]), tmp_path / "a.gguf", kind="Q4_0")
    assert config_of(read_gguf(tmp_path / "a.gguf")) == CONFIGS["mistral"]
