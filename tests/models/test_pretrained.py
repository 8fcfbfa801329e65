"""One door for all weight files: what is chosen, what is refused and why, and that nothing is lost on the way."""

from __future__ import annotations

import io
import json
import logging
import mmap
import os
import pickle
import zipfile

import numpy as np
import pytest

import tinyllm as tl
from tinyllm.errors import CheckpointError, ConfigError, MemoryShortError
from tinyllm.models import GPT, GPTConfig, Llama, LlamaConfig, pretrained
from tinyllm.models.bert import Bert
from tinyllm.models.bert_config import BertConfig
from tinyllm.models.exchange import gpt2
from tinyllm.models.exchange.gguf_model import save_gguf
from tinyllm.models.exchange.weights_at import weights_at
from tinyllm.models.formats import safetensors
from tinyllm.models.pretrained import described, load_model, open_model, refuse_taken, save_model
from tinyllm.nn.optim.adamw import AdamW

SIZES = {"vocab_size": 11, "block_size": 7, "n_layer": 2}
KINDS = {
    "gpt2": lambda rng: tl.GPT(tl.GPTConfig.preset("gpt2", **SIZES, n_head=2, n_embd=6), rng),
    "llama": lambda rng: tl.GPT(tl.GPTConfig.preset("modern", **SIZES, n_head=4, n_embd=16), rng),
    "mistral": lambda rng: Llama(LlamaConfig("mistral", **SIZES, n_head=2, n_embd=8, n_hidden=13, windows=3), rng),
    "qwen2": lambda rng: Llama(LlamaConfig("qwen2", **SIZES, n_head=2, n_embd=8, n_hidden=13, qkv_bias=True), rng),
    "qwen3": lambda rng: Llama(LlamaConfig("qwen3", **SIZES, n_head=2, n_embd=8, n_hidden=13, qk_norm=True), rng),
    "bert": lambda rng: Bert(BertConfig(11, 7, n_layer=2, n_head=2, n_embd=6, n_hidden=13), rng),
}
IDX = np.array([[1, 5, 2], [7, 0, 10]])


@pytest.fixture(params=KINDS)
def family(request):
    return request.param


def made(family):
    rng = np.random.default_rng(3)
    model = KINDS[family](rng).eval()
    for p in model.parameters():
        p.data += rng.normal(0, 0.2, p.shape).astype(np.float32)
    return model


@pytest.fixture
def folder(tmp_path):
    """A gpt2, saved."""
    return save_model(made("gpt2"), tmp_path / "gpt2")


