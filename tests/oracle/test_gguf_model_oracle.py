"""Models in GGUF beside gguf-py, which knows all names and keys, and transformers, which reads such files itself."""

from __future__ import annotations

import importlib.util
import os
import warnings
from pathlib import Path

import numpy as np
import pytest

import tinyllm as tl
from tinyllm import kernels
from tinyllm.models import LlamaConfig, llama
from tinyllm.models.exchange import gpt2
from tinyllm.models.exchange.gguf_model import load_gguf, save_gguf
from tinyllm.models.exchange.llama2c_model import load_llama2c
from tinyllm.models.formats.ggml import READABLE
from tinyllm.models.formats.gguf import read_gguf

os.environ.setdefault("HF_HUB_OFFLINE", "1")
gguf = pytest.importorskip("gguf", reason="the oracle tests need gguf: pip install -e '.[oracle]'")
from gguf import quants  # noqa: E402

pytestmark = [pytest.mark.oracle, pytest.mark.filterwarnings("default")]

# the same models as in the tests that run everywhere
place = Path(__file__).parents[1] / "models" / "exchange" / "test_gguf_model.py"
material = importlib.util.spec_from_file_location("gguf_material", place)
test_gguf_model = importlib.util.module_from_spec(material)
material.loader.exec_module(test_gguf_model)
CONFIGS, IDX, noisy, logits = (getattr(test_gguf_model, name) for name in ("CONFIGS", "IDX", "noisy", "logits"))


@pytest.fixture(autouse=True)
def on_numpy():
    with kernels.use("numpy"):
        yield


def quantized(w, kind):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it divides by zero where a block is empty
        return quants.quantize(w, gguf.GGMLQuantizationType[kind])


