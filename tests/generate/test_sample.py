from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinyllm as tl
from tinyllm.errors import ConfigError, DataError, NaNError
from tinyllm.generate import apply_temperature, next_token, sample, stream, top_k
from tinyllm.generate.sample import generate
from tinyllm.models import GPT, GPTConfig
from tinyllm.tokenizer import ByteTokenizer, CharTokenizer, Encoding

TEXT = "the quick brown fox\n"


@pytest.fixture(scope="module")
def chars():
    return CharTokenizer(TEXT)


@pytest.fixture(scope="module")
def model(chars):
    config = GPTConfig.preset(
        "gpt2", vocab_size=chars.n_vocab, block_size=7, n_layer=2, n_head=2, n_embd=16, dropout=0.3
    )
    return noisy(GPT(config, np.random.default_rng(0)))


def noisy(model):
    """Weights far from their small beginnings, so that logits differ clearly from token to token."""
    rng = np.random.default_rng(1)
    for p in model.parameters():
        p.data += rng.normal(0, 0.3, p.shape).astype(np.float32)
    return model


class Script:
    """A model that says given ids, whatever it reads, and remembers what it was shown."""

    def __init__(self, says, block_size: int = 5, vocab_size: int = 256, sure: float = 5.0) -> None:
        sizes = {"vocab_size": vocab_size, "block_size": block_size}
        self.config = GPTConfig.preset("gpt2", **sizes, n_layer=1, n_head=1, n_embd=4)
        self.says = list(says)
        self.sure = sure
        self.training = False
        self.seen = []

    def eval(self):
        return self.train(False)

    def train(self, training=True):
        self.training = training
        return self

    def __call__(self, idx):
        self.seen.append(idx[0].tolist())
        logits = np.zeros((1, idx.shape[1], self.config.vocab_size), dtype=np.float32)
        logits[0, -1, self.says[len(self.seen) - 1]] = self.sure
        return tl.Tensor(logits)


def test_greedy_takes_the_likeliest_token_after_each_prefix(model, chars):
    ids = chars.encode("the q")
    was = model.training
    with tl.no_grad():
        model.eval()
        for _ in range(11):
            ids.append(int(model(np.array([ids[-7:]])).data[0, -1].argmax()))
        model.train(was)
    assert generate(model, chars, "the q", 11, temperature=0) == chars.decode(ids[5:])


def test_the_same_generator_gives_the_same_text_and_another_one_another(model, chars):
    one, two, three = (generate(model, chars, "fox", 40, rng=np.random.default_rng(seed)) for seed in (3, 3, 4))
    assert one == two != three


def test_dropout_is_off_and_the_mode_is_restored(model, chars):
    model.train()
    one = generate(model, chars, "fox", 20, temperature=0)
    assert model.training and all(module.training for module in model.modules())
    assert one == generate(model.eval(), chars, "fox", 20, temperature=0)
    assert not model.training


def test_no_graph_is_recorded_and_the_caller_may_record_between_pieces(model, chars):
    x = tl.Tensor([2.0], requires_grad=True)
    pieces = stream(model, chars, "fox", 5, rng=np.random.default_rng(0))
    next(pieces)
    assert (x * x).requires_grad
    assert all(p.grad is None for p in model.parameters())
    for p in model.parameters():
        p.refuse_if_live("the test")


def test_only_the_last_block_is_read():
    model = Script(b"abcdefgh")
    assert generate(model, ByteTokenizer(), "0123456789", 3, temperature=0) == "abc"
    assert bytes(model.seen[0]) == b"56789" and bytes(model.seen[1]) == b"6789a" and bytes(model.seen[2]) == b"789ab"


def test_an_empty_prompt_begins_after_a_newline_or_the_first_token():
    model = Script(b"abc")
    assert generate(model, ByteTokenizer(), "", 3, temperature=0) == "abc"
    assert model.seen[0] == [10]
    model = Script(bytes([1, 0]))
    assert generate(model, CharTokenizer("xy"), "", 2, temperature=0) == "yx"
    assert model.seen[0] == [0]


@given(st.binary(max_size=24))
def test_pieces_never_end_inside_a_character(says):
    pieces = list(stream(Script(says), ByteTokenizer(), "x", len(says), temperature=0))
    assert "".join(pieces) == says.decode("utf-8", "replace")


def test_a_character_comes_with_its_last_byte():
    says = "a€b".encode()
    assert list(stream(Script(says), ByteTokenizer(), "x", len(says), temperature=0)) == ["a", "€", "b"]
    assert list(stream(Script(says), ByteTokenizer(), "x", 3, temperature=0)) == ["a", "\ufffd"]  # cut short


# tokens of several bytes

RANKS = {bytes((i,)): i for i in range(256)} | {b"he": 256, b"\xe2\x82": 257, b"\xaca": 258, b" the": 260}


@pytest.fixture
def encoding():
    """With a hole at 259."""
    return Encoding("toy", pat_str="gpt2", mergeable_ranks=RANKS, special_tokens={"<|endoftext|>": 261})


def test_tokens_never_cut_a_character(encoding):
    says = [257, 258, 260, 257, 97, 261]
    pieces = list(stream(Script(says, vocab_size=262), encoding, "x", len(says), temperature=0))
    assert pieces == ["\u20aca", " the", "\ufffda", "<|endoftext|>"]
    assert "".join(pieces) == encoding.decode(says)


