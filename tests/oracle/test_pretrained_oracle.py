"""Folders beside transformers: what it saved opens here, what we save opens there, with the same numbers.

Every parameter is moved by noise first (see test_llama_oracle.py), and faults planted on our side show that the
comparison would see them. Llama's families have their random configs there; GPT-2 has its own here.
"""

from __future__ import annotations

import json
import os
import shutil

import numpy as np
import pytest

import tinyllm as tl
from tinyllm.errors import CheckpointError
from tinyllm.models.exchange import gpt2, gpt2_names
from tinyllm.models.exchange.gpt2_names import lies_on_its_side
from tinyllm.models.exchange.llama_names import llama_names
from tinyllm.models.pretrained import load_model, save_model

os.environ.setdefault("HF_HUB_OFFLINE", "1")
torch = pytest.importorskip("torch", reason="the oracle tests need torch: pip install -e '.[oracle]'")
transformers = pytest.importorskip("transformers", reason="they need transformers: pip install -e '.[oracle]'")

pytestmark = [pytest.mark.oracle, pytest.mark.filterwarnings("default")]

B, T = 2, 48
LIMIT = 1e-5  # largest difference over largest logit, in float32
SEEN = 1e-4  # what a planted fault must move at least
GPT2 = {"vocab_size": 97, "n_positions": 80, "n_embd": 36, "n_layer": 2, "n_head": 3}
LLAMA = {
    "vocab_size": 97,
    "hidden_size": 36,
    "intermediate_size": 47,
    "num_hidden_layers": 2,
    "num_attention_heads": 6,
    "num_key_value_heads": 2,
    "max_position_embeddings": 80,
}
LLAMA3 = {"rope_type": "llama3", "rope_theta": 1000.0, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0}
# kind, config, type of the file, and its largest size
FOLDERS = {
    "gpt2": ("GPT2", {}, "float32", None),
    "gpt2, in shards": ("GPT2", {"n_inner": 53}, "float32", "20KB"),
    "gpt2, untied, bfloat16": ("GPT2", {"tie_word_embeddings": False}, "bfloat16", None),
    "gpt2, float16": ("GPT2", {"activation_function": "gelu_pytorch_tanh"}, "float16", None),
    "llama": ("Llama", {"rope_parameters": {**LLAMA3, "original_max_position_embeddings": 32}}, "float32", None),
    "llama, bfloat16, in shards": ("Llama", {"attention_bias": True, "mlp_bias": True}, "bfloat16", "20KB"),
    "mistral, in shards": ("Mistral", {"sliding_window": 8, "head_dim": 16}, "float32", "20KB"),
    "qwen2": ("Qwen2", {"tie_word_embeddings": True}, "float32", None),
    "qwen3, bfloat16": ("Qwen3", {"head_dim": 16}, "bfloat16", None),
}


@pytest.fixture(autouse=True)
def alone():
    """One thread each: pools that wait by spinning slow each other down. And no kernels to compile."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    with tl.kernels.use("numpy"):
        yield
    torch.set_num_threads(before)


def theirs(kind, values, seed=0, std=0.2):
    """A model of transformers, moved by noise, with plain attention and no dropout."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        config = getattr(transformers, f"{kind}Config").from_dict({**(GPT2 if kind == "GPT2" else LLAMA), **values})
        config._attn_implementation = "eager"
        model = getattr(transformers, f"{kind}LMHeadModel" if kind == "GPT2" else f"{kind}ForCausalLM")(config).eval()
        with torch.no_grad():
            for p in model.parameters():
                p += std * torch.randn_like(p)
    return model


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Name -> a folder that transformers saved."""
    made = {}
    for name, (kind, values, dtype, most) in FOLDERS.items():
        folder = tmp_path_factory.mktemp("theirs")
        model = theirs(kind, values).to(getattr(torch, dtype))
        model.save_pretrained(folder, **({"max_shard_size": most} if most else {}))
        made[name] = folder
    return made


def opened(folder, dtype="float32"):
    """Their model of a folder."""
    settings = {"dtype": getattr(torch, dtype), "attn_implementation": "eager"}
    return transformers.AutoModelForCausalLM.from_pretrained(folder, **settings).eval()


def tokens(seed=1, V=97):
    return np.random.default_rng(seed).integers(0, V, (B, T))


def logits(model, idx):
    with torch.no_grad():
        return model(torch.tensor(idx)).logits.float().numpy()


def distance(ours, expected, idx):
    """The largest difference of logits over the largest logit."""
    return float(np.abs(ours(idx).data - expected).max() / np.abs(expected).max())


@pytest.mark.parametrize("name", FOLDERS)
def test_a_folder_of_theirs_has_the_same_logits_here(name, folders):
    idx, dtype = tokens(), FOLDERS[name][2]
    ours = load_model(folders[name])
    assert not ours.training and all(p.data.dtype == np.float32 for p in ours.parameters())
    assert distance(ours, logits(opened(folders[name]), idx), idx) < LIMIT
    if dtype != "float32":  # and near to what they compute in the file's own type
        assert distance(ours, logits(opened(folders[name], dtype), idx), idx) < 3e-2
    assert (len(list(folders[name].glob("*.safetensors"))) > 1) == ("shards" in name)


def gradient_distance(ours, model, idx):
    """The largest distance of a parameter's gradient, over its length; and both losses."""
    expected = model(torch.tensor(idx), labels=torch.tensor(idx)).loss
    expected.backward()
    loss = ours.loss(idx[:, :-1], idx[:, 1:])
    loss.backward()
    gradients = {name: p.grad for name, p in ours.named_parameters()}
    twins = dict(model.named_parameters())
    learned = ours.config.position == "learned" if hasattr(ours.config, "position") else False
    worst = 0.0
    for entry in gpt2_names.gpt2_names(ours.config) if learned else llama_names(ours.config):
        whole = np.linalg.norm(gradients[entry.ours])
        for name, part in entry.parts(gradients[entry.ours]):
            worst = max(worst, float(np.linalg.norm(part - twins.pop(name).grad.numpy()) / whole))
    assert not twins
    return worst, loss.item(), expected.item()


