"""The stemmer, step by step; against Snowball's own in tests/oracle/test_lexical_oracle.py."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyllm.rag.lexical.porter2 import stem

STEMS = {
    "0": "it's it boys' boy",
    "1a": "caresses caress ties tie cries cri gas gas this this gaps gap kiwis kiwi cactus cactus kiss kiss skis ski",
    "1b": "agreed agre feed feed hopping hop hoping hope luxuriated luxuri adding add falling fall dying die vying vie "
    "herring herring evenings evening proceed proceed pasted paste bed bed sizing size troubling troubl",
    "1c": "cry cri by by say say",
    "2": "relational relat conditional condit hopefulness hope biologist biolog geology geolog quickly quick",
    "3": "electrical electr goodness good formative format negative negat",
    "4": "adjustment adjust adoption adopt opinion opinion cleverer clever",
    "5": "rate rate probate probat controlling control paste paste past past",
    "whole": "skies sky only onli news news andes andes",
    "regions": "generate generat generously generous universe univers universities universiti internal internal "
    "organization organiz arsenal arsenal",
    "y": "yes yes sayyid sayyid youth youth",
    "short": "a a is is ï ï",
    "letters": "naïve naïv 1950s 1950s",
}


@pytest.mark.parametrize("step", STEMS)
def test_stems(step):
    listed = STEMS[step].split()
    assert [stem(word) for word in listed[::2]] == listed[1::2]


@given(st.text(max_size=12))
def test_any_text_has_a_stem_no_longer_than_it_by_more_than_a_letter(word):
    assert len(stem(word)) <= len(word) + 1
