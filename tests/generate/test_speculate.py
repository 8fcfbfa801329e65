"""Speculative decoding: exactly the target's distribution, whatever the draft; and Trailing beside the model."""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinyllm as tl
from tinyllm.errors import ConfigError, DataError, NaNError, RangeError
from tinyllm.generate import speculate
from tinyllm.generate.setting import Sampling
from tinyllm.generate.speculate import Speculation, Trailing, acceptance, residual
from tinyllm.models import GPT, GPTConfig

QUARTERS = [np.array(p) / 4 for p in product(range(5), repeat=3) if sum(p) == 4]


def distributions(seed):
    """A pair of models over three tokens, p and q, that depend on the whole text, in quarters.

    Of all pairs those whose residual is in quarters again: then every decision falls at a multiple of a quarter.
    """

    @cache
    def pair(text):
        rng = np.random.default_rng([seed, *text])
        while True:
            p, q = (QUARTERS[rng.integers(len(QUARTERS))] for _ in range(2))
            ratios = np.divide(p, q, out=np.zeros(3), where=q > 0)
            if (np.append(ratios.clip(max=1), residual(p, q)) * 4 % 1 == 0).all():
                return p, q

    return pair


def reader(probabilities):
    """A model's logits after each of the last n tokens, from its probabilities after a text."""

    def read(ids, n):
        texts = [tuple(ids[: len(ids) - n + 1 + i]) for i in range(n)]
        with np.errstate(divide="ignore"):
            return np.log(np.stack([probabilities(text) for text in texts]))

    return read


class Branch:
    """Random numbers that follow a path through four equal parts, and say where it could have gone on."""

    def __init__(self, path):
        self.path, self.used = path, 0

    def random(self):
        part = self.path[self.used] if self.used < len(self.path) else 0
        self.used += 1
        return (part + 0.5) / 4


def outcomes(run):
    """What a run returns, with its exact probability, over all random numbers it can meet."""
    found: dict[tuple[int, ...], Fraction] = {}
    paths: list[tuple[int, ...]] = [()]
    while paths:
        path = paths.pop()
        branch = Branch(path)
        result = run(branch)
        for n in range(len(path), branch.used):
            paths += [(*path, *[0] * (n - len(path)), part) for part in (1, 2, 3)]
        found[result] = found.get(result, Fraction(0)) + Fraction(1, 4**branch.used)
    return found


def exact(probabilities, start, length):
    found = {}
    for text in product(range(3), repeat=length):
        steps = [Fraction(float(probabilities((*start, *text[:i]))[text[i]])) for i in range(length)]
        if weight := np.prod(steps):
            found[text] = weight
    return found


@pytest.mark.parametrize("ahead", [1, 2])
@pytest.mark.parametrize("seed", range(4))
def test_the_distribution_is_exactly_the_targets(seed, ahead):
    """Every path through every random decision is walked: the weights of three-token texts are equal as fractions."""
    pair = distributions(seed)
    target, draft = reader(lambda text: pair(text)[0]), reader(lambda text: pair(text)[1])
    found = outcomes(lambda rng: tuple(Speculation(target, draft, ahead=ahead).tokens([0], 3, rng)))
    assert sum(found.values()) == 1
    assert found == exact(lambda text: pair(text)[0], (0,), 3)


def test_the_enumeration_would_notice(monkeypatch):
    def wrong():
        """How many of twelve pairs of models write two-token texts that are not distributed as the target's."""
        different = 0
        for pair in map(distributions, range(12)):
            target, draft = (reader(lambda text, pair=pair, i=i: pair(text)[i]) for i in range(2))
            found = outcomes(lambda rng, a=target, b=draft: tuple(Speculation(a, b).tokens([0], 2, rng)))
            different += found != exact(lambda text, pair=pair: pair(text)[0], (0,), 2)
        return different

    assert wrong() == 0
    for name, fault in [
        ("acceptance", lambda p, q, token: 1.0),
        ("acceptance", lambda p, q, token: float(p[token])),
        ("residual", lambda p, q: p),
    ]:
        with monkeypatch.context() as patch:
            patch.setattr(speculate, name, fault)
            assert wrong() >= 4, name


SHARES = st.lists(st.floats(0, 1), min_size=4, max_size=4).filter(lambda p: sum(p) > 0.01).map(np.array)


@given(SHARES, SHARES)
def test_what_is_accepted_and_what_replaces_the_refused_add_up_to_p(p, q):
    p, q = p / p.sum(), q / q.sum()
    accepted = np.array([q[i] * acceptance(p, q, i) if q[i] else 0.0 for i in range(4)])
    np.testing.assert_allclose(accepted + (1 - accepted.sum()) * residual(p, q), p, atol=1e-12)
    assert residual(p, q).sum() == pytest.approx(1) and residual(p, p).tolist() == p.tolist()


def test_with_a_setting_texts_are_as_frequent_as_without_a_draft():
    """Chi-square over texts of three tokens with temperature, top-p, a penalty for repetition and a fixed seed."""
    V, N, setting = 4, 6_000, Sampling(temperature=1.3, top_p=0.9, repetition_penalty=1.5, logit_bias={1: 0.5})
    tables = np.random.default_rng(10).normal(0, 1.5, (2, V, V))
    target, draft = (lambda ids, n, table=table: table[ids[-n:]] for table in tables)
    expected = {}
    for text in product(range(V), repeat=3):
        steps = [setting.probabilities(target([0, *text[:i]], 1)[0], [0, *text[:i]])[text[i]] for i in range(3)]
        expected[text] = N * float(np.prod(steps))
    counts = dict.fromkeys(expected, 0)
    speculation, rng = Speculation(target, draft, setting, ahead=2), np.random.default_rng(9)
    for _ in range(N):
        counts[tuple(speculation.tokens([0], 3, rng))] += 1
    assert all(counts[text] == 0 for text, n in expected.items() if n == 0)
    there = [text for text, n in expected.items() if n >= 5]
    rest = [text for text, n in expected.items() if 0 < n < 5]
    pairs = [(counts[text], expected[text]) for text in there]
    if rest:
        pairs.append((sum(counts[text] for text in rest), sum(expected[text] for text in rest)))
    freedom = len(pairs) - 1
    chi = sum((seen - n) ** 2 / n for seen, n in pairs)
    assert freedom > 10 and chi < freedom + 3.1 * np.sqrt(2 * freedom) + 6  # about 1 in 1,000
    assert 0.2 < speculation.accepted / speculation.drafted < 0.9