@pytest.mark.parametrize("name", [name for name in FOLDERS if "16" not in name])
def test_loss_and_gradients_of_a_folder(name, folders):
    worst, loss, expected = gradient_distance(load_model(folders[name]), opened(folders[name]), tokens(2))
    assert loss == pytest.approx(expected, rel=1e-6)
    assert worst < LIMIT


def greedy(model, ids, n):
    """The likeliest next token, n times, every one computed from scratch."""
    with tl.no_grad():
        for _ in range(n):
            ids = np.concatenate([ids, model(ids).data[:, -1:].argmax(-1)], axis=1)
    return ids


def their_greedy(model, ids, n):
    settings = {"do_sample": False, "max_new_tokens": n, "pad_token_id": 0, "eos_token_id": None}
    everything = torch.ones(ids.shape, dtype=torch.long)  # or it would take the token 0 for padding
    return model.generate(torch.tensor(ids), attention_mask=everything, **settings).numpy()


@pytest.mark.parametrize("name", ["gpt2", "mistral, in shards", "qwen3, bfloat16"])
def test_64_greedy_ids(name, folders):
    start = tokens(3)[:1, :12]
    ours = greedy(load_model(folders[name]), start, 64)
    np.testing.assert_array_equal(ours, their_greedy(opened(folders[name]), start, 64))


def random_values(rng):
    """Draw a config of GPT-2."""
    H, D = int(rng.integers(1, 5)), int(rng.choice([5, 6, 8, 11]))
    return {
        "vocab_size": int(rng.choice([41, 53, 97])),
        "n_positions": 80,
        "n_embd": H * D,
        "n_head": H,
        "n_layer": int(rng.integers(1, 4)),
        "n_inner": [None, 23, 37][rng.integers(3)],
        "tie_word_embeddings": bool(rng.integers(2)),
        "layer_norm_epsilon": float(rng.choice([1e-5, 1e-6, 1e-3])),
        "activation_function": str(rng.choice(["gelu_new", "gelu_pytorch_tanh"])),
        "reorder_and_upcast_attn": bool(rng.integers(2)),
    }


def test_fifty_random_configs_of_gpt2(tmp_path):
    """Logits, loss, gradients, and 64 greedy ids, which theirs must find the likeliest one after the other."""
    rng = np.random.default_rng(0)
    for seed in range(50):
        values = random_values(rng)
        model, folder = theirs("GPT2", values, seed, std=0.1), tmp_path / str(seed)
        model.save_pretrained(folder, **({"max_shard_size": "10KB"} if seed % 3 == 0 else {}))
        ours, idx = load_model(folder), tokens(seed, values["vocab_size"])
        assert distance(ours, logits(model, idx), idx) < LIMIT, values
        worst, loss, expected = gradient_distance(ours, model, idx)
        assert worst < LIMIT and loss == pytest.approx(expected, rel=1e-6), values
        ids = greedy(ours, idx[:1, :8], 64)
        np.testing.assert_array_equal(logits(model, ids[:, :-1]).argmax(-1)[:, 7:], ids[:, 8:], str(values))


# the files of others


def stored(folder):
    safetensors = pytest.importorskip("safetensors.numpy")
    return safetensors.load_file(folder / "model.safetensors")


def with_tensors(folder, target, arrays):
    safetensors = pytest.importorskip("safetensors.numpy")
    target.mkdir()
    shutil.copy(folder / "config.json", target)
    safetensors.save_file(
        {name: np.ascontiguousarray(array) for name, array in arrays.items()}, target / "model.safetensors"
    )
    return target


