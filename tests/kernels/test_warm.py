"""Compiling ahead: every kernel once, with a second process where there is much to do."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import tinyllm as tl
from tinyllm import kernels
from tinyllm.generate import generate
from tinyllm.models import gpt
from tinyllm.tokenizer import ByteTokenizer

module = sys.modules["tinyllm.kernels.warm"]  # behind the function of the same name
ROOT = Path(__file__).parents[2]
NAMES = ["erf", "sigmoid", "silu", "logsumexp"]


@pytest.fixture
def helped(monkeypatch):
    """What the second process is asked to compile."""
    asked = []

    @contextlib.contextmanager
    def helper(dtype, names):
        asked.append((np.dtype(dtype).name, names))
        yield

    monkeypatch.setattr(module, "_helper", helper)
    return asked


def test_kernels_that_are_ready_need_no_help(helped):
    kernels.warm(None, "float32", NAMES)
    kernels.warm(None, "float32", NAMES, processes=2)
    assert helped == []


def test_help_begins_at_the_other_end_and_only_once(helped, monkeypatch):
    monkeypatch.setattr(module, "_COMPILING", -1.0)
    told = []
    kernels.warm(lambda *progress: told.append(progress), "float64", NAMES, processes=2)
    assert helped == [("float64", ["logsumexp"])]
    assert told == [(name, done, 4) for done, name in enumerate(NAMES, start=1)]
    kernels.warm(None, "float64", NAMES)
    kernels.warm(None, "float64", NAMES[:2], processes=2)
    assert len(helped) == 1


def test_the_second_process_fills_the_same_cache(tmp_path):
    code = f"""
import sys, time
from tinyllm.kernels import warm
module = sys.modules["tinyllm.kernels.warm"]
from pathlib import Path
with module._helper("float32", {NAMES[:1]}):
    began = time.monotonic()
    while not list(Path({str(tmp_path)!r}).rglob("*erf_v1*.nbc")) and time.monotonic() - began < 100:
        time.sleep(0.1)
from tinyllm.kernels.jit.activation import erf_v1
warm(None, "float32", {NAMES[:1]})
print(sum(erf_v1.stats.cache_hits.values()), sum(erf_v1.stats.cache_misses.values()))
"""
    run = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        timeout=240,
        cwd=ROOT,
        env={**os.environ, "NUMBA_CACHE_DIR": str(tmp_path), "TINYLLM_KERNELS": "numba"},
    )
    assert run.stdout.split() == ["1", "0"]


def test_what_learns_and_writes_comes_through_no_other_kernel(monkeypatch):
    """Else somebody who trains for the first time waits for a kernel without being told."""
    called, inside = set(), []

    def watched(name, plain):
        def reference(*args, **rest):
            if not inside:  # what a reference asks of another one, Numba does within one kernel
                called.add(name)
            inside.append(name)
            try:
                return plain(*args, **rest)
            finally:
                inside.pop()

        return reference

    for name, entry in kernels.TABLE.items():
        monkeypatch.setitem(entry, "numpy", watched(name, entry["numpy"]))
    monkeypatch.setattr(gpt, "MANY_LOGITS", 8 * 2 * 4)
    with kernels.use("numpy"):
        for preset in ("gpt2", "modern"):
            for V, B in ((97, 3), (97, 1), (7, 2)):
                config = tl.GPTConfig.preset(
                    preset, vocab_size=V, block_size=8, n_layer=1, n_head=2, n_embd=8, dropout=0.1
                )
                model = tl.GPT(config, np.random.default_rng(0))
                optimizer = tl.nn.optim.AdamW(model.parameters(), lr=1e-3)
                idx = np.arange(5 * B).reshape(B, 5) % V
                model.loss(idx[:, :-1], idx[:, 1:]).backward()
                optimizer.step(grad_scale=tl.nn.clip_scale(tl.nn.grad_norm(optimizer.params), 1.0))
            model = tl.GPT(
                tl.GPTConfig.preset(preset, vocab_size=256, block_size=8, n_layer=1, n_head=2, n_embd=8),
                np.random.default_rng(0),
            )
            generate(model, "abc", ByteTokenizer(), 9, rng=np.random.default_rng(0))
    assert called <= set(kernels.TRAINING)
    assert set(kernels.TRAINING) - called <= {"add_to"}


def test_search_comes_through_no_other_kernel_than_was_warmed():
    """In a new process: what an index is asked for afterwards compiles nothing, nor loads it from the cache."""
    code = """
import sys
import tempfile
import numpy as np
from tinyllm import kernels
from tinyllm.rag.embed import LSA
from tinyllm.rag.index import HNSW, Flat, hnsw
from tinyllm.rag.lexical.bm25 import BM25
def known():
    rooms = tuple("tinyllm.kernels." + room + "." for room in ("postings", "nearest", "sparse"))
    modules = [m for n, m in sys.modules.items() if n.startswith(rooms)]
    return {(k, s) for m in modules for k, f in vars(m).items() for s in getattr(f, "signatures", ())}
kernels.warm_search()
before = known()
hnsw.FEW = hnsw.WAITING = 1
x = np.random.default_rng(0).standard_normal((60, 4))
for index in (Flat(), HNSW(M=2)):
    index.add([str(i) for i in range(40)], x[:40])
    index.add([str(i) for i in range(30, 60)], x[30:])
    index.remove(["3", "4"])
    for q in (x[0], x):
        index.search(q, 70)
        index.search(q, 7)
        index.search(q, 7, allow=["1", "2", "5"])
for mode in ("eager", "live"):
    index = BM25(mode=mode)
    index.add(["a", "b"], ["one text", "another text"])
    index.search("text")
lsa = LSA(2).fit(["a duck swims", "stars shine at night", "a duck at night"])
lsa.embed(["a star"])
folder = tempfile.TemporaryDirectory()
lsa.save(folder.name + "/lsa")
LSA.load(folder.name + "/lsa").embed(["a star"], "query")
print(len(before), sorted(name for name, _ in known() - before))
"""
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=240, cwd=ROOT,
        env={**os.environ, "TINYLLM_KERNELS": "numba"},
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    count, more = run.stdout.split(maxsplit=1)
    assert int(count) >= 12 and more == "[]\n"
