"""Twenty steps of training beside PyTorch: the same weights and batches give the same losses and gradients.

The twin is written out below with PyTorch's own functions; gradients come from its autograd, steps from its AdamW.
Before training every parameter is moved by noise: with gains of 1 and biases of 0 a dropped bias would not show.
"""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest

import tinyllm as tl
from tinyllm import nn

torch = pytest.importorskip("torch", reason="the oracle tests need torch: pip install -e '.[oracle]'")
F = torch.nn.functional

pytestmark = pytest.mark.oracle

STEPS, CLIP, DECAY, BETAS = 20, 0.7, 0.1, (0.9, 0.95)
# Adam divides every gradient by its own size, so an entry that is itself no larger than its rounding error (1e-9 here)
# steps in a direction of its own in each library. An eps above that noise keeps such entries still.
EPS = {np.float32: 1e-6, np.float64: 1e-8}
SIZES = {"vocab_size": 61, "block_size": 17, "n_layer": 3, "n_head": 6, "n_embd": 48}
CONFIGS = {
    "gpt2": tl.GPTConfig.preset("gpt2", **SIZES),
    "modern": tl.GPTConfig.preset("modern", **SIZES),
    "modern, window, untied": tl.GPTConfig.preset("modern", **SIZES, window=5, tied=False, n_kv_head=2),
}


