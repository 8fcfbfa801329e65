"""Decoding with a memory equals the model without one; with coarser weights it costs a little, and says how much."""

from __future__ import annotations

import math

import numpy as np
import pytest

import tinyllm as tl
from tinyllm import kernels
from tinyllm.errors import ConfigError, DTypeError, RangeError, ShapeError
from tinyllm.generate import Decoder, KVCache, generate
from tinyllm.generate.decode import Reading
from tinyllm.generate.weights import Matrix, side_by_side
from tinyllm.models import GPT, GPTConfig
from tinyllm.nn.optim import AdamW
from tinyllm.tokenizer import CharTokenizer

KINDS = {
    "gpt2": {"preset": "gpt2"},
    "gpt2, no biases, own head": {"preset": "gpt2", "bias": False, "tied": False},
    "exact GELU": {"preset": "gpt2", "mlp": "gelu_exact"},
    "modern": {"preset": "modern"},
    "one key/value head": {"preset": "modern", "n_kv_head": 1, "tied": False},
    "window": {"preset": "modern", "window": 3},
    "window, learned positions": {"preset": "gpt2", "window": 4, "n_kv_head": 2},
    "one head, biases": {"preset": "modern", "n_head": 1, "n_kv_head": 1, "bias": True, "norm": "layer"},
}
V, T = 31, 11


def made(kind, dtype=np.float32, **sizes):
    """A model of one of the kinds with weights far from their small beginnings, no two layers alike."""
    options = dict(KINDS[kind])
    sizes = {"vocab_size": V, "block_size": T, "n_layer": 3, "n_head": 4, "n_embd": 32} | sizes
    model = GPT(GPTConfig.preset(options.pop("preset"), **(sizes | options)), np.random.default_rng(0)).eval()
    rng = np.random.default_rng(1)
    for p in model.parameters():
        p.data = p.data.astype(dtype) + rng.normal(0, 0.2, p.shape).astype(dtype)
    return model


def ids_of(B, T=T):
    return np.random.default_rng(2).integers(0, V, (B, T))


def steps(decoder, ids, first):
    """The logits after the first tokens, and after each that follows: (B, T - first + 1, V)."""
    logits = [decoder.prefill(ids[:, :first])]
    logits += [decoder.step(ids[:, t]) for t in range(first, ids.shape[1])]
    return np.stack(logits, axis=1)


@pytest.mark.parametrize("backend", kernels.BACKENDS)
@pytest.mark.parametrize("kind", KINDS)
def test_cached_equals_uncached_in_float64(kind, backend):
    model, ids = made(kind, np.float64), ids_of(2)
    with kernels.use(backend), tl.no_grad():
        full = model(ids).data
        for first in (1, 4, T):
            got = steps(Decoder(model, batch=2), ids, first)
            assert got.dtype == np.float64
            np.testing.assert_allclose(got, full[:, first - 1 :], rtol=0, atol=1e-12 * np.abs(full).max())


@pytest.mark.parametrize("kind", KINDS)
def test_cached_equals_uncached_in_float32(kind):
    model, ids = made(kind), ids_of(3)
    with tl.no_grad():
        full = model(ids).data
    for weights in (None, "float32"):
        got = steps(Decoder(model, weights, batch=3), ids, 2)
        assert got.dtype == np.float32
        np.testing.assert_allclose(got, full[:, 1:], rtol=0, atol=1e-5 * np.abs(full).max())


