from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyllm.errors import DataError, RangeError
from tinyllm.tokenizer import CharTokenizer


@given(st.text(min_size=1))
def test_decode_gives_back_every_text_of_the_vocabulary(text):
    tokenizer = CharTokenizer(text)
    ids = tokenizer.encode(text)
    assert tokenizer.decode(ids) == text
    assert tokenizer.encode_to_numpy(text).tolist() == ids
    assert tokenizer.decode_bytes(ids) == text.encode()
    assert set(ids) == set(range(tokenizer.n_vocab))


def test_ids_follow_the_code_points():
    assert CharTokenizer("zebra!\n").chars == "\n!aberz"


@pytest.mark.parametrize("method", ["encode", "encode_to_numpy"])
@pytest.mark.parametrize("stranger", ["A", "c", "~", "\U0001f600"])
def test_an_unknown_character_is_named_with_its_place(method, stranger):
    tokenizer = CharTokenizer("abd")
    with pytest.raises(DataError) as caught:
        getattr(tokenizer, method)(f"ab{stranger}")
    message = str(caught.value)
    assert repr(stranger) in message and "character 2" in message and f"U+{ord(stranger):04X}" in message
    assert "\n" not in message


def test_a_large_vocabulary_needs_uint32():
    text = "".join(chr(i) for i in range(32, 32 + 2**16 + 5) if not 0xD800 <= i < 0xE000) + "".join(
        chr(i) for i in range(0x20000, 0x20000 + 2048)
    )
    tokenizer = CharTokenizer(text)
    assert tokenizer.n_vocab > 2**16
    assert tokenizer.encode_to_numpy(text).dtype == np.uint32
    assert CharTokenizer("ab").encode_to_numpy("ab").dtype == np.uint16


@pytest.mark.parametrize("wrong", [-1, 2])
def test_an_id_outside_of_the_vocabulary_is_named(wrong):
    with pytest.raises(RangeError, match=str(wrong)):
        CharTokenizer("ab").decode([0, wrong])


def test_no_text_no_vocabulary():
    with pytest.raises(DataError, match="empty"):
        CharTokenizer("")


def test_lone_surrogates_are_one_symbol_with_the_replacement_character():
    tokenizer = CharTokenizer("a\ud83d")
    assert tokenizer.chars == "a\ufffd"
    assert tokenizer.decode(tokenizer.encode("\ud83da")) == "\ufffda"
