"""generate and stream: what is read, what is written, where it ends, and what is said about it."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinyllm as tl
from tinyllm.errors import ConfigError, DataError, DTypeError, NaNError, RangeError, ShapeError
from tinyllm.generate import generate, stream
from tinyllm.models import GPT, GPTConfig
from tinyllm.models.bert import Bert
from tinyllm.models.bert_config import BertConfig
from tinyllm.tokenizer import ByteTokenizer, CharTokenizer, Encoding

TEXT = "the quick brown fox\n"
BYTES = ByteTokenizer()


def gpt(seed=0, n_layer=2, kind=GPT, **sizes):
    """A model with weights far from their small beginnings, so that logits differ clearly from token to token."""
    sizes = {"vocab_size": 17, "block_size": 7, "n_head": 2, "n_embd": 16, "dropout": 0.3, **sizes}
    model = kind(GPTConfig.preset("gpt2", n_layer=n_layer, **sizes), np.random.default_rng(seed))
    rng = np.random.default_rng(seed + 1)
    for p in model.parameters():
        p.data += rng.normal(0, 0.3, p.shape).astype(np.float32)
    return model


@pytest.fixture(scope="module")
def chars():
    return CharTokenizer(TEXT)


@pytest.fixture(scope="module")
def model(chars):
    return gpt(vocab_size=chars.n_vocab)


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


def said(says, tokenizer=BYTES, prompt="x", sizes=(), **settings):
    """What becomes of the ids that a model says, taken one after another."""
    return generate(Script(says, **dict(sizes)), prompt, tokenizer, len(says), 0, **settings)


# what is read


def test_greedy_takes_the_likeliest_token_after_each_prefix(model, chars):
    ids = chars.encode("the q")
    was = model.training
    with tl.no_grad():
        model.eval()
        for _ in range(11):
            ids.append(int(model(np.array([ids[-7:]])).data[0, -1].argmax()))
        model.train(was)
    done = generate(model, "the q", chars, 11, temperature=0)
    assert (done.text, done.ids, done.prompt_ids) == (chars.decode(ids[5:]), ids[5:], ids[:5])
    assert (done.finish, done.seed, done.cut) == ("length", None, 0)


def test_only_the_last_block_is_read_and_what_was_cut_is_said():
    script = Script(b"abcdefgh")
    done = generate(script, "0123456789", BYTES, 3, temperature=0)
    assert (done.text, done.cut, done.prompt_ids) == ("abc", 5, list(b"0123456789"))
    assert [bytes(seen) for seen in script.seen] == [b"56789", b"6789a", b"789ab"]


def test_an_empty_prompt_begins_after_a_newline_or_the_first_token():
    script = Script(b"abc")
    assert generate(script, "", BYTES, 3, temperature=0).text == "abc"
    assert script.seen[0] == [10]
    script = Script(bytes([1, 0]))
    assert generate(script, "", CharTokenizer("xy"), 2, temperature=0).text == "yx"
    assert script.seen[0] == [0]


def test_dropout_is_off_and_the_mode_is_restored(model, chars):
    model.train()
    one = generate(model, "fox", chars, 20, temperature=0).text
    assert model.training and all(module.training for module in model.modules())
    assert one == generate(model.eval(), "fox", chars, 20, temperature=0).text
    assert not model.training


def test_no_graph_is_recorded_and_the_caller_may_record_between_pieces(model, chars):
    x = tl.Tensor([2.0], requires_grad=True)
    pieces = stream(model, "fox", chars, 5, seed=0)
    next(pieces)
    assert (x * x).requires_grad
    assert all(p.grad is None for p in model.parameters())
    for p in model.parameters():
        p.refuse_if_live("the test")


def test_ids_are_a_prompt_and_need_no_tokenizer(model, chars):
    told = generate(model, "the", chars, 9, seed=5)
    for prompt in (chars.encode("the"), tuple(chars.encode("the")), np.array(chars.encode("the"))):
        done = generate(model, prompt, max_tokens=9, seed=5)
        assert (done.ids, done.prompt_ids, done.text) == (told.ids, chars.encode("the"), None)
    assert generate(model, chars.encode("the"), chars, 9, seed=5).text == told.text


# what draws


def test_a_seed_writes_the_same_text_and_another_one_another(model, chars):
    one, two, three = (generate(model, "fox", chars, 40, seed=seed) for seed in (3, 3, 4))
    assert one.ids == two.ids != three.ids
    assert one.ids == generate(model, "fox", chars, 40, rng=np.random.default_rng(3)).ids


def test_without_a_seed_the_one_that_was_taken_is_told(model, chars):
    one, two = (generate(model, "fox", chars, 40) for _ in range(2))
    assert one.seed != two.seed and one.ids != two.ids
    assert generate(model, "fox", chars, 40, seed=one.seed).text == one.text
    pieces = stream(model, "fox", chars, 40)
    assert generate(model, "fox", chars, 40, seed=pieces.seed).text == "".join(pieces)


def test_every_choice_reaches_the_draw(model, chars):
    plain = generate(model, "fox", chars, 60, seed=0).ids
    for setting in ({"top_k": 2}, {"top_p": 0.5}, {"min_p": 0.5}, {"typical_p": 0.3}, {"repetition_penalty": 9.0}):
        assert generate(model, "fox", chars, 60, seed=0, **setting).ids != plain, setting
    assert generate(model, "fox", chars, 60, seed=0, top_k=1).ids == generate(model, "fox", chars, 60, 0).ids
    assert set(generate(model, "fox", chars, 60, logit_bias={4: 100.0}).ids) == {4}


def test_what_the_prompt_said_is_penalized_too():
    assert said(b"xy", repetition_penalty=2.0, logit_bias={ord("z"): 3.0}).text == "zy"


# several prompts


def test_each_of_several_prompts_is_written_as_if_alone(model, chars):
    prompts = ["the", "quick brown fox", "", "x"]
    many = generate(model, prompts, chars, 9, seed=7)
    for i, (prompt, done) in enumerate(zip(prompts, many, strict=True)):
        alone = generate(model, prompt, chars, 9, seed=7 + i)
        assert (done.ids, done.text, done.seed) == (alone.ids, alone.text, 7 + i)
        assert generate(model, prompt, chars, 9, seed=done.seed).text == done.text
    ids = [chars.encode(prompt) for prompt in ("the", "fox")]
    assert [done.ids for done in generate(model, np.array(ids), max_tokens=4, temperature=0)] == [
        generate(model, one, max_tokens=4, temperature=0).ids for one in ids
    ]


def test_several_prompts_without_a_seed_have_one_each(model, chars):
    one, two = generate(model, ["fox", "fox"], chars, 40)
    assert one.seed != two.seed and one.ids != two.ids
    assert generate(model, "fox", chars, 40, seed=two.seed).ids == two.ids
    drawn = [generate(model, ["fox", "fox"], chars, 40, rng=np.random.default_rng(8)) for _ in range(2)]
    assert [done.ids for done in drawn[0]] == [done.ids for done in drawn[1]]
    assert generate(model, "fox", chars, 40, seed=drawn[0][1].seed).ids == drawn[0][1].ids != drawn[0][0].ids


# what is written


@given(st.binary(max_size=24))
def test_pieces_never_end_inside_a_character(says):
    pieces = list(stream(Script(says), "x", BYTES, len(says), temperature=0))
    assert "".join(pieces) == says.decode("utf-8", "replace")


def test_a_character_comes_with_its_last_byte():
    says = "a€b".encode()
    assert list(stream(Script(says), "x", BYTES, len(says), temperature=0)) == ["a", "€", "b"]
    assert list(stream(Script(says), "x", BYTES, 3, temperature=0)) == ["a", "\ufffd"]  # cut short


RANKS = {bytes((i,)): i for i in range(256)} | {b"he": 256, b"\xe2\x82": 257, b"\xaca": 258, b" the": 260}


def toy(**specials):
    """Tokens of several bytes, and a hole at 259."""
    return Encoding("toy", pat_str="gpt2", mergeable_ranks=RANKS, special_tokens=specials or {"<|endoftext|>": 261})


def test_tokens_never_cut_a_character():
    says = [257, 258, 260, 257, 97, 261]
    pieces = list(stream(Script(says, vocab_size=262), "x", toy(other=261), len(says), temperature=0))
    assert pieces == ["\u20aca", " the", "\ufffda", "other"]
    assert "".join(pieces) == toy(other=261).decode(says)


@given(st.lists(st.sampled_from([*range(120, 259), 260]), max_size=24))
def test_the_pieces_are_the_text_of_all_tokens(says):
    assert said(says, toy(), sizes={"vocab_size": 262}).text == toy().decode(says)


def test_a_special_token_in_a_prompt_is_text():
    script = Script([97], vocab_size=262, block_size=20)
    assert generate(script, " the<|endoftext|>", toy(), 1, temperature=0).text == "a"
    assert script.seen[0] == [260, *b"<|endoftext|>"]


def test_an_id_that_stands_for_no_token_is_never_chosen():
    """259 is a hole, and 262 and 263 are beyond the vocabulary."""
    for says in ([259], [262], [263]):
        assert said(says, toy(), sizes={"vocab_size": 264}).text == "\x00"
        text = generate(Script(says * 60, vocab_size=264, sure=50.0), "x", toy(), 60, seed=0).text
        assert len(toy().encode(text, allowed_special="all")) > 0
    assert said([256, 3], sizes={"vocab_size": 300}).text == "\x00\x03"


# where it ends


def test_nothing_is_written_for_no_tokens(model, chars):
    pieces = stream(model, "fox", chars, 0, temperature=0)
    assert list(pieces) == []
    done = pieces.completion
    assert (done.text, done.ids, done.finish, done.timing.tokens_per_second) == ("", [], "length", 0.0)


def test_an_end_token_ends_the_text_and_is_not_spelled():
    done = said([97, 98, 261, 99], toy(), sizes={"vocab_size": 262})
    assert (done.text, done.ids, done.finish) == ("ab", [97, 98, 261], "end")
    assert said([257, 261], toy(), sizes={"vocab_size": 262}).text == "\ufffd"


def test_a_stop_ends_the_text_before_it_however_tokens_cut_it():
    says = [*b"one.", 260, *b"n two"]
    for stop in (". then", [". then", "zzz"], [".", ". then"], "he"):
        done = said(says, toy(), stop=stop, sizes={"vocab_size": 262})
        whole = toy().decode(says)
        assert done.text == min(
            (whole[: whole.index(s)] for s in ([stop] if isinstance(stop, str) else stop) if s in whole), key=len
        )
        assert done.finish == "stop" and done.ids == says[: len(done.ids)] and len(done.ids) < len(says)
    pieces = stream(Script(b"a##b#"), "x", BYTES, 5, temperature=0, stop="###")
    assert list(pieces) == ["a", "##b", "#"] and pieces.completion.finish == "length"


def test_a_stop_in_the_very_last_token_is_seen():
    assert (said(b"ab!", stop="!").text, said(b"ab!", stop="!").finish) == ("ab", "stop")


def test_the_completion_is_there_after_the_last_piece(model, chars):
    pieces = stream(model, "fox", chars, 5, seed=1)
    text = next(pieces)
    assert pieces.completion is None and pieces.prompt_ids == chars.encode("fox")
    text += "".join(pieces)
    assert pieces.completion.text == text == generate(model, "fox", chars, 5, seed=1).text
    assert list(pieces) == []
    pieces = stream(model, "fox", chars, 5, seed=1)
    next(pieces)
    assert pieces.rest().text == pieces.rest().text == text


def test_the_clock_stands_still_while_nobody_asks(model, chars, monkeypatch):
    now = [0.0]
    monkeypatch.setattr("tinyllm.generate.completion.time.perf_counter", lambda: now[0])
    pieces = stream(model, "fox", chars, 5, seed=1)
    for _ in pieces:
        now[0] += 100.0
    timing = pieces.completion.timing
    assert (timing.seconds, timing.first_token_seconds) == (0.0, 0.0)
    assert timing.memory_bytes > sum(p.data.nbytes for p in model.parameters() if p.ndim == 2)


# constraints


class Word:
    """The text is one of some words; a state is what has been written of it."""

    def __init__(self, words, V=256):
        self.words, self.V = [word.encode() for word in words], V

    def start(self):
        return b""

    def allowed(self, state):
        out = np.zeros(self.V, dtype=bool)
        out[[word[len(state)] for word in self.words if word.startswith(state) and word != state]] = True
        return out

    def advance(self, state, token):
        assert self.allowed(state)[token]
        return state + bytes([token])

    def may_end(self, state):
        return state in self.words

    def must_end(self, state):
        return self.may_end(state) and not self.allowed(state).any()


def test_a_constraint_is_kept_whatever_the_model_says():
    model = gpt(vocab_size=264)
    for seed in range(20):
        done = generate(model, "x", BYTES, 9, temperature=5.0, seed=seed, constraint=Word(["to be", "not", "nor"]))
        assert done.text in {"to be", "not", "nor"} and done.finish == "end"
    assert generate(model, "x", BYTES, 2, seed=0, constraint=Word(["to be"])).finish == "length"
    done = generate(model, "x", BYTES, 9, seed=0, constraint=Word([""]))
    assert (done.text, done.finish) == ("", "end")


def test_an_end_token_comes_where_the_constraint_may_end_and_only_there():
    says = [261, 97, 261, 261]
    done = said(says, toy(), sizes={"vocab_size": 262}, constraint=Word(["at", "att"]))
    assert (done.text, done.ids, done.finish) == ("at", [97, 116, 261], "end")
    assert said([261, 97, 98, 116], toy(), sizes={"vocab_size": 262}, constraint=Word(["at", "att"])).text == "att"


def test_a_constraint_cannot_bring_back_what_stands_for_no_token():
    class Anything(Word):
        def allowed(self, state):
            return np.ones(264, dtype=bool)

    assert said([262, 98], toy(), sizes={"vocab_size": 264}, constraint=Anything([])).text == "\x00b"


def test_a_constraint_that_leads_nowhere_is_told():
    class Nowhere(Word):
        def allowed(self, state):
            return np.zeros(self.V, dtype=bool)

    with pytest.raises(DataError, match="the constraint leaves no token"):
        said(b"ab", constraint=Nowhere(["at"]))
    with pytest.raises(ConfigError, match=r"for \(300,\) tokens, the model has 256"):
        said(b"ab", constraint=Word(["at"], V=300))


# a draft


def test_a_draft_changes_no_greedy_text(chars):
    target, draft = (gpt(seed, L, vocab_size=chars.n_vocab, block_size=40) for seed, L in ((0, 2), (5, 1)))
    plain = generate(target, "the fox", chars, 30, temperature=0)
    helped = generate(target, "the fox", chars, 30, temperature=0, draft=draft)
    assert (helped.text, helped.ids, helped.finish) == (plain.text, plain.ids, "length")
    assert helped.timing.memory_bytes > plain.timing.memory_bytes
    stop = plain.text[12:15]
    cut = generate(target, "the fox", chars, 30, temperature=0, draft=draft, stop=stop)
    assert cut.text == plain.text[: plain.text.index(stop)] and cut.finish == "stop"


def test_a_draft_writes_no_hole_and_needs_room():
    target, draft = (gpt(seed, 1, vocab_size=264, block_size=40) for seed in (0, 5))
    wanted = {259: 50.0, 262: 50.0, 97: 5.0}
    done = generate(target, "x", toy(), 39, temperature=3.0, seed=0, draft=draft, logit_bias=wanted)
    assert not {259, 262, 263} & set(done.ids) and 97 in done.ids
    with pytest.raises(RangeError, match="prompt and text have 41 tokens, a context 40"):
        generate(target, "x", toy(), 40, draft=draft)
    with pytest.raises(ConfigError, match="the draft has 17 tokens, the model 264"):
        generate(target, "x", toy(), 9, draft=gpt())
    with pytest.raises(ConfigError, match="Script cannot speculate"):
        generate(Script(b"a"), "x", BYTES, 9, draft=draft)
    with pytest.raises(ConfigError, match="a draft cannot keep to a constraint"):
        generate(target, "x", toy(), 9, draft=draft, constraint=Word(["at"]))


# what does not fit


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_tokens": -1},
        {"max_tokens": 2.5},
        {"temperature": -0.5},
        {"temperature": math.nan},
        {"temperature": math.inf},
        {"top_k": 0},
        {"top_p": 0},
        {"min_p": 2},
        {"typical_p": 0},
        {"repetition_penalty": 0},
        {"stop": [""]},
        {"stop": 5},
        {"seed": -1},
        {"seed": "a"},
        {"weights": "int9"},
        {"seed": 1, "rng": np.random.default_rng(0)},
    ],
)
def test_bad_parameters_are_refused_before_anything_is_generated(model, chars, wrong):
    with pytest.raises(ConfigError, match=r"(generate|Sampling|Decoder|Stops): .*"):
        stream(model, "fox", chars, **{"max_tokens": 3, **wrong})


def test_a_bias_for_no_token_is_refused_before_anything_is_generated(model, chars):
    with pytest.raises(RangeError, match="there is no token 99"):
        stream(model, "fox", chars, logit_bias={99: 1.0})


def test_what_is_no_prompt(model, chars):
    for prompt, error, words in (
        ("Xylophone", DataError, "'X'"),
        ([], DataError, "the prompt has no tokens"),
        ([["x"]], DTypeError, r"the prompt is \['x'\]"),
        ([0.5], DTypeError, r"the prompt is \[0.5\]"),
        (None, DTypeError, "the prompt is None"),
        ([3, 99], RangeError, "99, which is no token.*ids from 0 to"),
        ([3, -1], RangeError, "-1, which is no token"),
    ):
        with pytest.raises(error, match=words):
            generate(model, prompt, chars, 3, temperature=0)
    with pytest.raises(ConfigError, match="in letters needs a tokenizer"):
        generate(model, "fox")
    with pytest.raises(ConfigError, match="stop is found in letters"):
        generate(model, [3], stop="x")
    with pytest.raises(ConfigError, match="without a tokenizer there is no text"):
        stream(model, [3])
    with pytest.raises(ConfigError, match="several prompts"):
        stream(model, ["the", "fox"], chars)
    with pytest.raises(ConfigError, match=r"a str is no model.*tl.load"):
        generate("gpt2", "fox", chars)
    encoder = Bert(BertConfig(vocab_size=17, n_layer=1, n_head=1, n_embd=4, n_hidden=8), np.random.default_rng(0))
    with pytest.raises(ShapeError, match=r"what Bert says has shape \(1, 3, 4\), not \(B, T, V\)"):
        generate(encoder, "fox", chars)
    assert generate(model, "fox", chars, 3, stop=None, seed=0).finish == "length"


def test_a_tokenizer_of_another_model_is_refused(model):
    with pytest.raises(ConfigError, match="256 tokens"):
        generate(model, "fox", BYTES, 3, temperature=0)


@pytest.mark.parametrize("temperature", [0, 1])
def test_a_model_that_diverged_says_so(temperature):
    with pytest.raises(NaNError, match="NaN"):
        generate(Script(b"ab", sure=math.nan), "x", BYTES, 2, temperature, seed=0)
    pieces = stream(Script(b"ab", sure=math.nan), "x", BYTES, 2, temperature, seed=0)
    with pytest.raises(NaNError):
        pieces.rest()
    with pytest.raises(DataError, match="an error has ended this text"):
        pieces.rest()


def test_coarse_weights_are_refused_where_they_would_be_ignored(model, chars):
    class Own(GPT):
        pass

    own = gpt(kind=Own, vocab_size=chars.n_vocab)
    assert len(generate(own, "", chars, 2, temperature=0.0).ids) == 2
    with pytest.raises(ConfigError, match="weights='int8' is for a GPT or a Llama as it comes, not for Own"):
        generate(own, "", chars, 2, temperature=0.0, weights="int8")
