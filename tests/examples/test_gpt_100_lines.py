"""The 100 lines: their size, that they run as a script, and that they learn."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import numpy as np
import pytest

import tinyllm as tl
from tinyllm.learn.material.stories import as_text, stories


def test_about_100_lines_of_at_most_100_characters(examples):
    lines = (examples / "gpt_100_lines.py").read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 120
    assert max(map(len, lines)) <= 100


def test_it_runs_as_a_script_and_learns(examples, tmp_path):
    """With smaller numbers at its top, as a reader would try them."""
    source = (examples / "gpt_100_lines.py").read_text(encoding="utf-8")
    script, text = tmp_path / "smaller.py", tmp_path / "text.txt"
    script.write_text(source.replace("T, C, H, L = 96, 64, 4, 2", "T, C, H, L = 16, 32, 2, 1"), encoding="utf-8")
    text.write_text("she sells sea shells by the sea shore. " * 30, encoding="utf-8")
    single = {"TINYLLM_KERNELS": "numpy", "OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": str(examples.parent)}
    run = subprocess.run(
        [sys.executable, script, text, "60"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **single},
    )
    assert run.returncode == 0, run.stderr
    losses = [float(x) for x in re.findall(r"loss (\S+)", run.stdout)]
    p = np.unique(list(text.read_text(encoding="utf-8")), return_counts=True)[1] / 1170
    assert losses[-1] < 0.6 * -(p * np.log(p)).sum() < losses[0]
    assert "T, C, H, L = 16" in script.read_text(encoding="utf-8")
    assert len(run.stdout.splitlines()[-1]) > 200  # what it has written


@pytest.fixture
def small(gpt100, monkeypatch):
    """A model of the 100 lines, with smaller numbers at their top."""
    for name, value in {"T": 12, "C": 16, "H": 2, "L": 2, "B": 4}.items():
        monkeypatch.setattr(gpt100, name, value)
    with tl.kernels.use("numpy"):
        yield gpt100.GPT(11, np.random.default_rng(0))


def test_it_does_not_see_the_future(small):
    ids = np.random.default_rng(1).integers(11, size=(2, 12))
    changed = ids.copy()
    changed[:, 7:] = (changed[:, 7:] + 3) % 11
    one, other = small(ids).data, small(changed).data
    assert np.array_equal(one[:, :7], other[:, :7]) and not np.allclose(one[:, 7:], other[:, 7:])


def test_its_blocks_are_those_of_the_library(small):
    """The same numbers as tinyllm's GPT of preset gpt2 (with the exact GELU for its approximation)."""
    block = small.blocks[0]
    x = tl.Tensor(np.random.default_rng(2).normal(size=(2, 5, 16)).astype(np.float32))
    attention = tl.nn.SelfAttention(16, H=2, rng=np.random.default_rng(0))
    for ours, theirs in ((block.qkv, attention.qkv), (block.out, attention.out)):
        theirs.weight.data, theirs.bias.data = ours.weight.data, ours.bias.data
    assert np.abs(block.attention(x).data - attention(x).data).max() < 1e-5


def test_it_samples_past_its_context(small, gpt100):
    ids = gpt100.sample(small, [1], 20, np.random.default_rng(0))
    assert len(ids) == 21 and ids[0] == 1 and set(ids) <= set(range(11)) and len(set(ids)) > 3


def test_the_built_in_text_is_stories(gpt100, monkeypatch, capsys):
    monkeypatch.setattr(gpt100, "train", lambda *_: None)
    monkeypatch.setattr(gpt100, "sample", lambda model, ids, n, rng: ids)
    gpt100.main()
    kinds = len(set(as_text(stories(np.random.default_rng(0), 500))))
    assert f"{kinds} kinds" in capsys.readouterr().out
