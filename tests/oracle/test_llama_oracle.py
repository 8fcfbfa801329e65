"""Llama, Mistral, Qwen2 and Qwen3 beside transformers: one config.json and one set of tensors, the same logits.

Models start with gains of 1, biases of 0 and small weights, and then hardly depend on what they compute; so every
parameter is moved by noise first, and faults planted on our side show that the comparison would see them.
"""

from __future__ import annotations

import json
import os
from types import SimpleNamespace

import numpy as np
import pytest

import tinyllm as tl
from tinyllm import nn
from tinyllm.generate import Decoder
from tinyllm.models.exchange.llama_names import llama_names
from tinyllm.models.llama import from_arrays, to_arrays
from tinyllm.models.llama_config import LlamaConfig
from tinyllm.models.pretrained import load_model

os.environ.setdefault("HF_HUB_OFFLINE", "1")
torch = pytest.importorskip("torch", reason="the oracle tests need torch: pip install -e '.[oracle]'")
transformers = pytest.importorskip("transformers", reason="they need transformers: pip install -e '.[oracle]'")

pytestmark = [pytest.mark.oracle, pytest.mark.filterwarnings("default")]

B, T = 2, 48
LIMIT = 1e-5  # largest difference over largest logit, in float32
SEEN = 1e-3  # what a planted fault must move at least
SMALL = {
    "vocab_size": 97,
    "hidden_size": 36,
    "intermediate_size": 47,
    "num_hidden_layers": 2,
    "num_attention_heads": 6,
    "num_key_value_heads": 2,
    "max_position_embeddings": 61,
}
LLAMA3 = {"rope_type": "llama3", "rope_theta": 1000.0, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0}
MODELS = {
    "llama": ("Llama", {"rms_norm_eps": 1e-5}),
    "llama, biases, llama3": (
        "Llama",
        {
            "attention_bias": True,
            "mlp_bias": True,
            "tie_word_embeddings": True,
            "rope_parameters": {**LLAMA3, "original_max_position_embeddings": 32},
        },
    ),
    "llama, linear": ("Llama", {"head_dim": 10, "rope_parameters": {"rope_type": "linear", "factor": 3.0}}),
    "mistral": ("Mistral", {"sliding_window": 8, "head_dim": 16}),
    "mistral, no window": ("Mistral", {"sliding_window": None, "num_key_value_heads": 6}),
    "qwen2": ("Qwen2", {"tie_word_embeddings": True, "num_key_value_heads": 1}),
    "qwen2, window": ("Qwen2", {"use_sliding_window": True, "sliding_window": 7, "max_window_layers": 1}),
    "qwen3": ("Qwen3", {"head_dim": 16}),
    "qwen3, biases, window": (
        "Qwen3",
        {
            "head_dim": 8,
            "attention_bias": True,
            "use_sliding_window": True,
            "sliding_window": 5,
            "layer_types": ["sliding_attention", "full_attention"],
            "rope_parameters": {"rope_type": "default", "rope_theta": 1e6},
        },
    ),
}


@pytest.fixture(autouse=True)
def one_thread():
    """Two pools of threads that wait by spinning slow each other down tenfold; arrays this small need only one."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def build(kind, values):
    """Make a model of transformers of a config's values, with every way to compute attention but the plain one off."""
    config = getattr(transformers, f"{kind}Config").from_dict({**values})
    config._attn_implementation = "eager"
    return getattr(transformers, f"{kind}ForCausalLM")(config).eval()