@given(st.lists(st.sampled_from([*range(120, 259), 260, 261]), max_size=24))
def test_the_pieces_are_the_text_of_all_tokens(says):
    toy = Encoding("toy", pat_str="gpt2", mergeable_ranks=RANKS, special_tokens={"<|endoftext|>": 261})
    assert generate(Script(says, vocab_size=262), toy, "x", len(says), temperature=0) == toy.decode(says)


def test_a_special_token_in_a_prompt_is_text(encoding):
    model = Script([97], vocab_size=262, block_size=20)
    assert generate(model, encoding, " the<|endoftext|>", 1, temperature=0) == "a"
    assert model.seen[0] == [260, *b"<|endoftext|>"]


def test_an_id_that_stands_for_no_token_is_never_chosen(encoding):
    """259 is a hole, and 262 and 263 are beyond the vocabulary."""
    for says in ([259], [262], [263]):
        assert generate(Script(says, vocab_size=264), encoding, "x", 1, temperature=0) == "\x00"
        text = generate(Script(says * 60, vocab_size=264, sure=50.0), encoding, "x", 60, rng=np.random.default_rng(0))
        assert len(encoding.encode(text, allowed_special="all")) > 0
    assert generate(Script([256, 3], vocab_size=300), ByteTokenizer(), "x", 2, temperature=0) == "\x00\x03"


def test_nothing_is_generated_for_no_tokens(model, chars):
    assert list(stream(model, chars, "fox", 0, temperature=0)) == []


def test_temperature_sharpens_and_flattens():
    logits = np.array([0.0, 1.0, 2.0, 4.0])

    def entropy(temperature):
        p = np.exp(apply_temperature(logits, temperature))
        p /= p.sum()
        return -(p * np.log(p)).sum()

    entropies = [entropy(t) for t in (0.1, 0.5, 1.0, 2.0, 10.0)]
    assert entropies == sorted(entropies) and entropies[-1] < math.log(4)


def test_a_tiny_temperature_is_greedy_and_does_not_overflow():
    logits = np.array([3e4, 3.0001e4, 1.0], dtype=np.float32)
    assert {next_token(logits, 1e-320, rng=np.random.default_rng(seed)) for seed in range(20)} == {1}


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=12), st.integers(1, 14))
def test_top_k_keeps_the_k_largest_and_the_first_of_equals(values, k):
    logits = np.array(values, dtype=np.float64)
    kept = np.flatnonzero(np.isfinite(top_k(logits, k)))
    expected = sorted(sorted(range(len(values)), key=lambda i: (-values[i], i))[:k])
    assert kept.tolist() == expected
    assert (top_k(logits, k)[kept] == logits[kept]).all()


def test_top_k_draws_no_other_token():
    logits = np.array([0.0, 1.0, 2.0, 1.5, -1.0])
    rng = np.random.default_rng(0)
    assert {next_token(logits, 5.0, k=2, rng=rng) for _ in range(200)} == {2, 3}


def test_tokens_are_drawn_as_often_as_their_probabilities_say():
    p = np.array([0.5, 0.0, 0.2, 0.3])
    rng = np.random.default_rng(0)
    counts = np.bincount([sample(rng, p) for _ in range(20_000)], minlength=4)
    assert counts[1] == 0
    assert np.abs(counts / 20_000 - p).max() < 4 * math.sqrt(0.25 / 20_000)


def test_the_draw_follows_softmax_of_logits_over_temperature():
    logits = np.array([0.3, -1.0, 1.1])
    p = np.exp(logits / 0.7) / np.exp(logits / 0.7).sum()
    rng = np.random.default_rng(5)
    counts = np.bincount([next_token(logits, 0.7, rng=rng) for _ in range(20_000)], minlength=3)
    assert np.abs(counts / 20_000 - p).max() < 4 * math.sqrt(0.25 / 20_000)


class Highest:
    """A generator that always draws the largest number below one."""

    def random(self):
        return float(np.nextafter(1.0, 0.0))


def test_rounding_never_draws_past_the_last_token():
    assert sample(Highest(), np.array([0.1] * 10)) == 9


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_tokens": -1},
        {"temperature": -0.5},
        {"temperature": math.nan},
        {"temperature": math.inf},
        {"top_k": 0},
        {"rng": None},
    ],
)
def test_bad_parameters_are_refused_before_anything_is_generated(model, chars, wrong):
    good = {"max_tokens": 3, "temperature": 1.0, "top_k": None, "rng": np.random.default_rng(0)}
    with pytest.raises(ConfigError, match=r"generate: .*Try: "):
        stream(model, chars, "fox", **{**good, **wrong})


def test_a_prompt_with_an_unknown_character_is_refused(model, chars):
    with pytest.raises(DataError, match="'X'"):
        generate(model, chars, "Xylophone", 3, temperature=0)


def test_a_tokenizer_of_another_model_is_refused(model):
    with pytest.raises(ConfigError, match="256 tokens"):
        generate(model, ByteTokenizer(), "fox", 3, temperature=0)


def test_a_model_that_diverged_says_so():
    with pytest.raises(NaNError, match="NaN"):
        next_token(np.array([1.0, np.nan]), temperature=0)


def test_coarse_weights_are_refused_where_they_would_be_ignored(model, chars):
    class Own(GPT):
        pass

    own = Own(model.config, np.random.default_rng(0))
    assert len(generate(own, chars, "", 2, temperature=0.0)) == 2
    with pytest.raises(ConfigError, match="weights='int8' is for a GPT, not for Own"):
        generate(own, chars, "", 2, temperature=0.0, weights="int8")
