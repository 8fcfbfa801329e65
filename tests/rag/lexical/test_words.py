"""Words: both presets, and what they do to letters that are not ASCII."""

from __future__ import annotations

import pytest

from tinyllm.errors import ConfigError
from tinyllm.rag.lexical.words import words


def test_default_folds_letters_and_keeps_one_letter_words():
    assert words("Ｆｌｕｘ STRASSE Straße ﬁne") == ["flux", "strass", "strass", "fine"]
    assert words("vitamin C, pH 7") == ["vitamin", "c", "ph", "7"]


def test_inner_apostrophes_are_one_letter_whatever_they_look_like():
    assert words("dogs' o'clock don’t Reynolds’s") == words("dogs' o'clock don't reynolds's")
    assert words("o’clock") == ["o'clock"]


def test_bm25s_loses_one_letter_words_and_splits_at_apostrophes():
    assert words("vitamin C don't", "bm25s") == ["vitamin", "don"]
    assert words("what is not there", "bm25s") == ["what"]


def test_nothing_gives_nothing():
    assert words("") == words(" ... ") == words("the of and") == []


def test_other_scripts_make_words():
    assert words("中文 на ночь") == ["中文", "на", "ночь"]


def test_an_unknown_preset_is_named():
    with pytest.raises(ConfigError, match=r"'bm25'.*'bm25s'"):
        words("x", "bm25")