def pair(kind, values, seed=0, std=0.2):
    """A model of transformers moved by noise, and ours made of its config.json and its tensors."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        theirs = build(kind, {**SMALL, **values})
        with torch.no_grad():
            for p in theirs.parameters():
                p += std * torch.randn_like(p)
    config = LlamaConfig.from_json(json.loads(theirs.config.to_json_string()))
    return SimpleNamespace(kind=kind, theirs=theirs, config=config, ours=from_arrays(config, arrays_of(theirs)))


def arrays_of(theirs):
    return {name: tensor.detach().numpy() for name, tensor in theirs.state_dict().items()}


def tokens(config, seed=1):
    return np.random.default_rng(seed).integers(0, config.vocab_size, (B, T))


def their_logits(theirs, idx):
    with torch.no_grad():
        return theirs(torch.tensor(idx)).logits.numpy()


def distance(both, idx):
    """The largest difference of logits over the largest logit."""
    expected = their_logits(both.theirs, idx)
    return float(np.abs(both.ours(idx).data - expected).max() / np.abs(expected).max())


@pytest.mark.parametrize("name", MODELS)
def test_logits(name):
    both = pair(*MODELS[name])
    assert both.ours.count_parameters() == sum(p.numel() for p in both.theirs.parameters())
    for backend in tl.kernels.BACKENDS:
        with tl.kernels.use(backend):
            assert distance(both, tokens(both.config)) < LIMIT, backend


def gradient_distance(both, idx):
    """The largest distance of a parameter's gradient, over its length; and both losses."""
    expected = both.theirs(torch.tensor(idx), labels=torch.tensor(idx)).loss
    expected.backward()
    loss = both.ours.loss(idx[:, :-1], idx[:, 1:])
    loss.backward()
    gradients = {name: p.grad for name, p in both.ours.named_parameters()}
    twins = dict(both.theirs.named_parameters())
    worst = 0.0
    for entry in llama_names(both.config):
        whole = np.linalg.norm(gradients[entry.ours])
        for name, part in entry.parts(gradients[entry.ours]):
            worst = max(worst, float(np.linalg.norm(part - twins.pop(name).grad.numpy()) / whole))
    assert not twins
    return worst, loss.item(), expected.item()


def greedy(model, ids, n):
    """The likeliest next token, n times, every one computed from scratch."""
    with tl.no_grad():
        for _ in range(n):
            ids = np.concatenate([ids, model(ids).data[:, -1:].argmax(-1)], axis=1)
    return ids


def remembering(model, ids, n):
    """The likeliest next token, n times, every one computed from those before it by what is kept of them."""
    decoder = Decoder(model)
    logits = decoder.prefill(ids)
    for _ in range(n):
        ids = np.concatenate([ids, logits.argmax(-1)[:, None]], axis=1)
        logits = decoder.step(ids[:, -1])
    return ids


def their_greedy(theirs, ids, n):
    settings = {"do_sample": False, "max_new_tokens": n, "pad_token_id": 0, "eos_token_id": None}
    everything = torch.ones(ids.shape, dtype=torch.long)  # or it would take the token 0 for padding
    return theirs.generate(torch.tensor(ids), attention_mask=everything, **settings).numpy()


@pytest.mark.parametrize("name", MODELS)
def test_loss_and_gradients(name):
    both = pair(*MODELS[name], seed=2)
    worst, loss, expected = gradient_distance(both, tokens(both.config))
    assert loss == pytest.approx(expected, rel=1e-6)
    assert worst < LIMIT


@pytest.mark.parametrize("name", MODELS)
def test_what_we_write_makes_the_same_model_there(name):
    both = pair(*MODELS[name], seed=3)
    again = build(both.kind, json.loads(json.dumps(both.config.to_json())))
    arrays = {key: torch.tensor(array) for key, array in to_arrays(both.ours).items()}
    if both.config.tied:
        arrays["lm_head.weight"] = arrays["model.embed_tokens.weight"]
    again.load_state_dict(arrays, strict=True)
    idx = tokens(both.config)
    np.testing.assert_array_equal(their_logits(again, idx), their_logits(both.theirs, idx))


@pytest.mark.parametrize("name", [name for name in MODELS if name != "qwen3, biases, window"])
def test_the_older_spelling_alone_says_the_same_to_both(name):
    both = pair(*MODELS[name], seed=4)
    values = both.config.to_json()
    older = {key: values[key] for key in values if key not in ("rope_parameters", "dtype", "layer_types")}
    assert LlamaConfig.from_json(older) == both.config
    again = build(both.kind, older)
    again.load_state_dict(both.theirs.state_dict())
    idx = tokens(both.config)
    np.testing.assert_array_equal(their_logits(again, idx), their_logits(both.theirs, idx))


