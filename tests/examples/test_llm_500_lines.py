"""The 500 lines: their size, their gradients, their parts, and that they learn."""

from __future__ import annotations

import ast
import itertools
import math
import re
import sys
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinyllm as tl
from tinyllm import nn
from tinyllm.learn.material.stories import as_text, stories

NAMES = {  # ours -> theirs, in the orientation (out, in)
    "norm1": "norm1.gain",
    "norm2": "norm2.gain",
    "out": "attn.out.weight",
    "gate": "mlp.gate.weight",
    "up": "mlp.up.weight",
    "down": "mlp.down.weight",
}


def tiny(llm, seed=0, dtype=np.float64, **sizes):
    """A GPT whose weights are large enough for everything to matter."""
    rng = np.random.default_rng(seed)
    gpt = llm.GPT(
        llm.Config(**{"vocab_size": 11, "block_size": 7, "n_layer": 2, "n_head": 2, "n_embd": 12, **sizes}), rng
    )
    for w in gpt.weights.values():
        w.data = rng.normal(0, 0.5, w.data.shape).astype(dtype)
    return gpt


def library_gpt(gpt):
    """tinyllm's GPT with the same weights."""
    c = gpt.config
    sizes = {"vocab_size": c.vocab_size, "block_size": c.block_size, "n_layer": c.n_layer, "n_embd": c.n_embd}
    config = tl.GPTConfig.preset("modern", n_head=c.n_head, n_kv_head=c.n_head, **sizes)
    model = tl.GPT(config, np.random.default_rng(0))
    theirs = dict(model.named_parameters())
    w = {name: weight.data for name, weight in gpt.weights.items()}
    mapped = {"wte.weight": w["wte"], "norm.gain": w["norm"]}
    for l in range(c.n_layer):
        mapped[f"blocks.{l}.attn.qkv.weight"] = np.concatenate([w[f"{l}.{x}"].T for x in "qkv"])
        mapped |= {f"blocks.{l}.{their}": w[f"{l}.{our}"].T for our, their in NAMES.items()}
    assert mapped.keys() == theirs.keys()
    for name, p in theirs.items():
        assert p.shape == mapped[name].shape
        p.data = mapped[name].copy()
    return model


# size and what it stands on


def test_at_most_500_lines_of_at_most_100_characters(examples):
    lines = (examples / "llm_500_lines.py").read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 500
    assert max(map(len, lines)) <= 100