def as_of_2019(arrays):
    """Without the prefix, and with the buffers that were saved then."""
    old = {name.removeprefix("transformer."): array for name, array in arrays.items()}
    mask = np.tril(np.ones((1, 1, 80, 80), np.float32))
    return {**old, "h.0.attn.bias": mask, "h.1.attn.bias": mask, "h.0.attn.masked_bias": np.float32(-1e4)}


def as_nanogpt(arrays):
    """Upright matrices, the tied head stored, and the prefix of torch.compile."""
    turned = ("c_attn.weight", "c_proj.weight", "c_fc.weight")
    upright = {name: array.T if name.endswith(turned) else array for name, array in arrays.items()}
    upright["lm_head.weight"] = arrays["transformer.wte.weight"]
    return {f"_orig_mod.{name}": array for name, array in upright.items()}


@pytest.mark.parametrize("spelling", [as_of_2019, as_nanogpt])
def test_other_spellings_of_gpt2_are_the_same_model(spelling, folders, tmp_path):
    idx = tokens()
    ours = load_model(with_tensors(folders["gpt2"], tmp_path / "other", spelling(stored(folders["gpt2"]))))
    np.testing.assert_array_equal(ours(idx).data, load_model(folders["gpt2"])(idx).data)


def test_a_stored_head_that_differs_from_the_embedding_is_refused(folders, tmp_path):
    arrays = stored(folders["gpt2"])
    arrays["lm_head.weight"] = arrays["transformer.wte.weight"] + 1
    with pytest.raises(CheckpointError, match=r"head is tied.*differs"):
        load_model(with_tensors(folders["gpt2"], tmp_path / "other", arrays))


# there and back


@pytest.mark.parametrize("name", FOLDERS)
def test_load_save_load_changes_no_byte_of_a_tensor(name, folders, tmp_path):
    _, _, dtype, most = FOLDERS[name]
    first = save_model(load_model(folders[name]), tmp_path / "first", dtype, most)
    second = save_model(load_model(first), tmp_path / "second", dtype, most)
    for file in first.iterdir():
        assert file.read_bytes() == (second / file.name).read_bytes(), file.name
    before, after = opened(folders[name], dtype).state_dict(), opened(first, dtype).state_dict()
    assert before.keys() == after.keys() and all(torch.equal(before[key], after[key]) for key in before)
    assert json.loads((first / "config.json").read_text())["dtype"] == dtype
    if most is None:  # theirs, whole: the same tensors in the same file, but for its metadata
        assert (first / "model.safetensors").read_bytes() == (folders[name] / "model.safetensors").read_bytes()


@pytest.fixture(scope="module")
def words():
    """A small vocabulary, learned here, with a token that ends a text."""
    text = "the owl and the pussycat went to sea in a beautiful pea green boat, they took some honey " * 9
    trained = tl.tokenizer.train_bpe(text, 290, special_tokens=["<|endoftext|>"])
    trained.settings = {
        "eos_token": "<|endoftext|>",
        "chat_template": "{% for m in messages %}{{ m.content }}{% endfor %}",
    }
    return trained


OURS = {
    "gpt2": {"n_head": 3, "n_embd": 36},
    "gpt2 without biases, untied": {"n_head": 3, "n_embd": 36, "bias": False, "tied": False},
    "modern": {"n_head": 4, "n_kv_head": 2, "n_embd": 32, "n_hidden": 47},
    "modern, window, untied": {"n_head": 3, "n_kv_head": 1, "n_embd": 36, "n_hidden": 47, "window": 7, "tied": False},
}


@pytest.mark.parametrize("name", OURS)
def test_what_we_save_opens_there(name, words, tmp_path):
    rng = np.random.default_rng(5)
    config = tl.GPTConfig.preset(
        name.split(",")[0].split()[0], vocab_size=words.n_vocab, block_size=80, n_layer=2, **OURS[name]
    )
    model = tl.GPT(config, rng).eval()
    for p in model.parameters():
        p.data += rng.normal(0, 0.2, p.shape).astype(np.float32)
    folder = tl.save(model, words, tmp_path / "ours", max_shard_size="40KB" if "window" in name else None)
    there = opened(folder)
    idx = tokens(V=words.n_vocab)
    assert distance(model, logits(there, idx), idx) < LIMIT
    start = idx[:1, :12]
    np.testing.assert_array_equal(greedy(model, start, 40), their_greedy(there, start, 40))
    assert there.generation_config.eos_token_id == there.config.eos_token_id == words.specials.ids["<|endoftext|>"]
    assert there.generation_config.bos_token_id is None
    theirs = transformers.AutoTokenizer.from_pretrained(folder)
    for text in ("the owl went to sea", "  honey\n\n and ünïcode 漢字", ""):
        assert theirs(text)["input_ids"] == words.encode(text)
    assert theirs.decode(words.encode("a green boat")) == "a green boat"
    assert theirs.eos_token_id == words.specials.ids["<|endoftext|>"]
    assert theirs.chat_template == words.settings["chat_template"]
    again, same = tl.load(folder)
    np.testing.assert_array_equal(again(idx).data, model(idx).data)
    assert same.encode("the owl") == words.encode("the owl") and same.settings == words.settings
    assert again.config.extra["eos_token_id"] == there.config.eos_token_id


