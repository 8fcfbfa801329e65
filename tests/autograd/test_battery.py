"""Every op, every sample, through the whole battery; and every op broken on purpose, which the battery must notice."""

from __future__ import annotations

import numpy as np
import pytest

from tinyllm.autograd import OPS
from tinyllm.autograd.battery import check_kinks, check_op, check_refusals, floats, samples_of
from tinyllm.autograd.gradcheck import wrong_on_purpose
from tinyllm.errors import TinyLLMError

CASES = [(name, k) for name, op in sorted(OPS.items()) for k in range(len(samples_of(op)))]


@pytest.mark.parametrize(("name", "k"), CASES, ids=[f"{name}-{k}" for name, k in CASES])
def test_sample(name, k):
    op = OPS[name]
    report = check_op(op, samples_of(op)[k])
    assert report.ok


@pytest.mark.parametrize("name", sorted(OPS))
def test_refusals_and_kinks(name):
    check_refusals(OPS[name])
    check_kinks(OPS[name])


def faults(op):
    """Which argument's gradient to spoil, in which way: only ways that change some sample's gradient."""
    seen = set()
    for sample in samples_of(op):
        for i in floats(op, sample):
            for fault, _ in wrong_on_purpose(np.zeros((2, 2))):
                seen.add((min(i, len(op.arguments) - 1), fault))
    return sorted(seen)


@pytest.mark.parametrize("name", sorted(OPS))
def test_every_mutant_is_killed(name, monkeypatch):
    """Spoil the backward pass itself, one argument and one fault at a time: some sample must fail, by a clear error."""
    op = OPS[name]
    right = op.backward
    survivors = []
    for argument, fault in faults(op):
        changed = [0]

        def spoiled(ctx, *dys, argument=argument, fault=fault, changed=changed):
            grads = right(ctx, *dys)
            grads = list(grads) if isinstance(grads, tuple) else [grads]
            for i, grad in enumerate(grads):
                if grad is None or min(i, len(op.arguments) - 1) != argument:
                    continue
                mutants = dict(wrong_on_purpose(np.asarray(grad)))
                if fault in mutants and not np.array_equal(mutants[fault], grad):
                    grads[i] = mutants[fault]
                    changed[0] += 1
            return tuple(grads) if len(grads) > 1 else grads[0]

        monkeypatch.setattr(op, "backward", spoiled)
        killed = False
        for sample in samples_of(op):
            try:
                check_op(op, sample)
            except TinyLLMError:
                killed = True
                break
        monkeypatch.undo()
        if not killed and changed[0]:
            survivors.append((op.arguments[argument], fault))
    assert not survivors
