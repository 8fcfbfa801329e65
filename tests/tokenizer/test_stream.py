from __future__ import annotations

import random
import re
from itertools import count, islice

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinyllm.errors import ConfigError, DataError, DTypeError, SpecialTokenError
from tinyllm.tokenizer import Encoding, bytepair, split, stream
from tinyllm.tokenizer.stream import decode_stream, encode_blocks, encode_file, encode_stream

TEXT = """It's what we'll do: don't say 'you're', I'VE said it 1234567 times!  Two  spaces,\n\nlines\r\n
   indented/paths/\n//\tHELLOworld \u4e2d\u6587, \u0928\u092e\u0938\u094d\u0924\u0947, caf\u00e9 and cafe\u0301."""
NAMES = ["<|end|>", "<|end|>!", "<|a", "a|>b", "|>", "d <|", "<|\U0001f600|>"]  # they overlap
PIECES = [
    *"   ''\n\r\t!/.<|1234sltdmve\u017fABab\u4e2d\u0301\u0958\u093c\u1100\u1161\u11a8\u0338=\u3000",
    *"\ud83d\ude00\U0001f600", *NAMES, "  ", "'ll", "<|en", "d|>", "don't", "\r\n", "end", "\u0301\u0301",
]  # fmt: skip
texts = st.lists(st.sampled_from(PIECES), max_size=25).map("".join)
some = st.sampled_from([(), (), "all", *({name} for name in NAMES)])
others = st.sampled_from([(), (), "all", {"<|end|>"}, {"don't", "|>"}])
blocks = st.sampled_from([1, 1, 2, 7, 20, stream.BLOCK])


def learned(pattern: str | re.Pattern[str]) -> Encoding:
    """Merges that reach over all that a pattern cuts, so that a wrong cut shows in the ids."""
    words: dict[bytes, int] = {}
    for piece in [*split(TEXT, "none"), *split(TEXT, "gpt2")]:
        words[piece.encode()] = words.get(piece.encode(), 0) + 1
    ranks = {bytes((i,)): i for i in range(256)}
    extra = [
        "\n\n",
        "\n ",
        " \n",
        "  ",
        "   ",
        "12",
        "123",
        "1234",
        "!/",
        "/\n",
        "'s",
        "s'",
        "''",
        ". ",
        " '",
        "a1",
        "=\u0338",
    ]
    for token in [merge.left + merge.right for merge in bytepair.train(words, 330)] + [one.encode() for one in extra]:
        ranks.setdefault(token, len(ranks))
    specials = {name: len(ranks) + i for i, name in enumerate(NAMES)}
    return Encoding("learned", pat_str=pattern, mergeable_ranks=ranks, special_tokens=specials)


CUSTOM = re.compile(r"\w+(?=\s)|(?<= )\w|\s+$|.", re.DOTALL)  # looks to both sides
ENCODINGS = {name: learned(name) for name in ("gpt2", "cl100k", "llama3", "o200k", "qwen2", "none")}
ENCODINGS["custom"] = learned(CUSTOM)


def cut(whole, places: list[int]):
    ends = sorted(place % (len(whole) + 1) for place in places)
    return [whole[a:b] for a, b in zip([0, *ends], [*ends, len(whole)], strict=True)]


def result(work):
    try:
        return list(work())
    except SpecialTokenError as error:
        return str(error)


def check_text(encoding, text, places, allowed, disallowed, block):
    whole = result(lambda: encoding.encode(text, allowed_special=allowed, disallowed_special=disallowed))
    assert result(lambda: encode_stream(encoding, cut(text, places), allowed, disallowed, block)) == whole


def check_bytes(encoding, text, places, allowed, disallowed, block, noise):
    data = text.encode("utf-8", "replace")
    check = cut(data + noise, places)
    try:
        text = (data + noise).decode()
    except UnicodeDecodeError:
        assert list(encode_stream(encoding, check, (), (), block)) == encoding.encode_bytes(data + noise)
    else:
        whole = result(lambda: encoding.encode(text, allowed_special=allowed, disallowed_special=disallowed))
        assert result(lambda: encode_stream(encoding, check, allowed, disallowed, block)) == whole


places = st.lists(st.integers(0, 60), max_size=25)
noises = st.sampled_from([b"", b"", b"\xff", b"\xe4\xb8", b"\xed\xa0\x80 a", b"\x80  b"])


@pytest.mark.parametrize("name", ENCODINGS)
@settings(max_examples=150)
@given(texts, places, some, others, blocks)
def test_any_cuts_of_a_text(name, text, places, allowed, disallowed, block):
    check_text(ENCODINGS[name], text, places, allowed, disallowed, block)


