from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyllm.errors import ConfigError, TokenError
from tinyllm.tokenizer import Encoding
from tinyllm.tokenizer.offsets import _begins, spans

ODD = [
    b"no",
    "é ".encode(),
    b"\x80\x80",
    b"a\xe4",
    b"\xe4\xb8",
    b"\xad\xe4\xb8\xad",
    b"\xe2",
    b"\x82\xac!",
    b"\xff\xfe",
]
RANKS = {bytes((i,)): i for i in range(256)} | {token: 256 + i for i, token in enumerate(ODD)}
TOY = Encoding("toy", pat_str="gpt2", mergeable_ranks=RANKS | {b"\xe2": 0xE2}, special_tokens={"<|end|>": 300})
ids = st.lists(
    st.sampled_from([0xE4, 0xB8, 0xAD, 0xF0, 0x9F, 0x98, 0x80, 0xED, 0xA0, 97, *range(256, 262), 263, 264, 300]),
    max_size=14,
)


def character_of_each_byte(data: bytes) -> list[int]:
    """Found by decoding ever longer pieces: what stays one character when decoded with replacement belongs together."""
    owners, place, number = [], 0, 0
    while place < len(data):
        rest = data[place:]
        try:
            size = len(rest.decode()[0].encode())
        except UnicodeDecodeError as error:
            size = len(rest[: error.start].decode()[0].encode()) if error.start else error.end
        owners += [number] * size
        place, number = place + size, number + 1
    return owners


@given(ids)
def test_a_span_holds_every_character_that_a_token_has_a_part_in(tokens):
    data, text = TOY.decode_bytes(tokens), TOY.decode(tokens)
    owners, expected, begin = character_of_each_byte(data), [], 0
    for token in TOY.decode_tokens_bytes(tokens):
        expected.append((owners[begin], owners[begin + len(token) - 1] + 1))
        begin += len(token)
    found = TOY.spans(tokens)
    assert found == expected
    assert not tokens or (found[0][0], found[-1][1]) == (0, len(text))


@given(ids)
def test_bytes_lie_side_by_side(tokens):
    data = TOY.decode_bytes(tokens)
    found = TOY.spans(tokens, "bytes")
    assert [data[begin:end] for begin, end in found] == TOY.decode_tokens_bytes(tokens)
    assert [0, *(end for _, end in found)] == [*(begin for begin, _ in found), len(data)]


@given(st.text(max_size=12))
def test_spans_begin_at_the_offsets(text):
    tokens = TOY.encode(text, disallowed_special=())
    assert [begin for begin, _ in TOY.spans(tokens)] == TOY.decode_with_offsets(tokens)[1]


def test_examples():
    assert spans(TOY, [0xE2, 263, 97, 300]) == [(0, 1), (0, 2), (2, 3), (3, 10)]  # a euro sign in two tokens
    assert spans(TOY, np.array([264, 97], np.uint16)) == [(0, 2), (2, 3)]  # two bytes that are two U+FFFD
    assert spans(TOY, [0xE4, 0xB8]) == [(0, 1), (0, 1)]  # two bytes that are one
    assert spans(TOY, []) == spans(TOY, [], "bytes") == []


def test_a_long_text_with_wrong_bytes_here_and_there():
    data = ("né€\U0001f600" * 40).encode()
    for place in range(0, 300, 7):
        broken = data[:place] + b"\xf0\x9f" + data[place:] + b"\xe4"
        owners = character_of_each_byte(broken)
        assert _begins(broken).tolist() == [i == 0 or owners[i] != owners[i - 1] for i in range(len(owners))]


def test_wrong_arguments():
    with pytest.raises(ConfigError, match="Try: bytes"):
        TOY.spans([97], "byte")
    with pytest.raises(ConfigError, match="no unit"):
        TOY.spans([97], None)
    with pytest.raises(TokenError, match="no token 299"):
        TOY.spans([299])
