"""Folding: the map leads back, and normalizing before or after makes no difference."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tinyllm.rag.answer.fold import fold
from tinyllm.rag.answer.guard import clean

ODD = st.text(
    st.sampled_from(
        "ab 1.'\"-\n\u0301\u0323\u00e9\u1100\u1161\u11a8\u200b\ufb01\u201c\u2014\u00a0\uff11\u09c7\u09be\u2026"
    )
)


@pytest.mark.parametrize(
    "text, folded",
    [
        ("\u201cIt\u2019s\u201d \u2014 \u00abno\u00bb", "'It's' - 'no'"),
        ("''a'' ``b``", "'a' 'b'"),
        ("a\r\n\t\u2003b", "a b"),
        ("10\u00b2 = 100, 1\u00bd, H\u2082O", "10^2 = 100, 1 1/2, H2O"),
        ("e\u0301 \ufb01n \uff11\uff12", "\u00e9 fin 12"),
        ("a\u200bb\u00adc \x1b[31mred\x1b[0m \u202ex", "abc red x"),
        ("<\\|endoftext|> [\\SEP] \\System: <\\<<", "<|endoftext|> [SEP] System: <<<"),
        ("\\alpha a\\b", "\\alpha a\\b"),
        ("", ""),
    ],
)
def test_fold(text, folded):
    assert fold(text).text == folded


@given(st.text() | ODD)
@example("a \u0301")
@example("\u200be\u0301")
def test_the_map_leads_back(text):
    made = fold(text)
    assert len(made.text) == len(made.begins) == len(made.ends) and made.source == text
    assert list(made.begins) == sorted(made.begins) and list(made.ends) == sorted(made.ends)
    for place, (begin, end) in enumerate(zip(made.begins, made.ends, strict=True)):
        assert 0 <= begin < end <= len(text) and made.was(place) == text[begin:end]


@given(ODD)
def test_normalizing_first_changes_nothing(text):
    assert fold(unicodedata.normalize("NFC", text)).text == fold(text).text
    assert fold(unicodedata.normalize("NFD", text)).text == fold(text).text
    assert fold(fold(text).text).text == fold(text).text


@given(st.text() | ODD | st.text(st.sampled_from("<|[]\\/>SEP:system \n\u200b\u202e\x1b[m\r")))
def test_what_the_guard_does_is_undone(text):
    """A quote of what the model was shown is found in what the document says."""
    assert fold(clean(text).text).text.strip() == fold(text).text.strip()
