"""float32 in, float32 out: no op may slip into float64 on the way, forward or backward, on any back end."""

from __future__ import annotations

import numpy as np
import pytest

import tinyllm as tl
from tinyllm.autograd import OPS
from tinyllm.autograd.battery import samples_of

CASES = [(name, k) for name, op in sorted(OPS.items()) for k in range(len(samples_of(op)))]


@pytest.mark.parametrize("backend", ["numpy", "numba"])
@pytest.mark.parametrize(("name", "k"), CASES, ids=[f"{name}-{k}" for name, k in CASES])
def test_float32_stays_float32(name, k, backend, monkeypatch):
    op = OPS[name]
    sample = samples_of(op)[k]
    seen = []
    backward = op.backward

    def watched(ctx, *dys):
        grads = backward(ctx, *dys)
        seen.extend(g for g in (grads if isinstance(grads, tuple) else (grads,)) if g is not None)
        return grads

    monkeypatch.setattr(op, "backward", watched)
    tensors = [
        tl.Tensor(a.astype(np.float32), requires_grad=op.arguments[min(i, len(op.arguments) - 1)] not in op.constants)
        if isinstance(a, np.ndarray) and a.dtype.kind == "f"
        else a
        for i, a in enumerate(sample.args)
    ]
    params = {**sample.params, **({"dtype": np.float32} if name == "astype" else {})}
    with tl.kernels.use(backend):
        y = op.apply(*tensors, **params)
        outputs = y if isinstance(y, tuple) else (y,)
        for i, out in enumerate(outputs):
            assert out.dtype == np.float32
            out.backward(np.ones(out.shape), retain_graph=i < len(outputs) - 1)
    leaves = [t for t in tensors if isinstance(t, tl.Tensor) and t.requires_grad]
    assert leaves and all(t.grad.dtype == np.float32 and t.grad.shape == t.shape for t in leaves)
    assert all(np.asarray(g).dtype == np.float32 for g in seen)  # the op itself, before the engine looks at it
