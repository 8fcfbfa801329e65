from __future__ import annotations

import copy
import pickle
import random
import re
import unicodedata
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyllm import kernels
from tinyllm.errors import ConfigError, DTypeError, SpecialTokenError
from tinyllm.tokenizer import Encoding, bytepair, split
from tinyllm.tokenizer.split import PATTERNS

TEXT = """It's what we'll do: don't say 'you're', I'VE said it 1234567 times!  Two  spaces,\n\nlines\r\n
   indented/paths\tHELLOworld \u4e2d\u6587, \u0928\u092e\u0938\u094d\u0924\u0947, caf\u00e9 and cafe\u0301."""
LETTERS = "abIt's  \n\r\t/!.12lvre\u4e2d\u00e9\u0301\U0001f600\x00<|>"
SPECIALS = ["<|a|>", "<|a|>b", "<|end|>", "|>", "<\U0001f600>"]


def learned(pattern="gpt2", tokens=330, by_merges=False, **more) -> Encoding:
    """An encoding whose merges were learned from TEXT."""
    words: dict[bytes, int] = {}
    for piece in split(TEXT, pattern):
        words[piece.encode()] = words.get(piece.encode(), 0) + 1
    merges = [merge[:2] for merge in bytepair.train(words, tokens)]
    merges += [(bytes((a,)), bytes((b,))) for a, b in (b"\n ", b" \n", b"\n\n", b"/\n", b"2.", b"!'", b"\ta")]
    ranks = {bytes((i,)): i for i in range(256)}
    for left, right in merges:
        ranks.setdefault(left + right, len(ranks))
    specials = {name: len(ranks) + i for i, name in enumerate(SPECIALS)}
    given = {"pat_str": pattern, "mergeable_ranks": ranks, "special_tokens": specials}
    return Encoding("learned", **given | {"merges": merges if by_merges else None} | more)


def by_the_book(encoding: Encoding, text: str, allowed=(), disallowed="all") -> list[int]:
    """Encoding as the documents tell it, from the two references."""
    names = encoding.special_tokens_set
    allowed = names if allowed == "all" else names & set(allowed)
    text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if any(name in text for name in (names - allowed if disallowed == "all" else disallowed)):
        raise SpecialTokenError("")
    finder = "|".join(re.escape(name) for name in sorted(allowed, key=len, reverse=True))
    ids = []
    for part in re.split(f"({finder})", text) if allowed else [text]:
        if part in allowed:
            ids.append(encoding.specials.ids[part])
        else:
            for piece in split(part, encoding.pattern):
                ids += bytepair.encode(piece.encode(), encoding.ranks)
    return ids


texts = st.lists(st.sampled_from([*LETTERS, *SPECIALS, "<|en", "\ud83d", "\ude00"]), max_size=25).map("".join)
some = st.sampled_from(["all", *SPECIALS]).map(lambda name: name if name == "all" else {name}) | st.just(())
GPT2, O200K, QWEN = learned(), learned("o200k"), learned("qwen2")


# text to ids


@given(st.sampled_from([GPT2, O200K, QWEN]), texts, some, some)
def test_special_tokens_in_every_combination(encoding, text, allowed, disallowed):
    try:
        expected = by_the_book(encoding, text, allowed, disallowed)
    except SpecialTokenError:
        for encode in (encoding.encode, encoding.encode_to_numpy, encoding.count, encoding.encode_with_unstable):
            with pytest.raises(SpecialTokenError):
                encode(text, allowed_special=allowed, disallowed_special=disallowed)
        return
    given = {"allowed_special": allowed, "disallowed_special": disallowed}
    assert encoding.encode(text, **given) == expected
    assert encoding.encode_to_numpy(text, **given).tolist() == expected
    assert encoding.count(text, **given) == len(expected)
    assert encoding.encode_batch([text, text], **given) == [expected] * 2
    stable, _ = encoding.encode_with_unstable(text, **given)
    assert stable == expected[: len(stable)]