def test_out_and_in_again(family, tmp_path, caplog):
    model = made(family)
    with caplog.at_level(logging.INFO, logger=pretrained.__name__):
        loaded = open_model(save_model(model, tmp_path / "a"))
    assert loaded.family == family and not loaded.model.training and loaded.weights.format == "safetensors"
    assert f"{family} with" in caplog.text and "from safetensors" in caplog.text
    np.testing.assert_array_equal(loaded.model(IDX).data, model(IDX).data)
    values = json.loads((tmp_path / "a" / "config.json").read_text())
    assert values["model_type"] == family and values["dtype"] == values["torch_dtype"] == "float32"
    assert values["architectures"]
    with safetensors.SafeTensors(tmp_path / "a" / "model.safetensors") as file:
        assert file.metadata == {"format": "pt"}
    save_model(loaded.model, tmp_path / "b")
    for name in ("model.safetensors", "generation_config.json"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


@pytest.mark.parametrize(("dtype", "limit"), [("bfloat16", 2**-8), ("float16", 2**-11)])
def test_halves_and_shards(family, dtype, limit, tmp_path):
    model = made(family)
    save_model(model, tmp_path, dtype, max_shard_size=600)
    assert len(list(tmp_path.glob("model-*.safetensors"))) > 2
    again = load_model(tmp_path, np.float64)
    for (name, p), (other, q) in zip(model.named_parameters(), again.named_parameters(), strict=True):
        assert name == other and q.data.dtype == np.float64
        np.testing.assert_allclose(q.data, p.data, rtol=limit, atol=1e-6)
    assert not np.array_equal(again.parameters()[0].data, model.parameters()[0].data)


def test_marks_of_generation_config_count(folder):
    (folder / "generation_config.json").write_text('{"eos_token_id": [3, 4], "temperature": 0.7}')
    model = load_model(folder)
    assert model.config.extra["eos_token_id"] == [3, 4]
    save_model(model, folder, overwrite=True)
    assert json.loads((folder / "generation_config.json").read_text()) == {"eos_token_id": [3, 4]}
    values = json.loads((folder / "config.json").read_text())
    assert values["eos_token_id"] == [3, 4] and values["bos_token_id"] is None


def test_further_keys_are_kept(folder):
    save_model(load_model(folder), folder, overwrite=True, extra={"eos_token_id": 9, "my_note": "x"})
    assert load_model(folder).config.extra["my_note"] == "x"


def test_a_file_beside_its_config(folder):
    named = folder / "weights.safetensors"
    (folder / "model.safetensors").rename(named)
    for path in (named, folder, str(folder)):
        assert open_model(path).weights.path == named
    (folder / "config.json").unlink()
    with pytest.raises(ConfigError, match=r"cannot read .*config\.json"):
        load_model(named)


def test_two_models_in_a_folder(folder):
    (folder / "model.safetensors").rename(folder / "one.safetensors")
    (folder / "two.safetensors").write_bytes((folder / "one.safetensors").read_bytes())
    with pytest.raises(ConfigError, match=r"holds several models: one\.safetensors, two\.safetensors"):
        load_model(folder)


def test_gguf_and_llama2c_are_told_by_their_content(tmp_path):
    from tinyllm.models.exchange.gguf_model import save_gguf
    from tinyllm.models.exchange.llama2c_model import save_llama2c

    model = Llama(
        LlamaConfig(**SIZES, n_head=2, n_embd=8, n_hidden=13, norm_eps=1e-5, tied=True), np.random.default_rng(0)
    )
    save_gguf(model, tmp_path / "any.dat", {"general.name": "toy"})
    loaded = open_model(tmp_path / "any.dat")
    assert (loaded.weights.format, loaded.metadata["general.name"], loaded.family) == ("gguf", "toy", "llama")
    save_llama2c(model, tmp_path / "toy.bin")
    assert weights_at(tmp_path).path.name == "toy.bin"
    for path in (tmp_path, tmp_path / "toy.bin"):
        np.testing.assert_allclose(load_model(path)(IDX).data, model(IDX).data, atol=1e-6)
    (tmp_path / "any.dat").rename(tmp_path / "any.gguf")
    assert weights_at(tmp_path).format == "gguf" and load_model(tmp_path, np.float64).wte.weight.dtype == np.float64


# what is refused


def pickled(protocol):
    return pickle.dumps({"weight": [1.0]}, protocol)


def zipped():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("archive/data.pkl", pickled(2))
    return file.getvalue()


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pth", "model.safetensors", "best.pt"])
@pytest.mark.parametrize("content", [zipped(), pickled(2), pickled(4)])
def test_a_pickle_is_never_opened(name, content, tmp_path, monkeypatch):
    monkeypatch.setattr(pickle, "loads", None)
    (tmp_path / name).write_bytes(content)
    with pytest.raises(CheckpointError, match=r"(run any code|a pickle|torch\.save).*Try: .*save_file"):
        load_model(tmp_path / name)
    (tmp_path / "config.json").write_text('{"model_type": "gpt2"}')
    with pytest.raises(CheckpointError):
        load_model(tmp_path)


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid", "pointer of Git LFS.*git lfs pull"),
        (b"<!DOCTYPE html><html>", "is a web page"),
        (b'{"model_type": "gpt2"}' + b" " * 9, "is JSON and holds no weights"),
        (b"ggjt" + b"\x03\0\0\0", "forerunner"),
        (b"", "no format that holds a model"),
        (b"plain words, for a long while", "no format that holds a model"),
    ],
)
def test_what_is_no_model(content, match, tmp_path):
    (tmp_path / "thing").write_bytes(content)
    with pytest.raises(CheckpointError, match=match):
        load_model(tmp_path / "thing")


def test_nothing_there(tmp_path):
    with pytest.raises(CheckpointError, match="there is no such file or folder"):
        load_model(tmp_path / "nowhere")
    with pytest.raises(CheckpointError, match=r"has neither model\.safetensors nor"):
        load_model(tmp_path)
    (tmp_path / "other.bin").write_bytes(b"x" * 100)
    with pytest.raises(CheckpointError, match=r"other\.bin: is no \.bin of llama2\.c"):
        load_model(tmp_path / "other.bin")


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (
            {"model_type": "gpt_neox"},
            "architecture 'gpt_neox' is not known here; known are gpt2, nanogpt, llama, mistral,.* bert",
        ),
        ({"model_type": "qwen4"}, "Try: qwen"),
        ({"model_type": None}, "architecture None"),
        ({"model_type": ["gpt2"]}, "not known"),
        ({"n_layer": 3}, r"12 missing: transformer\.h\.2\.attn\.c_attn\.bias"),
        ({"n_layer": 1}, r"12 extra: transformer\.h\.1\.attn\.c_attn\.bias"),
        ({"vocab_size": 12}, r"wte\.weight \(11, 6\) float32, not \(12, 6\)"),
        ({"n_positions": 6}, r"wpe\.weight \(7, 6\)"),
        ({"tie_word_embeddings": False}, "tie_word_embeddings"),
        ({"vocab_size": 2**31 - 1}, r"wte\.weight \(11, 6\) float32, not \(2147483647, 6\)"),
        ({"n_layer": 10**30}, "n_layer is 1,0"),
    ],
)
def test_a_config_that_does_not_fit(change, match, folder):
    values = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**values, **change}))
    with pytest.raises((ConfigError, CheckpointError), match=match):
        load_model(folder)


