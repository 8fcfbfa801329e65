from __future__ import annotations

import json
import pickle
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyllm.errors import CheckpointError, DataError, RangeError
from tinyllm.tokenizer.scores import ScoredBPE

BASE = ["<unk>", "\n<s>\n", "\n</s>\n", *(f"<0x{byte:02X}>" for byte in range(256))]


def made(merges: dict[str, float], characters: str = " abc€") -> ScoredBPE:
    tokens = [*BASE, *characters, *merges]
    return ScoredBPE(tokens, [0.0] * (len(tokens) - len(merges)) + list(merges.values()))


# equal scores, a token with a rival inside, doubled letters, runs of spaces
WORDS = made({"ab": -1, "bc": -1, "aa": -2, " a": -3, "abc": -4, "  ": -5, "  a": 1.5, "aaaa": 9, "c€": -0.5, "cc": 0})
# a space inside of a token: the text is one chunk
ACROSS = made({"a b": -1, "b ": -2, " a": -3, "ab": -0.5, "b ab": 2})


@pytest.fixture(params=["words", "across"])
def tokenizer(request) -> ScoredBPE:
    return {"words": WORDS, "across": ACROSS}[request.param]


@pytest.fixture(scope="module")
def stories(data_file) -> ScoredBPE:
    return ScoredBPE.from_file(data_file("models/stories260K/tok512.bin"))


def plain_loop(tokenizer: ScoredBPE, text: str) -> list[int]:
    """encode() of run.c, word by word: look at every pair, join the best, begin again."""
    ids = [1]
    for char in " " + text if text else "":
        if char in tokenizer.tokens:
            ids.append(tokenizer.tokens.index(char))
        else:
            ids += [byte + 3 for byte in char.encode()]
    while True:
        best, place, joined = -1e10, None, None
        for i in range(len(ids) - 1):
            both = tokenizer.tokens[ids[i]] + tokenizer.tokens[ids[i + 1]]
            if both in tokenizer.tokens and tokenizer.scores[tokenizer.tokens.index(both)] > best:
                place, joined = i, tokenizer.tokens.index(both)
                best = tokenizer.scores[joined]
        if place is None:
            return ids
        ids[place : place + 2] = [joined]


# encoding


@given(st.text("ab c€é\n", max_size=14), st.sampled_from([WORDS, ACROSS]))
def test_the_heap_joins_what_the_plain_loop_joins(text, tokenizer):
    ids = tokenizer.encode(text)
    assert ids == plain_loop(tokenizer, text)
    assert tokenizer.decode(ids) == text
    assert tokenizer.encode_to_numpy(text).tolist() == ids


def test_only_a_vocabulary_without_inner_spaces_is_cut_at_them():
    assert WORDS._chunks.findall("  ab  c ") == ["  ab", "  c", " "]
    assert ACROSS._chunks.findall("  ab  \nc ") == ["  ab  \nc "]


def test_stories260k(stories, data_file):
    assert stories.n_vocab == 512
    assert stories.encode("Once upon a time,\n x€") == [1, 403, 407, 261, 378, 432, 13, 410, 444, 503]
    golden = data_file("models/stories260K/golden.txt").read_bytes().decode()
    ids = stories.encode(golden)
    assert len(ids) == 201 and ids[0] == 1 and stories.decode(ids) == golden
    assert ids == plain_loop(stories, golden)


@given(text=st.text(max_size=20))
def test_stories260k_spells_every_text(stories, text):
    assert stories.encode(text) == plain_loop(stories, text)
    assert stories.decode(stories.encode(text)) == text


def test_long_texts_are_no_trouble(tokenizer):
    text = "aab" * 30_000 + " " * 30_000
    ids = tokenizer.encode(text)
    assert tokenizer.decode(ids) == text and ids[:50] == plain_loop(tokenizer, "aab" * 40)[:50]


def test_the_frame():
    assert WORDS.encode("") == [1] and WORDS.encode("", bos=False, eos=True) == [2]
    assert WORDS.encode("b", bos=False) == [259, 261] and WORDS.encode("b", eos=True) == [1, 259, 261, 2]
    assert WORDS.encode_to_numpy("b", eos=True).tolist() == [1, 259, 261, 2]


def test_scores_are_those_that_a_file_can_hold(tmp_path):
    tokenizer = made({"ab": 0.1})
    tokenizer.save(tmp_path / "tok.bin")
    assert ScoredBPE.from_file(tmp_path / "tok.bin") == tokenizer and tokenizer.scores[-1] == float(np.float32(0.1))


def test_of_equal_tokens_the_first_is_used():
    twice = ScoredBPE([*WORDS.tokens, "ab", "c"], [*WORDS.scores, 5.0, 5.0])
    assert twice.encode("cab a") == WORDS.encode("cab a")


def test_surrogates_join_or_become_the_replacement_character(tokenizer):
    assert tokenizer.decode(tokenizer.encode("\ud83d\ude00\ud83d")) == "\U0001f600\ufffd"


def test_array_type_follows_the_size():
    assert WORDS.encode_to_numpy("a").dtype == np.uint16
    large = made({str(i): 0.0 for i in range(2**16)})
    assert large.encode_to_numpy("a").dtype == np.uint32


# decoding