@pytest.mark.parametrize("name", PATTERNS)
@given(texts)
def test_decode_gives_the_text_back(name, text):
    encoding = learned(name) if name not in ("gpt2", "o200k") else {"gpt2": GPT2, "o200k": O200K}[name]
    clean = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if PATTERNS[name].normalize:
        clean = unicodedata.normalize("NFC", clean)
    ids = encoding.encode_ordinary(text)
    assert encoding.decode(ids) == clean and encoding.decode_bytes(ids) == clean.encode()
    assert ids == by_the_book(encoding, text, (), ()) == encoding.encode(text, disallowed_special=())


def test_an_error_names_the_token_and_what_to_pass():
    with pytest.raises(SpecialTokenError, match=r"'<\|end\|>' at character 2.*allowed_special=\{'<\|end\|>'\}"):
        GPT2.encode("a <|end|>")
    with pytest.raises(
        SpecialTokenError, match="the disallowed 'im_start'"
    ):  # as a guard against other people's tokens
        GPT2.encode("im_start", disallowed_special={"im_start"})


def test_the_longest_special_token_wins():
    a, ab = (GPT2.specials.ids[name] for name in ("<|a|>", "<|a|>b"))
    assert GPT2.encode("<|a|>b<|a|>", allowed_special="all") == [ab, a]
    assert GPT2.encode("<|a|>b", allowed_special={"<|a|>"}, disallowed_special=()) == [a, ord("b")]


def test_surrogates_are_joined_or_replaced_everywhere():
    whole, halves, lone = "\U0001f600", "\ud83d\ude00", "\ud83d"
    assert GPT2.encode(halves) == GPT2.encode(whole) and GPT2.encode(lone) == GPT2.encode("\ufffd")
    name = "<\U0001f600>"
    assert GPT2.encode(f"<{halves}>", allowed_special="all") == [GPT2.specials.ids[name]]
    with pytest.raises(SpecialTokenError):
        GPT2.encode(f"<{halves}>")


def test_the_end_of_a_slice_is_an_end():
    cl100k = learned("cl100k")
    end = cl100k.specials.ids["<|end|>"]
    assert cl100k.encode("a \n <|end|>b", allowed_special="all") == [
        *cl100k.encode_ordinary("a \n "), end, *cl100k.encode_ordinary("b"),
    ]  # fmt: skip


def test_nothing():
    assert GPT2.encode("") == GPT2.encode_ordinary("") == GPT2.encode_bytes(b"") == GPT2.encode_piece(b"") == []
    assert GPT2.count("") == 0 and GPT2.encode_batch([]) == [] and GPT2.encode_to_numpy("").shape == (0,)
    assert GPT2.encode_to_numpy("").dtype == GPT2.encode_to_numpy("a<|end|>", allowed_special="all").dtype == np.uint32


@pytest.mark.parametrize("wrong", [None, b"ab", bytearray(b"ab"), 5, 1.5, ["a"], ("a",), np.array(["a"])])
def test_what_is_no_text_is_refused(wrong):
    fast = copy.copy(GPT2)
    fast.load_kernels()
    for toy in (GPT2, fast):
        for encode in (toy.encode, toy.encode_ordinary, toy.encode_to_numpy, toy.count, toy.encode_with_unstable):
            with pytest.raises(DTypeError, match=f"the text is a {type(wrong).__name__}"):
                encode(wrong)
    for encode in (GPT2.encode_batch, GPT2.encode_ordinary_batch):
        with pytest.raises(DTypeError):
            encode([wrong, "a"])


def test_a_batch_is_not_one_text():
    with pytest.raises(DTypeError, match="a list of texts"):
        GPT2.encode_batch("abc")


@pytest.mark.parametrize("wrong", ["ab", None, 5, [97]])
def test_what_is_no_bytes_is_refused(wrong):
    for encode in (GPT2.encode_bytes, GPT2.encode_piece):
        with pytest.raises(DTypeError, match=f"the data are a {type(wrong).__name__}"):
            encode(wrong)


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_bytes_of_all_kinds(kind):
    assert GPT2.encode_bytes(kind(b"it's")) == GPT2.encode("it's")
    assert GPT2.encode_piece(kind(b"abc")) == bytepair.encode(b"abc", GPT2.ranks)