def test_numpy_is_its_only_import_besides_the_standard_library(examples):
    module = ast.parse((examples / "llm_500_lines.py").read_text(encoding="utf-8"))
    used = set()
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            used |= {alias.name.split(".")[0] for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            used.add(node.module.split(".")[0])
    assert used - set(sys.stdlib_module_names) == {"numpy"}


# gradients


def test_every_gradient_passes_its_own_check_and_every_op_has_one(llm, examples, capsys):
    ops = set()
    for node in ast.parse((examples / "llm_500_lines.py").read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef) and any(getattr(d, "id", "") == "op" for d in node.decorator_list):
            ops.add(node.name)
        if isinstance(node, ast.Assign) and getattr(getattr(node.value, "func", None), "id", "") == "op":
            ops.add(node.targets[0].id)
    with pytest.raises(SystemExit) as end:
        llm.main(["check"])
    assert not end.value.code
    said = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert {line[0] for line in said} == {*ops, "GPT"} and len(ops) == 11
    assert all(float(line[2]) < 1e-6 and line[3] == "ok" for line in said)


FAULTS = [  # what stands there, and what a tired author might have written
    ("(dy * b, dy * a)", "(dy * a, dy * b)"),
    ("lambda dy: (dy, dy)", "lambda dy: (dy, -dy)"),
    ("lambda dy: (dy, dy)", "lambda dy: (dy,)"),
    ("dy @ b.swapaxes(-1, -2), a.swap", "1.001 * dy @ b.swapaxes(-1, -2), a.swap"),
    ("(dy.swapaxes(i, j),)", "(dy.reshape(x.shape),)"),
    ("np.add.at(dtable, ids, dy)", "dtable[ids] = dy"),
    ("(1 + x * (1 - s))", "(1 + x * s)"),
    ("(dy - y * (dy * y).mean(-1, keepdims=True))", "dy"),
    ("(dy - y * (dy * y).mean(-1, keepdims=True))", "(dy - y * (dy * x).mean(-1, keepdims=True))"),
    ("(p * (dp - (dp * p).sum(-1, keepdims=True)),)", "(p * (1 - p) * dp,)"),
    ("(p * (dp - (dp * p).sum(-1, keepdims=True)),)", "(0 * dp,)"),
    ("(turn(dy, -sin),)", "(turn(dy, sin),)"),
    ("(np.exp(log_p) - at_target)", "np.exp(log_p)"),
    ("(dy / targets.size)", "(dy / len(targets))"),
    ("(dy / targets.size)", "(dy * np.nan)"),
    ("10000.0 ** (-np.arange(0, D, 2) / D))  # (T, D/2)\n    cos,", "1.0 * x.flat[: D // 2])\n    cos,"),
    ("keepdims=True)\n\n\n# ---- 2.", "keepdims=True) * 2\n\n\n# ---- 2."),
]


@pytest.mark.parametrize(("old", "new"), FAULTS, ids=[new[:30] for _, new in FAULTS])
def test_a_broken_backward_is_caught_by_the_check_of_its_op(old, new, mutated, monkeypatch, capsys):
    module = mutated((old, new))
    real = module.gradient_error
    one_op = lambda f, inputs, rng: real(f, inputs, rng) if len(inputs) < 3 else 0.0  # noqa: E731  without the GPT
    monkeypatch.setattr(module, "gradient_error", one_op)
    try:
        assert not module.check()
    except (KeyError, ValueError):  # no gradient at all, or one of another shape
        return
    assert "WRONG" in capsys.readouterr().out


def test_a_gradient_that_is_not_added_up_is_caught_in_the_gpt(mutated, capsys):
    module = mutated(("grads[x] + dx if x in grads else dx", "dx"), ("n_layer=2", "n_layer=1"))
    assert not module.check()
    wrong = [line.split()[0] for line in capsys.readouterr().out.splitlines() if "WRONG" in line]
    assert wrong == ["GPT"]


def test_backward_needs_no_recursion_and_leaves_grads_at_leaves_only(llm):
    x = llm.Tensor(np.ones(2))
    y = x
    for _ in range(5000):
        y = y + 0.001
    y.backward(np.array([1.0, 2.0]))
    assert x.grad.tolist() == [1.0, 2.0] and y.grad is None


# the model


def test_logits_loss_and_gradients_equal_those_of_tinyllm(llm):
    gpt = tiny(llm)
    model = library_gpt(gpt)
    rng = np.random.default_rng(3)
    ids, targets = rng.integers(11, size=(2, 3, 7))
    with tl.kernels.use("numpy"):
        logits = model(ids)
        loss = tl.cross_entropy(logits, targets)
        loss.backward()
    ours = gpt(ids)
    assert np.abs(ours.data - logits.data).max() < 1e-10 < np.abs(logits.data).max()
    our_loss = llm.cross_entropy(ours, targets)
    our_loss.backward()
    assert abs(our_loss.data - loss.item()) < 1e-12
    theirs = dict(model.named_parameters())
    assert np.allclose(gpt.weights["wte"].grad, theirs["wte.weight"].grad, rtol=0, atol=1e-10)
    assert np.allclose(gpt.weights["1.down"].grad, theirs["blocks.1.mlp.down.weight"].grad.T, rtol=0, atol=1e-10)
    qkv = np.concatenate([gpt.weights[f"0.{x}"].grad.T for x in "qkv"])
    assert np.allclose(qkv, theirs["blocks.0.attn.qkv.weight"].grad, rtol=0, atol=1e-10)


def test_with_the_cache_as_without(llm):
    gpt = tiny(llm)
    ids = np.random.default_rng(1).integers(11, size=(2, 7))
    whole = gpt(ids).data
    cache: dict = {}
    parts = [gpt(ids[:, a:b], cache).data for a, b in ((0, 3), (3, 4), (4, 7))]
    assert np.abs(np.concatenate(parts, axis=1) - whole).max() < 1e-12


@pytest.mark.parametrize("prompt", [[3], [1, 2, 3, 4, 5, 6, 7, 8, 9]], ids=["short", "longer than the context"])
def test_sampling_goes_on_past_the_context_and_equals_sampling_without_a_cache(llm, prompt):
    gpt, T = tiny(llm), 7

    def pick_with(rng):
        return lambda logits: llm.choose(logits, 0.9, 5, rng)

    drawn = list(llm.sample(gpt, prompt, 20, pick_with(np.random.default_rng(5))))
    pick, ids, read = pick_with(np.random.default_rng(5)), list(prompt), prompt[-T:]
    for _ in range(20):
        if len(read) > T:
            read = ids[-math.ceil(T / 2) :]
        token = pick(gpt(np.array([read])).data[0, -1])
        ids, read = [*ids, token], [*read, token]
    assert drawn == ids[len(prompt) :]


def test_save_and_load_give_the_same_logits(llm, tmp_path):
    gpt = tiny(llm, dtype=np.float32, vocab_size=258)
    tokenizer = llm.Tokenizer([(97, 98), (256, 97)])
    llm.save(tmp_path / "m.npz", gpt, tokenizer)
    again, known = llm.load(tmp_path / "m.npz")
    ids = np.array([[1, 256, 257]])
    assert np.array_equal(again(ids).data, gpt(ids).data) and again(ids).data.dtype == np.float32
    assert known.merges == tokenizer.merges and again.config == gpt.config


def test_pickles_are_not_opened(llm, tmp_path):
    np.savez(tmp_path / "bad.npz", sizes=np.array([{"a": 1}], dtype=object))
    with pytest.raises(ValueError, match="allow_pickle"):
        llm.load(tmp_path / "bad.npz")


# the tokenizer

TEXT = as_text(stories(np.random.default_rng(0), 60)) + "naïve Ωμέγα 東京 \t\n\n  aaaaaa aaa a1b2 _x_ \u200d"


@pytest.fixture(scope="module")
def tokenizer(llm):
    return llm.Tokenizer.train(TEXT, 330)


@given(st.text(max_size=40))
@settings(max_examples=30)
def test_bpe_gives_every_text_back(llm, tokenizer, text):
    assert tokenizer.decode(tokenizer.encode(text)) == text.encode()
    assert "".join(llm.WORDS.findall(text)) == text


def test_every_merge_is_of_a_most_frequent_pair(llm, tokenizer):
    words = Counter(llm.WORDS.findall(TEXT))
    spelled = {word: list(word.encode()) for word in words}
    for new, pair in enumerate(tokenizer.merges, 256):
        counts: Counter = Counter()
        for word, n in words.items():
            for two in itertools.pairwise(spelled[word]):
                counts[two] += n
        assert counts[pair] == max(counts.values()) > 1
        spelled = {word: llm.join(ids, pair, new) for word, ids in spelled.items()}
    assert tokenizer.encode(TEXT) == [i for word in llm.WORDS.findall(TEXT) for i in spelled[word]]


def test_join_goes_from_left_to_right_and_each_id_is_used_once(llm):
    assert llm.join([7, 7, 7, 1, 7, 7, 7, 7], (7, 7), 300) == [300, 7, 1, 300, 300]
    assert llm.join([1, 2, 1, 2, 1], (1, 2), 300) == [300, 300, 1]


def test_a_short_text_has_few_merges(llm):
    assert not llm.Tokenizer.train("abc", 300).merges
    assert llm.Tokenizer.train("", 300).encode("") == []


# training and sampling


@tl.kernels.use("numpy")
def test_adamw_takes_the_steps_of_tinyllms(llm):
    rng = np.random.default_rng(0)
    matrix, gain = rng.normal(size=(3, 5)), rng.normal(size=5)
    ours = [llm.Tensor(matrix.copy()), llm.Tensor(gain.copy())]
    theirs = [nn.Parameter(matrix.copy()), nn.Parameter(gain.copy())]
    optimizer = llm.AdamW(ours)
    groups = [nn.optim.Group([theirs[0]], decays=True), nn.optim.Group([theirs[1]], decays=False)]
    other = nn.optim.AdamW(groups, betas=(0.9, 0.95), weight_decay=0.1)
    for lr in (0.1, 0.03, 0.2):
        grads = [rng.normal(size=(3, 5)), rng.normal(size=5)]
        for a, b, g in zip(ours, theirs, grads, strict=True):
            a.grad, b.grad = g, g / max(1.0, math.sqrt(sum((g**2).sum() for g in grads)))
        optimizer.step(lr)
        other.step(lr=lr)
    for a, b in zip(ours, theirs, strict=True):
        assert np.abs(a.data - b.data).max() < 1e-12 and a.grad is None


def test_the_schedule_climbs_to_its_top_and_falls_to_a_tenth(llm):
    lr = [llm.cosine(step, 200, 1.0) for step in range(200)]
    assert lr[0] == 0.1 and 0.99 < max(lr) <= 1 and lr[-1] == pytest.approx(0.1, abs=1e-3)
    top = lr.index(max(lr))
    assert lr[:top] == sorted(lr[:top]) and lr[top:] == sorted(lr[top:], reverse=True)


def test_it_learns_one_batch_by_heart(llm):
    rng = np.random.default_rng(0)
    gpt = llm.GPT(llm.Config(vocab_size=17, block_size=8, n_layer=2, n_head=2, n_embd=16), rng)
    x, y = llm.draw(rng.integers(17, size=100), 4, 8, rng)
    assert np.array_equal(x[:, 1:], y[:, :-1])
    optimizer = llm.AdamW(list(gpt.weights.values()))
    for _ in range(150):
        loss = llm.cross_entropy(gpt(x), y)
        loss.backward()
        optimizer.step(1e-2)
    assert loss.data < 0.05


def test_training_beats_the_frequencies_of_tokens_by_far(llm, tmp_path, capsys):
    text, model = tmp_path / "stories.txt", tmp_path / "model.npz"
    text.write_text(as_text(stories(np.random.default_rng(0), 400)), encoding="utf-8")
    sizes = ["--vocab_size", "300", "--block_size", "24", "--n_layer", "1", "--n_head", "2", "--n_embd", "32"]
    llm.main(["train", str(text), "--out", str(model), "--steps", "120", "--batch", "8", "--lr", "1e-2", *sizes])
    said = capsys.readouterr().out
    _, tokenizer = llm.load(model)
    counts = np.bincount(tokenizer.encode(text.read_text(encoding="utf-8")))
    p = counts[counts > 0] / counts.sum()
    unigram = -(p * np.log(p)).sum()
    unseen = float(re.findall(r"unseen (\S+)", said)[-1])
    assert unseen < 0.5 * unigram
    llm.main(["sample", str(model), "--prompt", "Mia has", "--tokens", "30", "--temperature", "0"])
    first = capsys.readouterr().out
    llm.main(["sample", str(model), "--prompt", "Mia has", "--tokens", "30", "--temperature", "0", "--seed", "7"])
    assert capsys.readouterr().out == first and first.startswith("Mia has a")


def test_a_text_that_is_too_short_is_one_clear_line(llm, tmp_path):
    text = tmp_path / "short.txt"
    text.write_text("too short", encoding="utf-8")
    with pytest.raises(SystemExit, match="no longer than a block"):
        llm.main(["train", str(text)])


def test_choose_draws_from_the_softmax_of_the_best(llm):
    rng = np.random.default_rng(0)
    logits = np.array([1.0, 0.0, 2.0, -1.0, 1.5], dtype=np.float32)
    counts = np.bincount([llm.choose(logits, 0.7, 3, rng) for _ in range(4000)], minlength=5)
    p = np.where(logits >= 1, np.exp(logits / 0.7), 0)
    p /= p.sum()
    assert counts[1] == counts[3] == 0
    assert np.abs(counts / 4000 - p).max() < 0.03
    assert {llm.choose(logits, 0, 5, rng) for _ in range(20)} == {2}
    assert {llm.choose(logits, 5.0, 99, rng) for _ in range(500)} == {0, 1, 2, 3, 4}


# the page about it


def test_the_page_tells_of_the_parts_and_ops_that_are_there(llm, examples):
    source = (examples / "llm_500_lines.py").read_text(encoding="utf-8")
    page = (examples / "README.md").read_text(encoding="utf-8")
    parts = re.findall(r"^# ---- (\d)\. (.+?)[:\n]", source, re.M)
    told = re.findall(r"^(\d)\. (.+?)[:.] ?", page, re.M)
    assert [n for n, _ in parts] == [n for n, _ in told] == list("12345678")
    weights = sum(math.prod(shape) for shape in llm.Config().shapes().values())
    assert f"{weights:,} weights" in page