def in_pairs(w, heads):
    """Meta's order of rows, one at a time."""
    D = len(w) // heads
    return np.stack([w[h * D + half * (D // 2) + i] for h in range(heads) for i in range(D // 2) for half in (0, 1)])


def expected(model):
    """What a file should hold, by gguf-py's own table of names, from what transformers calls them."""
    config = model.config
    if isinstance(config, LlamaConfig):
        family, theirs = config.family, llama.to_arrays(model)
    else:
        family, theirs = "gpt2", gpt2.to_arrays(model)
        theirs.setdefault("lm_head.weight", theirs["transformer.wte.weight"])
    architecture = "llama" if family == "mistral" else family
    number = next(code for code, name in gguf.MODEL_ARCH_NAMES.items() if name == architecture)
    table = gguf.get_tensor_name_map(number, config.n_layer)
    found = {}
    for name, w in theirs.items():
        stem, _, kind = name.rpartition(".")
        if any(part in name for part in ("c_attn.weight", "c_proj.weight", "c_fc.weight")):
            w = w.T
        if architecture == "llama" and ("q_proj" in name or "k_proj" in name):
            w = in_pairs(w, config.n_head if "q_proj" in name else config.n_kv_head)
        found[f"{table.get_name(stem)}.{kind}"] = np.ascontiguousarray(w)
    return number, found


@pytest.mark.parametrize("kind", READABLE)
@pytest.mark.parametrize("name", CONFIGS)
def test_names_shapes_types_and_bytes(tmp_path, name, kind):
    model = noisy(CONFIGS[name])
    save_gguf(model, tmp_path / "a.gguf", kind=kind)
    read_gguf(tmp_path / "a.gguf")  # it loops over announced lengths, so ours looks first
    reader = gguf.GGUFReader(tmp_path / "a.gguf")
    number, theirs = expected(model)
    tensors = {tensor.name: tensor for tensor in reader.tensors}
    assert tensors.keys() - {"rope_freqs.weight"} == theirs.keys()
    assert ("rope_freqs.weight" in tensors) == (name == "llama")
    known = {gguf.TENSOR_NAMES[tensor] for tensor in gguf.MODEL_TENSORS[number]}
    for own, w in theirs.items():
        tensor = tensors[own]
        assert ".".join("{bid}" if part.isdigit() else part for part in own.split(".")[:-1]) in known
        stored = "F32" if w.ndim < 2 or own == "position_embd.weight" else kind
        if w.ndim > 1 and w.shape[1] % 32 and kind.startswith("Q") and stored == kind:
            stored = "F16"
        assert tuple(tensor.shape[::-1]) == w.shape and tensor.tensor_type.name == stored, own
        assert tensor.data.tobytes() == quantized(w, stored).tobytes(), own


@pytest.mark.parametrize("name", CONFIGS)
def test_keys_and_their_types(tmp_path, name):
    """Every key is one that gguf-py has a name for, and of the type that its writer gives it."""
    config = CONFIGS[name]
    save_gguf(noisy(config), tmp_path / "a.gguf")
    metadata = read_gguf(tmp_path / "a.gguf").metadata
    fields = {k: f for k, f in gguf.GGUFReader(tmp_path / "a.gguf").fields.items() if not k.startswith("GGUF.")}
    assert fields.keys() == metadata.keys()
    architecture = metadata["general.architecture"]
    groups = (gguf.Keys.General, gguf.Keys.LLM, gguf.Keys.Attention, gguf.Keys.Rope)
    every = {key for group in groups for key in vars(group).values() if isinstance(key, str)}
    known = {key.replace("{arch}", architecture) for key in every}
    assert fields.keys() - known <= {"tinyllm.rope_scaling"}

    writer = gguf.GGUFWriter(None, architecture)
    writer.add_context_length(config.block_size)
    writer.add_embedding_length(config.n_embd)
    writer.add_block_count(config.n_layer)
    writer.add_feed_forward_length(config.n_hidden)
    writer.add_head_count(config.n_head)
    writer.add_head_count_kv(config.n_kv_head)
    writer.add_vocab_size(config.vocab_size)
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    if architecture == "gpt2":
        writer.add_layer_norm_eps(config.norm_eps)
    else:
        writer.add_layer_norm_rms_eps(config.norm_eps)
        writer.add_rope_freq_base(config.rope_theta)
        writer.add_rope_dimension_count(config.head_size)
        if config.head_size * config.n_head != config.n_embd:
            writer.add_key_length(config.head_size)
            writer.add_value_length(config.head_size)
        if any(config.layer_windows):
            writer.add_sliding_window(max(filter(None, config.layer_windows)))
        if config.rope_scaling is not None and config.rope_scaling.kind == "linear":
            writer.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
            writer.add_rope_scaling_factor(config.rope_scaling.factor)
    theirs = {key: (value.type, value.value) for key, value in writer.kv_data[0].items()}
    arrays = {key for key, field in fields.items() if field.types[0] == gguf.GGUFValueType.ARRAY}
    assert {key: (field.types[0], field.contents()) for key, field in fields.items() if key not in arrays} == {
        key: (kind, float(np.float32(value)) if isinstance(value, float) else value)
        for key, (kind, value) in theirs.items()
    }
    assert arrays <= {"tinyllm.rope_scaling", f"{architecture}.attention.sliding_window_pattern"}


def as_transformers(config):
    """The config that transformers is given: its own reading of GGUF leaves out head sizes, windows and scaling."""
    import transformers

    values = config.to_json()
    theirs = transformers.AutoConfig.for_model(**values)
    theirs._attn_implementation = "eager"
    return theirs


@pytest.mark.parametrize("name", [name for name in CONFIGS if name != "mistral in one layer"])  # theirs are all alike
def test_transformers_reads_the_weights(tmp_path, name):
    """Its reader of GGUF, which also puts rows and names back, fills a model of its own: the same logits."""
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    from transformers.modeling_gguf_pytorch_utils import load_gguf_checkpoint

    model = noisy(CONFIGS[name])
    save_gguf(model, tmp_path / "a.gguf")
    config = as_transformers(model.config)
    theirs = transformers.AutoModelForCausalLM.from_config(config).eval()
    if config.model_type == "mistral":
        theirs.config.model_type = "llama"  # by this name its names of tensors are found
    told = load_gguf_checkpoint(str(tmp_path / "a.gguf"), return_tensors=True, model_to_load=theirs)
    left = theirs.load_state_dict(told["tensors"], strict=False)
    assert not left.unexpected_keys and set(left.missing_keys) <= {"lm_head.weight"}
    if model.config.tied:
        theirs.tie_weights()
    with torch.no_grad():
        expected = theirs(torch.tensor(IDX)).logits.numpy()
    ours = logits(model)
    assert np.abs(ours - expected).max() < 1e-5 * np.abs(expected).max()


@pytest.mark.parametrize("name", ["gpt2", "llama tied", "qwen2", "qwen3"])
def test_transformers_opens_the_file_by_itself(tmp_path, name):
    pytest.importorskip("accelerate", reason="transformers opens GGUF files only with accelerate")
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    model = noisy(CONFIGS[name])
    save_gguf(model, tmp_path / "a.gguf")
    given = {"gguf_file": "a.gguf", "config": as_transformers(model.config), "dtype": torch.float32}
    theirs = transformers.AutoModelForCausalLM.from_pretrained(tmp_path, **given)
    with torch.no_grad():
        expected = theirs(torch.tensor(IDX)).logits.numpy()
    assert np.abs(logits(model) - expected).max() < 1e-5 * np.abs(expected).max()


def test_a_file_that_gguf_wrote(tmp_path):
    """Not ours in any byte: its writer, its names, its quantizer."""
    model = noisy(CONFIGS["llama tied"])
    config = model.config
    writer = gguf.GGUFWriter(tmp_path / "a.gguf", "llama")
    writer.add_context_length(config.block_size)
    writer.add_embedding_length(config.n_embd)
    writer.add_block_count(config.n_layer)
    writer.add_feed_forward_length(config.n_hidden)
    writer.add_head_count(config.n_head)
    writer.add_layer_norm_rms_eps(config.norm_eps)
    writer.add_name("somebody's")
    for name, w in expected(model)[1].items():
        if w.ndim == 2 and w.shape[1] % 32 == 0:
            writer.add_tensor(name, quantized(w, "Q8_0"), raw_dtype=gguf.GGMLQuantizationType.Q8_0)
        else:
            writer.add_tensor(name, w)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    again, metadata = load_gguf(tmp_path / "a.gguf")
    assert again.config == config and metadata["general.name"] == "somebody's"
    assert 0 < np.abs(logits(again) - logits(model)).max() < 0.1
    save_gguf(model, tmp_path / "b.gguf", kind="Q8_0")
    own = {name: p.data for name, p in load_gguf(tmp_path / "b.gguf")[0].named_parameters()}
    for name, p in again.named_parameters():
        if "down" not in name:  # its rows of 33 are F32 there and F16 here
            assert np.array_equal(p.data, own[name]), name


def test_stories260k(data_file, tmp_path):
    """A real model: gguf-py finds in our file what llama2.c's has, q and k included, row by row."""
    from tinyllm.models.formats.llama2c import read_llama2c

    path = data_file("models/stories260K/stories260K.bin")
    model = load_llama2c(path)
    save_gguf(model, tmp_path / "a.gguf")
    read_gguf(tmp_path / "a.gguf")
    theirs = {t.name: t.data for t in gguf.GGUFReader(tmp_path / "a.gguf").tensors}
    _, raw = read_llama2c(path)
    for meta, own in (("wq", "attn_q"), ("wk", "attn_k"), ("wv", "attn_v"), ("wo", "attn_output")):
        for i in range(model.config.n_layer):
            assert np.array_equal(theirs[f"blk.{i}.{own}.weight"], raw[f"layers.{i}.attention.{meta}.weight"])
    with tl.no_grad():
        assert np.array_equal(load_gguf(tmp_path / "a.gguf")[0](IDX).data, model(IDX).data)