@given(st.binary(max_size=12), texts)
def test_any_bytes_come_back(data, text):
    data = text.encode("utf-8", "surrogatepass") + data
    assert GPT2.decode_bytes(GPT2.encode_bytes(data)) == data


# how pieces are merged


def test_a_whole_piece_that_no_merges_lead_to():
    ranks = {bytes((i,)): i for i in range(256)} | {b"abc": 256, b"bc": 257}
    merges = [(b"b", b"c")]
    assert Encoding("x", pat_str="gpt2", mergeable_ranks=ranks).encode("abc") == [256]
    kept = Encoding("x", pat_str="gpt2", mergeable_ranks=ranks, merges=merges)
    assert kept.encode("abc") == [97, 257] and not kept.ignore_merges
    ignoring = Encoding("x", pat_str="gpt2", mergeable_ranks=ranks, merges=merges, ignore_merges=True)
    assert ignoring.encode("abc") == [256]


def test_merges_go_in_the_order_in_which_they_were_learned():
    ranks = {bytes((i,)): i for i in range(256)} | {b"ab": 256, b"bc": 257}
    given = {"pat_str": "gpt2", "mergeable_ranks": ranks}
    assert Encoding("x", **given).encode("abc") == [256, 99]
    assert Encoding("x", **given, merges=[(b"b", b"c"), (b"a", b"b")]).encode("abc") == [97, 257]
    assert Encoding("x", **given, merges=[(b"b", b"c")]).encode("ab") == [97, 98]
    assert Encoding("x", **given, merges=[(b"a", b"b"), (b"b", b"c"), (b"a", b"b")]).encode("abc") == [256, 99]


@given(texts)
def test_learned_merges_and_their_ranks_give_the_same(text):
    assert learned(by_merges=True).encode_ordinary(text) == GPT2.encode_ordinary(text)


def test_a_pattern_of_ones_own():
    own = learned(re.compile(r"[a-z]+|.", re.DOTALL | re.IGNORECASE))
    assert own.pattern.family == "custom"
    for text in ("It's 12 \n", TEXT):
        expected = [i for p in re.findall(r"(?is)[a-z]+|.", text) for i in bytepair.encode(p.encode(), own.ranks)]
        assert own.encode(text) == expected and own.count(text) == len(expected)


def test_pieces_are_remembered_only_so_far(monkeypatch):
    monkeypatch.setattr("tinyllm.tokenizer.encoding._MOST_WORDS", 3)
    fresh = copy.copy(GPT2)
    for text in ("ab", "it's what", "ab cd ef gh ij"):
        assert fresh.encode(text) == GPT2.encode(text)
        assert len(fresh._words) <= 3
    fresh.encode_piece(b"ab").append(0)  # what came out belongs to the caller
    assert fresh.encode("ab") == GPT2.encode("ab")


# the kernels


@pytest.mark.parametrize("pattern", ["gpt2", "cl100k", "o200k", "qwen2", "none", re.compile(r"[a-z]+\s*|(?s:.)")])
@pytest.mark.parametrize("by_merges", [False, True])
def test_the_kernels_give_the_same(pattern, by_merges):
    plain, fast = learned(pattern, by_merges=by_merges), learned(pattern, by_merges=by_merges)
    fast.load_kernels()
    rng = random.Random(3)
    for _ in range(300):
        text = "".join(rng.choices([*LETTERS, "\ud83d", "it's", "what"], k=rng.randint(0, 40)))
        with kernels.use("numpy"):
            ids = plain.encode_ordinary(text)
            assert plain._encoder is None
        assert fast.encode_ordinary(text) == fast.encode_to_numpy(text, disallowed_special=()).tolist() == ids
        assert fast.count(text, disallowed_special=()) == len(ids)
        data = text.encode("utf-8", "replace") + bytes(rng.choices(range(256), k=3))
        with kernels.use("numpy"):
            ids = plain.encode_bytes(data)
        assert fast.encode_bytes(data) == ids and fast.encode_piece(data) == plain.encode_piece(data)


