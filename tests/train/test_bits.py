"""Bits per byte: exact over the very tokens that are evaluated, and the same unit whatever the tokenizer."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tinyllm.models import GPT, GPTConfig
from tinyllm.tokenizer import ByteTokenizer, CharTokenizer, Encoding
from tinyllm.train import Run, bits, estimate_loss, metrics, stream

TEXT = "Zürich: 5 €, naïve — ok\n" * 40
RANKS = {bytes((i,)): i for i in range(256)} | {b"ok": 256, "ü".encode(): 257, b"\n": 10, b"ich": 300}


@pytest.fixture
def encoding():
    return Encoding("toy", pat_str="gpt2", mergeable_ranks=RANKS, special_tokens={"<|endoftext|>": 301})


def test_every_token_is_as_long_as_the_bytes_it_spells(encoding):
    for words in (ByteTokenizer(), CharTokenizer(TEXT), encoding):
        ids = words.encode_to_numpy(TEXT)
        assert bits.lengths(words)[ids].tolist() == [len(words.decode_bytes([i])) for i in ids.tolist()]
        assert bits.lengths(words)[ids].sum() == len(TEXT.encode())


def test_special_tokens_and_holes_spell_nothing(encoding):
    found = bits.lengths(encoding)
    assert len(found) == 302
    assert found[301] == 0 and (found[258:300] == 0).all()


@pytest.mark.parametrize(("count", "batches"), [(41, 100), (200, 2), (200, 100), (83, 1)])
def test_the_bytes_are_those_of_the_tokens_that_are_guessed(count, batches):
    """Told by hand: the guessed tokens are all but the first of each block."""
    rng = np.random.default_rng(0)
    tokens, lengths = rng.integers(0, 13, count), rng.integers(1, 7, 13)
    guessed = []
    for starts in stream.evenly(tokens, 3, 7, batches):
        for start in starts:
            guessed += tokens[start + 1 : start + 8].tolist()
    assert bits.bytes_per_token(tokens, lengths, 3, 7, batches) == sum(lengths[t] for t in guessed) / len(guessed)


def test_loss_and_bytes_are_of_the_same_tokens(encoding):
    """The sum of -log2 p over every guessed token, divided by the bytes they spell, one block after another."""
    ids = encoding.encode_to_numpy(TEXT)
    config = GPTConfig.preset("gpt2", vocab_size=302, block_size=7, n_layer=1, n_head=1, n_embd=4)
    model = GPT(config, np.random.default_rng(0)).astype(np.float64)
    loss = estimate_loss(model, ids, 3, 7, 5)
    lengths = bits.lengths(encoding)
    total, size = 0.0, 0
    for start in np.concatenate(stream.evenly(ids, 3, 7, 5)):
        logits = model(ids[None, start : start + 7].astype(np.int64)).data[0]
        targets = ids[start + 1 : start + 8]
        p = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
        total -= np.log2(p[np.arange(7), targets]).sum()
        size += lengths[targets].sum()
    got = bits.bits_per_byte(loss, bits.bytes_per_token(ids, lengths, 3, 7, 5))
    assert got == pytest.approx(total / size, rel=1e-12)


def test_a_blind_guess_costs_eight_bits_for_each_byte():
    assert bits.bits_per_byte(math.log(256), 1.0) == pytest.approx(8)
    assert bits.bits_per_byte(math.log(1024), 4.0) == pytest.approx(2.5)


def test_a_run_tells_them_with_every_evaluation(tmp_path, tiny):
    run = Run.create(tmp_path / "run", tiny.but(tokenizer="bpe:300"))
    result = run.train(peak_flops=1e11)
    evals = [row for row in metrics.read(run.metrics_path) if row["kind"] == "eval"]
    for row in evals:
        assert row["val_bits_per_byte"] == pytest.approx(row["val_loss"] / math.log(2) / run.bytes_per_token)
    assert evals[-1]["val_bits_per_byte"] == run.bits_per_byte(result.val_loss)
    guessed = [
        y for starts in stream.evenly(run.val_tokens, 3, 11, 2) for y in stream.blocks_at(run.val_tokens, starts, 11)[1]
    ]
    ids = np.concatenate(guessed)
    assert run.bytes_per_token == len(run.tokenizer.decode_bytes(ids.tolist())) / len(ids)