def random_values(family, rng):
    """Draw a config of a family: heads, sizes, scaling, windows, biases, tied or not."""
    K, group, D = (int(rng.choice(sizes)) for sizes in ((1, 2, 3), (1, 2, 3), (6, 8, 14)))
    L = int(rng.integers(1, 4))
    values = {
        "vocab_size": int(rng.choice([41, 53, 97])),
        "hidden_size": K * group * int(rng.choice([D, 11, 20])),
        "intermediate_size": int(rng.choice([23, 37, 48])),
        "num_hidden_layers": L,
        "num_attention_heads": K * group,
        "num_key_value_heads": K,
        "head_dim": D,
        "max_position_embeddings": 80,
        "tie_word_embeddings": bool(rng.integers(2)),
        "rms_norm_eps": float(rng.choice([1e-6, 1e-5])),
    }
    theta = float(rng.choice([1e3, 1e4, 1e6]))
    scaling = {
        "default": {},
        "linear": {"factor": float(rng.choice([2.0, 4.5]))},
        "llama3": {**LLAMA3, "original_max_position_embeddings": int(rng.choice([16, 32]))},
    }
    kind = str(rng.choice(list(scaling)))
    values["rope_parameters"] = {**scaling[kind], "rope_type": kind, "rope_theta": theta}
    window = int(
        rng.integers(2, 20)
    )  # with a window of 1 their cache keeps every key, and departs from their own model
    if family == "Llama":
        values |= {"attention_bias": bool(rng.integers(2)), "mlp_bias": bool(rng.integers(2))}
    elif family == "Mistral":
        values["sliding_window"] = window if rng.integers(2) else None
    elif rng.integers(2):
        types = [str(t) for t in rng.choice(["full_attention", "sliding_attention"], L)]
        values |= {"use_sliding_window": True, "sliding_window": window, "layer_types": types}
    if family == "Qwen3":
        values["attention_bias"] = bool(rng.integers(2))
    return values


@pytest.mark.slow
@pytest.mark.parametrize("family", ["Llama", "Mistral", "Qwen2", "Qwen3"])
def test_fifty_random_configs(family, tmp_path):
    """Logits, gradients, and 64 tokens chosen greedily; theirs with a cache, ours with one and without.

    Ours is loaded from the folder that transformers has saved, every third time in several files.
    """
    rng = np.random.default_rng([ord(letter) for letter in family])
    for seed in range(50):
        values = random_values(family, rng)
        both = pair(family, values, seed)
        both.theirs.save_pretrained(tmp_path / str(seed), max_shard_size="20KB" if seed % 3 == 0 else "1GB")
        both.ours = load_model(tmp_path / str(seed))
        assert both.ours.config == both.config
        idx = tokens(both.config, seed)
        assert distance(both, idx) < LIMIT, values
        milder = pair(
            family, values, seed, std=0.1
        )  # with more noise theirs are up to 1.5e-5 from float64 by themselves
        assert gradient_distance(milder, idx)[0] < LIMIT, values
        assert LlamaConfig.from_json(both.config.to_json()) == both.config
        start = idx[:1, :12]
        expected = their_greedy(both.theirs, start, 64)
        np.testing.assert_array_equal(greedy(both.ours, start, 64), expected, str(values))
        np.testing.assert_array_equal(remembering(both.ours, start, 64), expected, str(values))


# planted faults: each turns our model into one that is wrong in a single way


def each_attention(change):
    def plant(model, monkeypatch):
        for block in model.blocks:
            change(block.attn, monkeypatch)

    return plant


def turn_neighbors(attn, monkeypatch):
    rope = attn.rope
    monkeypatch.setattr(attn, "rope", lambda x: tl.rope_pairs(x, *rope.tables(x.shape[-2], x.dtype)))


def no_scaling(attn, monkeypatch):
    monkeypatch.setattr(attn, "rope", nn.RopeHalf(attn.D, attn.rope.theta))


def another_base(attn, monkeypatch):
    monkeypatch.setattr(attn, "rope", nn.RopeHalf(attn.D, attn.rope.theta * 1.1, attn.rope.scaling))