@pytest.mark.parametrize("name", ["gpt2", "qwen3"])
def test_a_model_that_does_not_fit_is_refused_before_it_is_made(name, tmp_path, monkeypatch):
    save_model(made(name), tmp_path)
    monkeypatch.setattr("tinyllm.models.memory.free_memory", lambda: 1000)
    with pytest.raises(MemoryShortError, match=r"1\.00 kB"):
        load_model(tmp_path)


def test_nanogpt_s_settings_and_state(tmp_path):
    settings = {"n_layer": 2, "n_head": 2, "n_embd": 6, "block_size": 7, "bias": False, "vocab_size": 11}
    model = GPT(GPTConfig(**settings, mlp="gelu_exact"), np.random.default_rng(0))
    for p in model.parameters():
        p.data = p.data + np.random.default_rng(1).normal(size=p.shape).astype(np.float32)
    arrays = gpt2.to_arrays(model, conv1d=False)
    safetensors.save(tmp_path / "model.safetensors", {**arrays, "lm_head.weight": model.wte.weight.data})
    (tmp_path / "config.json").write_text(json.dumps({**settings, "dropout": 0.1}))
    loaded = load_model(tmp_path)
    idx = np.array([[1, 2, 3]])
    assert loaded.config.mlp == "gelu_exact" and loaded.config.dropout == 0.1
    assert np.array_equal(loaded(idx).data, model.eval()(idx).data)
    tanh = GPT(GPTConfig(**settings), np.random.default_rng(0))
    tanh.load_state_dict(model.state_dict())
    assert 1e-5 < np.abs(tanh.eval()(idx).data - loaded(idx).data).max() < 0.1


def test_the_exact_gelu_goes_through_transformers_config(tmp_path):
    config = GPTConfig(11, 7, n_layer=1, n_head=2, n_embd=6, mlp="gelu_exact")
    model = GPT(config, np.random.default_rng(0))
    save_model(model, tmp_path)
    assert json.loads((tmp_path / "config.json").read_text())["activation_function"] == "gelu"
    assert load_model(tmp_path).config.mlp == "gelu_exact"
    with pytest.raises(ConfigError, match="exact one"):
        save_gguf(model, tmp_path / "model.gguf")


def test_a_type_that_is_not_read(folder):
    _, arrays = described(load_model(folder))
    arrays["transformer.wpe.weight"] = safetensors.Raw("F8_E4M3", (7, 6), np.zeros(42, np.uint8))
    safetensors.save(folder / "model.safetensors", arrays)
    with pytest.raises(CheckpointError, match=r"transformer\.wpe\.weight \(7, 6\) F8_E4M3, not"):
        load_model(folder)


def test_a_bert_with_a_head_that_guesses_and_a_buffer(tmp_path, caplog):
    model = made("bert")
    save_model(model, tmp_path)
    arrays = {f"bert.{name}": array for name, array in model.to_arrays().items()}
    others = {"cls.predictions.bias": np.ones(11, np.float32), "bert.embeddings.position_ids": np.arange(7)[None]}
    safetensors.save(tmp_path / "model.safetensors", {**arrays, **others})
    with caplog.at_level(logging.INFO, logger=pretrained.__name__):
        np.testing.assert_array_equal(load_model(tmp_path)(IDX).data, model(IDX).data)
    assert "is left out" in caplog.text


# saving


def test_nothing_is_overwritten_unasked(folder):
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    with pytest.raises(ConfigError, match=r"holds config\.json, generation_config\.json, model\.safetensors already"):
        save_model(made("llama"), folder)
    assert before == {file.name: file.read_bytes() for file in folder.iterdir()}
    save_model(made("llama"), folder, overwrite=True)
    assert open_model(folder).family == "llama"
    refuse_taken(folder, overwrite=True)
    (folder / "manifest.json").write_text("{}")
    with pytest.raises(ConfigError, match="holds a training run"):
        save_model(made("llama"), folder, overwrite=True)
    with pytest.raises(ConfigError, match="is a file"):
        save_model(made("llama"), folder / "config.json", overwrite=True)