@pytest.mark.parametrize("name", ENCODINGS)
@settings(max_examples=150)
@given(texts, places, some, others, blocks, noises)
def test_any_cuts_of_bytes(name, text, places, allowed, disallowed, block, noise):
    check_bytes(ENCODINGS[name], text, places, allowed, disallowed, block, noise)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["gpt2", "cl100k", "llama3", "o200k", "qwen2"])
@settings(max_examples=2000, derandomize=True)
@given(texts, places, some, others, blocks, noises)
def test_ten_thousand_random_cuts(name, text, places, allowed, disallowed, block, noise):
    check_text(ENCODINGS[name], text, places, allowed, disallowed, block)
    check_bytes(ENCODINGS[name], text, places, allowed, disallowed, block, noise)


@pytest.mark.parametrize("name", ENCODINGS)
def test_one_character_or_byte_at_a_time(name):
    encoding = ENCODINGS[name]
    text = TEXT + "<|end|>" + TEXT + "\U0001f600 <|end" + "\ud83d"
    ids = encoding.encode(text, allowed_special={"<|end|>"}, disallowed_special=())
    assert list(encode_stream(encoding, text, {"<|end|>"}, (), 1)) == ids
    halves = text.encode("utf-16-le", "surrogatepass")
    halves = [chr(halves[i] | halves[i + 1] << 8) for i in range(0, len(halves), 2)]
    assert list(encode_stream(encoding, halves, {"<|end|>"}, (), 1)) == ids
    data = text[:-1].encode()
    ids = encoding.encode(text[:-1], allowed_special={"<|end|>"}, disallowed_special=())
    for kind in (bytes, bytearray, memoryview):
        ones = (kind(data[i : i + 1]) for i in range(len(data)))
        assert list(encode_stream(encoding, ones, {"<|end|>"}, (), 1)) == ids


@pytest.mark.parametrize(
    ("text", "allowed", "disallowed"),
    [
        ("the <|end|>.", (), "all"),  # a pattern would cut inside of it
        ("the <|end|>!.", (), "all"),  # the longest is the one that is named
        ("the <|end|>!.", {"<|end|>"}, {"<|end|>!"}),
        ("the <|end|>?<|end|>!", {"<|end|>!"}, ()),
        ("and d <|a", {"d <|"}, {"<|a"}),  # what is not allowed begins within what is
        ("and d <|a", {"<|a"}, {"d <|"}),
        ("and d <|a|>b", {"d <|", "a|>b"}, ()),
        ("and d <|a|>b", {"<|a", "|>"}, ()),
        ("and d <|a|>b", {"d <|", "<|a"}, ()),  # of two that overlap, the first
        ("no special one", (), {"special", "al one"}),
        ("<|\ud83d\ude00|>", "all", "all"),
        ("<|\ud83d\ude00|>", (), "all"),
        ("at the end \ud83d", (), {"\ufffd"}),
    ],
)
def test_special_tokens_that_come_bit_by_bit(text, allowed, disallowed):
    for name in ("gpt2", "o200k", "none"):
        for size in (1, 2, 3, 5, 99):
            check_text(ENCODINGS[name], text, list(range(0, len(text), size)), allowed, disallowed, 1)


@pytest.mark.parametrize("nothing", [[], [""], [b""], ["", ""], ""])
def test_nothing_gives_nothing(nothing):
    assert list(encode_stream(ENCODINGS["gpt2"], nothing)) == list(encode_blocks(ENCODINGS["gpt2"], nothing)) == []


@pytest.mark.parametrize("name", ["gpt2", "cl100k", "o200k", "qwen2"])
@pytest.mark.parametrize("kind", ["str", "bytes"])
def test_ids_come_while_the_text_does(name, kind):
    """Of an endless text; no more is held back than a few words, or special tokens that may have begun."""
    taken = 0

    def endless():
        nonlocal taken
        for i in count():
            word = f"word {i}, <|en\U0001f600 "
            taken += len(word)
            yield word if kind == "str" else word.encode()

    encoding = ENCODINGS[name]
    given_out = 0
    for ids in islice(encode_blocks(encoding, endless(), block=100), 50):
        assert ids.dtype == np.uint32 and len(ids)
        given_out += len(encoding.decode(ids))
        assert taken - given_out < 40
    assert given_out > 50 * 60


def test_a_special_token_ends_what_is_held_back():
    """Even where nothing can be cut, memory is bounded by the special tokens."""
    for name in ("custom", "none"):
        encoding = ENCODINGS[name]
        source = iter(["abc " * 50, "<|end", "|>?", *(["x"] * 1000)])
        ids = next(encode_blocks(encoding, source, {"<|end|>"}, (), block=10))
        assert encoding.decode(ids) == "abc " * 50 + "<|end|>"
        assert len(list(source)) > 700  # looked through again when there was twice as much