@pytest.mark.parametrize("kind", ["gpt2", "modern", "window"])
def test_texts_of_different_lengths_do_not_see_each_other(kind):
    model, ids = made(kind, np.float64), ids_of(3)
    decoder, lengths = Decoder(model, batch=3), np.array([2, 5, 1])
    got = [decoder.prefill(ids[:, :5], lengths)]
    got += [decoder.step(ids[np.arange(3), lengths + i]) for i in range(4)]
    for b, length in enumerate(lengths):
        alone = Decoder(model)
        expected = [alone.prefill(ids[b : b + 1, :length])]
        expected += [alone.step(ids[b : b + 1, length + i]) for i in range(4)]
        np.testing.assert_allclose([g[b] for g in got], [e[0] for e in expected], rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", ["gpt2", "modern", "window"])
def test_a_text_may_be_read_in_several_pieces_and_cut_back(kind):
    model, ids = made(kind, np.float64), ids_of(1)
    whole, decoder = Decoder(model).prefill(ids), Decoder(model)
    decoder.prefill(ids[:, :3])
    decoder.prefill(ids[:, 3:8])
    decoder.prefill(ids[:, :2])  # something else, forgotten again
    decoder.cache.truncate(8)
    np.testing.assert_allclose(decoder.prefill(ids[:, 8:]), whole, rtol=0, atol=1e-12)
    decoder.reset()
    np.testing.assert_allclose(decoder.prefill(ids), whole, rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", ["gpt2", "modern", "window"])
def test_some_texts_go_on_while_others_stay(kind):
    """Every row is read at its own pace, in any order of rows; what is forgotten begins again."""
    model, ids, rng = made(kind, np.float64), ids_of(5), np.random.default_rng(6)
    with tl.no_grad():
        full = model(ids).data
    decoder, at = Decoder(model, batch=5), np.zeros(5, int)
    for turn in range(40):
        rows = rng.permutation(5)[: rng.integers(1, 6)]
        if turn % 7 == 6:
            decoder.forget(rows)
            at[rows] = 0
        else:
            n = rng.integers(1, 4)
            rows = rows[at[rows] + n <= T]
            if not len(rows):
                continue
            new = np.stack([ids[row, at[row] : at[row] + n] for row in rows])
            got = decoder.step(new[:, 0], rows) if n == 1 else decoder.prefill(new, rows=rows.tolist())
            at[rows] += n
            np.testing.assert_allclose(got, full[rows, at[rows] - 1], rtol=0, atol=1e-12 * np.abs(full).max())
        np.testing.assert_array_equal(decoder.cache.lengths, at)


def test_dropout_is_off_and_no_graph_is_made():
    model, ids = made("gpt2", dropout=0.5), ids_of(1)
    quiet = Decoder(model).prefill(ids)
    np.testing.assert_array_equal(Decoder(model.train()).prefill(ids), quiet)
    assert model.training and type(quiet) is np.ndarray
    for p in model.parameters():
        p.refuse_if_live("the test")


def test_weights_in_full_are_the_models_own():
    model = made("gpt2")
    decoder = Decoder(model)
    assert decoder.head.arrays[0] is model.wte.weight.data
    assert np.shares_memory(decoder.layers[2].down.arrays[0], model.blocks[2].mlp.down.weight.data)


@pytest.mark.parametrize("weights", ["int8", "int4"])
@pytest.mark.parametrize("kind", ["gpt2", "modern", "one key/value head"])
def test_coarse_weights_are_those_of_a_model_with_rounded_ones(kind, weights):
    """Everything else is exact: the decoder equals one whose matrices were rounded before."""
    model, ids = made(kind, n_embd=64, n_hidden=96), ids_of(2)
    decoder = Decoder(model, weights, batch=2)
    got = steps(decoder, ids, 3)
    embedding = model.wte.weight.data.copy()
    quantize, dequantize = {
        "int8": (kernels.quantize_8, kernels.dequantize_8),
        "int4": (kernels.quantize_4, kernels.dequantize_4),
    }[weights]
    for name, p in model.named_parameters():
        if p.ndim == 2 and "wpe" not in name and (model.head is None or "wte" not in name):
            p.data = dequantize(*quantize(p.data))
    rounded = Decoder(model, batch=2)
    rounded.embedding = embedding
    np.testing.assert_allclose(got, steps(rounded, ids, 3), rtol=0, atol=2e-5 * np.abs(got).max())


def test_what_8_and_4_bits_cost_a_trained_model():
    text = "the cat sat on the mat. the dog sat on the log. a cat and a dog ran to the mat. " * 8
    tokenizer = CharTokenizer(text)
    ids = np.array(tokenizer.encode(text))
    config = GPTConfig.preset(
        "modern", vocab_size=tokenizer.n_vocab, block_size=48, n_layer=2, n_head=2, n_embd=64, n_hidden=96
    )
    rng = np.random.default_rng(3)
    model = GPT(config, rng)
    optimizer = AdamW(model.parameters(), lr=1e-2)
    for _ in range(60):
        starts = rng.integers(0, len(ids) - 33, 8)
        batch = np.stack([ids[s : s + 33] for s in starts])
        model.loss(batch[:, :-1], batch[:, 1:]).backward()
        optimizer.step()
        optimizer.zero_grad()

    def loss(weights):
        read, targets = Decoder(model, weights), ids[1:49]
        logits = np.stack([read.step(ids[t : t + 1])[0] for t in range(48)])
        return -kernels.log_softmax(logits)[np.arange(48), targets].mean()

    full, eight, four, four_by_8 = (float(loss(weights)) for weights in ("float32", "int8", "int4", "int4x8"))
    assert full < 0.6 * math.log(tokenizer.n_vocab)  # it has learned something that can be lost
    assert full == pytest.approx(model.loss(ids[None, :48], ids[None, 1:49]).item(), rel=1e-4)
    assert abs(eight - full) < 0.01
    assert abs(eight - full) < abs(four - full) < 0.3
    assert abs(four_by_8 - four) < 0.02


# a text that grows


@pytest.fixture
def reading(monkeypatch):
    """A Reading of a small model that notes how many tokens it reads: ``reading.read``."""
    reading = Reading(Decoder(made("modern")))
    inside, reading.read = reading.decoder._read, []
    monkeypatch.setattr(
        reading.decoder, "_read", lambda ids, rows: reading.read.append(ids.shape[1]) or inside(ids, rows)
    )
    return reading


def test_only_what_is_new_is_read(reading):
    model = made("modern")
    text = ids_of(1, T + 2)[0].tolist()
    other = [(token + 1) % V for token in text]
    asked = [text[:4], text[:5], text[:8], text[:T]]  # it grows
    asked += [text[1 : T + 1], text[2 : T + 2]]  # cut at the front: every position has changed
    asked += [text[2 : T + 2], text[2:6]]  # the same, and shorter: the last token is read, for its logits
    asked += [text[2:6] + other[6:9], text[2:5] + other[5:10], other[:3]]  # other ends, and nothing in common
    with tl.no_grad():
        for ids in asked:
            np.testing.assert_allclose(reading(ids), model(np.array([ids])).data[0, -1], rtol=0, atol=1e-4)
    assert reading.read == [4, 1, 3, T - 8, T, T, 1, 1, 3, 5, 3]


def test_after_an_error_a_text_is_read_as_if_it_had_not_been_asked_for(reading):
    text = ids_of(1)[0].tolist()
    expected = reading(text[:6])
    with pytest.raises(RangeError):
        reading([*text[:4], V, 1])
    np.testing.assert_allclose(reading(text[:6]), expected, rtol=0, atol=1e-6)
    assert reading.read == [6, 2]


@pytest.mark.parametrize("kind", ["gpt2", "modern"])
def test_a_text_that_outgrows_the_block_is_the_models_own(kind):
    chars = CharTokenizer("".join(chr(97 + i) for i in range(26)) + " .,;!")
    model = made(kind, np.float64)
    ids = chars.encode("the q")
    with tl.no_grad():
        for _ in range(2 * T):
            ids.append(int(model(np.array([ids[-T:]])).data[0, -1].argmax()))
    assert generate(model, "the q", chars, 2 * T, temperature=0).text == chars.decode(ids[5:])
    for weights in ("int8", "int4", "int4x8"):
        assert len(generate(model, "the q", chars, 2 * T, temperature=0, weights=weights).ids) == 2 * T


# what does not fit


def test_what_is_asked_for_in_vain():
    model = made("gpt2")
    with pytest.raises(ConfigError, match=r"no format 'int9' of weights.*int8"):
        Decoder(model, "int9")
    with pytest.raises(ConfigError, match=r"max_length is 12.*block_size=11"):
        Decoder(model, max_length=T + 1)
    with pytest.raises(ConfigError, match="batch is 0"):
        Decoder(model, batch=0)
    decoder = Decoder(model, batch=2)
    with pytest.raises(DTypeError, match="float64, not token ids"):
        decoder.step(np.ones(2))
    for ids in (np.ones((2, 1), int), np.ones(3, int)):
        with pytest.raises(ShapeError, match=r"ids has shape .* not \(B,\) with B=2"):
            decoder.step(ids)
    with pytest.raises(ShapeError, match=r"not \(B, T\) with B=2"):
        decoder.prefill(np.zeros((2, 0), int))
    for bad in (-1, V):
        with pytest.raises(RangeError, match=f"V={V}"):
            decoder.step(np.array([0, bad]))
    for lengths in ([1, 4], [0, 1], [1]):
        with pytest.raises(RangeError, match="from 1 to T=3"):
            decoder.prefill(np.ones((2, 3), int), np.array(lengths))
    for rows in ([2], [-1], [0, 0], [[0]], [0.0], 0, []):
        with pytest.raises(RangeError, match="not distinct places of a batch of 2"):
            decoder.step(np.array([1]), rows)
    with pytest.raises(ShapeError, match=r"not \(B, T\) with B=1"):
        decoder.prefill(np.ones((2, 1), int), rows=[1])
    assert decoder.cache.lengths.tolist() == [0, 0]  # nothing of all this was read


def test_a_full_cache_says_so():
    decoder = Decoder(made("modern"), max_length=4)
    decoder.prefill(ids_of(1, 4))
    with pytest.raises(RangeError, match=r"text 0 has 4 tokens of at most 4: no place for 1 more.*max_length"):
        decoder.step(np.array([1]))
    decoder.cache.truncate(3)
    assert decoder.step(np.array([1])).shape == (1, V)


# the cache


def test_keys_and_values_land_at_their_positions():
    rng = np.random.default_rng(4)
    cache = KVCache(L=2, B=2, K=3, S=7, D=5)
    cache.extend(4)
    cache.truncate([1, 4])
    assert cache.extend(2).tolist() == [[1, 2], [4, 5]]
    k, v = (rng.standard_normal((2, 3, 2, 5)).astype(np.float32) for _ in range(2))
    cache.append(1, k, v)
    np.testing.assert_array_equal(cache.keys[1, 0, :, 1:3], k[0])
    np.testing.assert_array_equal(cache.values[1, 1, :, 4:6], v[1])
    assert not cache.keys[0].any() and np.count_nonzero(cache.keys[1]) == k.size
    with pytest.raises(RangeError, match=r"text 1 has 6 tokens of at most 7: no place for 2 more"):
        cache.extend(2)
    with pytest.raises(RangeError, match=r"\[4, 4\] tokens cannot be kept of \[3, 6\]"):
        cache.truncate(4)
    with pytest.raises(ShapeError, match=r"B=2, K=3, T, D=5"):
        cache.append(0, k[:1], v[:1])


def test_bytes_are_counted():
    cache = KVCache(L=2, B=2, K=3, S=7, D=5)
    cache.extend(4)
    assert cache.bytes_read() == 2 * 2 * 3 * 5 * 4 * (4 + 4)
    assert cache.bytes_read([3, 3]) == 2 * 2 * 3 * 5 * 4 * (3 + 3)
    model = made("gpt2")
    matrices = sum(p.data.nbytes for name, p in model.named_parameters() if "norm" not in name and "wpe" not in name)
    assert Decoder(model).bytes_per_token == matrices
    assert Decoder(model, batch=2).bytes_per_token == matrices // 2
    eight = Decoder(model, "int8")
    biases = sum(p.data.nbytes for name, p in model.named_parameters() if p.ndim == 1 and "norm" not in name)
    assert eight.bytes_per_token == (matrices - biases) * 36 // 128 + biases


def test_memory_is_counted():
    model = made("gpt2")
    parameters = sum(p.data.nbytes for name, p in model.named_parameters() if "norm" not in name)
    cache = 2 * 3 * 2 * 4 * T * 8 * 4  # keys and values, L, B, K, S, D, bytes
    assert Decoder(model, batch=2).nbytes == parameters + cache
    assert Decoder(model, batch=2, max_length=1).nbytes == parameters + cache // T
    eight = Decoder(model, "int8", batch=2)
    assert (
        eight.nbytes == eight.bytes_per_token * 2 + model.wte.weight.data.nbytes + model.wpe.weight.data.nbytes + cache
    )


@pytest.mark.parametrize("weights", ["int8", "int4"])
def test_a_row_has_the_same_product_whoever_is_beside_it(weights):
    """As long as they are few, to the bit; with many at once, but for rounding."""
    rng = np.random.default_rng(7)
    matrix = Matrix(weights, np.float32, *(rng.standard_normal(shape).astype(np.float32) for shape in ((5, 70), 5)))
    x = rng.standard_normal((40, 70)).astype(np.float32)
    with kernels.use("numba"):
        alone = np.concatenate([matrix(row[None]) for row in x])
        for rows in (1, 8, 9, 16):
            np.testing.assert_array_equal(matrix(x[:rows]), alone[:rows])
        np.testing.assert_allclose(matrix(x), alone, rtol=0, atol=1e-5 * np.abs(alone).max())
    with kernels.use("numpy"):
        np.testing.assert_allclose(matrix(x[:20]), alone[:20], rtol=0, atol=1e-5 * np.abs(alone).max())


def test_matrices_side_by_side_hold_the_same():
    rng = np.random.default_rng(5)
    matrices = [Matrix("int4", np.float32, rng.standard_normal((N, 96)).astype(np.float32)) for N in (3, 7, 1)]
    before = [[a.copy() for a in m.arrays] for m in matrices]
    side_by_side(matrices)
    for m, arrays in zip(matrices, before, strict=True):
        for a, b in zip(m.arrays, arrays, strict=True):
            np.testing.assert_array_equal(a, b)
            assert a.dtype == b.dtype and a.ctypes.data % 64 == 0 and not a.flags.writeable