def test_a_bert_of_ours_opens_there(tmp_path):
    from tinyllm.models.bert import Bert
    from tinyllm.models.bert_config import BertConfig

    vocab = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "owl", "##s", "sea"]
    config = BertConfig(vocab_size=len(vocab), block_size=16, n_layer=2, n_head=2, n_embd=12, n_hidden=23)
    model = Bert(config, np.random.default_rng(6), pooler=True).eval()
    pieces = tl.tokenizer.WordPiece(vocab)
    folder = tl.save(model, pieces, tmp_path / "ours")
    there = transformers.AutoModel.from_pretrained(folder, attn_implementation="eager").eval()
    ids = pieces.encode("The owls sea")
    theirs = transformers.AutoTokenizer.from_pretrained(folder)
    assert theirs("The owls sea")["input_ids"] == ids
    with torch.no_grad():
        expected = there(torch.tensor([ids])).last_hidden_state.numpy()
    np.testing.assert_allclose(model(np.array([ids])).data, expected, atol=1e-5)
    again, same = tl.load(folder)
    np.testing.assert_array_equal(again(np.array([ids])).data, model(np.array([ids])).data)
    assert same.encode("The owls sea") == ids


# planted faults: each makes our side wrong in a single way


def not_turned(entries):
    """Forget that the square matrices lie on their side; of the others the shape would tell."""
    return [e if e.shapes[0][0] != e.shapes[0][-1] else type(e)(e.ours, e.theirs, e.shapes) for e in entries]


def exact_gelu(model):
    for block in model.blocks:
        block.mlp.activation = tl.gelu


def head_of_the_embedding(model):
    model.head = None


def thirds_exchanged(model):
    for block in model.blocks:
        qkv, C = block.attn.qkv, model.config.n_embd
        rows = np.r_[C : 2 * C, :C, 2 * C : 3 * C]
        qkv.weight.data, qkv.bias.data = qkv.weight.data[rows], qkv.bias.data[rows]


def other_eps(model):
    for module in model.modules():
        if isinstance(module, tl.nn.LayerNorm):
            module.eps = 1e-3


def all_set(ending, value):
    def plant(model):
        for name, p in model.named_parameters():
            if name.endswith(ending):
                p.data = np.full_like(p.data, value)

    return plant


FAULTS = {
    "another GELU": ("gpt2", exact_gelu),
    "the embedding for the head": ("gpt2, untied, bfloat16", head_of_the_embedding),
    "queries for keys": ("gpt2", thirds_exchanged),
    "another eps": ("gpt2", other_eps),
    "no biases of the first MLP layer": ("gpt2", all_set("up.bias", 0.0)),
    "no gains": ("gpt2, in shards", all_set("norm2.gain", 1.0)),
    "no positions": ("gpt2", all_set("wpe.weight", 0.0)),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_seen(fault, folders):
    name, plant = FAULTS[fault]
    idx = tokens()
    expected, ours = logits(opened(folders[name]), idx), load_model(folders[name])
    assert distance(ours, expected, idx) < LIMIT
    plant(ours)
    assert distance(ours, expected, idx) > SEEN


def test_a_transposition_that_was_dropped_is_seen(folders, monkeypatch):
    idx, right = tokens(), gpt2.gpt2_names
    monkeypatch.setattr(gpt2, "gpt2_names", lambda *about: not_turned(right(*about)))
    assert distance(load_model(folders["gpt2"]), logits(opened(folders["gpt2"]), idx), idx) > 0.01
    monkeypatch.setattr(gpt2, "gpt2_names", right)
    monkeypatch.setattr(gpt2, "lies_on_its_side", lambda *about: not lies_on_its_side(*about))
    with pytest.raises(CheckpointError, match=r"c_attn\.weight \(36, 108\) float32, not \(108, 36\)"):
        load_model(folders["gpt2"])


def test_buffers_taken_for_tensors_are_seen(folders, monkeypatch, tmp_path):
    folder = with_tensors(folders["gpt2"], tmp_path / "old", as_of_2019(stored(folders["gpt2"])))
    monkeypatch.setattr(gpt2_names, "_BUFFER", gpt2_names.re.compile("none"))
    with pytest.raises(CheckpointError, match=r"3 extra: transformer\.h\.0\.attn\.bias"):
        load_model(folder)