def widen(by):
    def change(attn, monkeypatch):
        if attn.window is not None:
            monkeypatch.setattr(attn, "window", attn.window + by)

    return change


def norms_after_rope(attn, monkeypatch):
    rope, q_norm, k_norm = attn.rope, attn.q_norm, attn.k_norm
    norms = iter((q_norm, k_norm) * 100)
    monkeypatch.setattr(attn, "q_norm", lambda x: x)
    monkeypatch.setattr(attn, "k_norm", lambda x: x)
    monkeypatch.setattr(attn, "rope", lambda x: next(norms)(rope(x)))


def exchange_key_heads(attn, monkeypatch):
    (Q, K), qkv = (attn.H * attn.D, attn.K * attn.D), attn.qkv.weight
    rows = np.concatenate([np.arange(Q), np.roll(np.arange(Q, Q + K), attn.D), np.arange(Q + K, Q + 2 * K)])
    monkeypatch.setattr(qkv, "data", qkv.data[rows])


def set_all(ending, value):
    def plant(model, monkeypatch):
        found = [p for name, p in model.named_parameters() if name.endswith(ending)]
        assert found
        for p in found:
            monkeypatch.setattr(p, "data", np.full_like(p.data, value))

    return plant


def another_eps(model, monkeypatch):
    for module in model.modules():
        if isinstance(module, nn.RMSNorm):
            monkeypatch.setattr(module, "eps", 1e-3)


def another_head(model, monkeypatch):
    V, C = model.wte.weight.shape
    monkeypatch.setattr(model, "head", nn.Linear(C, V, bias=False, rng=np.random.default_rng(0)))


def gelu_gate(model, monkeypatch):
    for block in model.blocks:
        mlp = block.mlp
        monkeypatch.setattr(mlp, "forward", lambda x, m=mlp: m.down(m.gate(x).gelu() * m.up(x)), raising=False)


FAULTS = {
    "the other RoPE convention": ("llama", each_attention(turn_neighbors)),
    "another base": ("mistral", each_attention(another_base)),
    "no llama3 scaling": ("llama, biases, llama3", each_attention(no_scaling)),
    "no linear scaling": ("llama, linear", each_attention(no_scaling)),
    "a window one too wide": ("mistral", each_attention(widen(1))),
    "a window one too narrow": ("mistral", each_attention(widen(-1))),
    "a window one too wide in one layer": ("qwen2, window", each_attention(widen(1))),
    "q/k norms after RoPE": ("qwen3", each_attention(norms_after_rope)),
    "other key heads": ("qwen3", each_attention(exchange_key_heads)),
    "no q, k, v biases": ("qwen2", set_all("qkv.bias", 0.0)),
    "no output biases": ("llama, biases, llama3", set_all("out.bias", 0.0)),
    "no MLP biases": ("llama, biases, llama3", set_all("up.bias", 0.0)),
    "no gains of the first norms": ("llama", set_all("norm1.gain", 1.0)),
    "no gain of the last norm": ("llama", set_all("norm.gain", 1.0)),
    "no gains of the key norms": ("qwen3", set_all("k_norm.gain", 1.0)),
    "another eps": ("llama", another_eps),
    "a head of its own": ("qwen2", another_head),
    "GELU for SiLU": ("mistral", gelu_gate),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_seen(fault, monkeypatch):
    name, plant = FAULTS[fault]
    both = pair(*MODELS[name])
    idx = tokens(both.config)
    assert distance(both, idx) < LIMIT
    plant(both.ours, monkeypatch)
    assert distance(both, idx) > SEEN


def test_without_noise_some_faults_would_not_be_seen(monkeypatch):
    """Why the noise: in a fresh model biases are 0 and may be dropped, and gains are 1."""
    both = pair(*MODELS["llama, biases, llama3"], std=0.0)
    set_all("out.bias", 0.0)(both.ours, monkeypatch)
    set_all("norm1.gain", 1.0)(both.ours, monkeypatch)
    assert distance(both, tokens(both.config)) < LIMIT
