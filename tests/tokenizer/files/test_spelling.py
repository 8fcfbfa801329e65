"""The byte alphabet of GPT-2."""

from __future__ import annotations

import pytest

from tinyllm.errors import ConfigError
from tinyllm.tokenizer import Encoding
from tinyllm.tokenizer.files.spelling import bytes_of, first_names, spelled, spelled_tokens


def test_every_byte_is_one_character_that_prints_and_comes_back():
    chars = [spelled(bytes((byte,))) for byte in range(256)]
    assert len(set(chars)) == 256 and all(len(char) == 1 and char.isprintable() and char != " " for char in chars)
    assert [bytes_of(char) for char in chars] == [bytes((byte,)) for byte in range(256)]


def test_known_characters():
    assert [spelled(bytes((byte,))) for byte in (0, 32, 33, 126, 127, 160, 161, 173, 255)] == [
        "\u0100", "\u0120", "!", "~", "\u0121", "\u0142", "\u00a1", "\u0143", "\u00ff",
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["a b", "\n", "\u0144", "\u4e2d", "\ud800", "\xad"])
def test_what_is_none_of_it(text):
    assert bytes_of(text) is None


def test_two_names_for_one_id_are_one_in_other_tools_files():
    ranks = {bytes((i,)): i for i in range(256)}
    encoding = Encoding(
        "toy", pat_str="gpt2", mergeable_ranks=ranks, special_tokens={"<b>": 300, "<first>": 299, "<second>": 299}
    )
    assert first_names(encoding) == {"<first>": 299, "<b>": 300}
    assert list(spelled_tokens(encoding))[-2:] == ["<first>", "<b>"]


@pytest.mark.parametrize("special", ["a", "\u0120"])
def test_a_special_token_that_looks_ordinary_is_refused(special):
    ranks = {bytes((i,)): i for i in range(256)}
    encoding = Encoding("toy", pat_str="gpt2", mergeable_ranks=ranks, special_tokens={special: 300})
    with pytest.raises(ConfigError, match="is spelled as bytes are"):
        spelled_tokens(encoding)
