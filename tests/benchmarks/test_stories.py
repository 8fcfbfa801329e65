"""The Llama in plain NumPy that ours is timed beside computes the same; and what is timed is what its name says."""

from __future__ import annotations

import argparse

import numpy as np
import pytest

import tinyllm as tl
from tinyllm import kernels
from tinyllm.models import Llama, LlamaConfig
from tinyllm.models.llama import to_arrays


@pytest.fixture(autouse=True)
def numpy_kernels(monkeypatch):
    """Random weights, and nothing to compile."""
    monkeypatch.setenv("TINYLLM_DATA", "")
    with kernels.use("numpy"):
        yield


def test_the_llama_in_numpy_is_ours(load):
    config = LlamaConfig("llama", 23, 12, n_layer=2, n_head=6, n_kv_head=2, n_embd=20, head_size=4, n_hidden=17)
    model = Llama(config, np.random.default_rng(0))
    for p in model.parameters():
        p.data = p.data + np.random.default_rng(1).normal(0, 0.3, p.shape).astype(np.float32)
    ids = np.random.default_rng(2).integers(0, 23, 12)
    with tl.no_grad():
        expected = model(ids[None]).data[0]
    llama = load("numpy_llama").NumpyLlama(config, to_arrays(model))
    found = [llama.whole(ids[:5]), *(llama.more(ids[t : t + 1]) for t in range(5, 10)), llama.more(ids[10:])]
    np.testing.assert_allclose(found, expected[[4, 5, 6, 7, 8, 9, 11]], rtol=0, atol=1e-5 * np.abs(expected).max())


def test_both_do_the_same_in_every_case(load):
    stories = load("stories")
    cases = stories.cases(argparse.Namespace(tiny=True, quick=False))
    assert {case["kind"] for case in cases} == {"with a memory", "all read again", "text", "batch"}
    for case in cases:
        names = sorted({"tinyllm", "numpy"} - set(case.get("without", ())))
        ours, *theirs = [steps(stories.prepare(name, case)[name]) for name in reversed(names)]
        if case["kind"] == "batch":
            assert [len(said) for said in ours] == [case["batch"]] * 3
        else:
            np.testing.assert_allclose(ours, theirs[0], rtol=0, atol=1e-4)


def steps(timed):
    """Do it three times, and return what came of each."""
    found = []
    for _ in range(3):
        if timed.before:
            timed.before()
        found.append(timed.run())
    return found
