"""Fifty random encoders beside transformers: vectors, pooling and the gradient of every tensor; and back into it.

Every parameter is moved by noise: as they start, with gains of 1 and biases of 0, many faults would not show.
"""

from __future__ import annotations

import json
import os

import numpy as np
import pytest

import tinyllm as tl
from tinyllm import nn
from tinyllm.models.bert import Bert
from tinyllm.models.bert_config import BertConfig
from tinyllm.models.exchange.bert_names import from_theirs

os.environ.setdefault("HF_HUB_OFFLINE", "1")
torch = pytest.importorskip("torch", reason="the oracle tests need torch: pip install -e '.[oracle]'")
transformers = pytest.importorskip(
    "transformers", reason="the oracle tests need transformers: pip install transformers"
)

pytestmark = pytest.mark.oracle


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def draw(seed):
    """Return a random config as config.json holds it, a twin of transformers, and a padded batch."""
    rng = np.random.default_rng(seed)
    H, D = int(rng.choice([2, 3, 5])), int(rng.choice([5, 7, 11]))  # a norm over 2 or 3 numbers has steep slopes
    values = {
        "vocab_size": int(rng.choice([53, 97])),
        "hidden_size": H * D,
        "num_attention_heads": H,
        "num_hidden_layers": int(rng.integers(1, 4)),
        "intermediate_size": int(rng.choice([7, 13, 31])),
        "max_position_embeddings": 23,
        "type_vocab_size": int(rng.choice([1, 2, 3])),
        "layer_norm_eps": float(rng.choice([1e-12, 1e-7, 1e-5, 1e-3])),
        "hidden_act": str(rng.choice(["gelu", "gelu", "gelu_new", "relu", "silu"])),
    }
    torch.manual_seed(seed)
    config = transformers.BertConfig(**values)
    config._attn_implementation = "eager"
    twin = transformers.BertModel(config, add_pooling_layer=bool(rng.integers(2))).eval()
    with torch.no_grad():
        for p in twin.parameters():
            p += 0.2 * torch.randn_like(p)
    B, T = int(rng.integers(1, 6)), int(rng.integers(1, 24))
    ids = rng.integers(1, values["vocab_size"], (B, T))  # transformers keeps the gradient from row 0, the padding
    lengths = rng.integers(1, T + 1, B)
    lengths[0] = T
    mask = (np.arange(T) < lengths[:, None]).astype(np.int64)
    types = rng.integers(0, values["type_vocab_size"], (B, T))
    return config.to_dict(), twin, (ids * mask, mask, types), rng


def ours(values, twin, dtype):
    arrays = {name: p.detach().numpy() for name, p in twin.state_dict().items()}
    return Bert.from_arrays(BertConfig.from_json(json.loads(json.dumps(values))), arrays).astype(dtype)


def pool(x, mask):
    m = mask[..., None].to(x.dtype)
    return torch.nn.functional.normalize((x * m).sum(1) / m.sum(1).clamp(min=1e-9), dim=1)


def far(a, b):
    """The largest difference, in units of the largest entry or of 1."""
    return float(np.abs(a - b).max() / max(1.0, np.abs(b).max()))


def apart(a, b):
    """The length of the difference, in lengths of b."""
    return float(np.linalg.norm(a - b) / np.linalg.norm(b))


def compare(seed, dtype, change=lambda model: None):
    """Return the largest errors of vectors, of text vectors and of gradients."""
    values, twin, batch, rng = draw(seed)
    model = ours(values, twin, dtype)
    change(model)
    twin = twin.to(torch.float64 if dtype == np.float64 else torch.float32)
    ids, mask, types = (torch.tensor(x) for x in batch)
    theirs = twin(ids, attention_mask=mask, token_type_ids=types)
    x, e = model(*batch), model.embed(*batch)
    theirs_e = pool(theirs.last_hidden_state, mask)
    wx, we = (rng.normal(size=t.shape).astype(dtype) for t in (x, e))
    wx *= batch[1][..., None]  # padding means nothing there, and is zero here
    loss, theirs_loss = (x * wx).sum() + (e * we).sum(), (theirs.last_hidden_state * torch.tensor(wx)).sum()
    theirs_loss = theirs_loss + (theirs_e * torch.tensor(we)).sum()
    errors = [far(x.data * batch[1][..., None], theirs.last_hidden_state.detach().numpy() * batch[1][..., None])]
    if model.pooler is not None:
        first = model.pooled(*batch)
        errors[0] = max(errors[0], far(first.data, theirs.pooler_output.detach().numpy()))
        loss, theirs_loss = loss + first.sum(), theirs_loss + theirs.pooler_output.sum()
    errors.append(far(e.data, theirs_e.detach().numpy()))
    loss.backward()
    theirs_loss.backward()
    # query, key and value are one matrix here, and one bias: a key's bias alone has a gradient of zero, and rounding
    given = from_theirs(model.config, {name: p.grad.numpy() for name, p in twin.named_parameters()})
    assert given.keys() == {name for name, _ in model.named_parameters()}
    errors.append(max(apart(p.grad, given[name]) for name, p in model.named_parameters()))
    return errors


@pytest.mark.parametrize("part", range(5))
def test_fifty_random_encoders(part):
    for seed in range(10 * part, 10 * part + 10):
        with tl.kernels.use("numpy"):
            assert max(compare(seed, np.float64)) < 1e-9, seed
        with tl.kernels.use("numba" if seed % 2 else "numpy"):
            x, e, gradient = compare(seed, np.float32)
        assert x < 1e-5 and e < 1e-5 and gradient < 1e-5, (seed, x, e, gradient)


def everywhere(kind, name, value):
    def change(model):
        for module in model.modules():
            if isinstance(module, kind):
                setattr(module, name, value)

    return change


def no_biases(model):
    for name, p in model.named_parameters():
        if name.endswith("bias"):
            p.data = np.zeros_like(p.data)


def no_gains(model):
    for name, p in model.named_parameters():
        if name.endswith("gain"):
            p.data = np.ones_like(p.data)


FAULTS = {
    "another GELU": everywhere(nn.MLP, "activation", tl.gelu_tanh),
    "another eps": everywhere(nn.LayerNorm, "eps", 1e-4),
    "biases dropped": no_biases,
    "gains dropped": no_gains,
}


@pytest.mark.parametrize("fault", FAULTS)
def test_the_comparison_would_notice(fault):
    gelu_seed = next(seed for seed in range(50) if draw(seed)[0]["hidden_act"] == "gelu")
    with tl.kernels.use("numpy"):
        assert compare(gelu_seed, np.float64, FAULTS[fault])[0] > 1e-5


def test_what_we_write_transformers_reads():
    values, twin, (ids, mask, types), _ = draw(3)
    model = ours(values, twin, np.float32)
    fresh = transformers.BertModel(
        transformers.BertConfig(**model.config.to_json()), add_pooling_layer=model.pooler is not None
    ).eval()
    fresh.load_state_dict({name: torch.tensor(array) for name, array in model.to_arrays().items()}, strict=True)
    with torch.no_grad():
        batch = {"attention_mask": torch.tensor(mask), "token_type_ids": torch.tensor(types)}
        a, b = (m(torch.tensor(ids), **batch).last_hidden_state.numpy() for m in (fresh, twin))
    np.testing.assert_allclose(a, b, rtol=0, atol=1e-6)