def test_an_error_leaves_what_was_there(folder):
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    large = made("gpt2")
    large.wpe.weight.data[0, 0] = 1e6
    with pytest.raises(CheckpointError, match="beyond"):
        save_model(large, folder, "float16", overwrite=True)
    assert before == {file.name: file.read_bytes() for file in folder.iterdir()}


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("a file where the folder should be")
    with pytest.raises(CheckpointError, match="cannot write"):
        save_model(made("gpt2"), tmp_path / "file" / "new")


@pytest.mark.parametrize(
    ("model", "match"),
    [
        (lambda: tl.GPT(tl.GPTConfig(**SIZES, n_head=2, n_embd=6, window=3), np.random.default_rng(0)), "window=3"),
        (lambda: tl.GPT(tl.GPTConfig(**SIZES, n_head=2, n_embd=6, norm="rms"), np.random.default_rng(0)), "norm='rms'"),
        (lambda: tl.nn.Linear(3, 4, rng=np.random.default_rng(0)), "a Linear is no model"),
    ],
)
def test_what_no_config_can_say(model, match, tmp_path):
    with pytest.raises(ConfigError, match=match):
        save_model(model(), tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_a_type_of_that_name(tmp_path):
    with pytest.raises(ConfigError, match="Try: bfloat16"):
        save_model(made("gpt2"), tmp_path, "bfloat")


def test_zeros_for_biases_that_are_not_there(tmp_path, caplog):
    model = tl.GPT(tl.GPTConfig(**SIZES, n_head=2, n_embd=6, bias=False), np.random.default_rng(0)).eval()
    with caplog.at_level(logging.INFO, logger=pretrained.__name__):
        save_model(model, tmp_path)
    assert "zeros are saved" in caplog.text
    np.testing.assert_allclose(load_model(tmp_path)(IDX).data, model(IDX).data, rtol=1e-5, atol=1e-7)


# weights that stay in their file


def trained(model):
    """Let a model learn for three steps, in place."""
    optimizer = AdamW(model.parameters(), lr=0.1)
    for _ in range(3):
        model.loss(IDX[:, :-1], IDX[:, 1:]).backward()
        optimizer.step()
        optimizer.zero_grad()
    return {name: p.data for name, p in model.named_parameters()}


def stays_in_its_file(p):
    base = p.data
    while isinstance(base, np.ndarray):
        base = base.base
    return isinstance(getattr(base, "obj", base), mmap.mmap)


@pytest.mark.skipif(os.name != "posix", reason="elsewhere all weights are copied")
@pytest.mark.parametrize("shard", ["5GB", 600])
@pytest.mark.parametrize("family", ["gpt2", "llama", "qwen3"])
def test_training_what_stays_in_its_file_changes_the_model_and_never_the_file(family, shard, tmp_path):
    save_model(made(family), tmp_path, max_shard_size=shard)
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    mapped, copied, untouched = load_model(tmp_path), load_model(tmp_path), load_model(tmp_path)
    for p in copied.parameters():
        p.data = p.data.copy()
    kept = {name for name, p in mapped.named_parameters() if stays_in_its_file(p)}
    assert {"wte.weight", "norm.gain"} <= kept and "blocks.0.attn.qkv.weight" not in kept
    start = untouched.state_dict()
    with tl.kernels.use("numpy"):
        found, expected = trained(mapped), trained(copied)
    for name, array in found.items():
        assert array.flags.writeable and not np.array_equal(array, start[name])
        np.testing.assert_array_equal(array, expected[name])
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before
    for name, array in untouched.state_dict().items():
        np.testing.assert_array_equal(array, start[name])
    with tl.kernels.use("numpy"):
        wanted = mapped(IDX).data
        save_model(mapped, tmp_path, overwrite=True)  # over the file that they came from
        np.testing.assert_array_equal(mapped(IDX).data, wanted)
        np.testing.assert_array_equal(load_model(tmp_path)(IDX).data, wanted)
    for name, array in untouched.state_dict().items():  # the old file has lost its name, not its content
        np.testing.assert_array_equal(array, start[name])


def test_what_is_stored_otherwise_is_copied(tmp_path):
    model = save_model(made("llama"), tmp_path / "a")
    assert not any(stays_in_its_file(p) for p in load_model(model, np.float64).parameters())
    halves = load_model(save_model(made("llama"), tmp_path / "b", "bfloat16"))
    assert not any(stays_in_its_file(p) for p in halves.parameters())
