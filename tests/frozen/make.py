"""Make the reference arrays of tests/autograd/test_ops_frozen.py, by hand and with PyTorch: python tests/frozen/make.py

Finite differences and the complex step only see whether backward fits forward. Whether forward is the right function at
all, another library has to say. Every op is run on each of its samples in PyTorch, in float64; inputs, results and the
gradients for a random cotangent are written to ops.npz. The inputs are stored, so later changes to samples do no harm.

What is printed at the end, the file's sha256, goes into the test.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from tinyllm.autograd import OPS
from tinyllm.autograd.battery import floats, samples_of

SEED = 20_250_101
FILE = Path(__file__).with_name("ops.npz")


def equivalents() -> dict[str, Any]:
    """What each op is called in PyTorch; ops that it lacks are written out of its parts."""
    import torch
    from torch.nn import functional as F

    def dims(x, axis):
        return tuple(range(x.ndim)) if axis is None else axis

    def index(x, key):
        parts = []
        for axis, part in enumerate(key if isinstance(key, tuple) else (key,)):
            if isinstance(part, slice) and (part.step or 1) < 0:  # PyTorch has no negative steps
                part = torch.arange(x.shape[axis])[list(range(*part.indices(x.shape[axis])))]
            parts.append(torch.as_tensor(part) if isinstance(part, np.ndarray) else part)
        return x[tuple(parts)]

    def cross_entropy(logits, targets, ignore_index=-100, reduction="mean"):
        rows = logits.reshape(-1, logits.shape[-1])
        loss = F.cross_entropy(rows, targets.reshape(-1), ignore_index=ignore_index, reduction=reduction)
        return loss.reshape(targets.shape) if reduction == "none" else loss

    def linear_cross_entropy(x, w, targets, ignore_index=-100, reduction="mean"):
        return cross_entropy(F.linear(x, w), targets, ignore_index, reduction)

    def info_nce(q, d, targets, masked=None, temperature=0.05):
        scores = F.normalize(q, dim=1) @ F.normalize(d, dim=1).T / temperature
        return F.cross_entropy(scores if masked is None else scores.masked_fill(masked, -torch.inf), targets)

    def batch_norm(x, g=None, b=None, eps=1e-5):
        rows = x.reshape(-1, x.shape[-1])
        return F.batch_norm(rows, None, None, g, b, training=True, eps=eps).reshape(x.shape)

    def attention(q, k, v, causal=True, window=None, scale=None):
        T, S = q.shape[2], k.shape[2]
        back = torch.arange(S - T, S)[:, None] - torch.arange(S)  # how far a key lies behind a query
        mask = torch.ones(T, S, dtype=torch.bool)
        if causal:
            mask &= back >= 0
        if window is not None:
            mask &= back < window
        k, v = (x.repeat_interleave(q.shape[1] // k.shape[1], dim=1) for x in (k, v))
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask, scale=scale)

    def rope_half(x, cos, sin):
        turned = torch.complex(*x.chunk(2, dim=-1)) * torch.complex(cos, sin)
        return torch.cat([turned.real, turned.imag], dim=-1)

    def rope_pairs(x, cos, sin):
        turned = torch.view_as_complex(x.reshape(*x.shape[:-1], -1, 2)) * torch.complex(cos, sin)
        return torch.view_as_real(turned).reshape(x.shape)

    return {
        "add": torch.add,
        "sub": torch.sub,
        "mul": torch.mul,
        "div": torch.div,
        "neg": torch.neg,
        "pow": torch.pow,
        "exp": torch.exp,
        "log": torch.log,
        "sqrt": torch.sqrt,
        "abs": torch.abs,
        "clip": lambda x, low, high: torch.clamp(x, low, high),
        "maximum": torch.maximum,
        "where": torch.where,
        "masked_fill": lambda x, mask, value: x.masked_fill(mask, value),
        "tanh": torch.tanh,
        "sigmoid": torch.sigmoid,
        "relu": torch.relu,
        "gelu": F.gelu,
        "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"),
        "silu": F.silu,
        "swiglu": lambda gate, up: F.silu(gate) * up,
        "sum": lambda x, axis=None, keepdims=False: torch.sum(x, dims(x, axis), keepdims),
        "mean": lambda x, axis=None, keepdims=False: torch.mean(x, dims(x, axis), keepdims),
        "max": lambda x, axis=None, keepdims=False: torch.amax(x, dims(x, axis), keepdims),
        "var": lambda x, axis=None, keepdims=False, correction=0: torch.var(
            x, dims(x, axis), keepdim=keepdims, correction=correction
        ),
        "logsumexp": lambda x, axis=-1, keepdims=False: torch.logsumexp(x, axis, keepdims),
        "cumsum": lambda x, axis: torch.cumsum(x, axis),
        "matmul": torch.matmul,
        "linear": F.linear,
        "einsum": lambda *xs, subscripts: torch.einsum(subscripts, *xs),
        "reshape": lambda x, shape: x.reshape(shape),
        "transpose": lambda x, axes: x.permute(axes or tuple(range(x.ndim))[::-1]),
        "expand": lambda x, shape: x.expand(shape),
        "concat": lambda *xs, axis=0: torch.cat(xs, axis),
        "stack": lambda *xs, axis=0: torch.stack(xs, axis),
        "split": lambda x, sections, axis=0: torch.split(
            x, x.shape[axis] // sections if isinstance(sections, int) else sections, axis
        ),
        "astype": lambda x, dtype: x.to(getattr(torch, np.dtype(dtype).name)),
        "index": index,
        "take": lambda x, index: x[index],
        "gather": lambda x, index, axis: torch.gather(x, axis, index),
        "softmax": lambda x, axis=-1: torch.softmax(x, axis),
        "log_softmax": lambda x, axis=-1: torch.log_softmax(x, axis),
        "cross_entropy": cross_entropy,
        "linear_cross_entropy": linear_cross_entropy,
        "layer_norm": lambda x, g=None, b=None, eps=1e-5: F.layer_norm(x, x.shape[-1:], g, b, eps),
        "rms_norm": lambda x, g=None, eps=1e-6: F.rms_norm(x, x.shape[-1:], g, eps),
        "batch_norm": batch_norm,
        "attention": attention,
        "rope_half": rope_half,
        "rope_pairs": rope_pairs,
        "info_nce": info_nce,
    }


class Packer:
    """One long line of numbers, and JSON that says which stretch of it is which array: far smaller than many files."""

    def __init__(self) -> None:
        self.numbers: list[np.ndarray[Any, Any]] = []
        self.length = 0

    def array(self, a: np.ndarray[Any, Any]) -> dict[str, Any]:
        """Put an array into the line and return where it is."""
        self.numbers.append(np.ravel(a).astype(np.float64))
        self.length += a.size
        return {"array": self.length - a.size, "shape": list(a.shape), "dtype": a.dtype.name}

    def pack(self, value: Any) -> Any:
        """Write a parameter or an argument as JSON; test_ops_frozen.py reads it back."""
        if isinstance(value, np.ndarray):
            return self.array(value)
        if isinstance(value, tuple):
            return {"tuple": [self.pack(v) for v in value]}
        if isinstance(value, list):
            return [self.pack(v) for v in value]
        if isinstance(value, slice):
            return {"slice": [value.start, value.stop, value.step]}
        if value is Ellipsis:
            return {"ellipsis": True}
        return np.dtype(value).name if isinstance(value, type) else value


def freeze() -> None:
    """Run every op of ``equivalents`` on its samples and write the file."""
    import torch

    rng = np.random.Generator(np.random.PCG64(SEED))
    packer, cases = Packer(), []
    for name, f in equivalents().items():
        op = OPS[name]
        for sample in samples_of(op, SEED):
            if any(a.size == 0 for a in sample.args if isinstance(a, np.ndarray)) or sample.params.get("p"):
                continue  # nothing to compare, or masks that come from a counter of our own
            wanted = floats(op, sample)
            tensors = [torch.tensor(a) if isinstance(a, np.ndarray) else a for a in sample.args]
            for i in wanted:
                tensors[i].requires_grad_()
            y = f(*tensors, **sample.params)
            outputs = y if isinstance(y, tuple) else (y,)
            if all(out.numel() == 0 for out in outputs):
                continue
            dys = [rng.normal(size=tuple(out.shape)) for out in outputs]
            torch.autograd.backward(outputs, [torch.tensor(dy) for dy in dys])
            case = {"op": name, "args": [packer.pack(a) for a in sample.args]}
            case["params"] = {key: packer.pack(value) for key, value in sample.params.items()}
            case["results"] = [packer.array(out.detach().numpy()) for out in outputs]
            case["cotangents"] = [packer.array(dy) for dy in dys]
            case["gradients"] = {str(i): packer.array(tensors[i].grad.numpy()) for i in wanted}
            cases.append(case)
    index = np.frombuffer(json.dumps(cases, separators=(",", ":")).encode(), dtype=np.uint8)
    np.savez_compressed(FILE, numbers=np.concatenate(packer.numbers), index=index)
    print(f"torch {torch.__version__}: {len(cases)} cases, {packer.length} numbers, {FILE.stat().st_size} bytes")
    print(hashlib.sha256(FILE.read_bytes()).hexdigest())


if __name__ == "__main__":
    freeze()