@pytest.fixture(autouse=True)
def one_thread():
    """Two pools of threads that wait by spinning slow each other down tenfold; arrays this small need only one."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def attention(W, name, config, x):
    B, T, C = x.shape
    H, K, D = config.n_head, config.n_kv_head, config.head_size
    qkv = F.linear(x, W[f"{name}.qkv.weight"], W.get(f"{name}.qkv.bias"))
    q, k, v = (part.view(B, T, -1, D).transpose(1, 2) for part in qkv.split([C, K * D, K * D], dim=-1))
    if config.position == "rope":
        frequencies = config.rope_theta ** (-torch.arange(0, D, 2, dtype=torch.float64) / D)
        angles = torch.outer(torch.arange(T, dtype=torch.float64), frequencies)
        cos, sin = (torch.cat([f(angles)] * 2, dim=-1).to(x.dtype) for f in (torch.cos, torch.sin))
        q, k = (z * cos + torch.cat([-z[..., D // 2 :], z[..., : D // 2]], dim=-1) * sin for z in (q, k))
    k, v = (z.repeat_interleave(H // K, dim=1) for z in (k, v))
    seen = torch.ones(T, T, dtype=torch.bool).tril()
    if config.window:
        seen = seen.triu(1 - config.window)
    scores = (q @ k.transpose(-1, -2) / math.sqrt(D)).masked_fill(~seen, -math.inf)
    y = (scores.softmax(dim=-1) @ v).transpose(1, 2).reshape(B, T, C)
    return F.linear(y, W[f"{name}.out.weight"], W.get(f"{name}.out.bias"))


def mlp(W, name, config, x):
    up = F.linear(x, W[f"{name}.up.weight"], W.get(f"{name}.up.bias"))
    if config.mlp == "gelu":
        hidden = F.gelu(up, approximate="tanh")
    else:
        hidden = F.silu(F.linear(x, W[f"{name}.gate.weight"])) * up
    return F.linear(hidden, W[f"{name}.down.weight"], W.get(f"{name}.down.bias"))


def norm(W, name, config, x):
    if config.norm == "layer":
        return F.layer_norm(x, x.shape[-1:], W[f"{name}.gain"], W[f"{name}.bias"], eps=config.norm_eps)
    return F.rms_norm(x, x.shape[-1:], W[f"{name}.gain"], eps=config.norm_eps)


def twin_loss(W, config, idx, targets):
    x = F.embedding(idx, W["wte.weight"])
    if config.position == "learned":
        x = x + W["wpe.weight"][: idx.shape[1]]
    for i in range(config.n_layer):
        x = x + attention(W, f"blocks.{i}.attn", config, norm(W, f"blocks.{i}.norm1", config, x))
        x = x + mlp(W, f"blocks.{i}.mlp", config, norm(W, f"blocks.{i}.norm2", config, x))
    logits = F.linear(norm(W, "norm", config, x), W["wte.weight" if config.tied else "head.weight"])
    return F.cross_entropy(logits.flatten(0, 1), targets.flatten())


def clip(tensors):
    """Scale all gradients to a joint norm of CLIP, exactly (torch's own adds 1e-6 to the norm); return the norm."""
    length = math.sqrt(sum(t.grad.double().square().sum().item() for t in tensors))
    for t in tensors:
        t.grad *= min(1.0, CLIP / length)
    return length


def pair(config, dtype):
    """Our model and the twin's weights, equal; and an optimizer for each."""
    rng = np.random.default_rng(11)
    model = tl.GPT(config, rng).astype(dtype)
    for p in model.parameters():
        p.data += rng.normal(0, 0.05, p.shape).astype(dtype)
    twin = {name: torch.tensor(p.data.copy(), requires_grad=True) for name, p in model.named_parameters()}
    ours = nn.optim.AdamW(nn.optim.decay_groups(model), betas=BETAS, eps=EPS[dtype], weight_decay=DECAY)
    theirs = torch.optim.AdamW(
        [
            {"params": [t for t in twin.values() if t.ndim >= 2], "weight_decay": DECAY},
            {"params": [t for t in twin.values() if t.ndim < 2], "weight_decay": 0.0},
        ],
        betas=BETAS,
        eps=EPS[dtype],
    )
    return SimpleNamespace(model=model, twin=twin, ours=ours, theirs=theirs)


def batches(config):
    rng = np.random.default_rng(12)
    for _ in range(STEPS):
        tokens = rng.integers(0, config.vocab_size, (5, config.block_size + 1))
        yield tokens[:, :-1], tokens[:, 1:]


def compare(config, dtype, change=None):
    """Train both for STEPS steps; return the largest differences of loss and gradient, and the norms of both."""
    both = pair(config, dtype)
    if change:
        change(both)
    rate = nn.schedules.warmup_cosine(lr=3e-3, min_lr=3e-4, warmup=5, steps=STEPS)
    loss_error = grad_error = 0.0
    norms = []
    for step, (idx, targets) in enumerate(batches(config)):
        loss = both.model.loss(idx, targets)
        both.model.zero_grad()
        loss.backward()
        expected = twin_loss(both.twin, config, torch.tensor(idx), torch.tensor(targets))
        both.theirs.zero_grad()
        expected.backward()
        loss_error = max(loss_error, abs(loss.item() - expected.item()))
        for name, p in both.model.named_parameters():
            g = both.twin[name].grad.numpy()
            grad_error = max(grad_error, float(np.linalg.norm(p.grad - g) / np.linalg.norm(g)))
        norms.append((nn.clip_grad_norm(both.model.parameters(), CLIP), clip(both.twin.values())))
        both.ours.step(lr=rate(step))
        for group in both.theirs.param_groups:
            group["lr"] = rate(step)
        both.theirs.step()
    return loss_error, grad_error, norms


@pytest.mark.parametrize("backend", tl.kernels.BACKENDS)
@pytest.mark.parametrize(("dtype", "loss_limit", "grad_limit"), [(np.float32, 1e-5, 1e-5), (np.float64, 1e-10, 1e-9)])
@pytest.mark.parametrize("name", CONFIGS)
def test_twenty_steps_beside_torch(name, dtype, loss_limit, grad_limit, backend):
    with tl.kernels.use(backend):
        loss_error, grad_error, norms = compare(CONFIGS[name], dtype)
    assert loss_error < loss_limit
    assert grad_error < grad_limit
    ours, theirs = zip(*norms, strict=True)
    assert ours == pytest.approx(theirs, rel=grad_limit)
    assert max(ours) > CLIP  # clipping did take part


FAULTS = {
    "one learning rate a thousandth off": lambda both: setattr(both.theirs, "step", slower(both.theirs)),
    "no decay": lambda both: both.theirs.param_groups[0].update(weight_decay=0.0),
    "decay on vectors": lambda both: both.theirs.param_groups[1].update(weight_decay=DECAY),
    "another eps": lambda both: setattr(both.model.norm, "eps", 1e-4),
    "a window one too wide": lambda both: setattr(both.model.blocks[1].attn, "window", 16),
}


def slower(optimizer):
    step = optimizer.step

    def slow():
        for group in optimizer.param_groups:
            group["lr"] *= 0.999
        step()

    return slow


@pytest.mark.parametrize("fault", FAULTS)
def test_the_comparison_would_notice(fault):
    with tl.kernels.use("numpy"):
        loss_error, grad_error, _ = compare(CONFIGS["gpt2"], np.float64, FAULTS[fault])
    assert grad_error > 1e-5 and loss_error > 1e-8