@pytest.mark.skipif(kernels.backend() == "numpy", reason="there is no Numba to load kernels with")
def test_a_long_text_loads_the_kernels_and_so_do_many_short_ones(monkeypatch):
    monkeypatch.setattr("tinyllm.tokenizer.encoding.MUCH", 1 << 40)
    short, long = copy.copy(O200K), copy.copy(O200K)
    for _ in range(300):
        short.encode(TEXT)
    assert long.encode(TEXT * 300)[:1000] == (short.encode(TEXT) * 20)[:1000]
    assert short._encoder is None and long._encoder is not None
    monkeypatch.setattr("tinyllm.tokenizer.encoding.MUCH", len(TEXT) * 302 << 4)
    assert short.encode(TEXT) and short._encoder is not None


def test_without_the_kernels_long_texts_are_encoded_in_plain_python():
    fresh = copy.copy(O200K)
    with kernels.use("numpy"):
        assert fresh.encode(TEXT * 300) == by_the_book(fresh, TEXT * 300) and fresh._encoder is None


def test_threads_may_share_an_encoding():
    rng = random.Random(9)
    many = ["".join(rng.choices([*LETTERS, *"what", "it's "], k=200)) for _ in range(400)]
    expected = [by_the_book(GPT2, text, (), ()) for text in many]
    plain, fast = copy.copy(GPT2), copy.copy(GPT2)
    fast.load_kernels()
    for shared in (plain, fast):
        with ThreadPoolExecutor(8) as pool:
            assert list(pool.map(shared.encode_ordinary, many * 3)) == expected * 3
    assert fast.encode_ordinary_batch(many, num_threads=3) == expected
    assert fast.encode_batch(many, num_threads=1, disallowed_special=()) == expected


# the object


@pytest.mark.parametrize("made", [GPT2, learned("qwen2", by_merges=True, tie="bytes"), learned(re.compile(r"\s|\S+"))])
def test_copies_are_equal_and_encode_the_same(made):
    made.encode("it's")
    for again in (pickle.loads(pickle.dumps(made)), copy.copy(made), copy.deepcopy(made)):
        assert again == made and hash(again) == hash(made) and again is not made
        assert again.encode("it's what cafe\u0301") == made.encode("it's what cafe\u0301")
        assert again.tie == made.tie and again.decode(range(256, 270)) == made.decode(range(256, 270))
    fast = copy.copy(made)
    fast.load_kernels()
    assert pickle.loads(pickle.dumps(fast)) == made == fast
    assert len({made, fast, GPT2, copy.copy(GPT2)}) == (1 if made is GPT2 else 2)


def test_encodings_are_equal_by_what_they_hold():
    assert learned() == GPT2 and learned("cl100k") != GPT2 and learned(by_merges=True) != GPT2
    assert learned(tokens=329) != GPT2 and learned(special_tokens={}) != GPT2 and GPT2 != "learned"
    assert repr(GPT2) == "<Encoding 'learned'>"


def test_explicit_n_vocab_is_checked():
    n = GPT2.n_vocab
    assert learned(explicit_n_vocab=n) == GPT2
    for wrong in (n - 1, n + 1):
        with pytest.raises(ConfigError, match="explicit_n_vocab"):
            learned(explicit_n_vocab=wrong)
    with pytest.raises(ConfigError, match="explicit_n_vocab"):  # a hole
        learned(special_tokens={"<|x|>": n}, explicit_n_vocab=n + 1)


def test_normal_forms():
    assert QWEN.encode("cafe\u0301") == QWEN.encode("caf\u00e9") != GPT2.encode("cafe\u0301")
    assert QWEN.decode(QWEN.encode("e\u0301")) == "\u00e9"
