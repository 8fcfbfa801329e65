"""A real model, 260,000 parameters small: its golden text, to the byte, whichever way it is written.

The weights are read from llama2.c's file, the text is decoded by its own vocabulary; between them are RoPE's two
conventions, grouped heads, the cache, and every kernel that a Llama needs.
"""

from __future__ import annotations

import numpy as np
import pytest

import tinyllm as tl
from tinyllm import kernels
from tinyllm.generate import Decoder
from tinyllm.generate.continuous import Batch
from tinyllm.generate.decode import Reading
from tinyllm.models.exchange.gguf_model import load_gguf, save_gguf
from tinyllm.models.exchange.llama2c_model import load_llama2c
from tinyllm.models.exchange.permute import half_to_pairs
from tinyllm.models.pretrained import load_model, save_model
from tinyllm.tokenizer.scores import ScoredBPE

BOS, STEPS = 1, 200


@pytest.fixture(scope="module")
def model(data_file):
    return load_llama2c(data_file("models/stories260K/stories260K.bin"))


@pytest.fixture(scope="module")
def golden(data_file):
    return data_file("models/stories260K/golden.txt").read_bytes()


@pytest.fixture(scope="module")
def tokenizer(data_file):
    return ScoredBPE.from_file(data_file("models/stories260K/tok512.bin"))


@pytest.fixture(scope="module")
def ids(model):
    """The golden text's ids, BOS first: STEPS of them and one."""
    with kernels.use("numpy"):
        return greedy(Reading(Decoder(model)), [BOS], STEPS)


def greedy(read, ids, n):
    """Add the likeliest token n times."""
    for _ in range(n):
        ids = [*ids, int(read(ids).argmax())]
    return ids


def likeliest(logits, ids):
    return int(logits.argmax())


def spelled(tokenizer, ids):
    return tokenizer.decode(ids).encode()


def test_the_golden_text_is_what_it_should_be(golden):
    assert len(golden) == 464 and golden.startswith(b"Once upon a time, there was a little girl named Lily.")


@pytest.mark.parametrize("backend", kernels.BACKENDS)
def test_cached(model, tokenizer, golden, backend):
    with kernels.use(backend):
        found = greedy(Reading(Decoder(model)), [BOS], STEPS)
        assert spelled(tokenizer, found) == golden


@pytest.mark.parametrize("backend", kernels.BACKENDS)
def test_uncached(model, tokenizer, golden, ids, backend):
    """Every token from scratch; all of them in one pass say the same as one after another."""
    with kernels.use(backend), tl.no_grad():
        every = model(np.array([ids[:-1]])).data[0].argmax(axis=-1).tolist()
        assert spelled(tokenizer, [BOS, *every]) == golden
        assert greedy(lambda ids: model(np.array([ids])).data[0, -1], ids[:150], 4) == ids[:154]


def test_in_float64(model, tokenizer, golden):
    found = greedy(Reading(Decoder(load_again(model, np.float64))), [BOS], STEPS)
    assert spelled(tokenizer, found) == golden


def load_again(model, dtype):
    """A model of the same weights in another dtype."""
    return tl.models.llama.from_arrays(model.config, tl.models.llama.to_arrays(model), dtype)


@pytest.mark.parametrize("backend", kernels.BACKENDS)
def test_in_a_batch(model, tokenizer, golden, ids, backend):
    """Beside texts that begin elsewhere, begin later, and are done sooner."""
    with kernels.use(backend):
        batch = Batch(Decoder(model, batch=3, max_length=STEPS + 1))
        first = batch.add([BOS], likeliest, STEPS)
        others = [batch.add(ids[: 7 * n + 1], likeliest, 20 + n) for n in range(1, 6)]
        found = batch.run()
    assert spelled(tokenizer, [BOS, *found[first]]) == golden
    for n, ticket in enumerate(others, 1):
        assert found[ticket] == ids[7 * n + 1 : 8 * n + 21]


def test_with_a_prefilled_beginning(model, tokenizer, golden, ids):
    for begun in (2, 60, STEPS):
        assert spelled(tokenizer, greedy(Reading(Decoder(model)), ids[:begun], STEPS + 1 - begun)) == golden
    reading = Reading(Decoder(model))
    reading([*ids[:100], 7, 8, 9])  # a text with another end, of which the beginning stays
    assert greedy(reading, ids[:101], 60) == ids[:161]


def test_the_other_convention_of_rope_would_not_write_it(model, ids):
    """The most common fault of loading: queries and keys in the order of pairs, turned as halves."""
    wrong, config = load_again(model, np.float32), model.config
    turned = (config.n_head + config.n_kv_head) * config.head_size
    for block in wrong.blocks:
        w = block.attn.qkv.weight
        w.data[:turned] = half_to_pairs(w.data[:turned], config.n_head + config.n_kv_head)
    found = greedy(Reading(Decoder(wrong)), [BOS], 20)
    assert found != ids[:21]


def saved_and_loaded(model, kind, folder):
    if kind == "safetensors":
        return load_model(save_model(model, folder / "stories"))
    save_gguf(model, folder / "stories.gguf", kind=kind)
    return load_gguf(folder / "stories.gguf")[0]


@pytest.mark.parametrize("kind", ["safetensors", "F32"])
def test_after_a_journey_through_another_format(model, tokenizer, golden, kind, tmp_path):
    """A safetensors folder keeps the halves of RoPE, GGUF wants pairs: both come back to the same text."""
    again = saved_and_loaded(model, kind, tmp_path)
    with kernels.use("numpy"):
        assert spelled(tokenizer, greedy(Reading(Decoder(again)), [BOS], STEPS)) == golden
    for mine, theirs in zip(again.parameters(), model.parameters(), strict=True):
        np.testing.assert_array_equal(mine.data, theirs.data)


def likeliest_of_each(decoder, ids):
    """The token chosen after each beginning of a text, whatever was chosen before."""
    return [int(decoder.step(np.array([token]))[0].argmax()) for token in ids[:-1]]


def test_weights_in_8_bits_choose_nearly_the_same(model, ids, tmp_path):
    """Fed with the golden text, at least 95 of 100 tokens: by 8-bit products, and after a GGUF file in Q8_0."""
    from_file = saved_and_loaded(model, "Q8_0", tmp_path)
    assert np.abs(from_file.wte.weight.data - model.wte.weight.data).max() > 0  # the embedding is rounded as well
    for decoder in (Decoder(model, "int8"), Decoder(from_file), Decoder(from_file, "int8")):
        chosen = likeliest_of_each(decoder, ids)
        assert sum(a == b for a, b in zip(chosen, ids[1:], strict=True)) >= 0.95 * STEPS


def test_the_public_way(model, tokenizer, golden):
    """An empty prompt is BOS; the first word of a text has no space before it."""
    with kernels.use("numpy"):
        pieces = tl.generate.stream(model, "", tokenizer, STEPS, temperature=0)
        assert "".join(pieces).encode() == golden
        assert (pieces.prompt_ids, pieces.completion.finish) == ([BOS], "length")
        one, two = tl.generate.generate(model, ["", "Once upon"], tokenizer, STEPS, temperature=0)
        assert one.text.encode() == golden and golden.startswith(b"Once upon" + two.text.encode()[:400])
        story = tl.generate.generate(model, "", tokenizer, 400, temperature=0)
        assert (story.finish, story.ids[-1] in (BOS, 2)) == ("end", True) and story.text.encode().startswith(golden)
