from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyllm.errors import RangeError
from tinyllm.tokenizer import ByteTokenizer

any_text = st.text(st.characters(exclude_categories=()))  # surrogates, too


@given(st.text())
def test_decode_gives_back_every_text(text):
    tokenizer = ByteTokenizer()
    assert tokenizer.decode(tokenizer.encode(text)) == text


@given(any_text)
def test_list_and_array_hold_the_same_ids(text):
    tokenizer = ByteTokenizer()
    array = tokenizer.encode_to_numpy(text)
    assert array.dtype == np.uint16
    assert array.tolist() == tokenizer.encode(text)


def test_ids_are_the_bytes_of_utf8():
    assert ByteTokenizer().encode("a€\U0001f600") == [0x61, 0xE2, 0x82, 0xAC, 0xF0, 0x9F, 0x98, 0x80]


def test_surrogates_join_or_become_the_replacement_character():
    tokenizer = ByteTokenizer()
    assert tokenizer.decode(tokenizer.encode("\ud83d\ude00")) == "\U0001f600"
    assert tokenizer.decode(tokenizer.encode("x\ud83dy")) == "x\ufffdy"


def test_what_is_no_utf8_becomes_the_replacement_character():
    assert ByteTokenizer().decode([97, 0xE2, 0x82, 98]) == "a\ufffdb"


@pytest.mark.parametrize("wrong", [-1, 256])
def test_an_id_that_is_no_byte_is_named(wrong):
    with pytest.raises(RangeError, match=str(wrong)):
        ByteTokenizer().decode([0, wrong])


def test_decodes_numpy_ids():
    assert ByteTokenizer().decode(np.array([104, 105], dtype=np.uint16)) == "hi"


def test_empty():
    tokenizer = ByteTokenizer()
    assert tokenizer.encode("") == [] and tokenizer.decode([]) == "" and len(tokenizer.encode_to_numpy("")) == 0
