"""What the Decoder writes beside transformers' ``generate``: the same 64 greedy tokens, both with a memory.

Every parameter is moved by noise first, or hardly any token would depend on biases, gains, windows and scaling. (A
window of one key is left out: with it, transformers' own memory keeps more keys than its model would look at.)
"""

from __future__ import annotations

import json
import os

import numpy as np
import pytest

from tinyllm.generate import Batch, Decoder
from tinyllm.models import LlamaConfig, llama
from tinyllm.models.exchange import gpt2
from tinyllm.models.exchange.gpt2_config import GPT2Config

os.environ.setdefault("HF_HUB_OFFLINE", "1")
torch = pytest.importorskip("torch", reason="the oracle tests need torch: pip install -e '.[oracle]'")
transformers = pytest.importorskip("transformers", reason="they need transformers: pip install -e '.[oracle]'")

pytestmark = [pytest.mark.oracle, pytest.mark.filterwarnings("default")]

TOKENS = 64
PROMPTS = [[3], [5, 8, 13, 21, 34, 55, 89, 1, 2], [7, 11, 7, 11, 7]]
LLAMA = {
    "vocab_size": 97,
    "hidden_size": 36,
    "intermediate_size": 47,
    "num_hidden_layers": 2,
    "num_attention_heads": 6,
    "num_key_value_heads": 2,
    "max_position_embeddings": 83,
}
LLAMA3 = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0}
CASES = {
    "gpt2": ("GPT2", {}),
    "gpt2, other sizes": ("GPT2", {"n_layer": 3, "n_head": 2, "n_inner": 41, "layer_norm_epsilon": 1e-3}),
    "llama": ("Llama", {"rms_norm_eps": 1e-5, "head_dim": 10}),
    "llama, biases, llama3": (
        "Llama",
        {
            "attention_bias": True,
            "mlp_bias": True,
            "tie_word_embeddings": True,
            "rope_parameters": {**LLAMA3, "rope_theta": 1000.0, "original_max_position_embeddings": 32},
        },
    ),
    "llama, linear": ("Llama", {"rope_parameters": {"rope_type": "linear", "rope_theta": 1e4, "factor": 3.0}}),
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


def pair(kind, values, std=0.2):
    """A model of transformers, every parameter moved by noise, and ours with the same weights."""
    sizes = LLAMA if kind != "GPT2" else {"vocab_size": 97, "n_positions": 83, "n_embd": 36, "n_layer": 2, "n_head": 4}
    config = getattr(transformers, f"{kind}Config").from_dict({**sizes, **values})
    config._attn_implementation = "eager"
    with torch.random.fork_rng():
        torch.manual_seed(0)
        theirs = getattr(transformers, f"{kind}LMHeadModel" if kind == "GPT2" else f"{kind}ForCausalLM")(config).eval()
        with torch.no_grad():
            for p in theirs.parameters():
                p += std * torch.randn_like(p)
    arrays = {name: tensor.detach().numpy() for name, tensor in theirs.state_dict().items()}
    values = json.loads(config.to_json_string())
    if kind == "GPT2":
        return theirs, gpt2.from_arrays(GPT2Config.from_json(values), arrays)
    return theirs, llama.from_arrays(LlamaConfig.from_json(values), arrays)


def likeliest(logits, ids):
    return int(logits.argmax())


def ours(decoder, prompt):
    logits, ids = decoder.prefill(np.array([prompt])), []
    for _ in range(TOKENS):
        ids.append(int(logits[0].argmax()))
        logits = decoder.step(np.array(ids[-1:]))
    return ids


def their_ids(model, prompt):
    settings = {"do_sample": False, "max_new_tokens": TOKENS, "pad_token_id": 0, "eos_token_id": None}
    ids = torch.tensor([prompt])
    everything = torch.ones(ids.shape, dtype=torch.long)  # or it would take the token 0 for padding
    return model.generate(ids, attention_mask=everything, **settings)[0, len(prompt) :].tolist()


@pytest.mark.parametrize("name", CASES)
def test_the_same_greedy_tokens_alone_and_in_a_batch(name):
    theirs, model = pair(*CASES[name])
    expected = [their_ids(theirs, prompt) for prompt in PROMPTS]
    assert ours(Decoder(model), PROMPTS[1]) == expected[1]
    batch = Batch(Decoder(model, batch=2))
    tickets = [batch.add(prompt, likeliest, TOKENS) for prompt in PROMPTS]
    found = batch.run()
    assert [found[ticket] for ticket in tickets] == expected


def test_the_comparison_depends_on_what_a_memory_can_get_wrong():
    """A window one key wider, or keys at the wrong places, write something else."""
    theirs, model = pair(*CASES["mistral"])
    expected = their_ids(theirs, PROMPTS[1])
    wide = Decoder(model)
    for layer in wide.layers:
        layer.window += 1
    assert ours(wide, PROMPTS[1]) != expected
    late = Decoder(model)
    late.prefill(np.array([[1]]))
    assert ours(late, PROMPTS[1]) != expected