def noisy(preset, seed, layers, vocab_size=13):
    config = GPTConfig.preset(preset, vocab_size=vocab_size, block_size=24, n_layer=layers, n_head=2, n_embd=16)
    model, rng = GPT(config, np.random.default_rng(seed)), np.random.default_rng(seed + 1)
    for p in model.parameters():
        p.data += rng.normal(0, 0.3, p.shape).astype(p.dtype)
    return model


@pytest.mark.parametrize("preset", ["gpt2", "modern"])
def test_without_a_temperature_it_writes_what_the_target_writes(preset):
    target, greedy = noisy(preset, 0, 3), [1, 2]
    with tl.no_grad():
        for _ in range(22):
            greedy.append(int(target(np.array([greedy])).data[0, -1].argmax()))
    for draft in (noisy("gpt2", 5, 1), target):
        speculation = Speculation(Trailing(target), Trailing(draft), Sampling(temperature=0), ahead=3)
        for _ in range(2):  # the second finds the memory of the first
            assert list(speculation.tokens([1, 2], 22)) == greedy[2:]
        if draft is target:
            assert speculation.accepted == speculation.drafted and speculation.passes == 2 * 6  # 22 = 5 * 4 + 2


@pytest.mark.parametrize("preset", ["gpt2", "modern"])
def test_trailing_says_what_the_model_says_wherever_a_text_changed(preset):
    model, rng = noisy(preset, 0, 2), np.random.default_rng(4)
    trailing, ids = Trailing(model), rng.integers(0, 13, 9).tolist()
    for _ in range(40):
        ids = ids[: rng.integers(1, len(ids) + 1)] + rng.integers(0, 13, rng.integers(0, 6)).tolist()
        ids = ids[:24]
        n = int(rng.integers(1, len(ids) + 1))
        with tl.no_grad():
            whole = model(np.array([ids])).data[0, -n:]
        np.testing.assert_allclose(trailing(ids, n), whole, atol=2e-4)


def test_trailing_reads_only_what_is_new():
    trailing, read = Trailing(noisy("gpt2", 0, 1)), []
    forward = trailing._read
    trailing._read = lambda ids: read.append(ids[0].tolist()) or forward(ids)
    for ids, n in [([1, 2, 3], 1), ([1, 2, 3, 4, 5], 2), ([1, 2, 3, 7], 1), ([1, 2, 3, 7], 1)]:
        trailing(ids, n)
    assert read == [[1, 2, 3], [4, 5], [7], [7]]
    trailing.reset()
    trailing([1, 2], 1)
    assert read[-1] == [1, 2]


def test_it_ends_where_it_should():
    table = np.full((3, 3), -np.inf)
    table[[0, 1, 2], [1, 2, 0]] = 0  # 0 1 2 0 1 2 ...
    speculation = Speculation(lambda ids, n: table[ids[-n:]], lambda ids, n: table[ids[-n:]], Sampling(temperature=0))
    assert list(speculation.tokens([0], 9, ends={0})) == [1, 2, 0]
    assert list(speculation.tokens([0], 2)) == [1, 2] and list(speculation.tokens([0], 0)) == []


def test_no_more_is_drafted_than_can_be_used():
    asked = []

    def draft(ids, n):
        asked.append(len(ids))
        return np.zeros((n, 3))

    speculation = Speculation(lambda ids, n: np.zeros((n, 3)), draft, ahead=5)
    assert len(list(speculation.tokens([0], 1, np.random.default_rng(0)))) == 1 and asked == []
    assert len(list(speculation.tokens([0], 4, np.random.default_rng(0)))) == 4 and asked == [1, 2, 3]


def test_bad_input():
    def read(ids, n):
        return np.zeros((n, 3))

    rng = np.random.default_rng(0)
    with pytest.raises(ConfigError, match="ahead is 0"):
        Speculation(read, read, ahead=0)
    speculation = Speculation(read, read)
    with pytest.raises(ConfigError, match="max_tokens is -1"):
        speculation.tokens([0], -1, rng)
    with pytest.raises(ConfigError, match="random generator"):
        speculation.tokens([0], 3)
    with pytest.raises(DataError, match="no text"):
        speculation.tokens([], 3, rng)
    with pytest.raises(ConfigError, match="the draft has 4 tokens, the target 3"):
        list(Speculation(read, lambda ids, n: np.array([[9.0, 0, 0, 0]] * n)).tokens([0], 3, rng))
    with pytest.raises(NaNError, match="NaN"):
        list(Speculation(lambda ids, n: read(ids, n) * np.nan, read).tokens([0], 3, rng))
    trailing = Trailing(noisy("gpt2", 0, 1))
    with pytest.raises(RangeError, match="25 tokens, the model reads 24"):
        trailing([1] * 25, 1)
    for n in (0, 3):
        with pytest.raises(RangeError, match=f"the last {n} of 2"):
            trailing([1, 2], n)
    with pytest.raises(RangeError, match="V=13"):
        trailing([1, 13], 1)