def test_a_space_is_taken_off_after_bos_only():
    space, a, spaced = 259, 260, WORDS.tokens.index(" a")
    assert WORDS.decode([1, spaced]) == "a" and WORDS.decode([spaced]) == " a"
    assert WORDS.decode([1, space, spaced]) == " a" and WORDS.decode([1, a, spaced]) == "a a"
    assert WORDS.decode([1, WORDS.tokens.index("  ")]) == " "
    assert WORDS.decode([1, spaced, 2, 1, spaced]) == "aa" and WORDS.decode([1]) == WORDS.decode([]) == ""
    assert WORDS.decode([0, a]) == "<unk>a"


def test_bytes_are_bytes():
    assert WORDS.decode([1, 3 + 0xC3, 3 + 0xA9, 3 + 0xC3, 260]) == "é\ufffda"
    assert WORDS.decode_bytes(np.array([3 + 0xC3, 3, 13], np.uint16)) == b"\xc3\x00\n"


@pytest.mark.parametrize("wrong", [-1, 512])
def test_an_unknown_id_is_named(wrong):
    with pytest.raises(RangeError, match=f"no token {wrong}"):
        WORDS.decode([1, wrong])


# files and descriptions


def test_a_saved_file_is_the_file_that_was_read(stories, tmp_path, data_file):
    stories.save(tmp_path / "tok.bin")
    assert (tmp_path / "tok.bin").read_bytes() == data_file("models/stories260K/tok512.bin").read_bytes()
    with pytest.raises(CheckpointError):
        stories.save(tmp_path / "nowhere" / "tok.bin")


def test_goes_through_files_json_and_pickle(tokenizer, tmp_path):
    tokenizer.save(tmp_path / "tok.bin")
    described = json.loads(json.dumps(tokenizer.to_dict()))
    for again in (
        ScoredBPE.from_file(str(tmp_path / "tok.bin")),
        ScoredBPE.from_dict(described),
        pickle.loads(pickle.dumps(tokenizer)),
    ):
        assert again == tokenizer and hash(again) == hash(tokenizer)
        assert again.encode("aaaa b ab€") == tokenizer.encode("aaaa b ab€")
    assert described["kind"] == ScoredBPE.name and WORDS != ACROSS
    described["scores"][-1] += 1
    assert ScoredBPE.from_dict(described) != tokenizer


def packed(tokens: list[bytes], longest: int = 9, scores: dict[int, float] | None = None) -> bytes:
    parts = [struct.pack("<i", longest)]
    for i, token in enumerate(tokens):
        parts.append(struct.pack("<fi", (scores or {}).get(i, 0.0), len(token)) + token)
    return b"".join(parts)


BYTES = [token.encode() for token in BASE]


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "is empty"),
        (b"\x07\x00", "header"),
        (packed(BYTES)[:-1], "ends inside token 258"),
        (packed(BYTES) + b"\x00" * 7, "ends inside token 259"),
        (packed(BYTES) + struct.pack("<fi", 0.0, 3), "ends inside token 259"),
        (packed(BYTES) + struct.pack("<fi", 0.0, -3) + b"abc", "token 259 claims -3 bytes"),
        (packed([*BYTES, b"abcdefghij"]), "token 259 claims 10 bytes where the longest has 9"),
        (packed(BYTES, longest=-1), "token 0 claims 5 bytes where the longest has -1"),
        (packed(BYTES[:-1]), "258 tokens are too few"),
        (packed(BYTES[:4]), "4 tokens are too few"),
        (struct.pack("<i", 7), "0 tokens are too few"),
        (packed([*BYTES[:3], b"a", *BYTES[3:]]), r"token 3 is 'a' and not <0x00>"),
        (packed([*BYTES, b"\xc3"]), "token 259 is not UTF-8"),
        (packed([*BYTES, b"a"], scores={259: float("nan")}), "token 259, 'a', is nan"),
        (packed([*BYTES, b"a"], scores={259: float("-inf")}), "token 259, 'a', is -inf"),
    ],
)
def test_what_is_no_vocabulary_is_refused(tmp_path, data, told):
    path = tmp_path / "tok.bin"
    path.write_bytes(data)
    with pytest.raises(DataError, match=told) as caught:
        ScoredBPE.from_file(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value) and "Try: " in str(caught.value)


def test_a_model_is_no_vocabulary(tmp_path, data_file):
    with pytest.raises(DataError, match=r"stories260K\.bin: "):
        ScoredBPE.from_file(data_file("models/stories260K/stories260K.bin"))
    with pytest.raises(DataError, match="no such file"):
        ScoredBPE.from_file(tmp_path / "tok.bin")


@pytest.mark.parametrize(
    "saved",
    [
        {},
        {"tokens": BASE},
        {"tokens": BASE, "scores": [0.0]},
        {"tokens": BASE, "scores": ["a"] * 259},
        {"tokens": BASE, "scores": [None, *[0.0] * 258]},
        {"tokens": BASE, "scores": [1e300] * 259},
        {"tokens": BASE, "scores": [[0.0]] * 259},
        {"tokens": [0] * 300, "scores": [0.0] * 300},
        {"scores": []},
    ],
)
def test_descriptions_that_do_not_fit(saved):
    with pytest.raises(DataError):
        ScoredBPE.from_dict({"kind": "scores", **saved})