def test_what_is_held_back_is_not_looked_through_at_every_chunk(monkeypatch):
    looked = []

    def watched(text, pattern, real=stream.last_safe_cut):
        looked.append(len(text))
        return real(text, pattern)

    monkeypatch.setattr(stream, "last_safe_cut", watched)
    size = 3000
    ids = list(encode_stream(ENCODINGS["gpt2"], ["a"] * size, block=8))
    assert ids == ENCODINGS["gpt2"].encode("a" * size)
    assert sum(looked) < 3 * size


def test_a_disallowed_token_is_an_error_where_it_stands():
    encoding = ENCODINGS["gpt2"]
    found = []
    with pytest.raises(SpecialTokenError, match=r"'<\|end\|>!' at character 1,203"):
        for i in encode_stream(encoding, ["abc " * 300, "abc<|en", "d|>!?"], block=10):
            found.append(i)
    assert encoding.decode(found) == ("abc " * 300)[:-1]  # what stood before it came


@pytest.mark.parametrize("wrong", [[5], [None], [["a"]], ["a", b"b"], [b"a", "b"], b"ab", [b"\xff", "a"]])
def test_chunks_that_are_no_text_are_refused(wrong):
    with pytest.raises(DTypeError, match="all str or all bytes"):
        list(encode_stream(ENCODINGS["gpt2"], wrong))


def test_wrong_arguments_are_refused():
    with pytest.raises(ConfigError):
        list(encode_stream(ENCODINGS["gpt2"], ["a"], "<|end|>"))
    with pytest.raises(TypeError):
        list(encode_stream(ENCODINGS["gpt2"], None))


def test_the_method_does_the_same():
    encoding = ENCODINGS["o200k"]
    chunks = [TEXT[:100], TEXT[100:], "<|end|>"]
    assert list(encoding.encode_stream(chunks, allowed_special="all")) == encoding.encode(
        "".join(chunks), allowed_special="all"
    )


def test_a_file(tmp_path):
    encoding, path = ENCODINGS["cl100k"], tmp_path / "text.txt"
    text = (TEXT + "\r\n<|end|>\r") * 20
    path.write_bytes(text.encode())
    ids = encoding.encode(text, allowed_special="all")
    for block in (10, 1000, stream.BLOCK):
        arrays = list(encode_file(encoding, path, "all", block=block))
        assert np.concatenate(arrays).tolist() == ids and all(len(array) for array in arrays)
    assert len(list(encode_file(encoding, str(path), "all", block=500))) > 4
    path.write_bytes(b"")
    assert list(encode_file(encoding, path)) == []
    with pytest.raises(DataError, match="cannot be read"):
        list(encode_file(encoding, tmp_path / "none"))


def test_long_texts_go_to_the_encoder_in_long_blocks():
    encoding = ENCODINGS["o200k"]
    text = TEXT * 1200
    chunks = [text[i : i + 999] for i in range(0, len(text), 999)]
    arrays = list(encode_blocks(encoding, chunks, disallowed_special=()))
    assert np.concatenate(arrays).tolist() == encoding.encode(text)
    assert len(arrays) == -(-len(text) // stream.BLOCK)


# ids to text


@given(
    st.lists(st.sampled_from([*range(256), *range(256, 360)]), max_size=20),
    st.sampled_from(["replace", "ignore", "backslashreplace"]),
)
def test_decoding_as_ids_come(ids, errors):
    encoding = ENCODINGS["gpt2"]
    ids = [i for i in ids if i < encoding.n_vocab]
    texts = list(decode_stream(encoding, iter(ids), errors))
    assert "".join(texts) == encoding.decode(ids, errors) and "" not in texts
    assert list(encoding.decode_stream(np.array(ids, np.uint32), errors)) == texts


@given(texts)
def test_decoding_never_gives_half_a_character(text):
    encoding = ENCODINGS["gpt2"]
    clean = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    given_out = ""
    for part in decode_stream(encoding, list(clean.encode()), "strict"):
        given_out += part
        assert clean.startswith(given_out) and len(part) == 1
    assert given_out == clean


def test_the_end_is_flushed():
    encoding = ENCODINGS["gpt2"]
    assert list(decode_stream(encoding, [97, 0xE4, 0xB8])) == ["a", "\ufffd"]
    assert list(decode_stream(encoding, [97, 0xE4, 0xB8], "ignore")) == ["a"]
    with pytest.raises(UnicodeDecodeError):
        list(decode_stream(encoding, [97, 0xE4, 0xB8], "strict"))


def test_random_cuts_of_a_real_text(data_file):
    text = data_file("corpora/tinyshakespeare.txt").read_text("utf-8")[:200_000]
    rng = random.Random(8)
    for name in ("gpt2", "o200k"):
        ends = sorted(rng.sample(range(len(text)), 300))
        chunks = [text[a:b] for a, b in zip([0, *ends], [*ends, len(text)], strict=True)]
        assert list(encode_stream(ENCODINGS[name], chunks, block=5000)) == ENCODINGS[name].encode(text)
