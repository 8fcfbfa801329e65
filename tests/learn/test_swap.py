"""Swap: the library's own function steps aside everywhere, is counted, and comes back; whatever happens meanwhile."""

from __future__ import annotations

import sys

import numpy as np
import pytest

import tinyllm as tl
from tinyllm import kernels, nn
from tinyllm.kernels import TABLE
from tinyllm.learn.slot import Slot
from tinyllm.learn.swap import swap, tripwire

from .conftest import ALL, an_exercise


def everything():
    """All that a swap may touch: every name of the library and what it means."""
    found = {}
    for name, module in list(sys.modules.items()):
        if name.split(".")[0] == "tinyllm":
            for key, value in list(vars(module).items()):
                found[name, key] = value
                if isinstance(value, type) and value.__module__.startswith("tinyllm"):
                    found |= {(value, k): v for k, v in vars(value).items()}
    return found | {(name, backend): f for name, entry in TABLE.items() for backend, f in entry.items()}


def same(before, after):
    return {key for key in before | after if before.get(key) is not after.get(key)}


def work(dtype=np.float32):
    """A model's loss and all its gradients: it comes through most of the slots."""
    rng = np.random.default_rng(0)
    layer = nn.SelfAttention(12, H=3, K=1, window=4, rng=rng)
    x = tl.Tensor(rng.normal(size=(2, 7, 12)).astype(dtype), requires_grad=True)
    layer = layer.astype(dtype) if hasattr(layer, "astype") else layer
    y = layer(x)
    y = y + tl.Tensor(rng.normal(size=(12,)).astype(y.data.dtype), requires_grad=True)
    p = y.softmax(-1).max(-1).sum()
    loss = tl.cross_entropy(y[:, [0, 0, 3]], np.array([[1, 2, 3], [4, 5, 6]])) + p + tl.logsumexp(y).sum()
    loss = loss + (y.data * 0 + 1 @ y.data.swapaxes(-1, -2)[..., :1] if False else 0)
    loss.backward()
    return [loss.data, x.grad, *(parameter.grad for parameter in layer.parameters())]


USED = ("03.1", "03.2", "03.3", "04.1", "04.2", "04.3", "04.4", "04.5", "10.1", "10.2", "10.3", "10.4", "10.5")


@pytest.mark.parametrize("backend", kernels.BACKENDS)
def test_the_librarys_own_functions_change_nothing(backend):
    """A2: with copies in all slots the results are the same bits; each is called, and none goes past it."""
    with kernels.use(backend):
        # on the same back end: what a swap moves to the reference is on the reference without it, too
        with swap({an_exercise(number): (lambda *a, **k: None) for number in ()}):
            pass
        chosen = {ALL[number]: Slot.of(ALL[number].slot).copy() for number in USED}
        with _references([e for e in chosen]):
            expected = work()
        with swap(chosen) as receipt:
            wires = [tripwire(e) for e in chosen]
            for wire in wires:
                wire.__enter__()
            try:
                got = work()
            finally:
                for wire in reversed(wires):
                    wire.__exit__(None, None, None)
    assert all(a.tobytes() == b.tobytes() for a, b in zip(expected, got, strict=True))
    assert all(receipt.calls[number] > 0 for number in USED), receipt.calls


def _references(exercises):
    """Nothing swapped, but the same kernels on the reference as in a swap of these exercises."""
    from contextlib import ExitStack

    from tinyllm.learn.swap import _on_the_reference

    stack = ExitStack()
    for kernel in {k for e in exercises for k in (*e.through, Slot.of(e.slot).kernel) if k}:
        stack.enter_context(_on_the_reference(kernel))
    return stack
