from __future__ import annotations

import json

import pytest

from tinyllm import tokenizer
from tinyllm.errors import DataError


@pytest.mark.parametrize("made", [tokenizer.ByteTokenizer(), tokenizer.CharTokenizer("héllo\n€\U0001f600")])
def test_goes_through_json_and_back(made):
    again = tokenizer.from_dict(json.loads(json.dumps(made.to_dict())))
    assert again == made and hash(again) == hash(made) and type(again) is type(made)
    assert again.encode("hello".replace("e", "é")) == made.encode("hello".replace("e", "é"))


def test_different_vocabularies_are_different():
    assert tokenizer.CharTokenizer("ab") != tokenizer.CharTokenizer("abc")
    assert tokenizer.CharTokenizer("ab") != tokenizer.ByteTokenizer()


@pytest.mark.parametrize(
    "saved", [{"kind": "chars"}, {"kind": "chars", "chars": 3}, {"kind": "words"}, {}, [], {"kind": []}]
)
def test_what_is_no_tokenizer_is_refused(saved):
    with pytest.raises(DataError):
        tokenizer.from_dict(saved)


def test_a_misspelled_kind_names_the_nearest():
    with pytest.raises(DataError, match="Try: bytes"):
        tokenizer.from_dict({"kind": "byte"})
