"""The tokenizer's part of a GGUF file, as a dictionary."""

from __future__ import annotations

import re

import numpy as np
import pytest

from tinyllm.errors import ConfigError, DataError
from tinyllm.tokenizer import Encoding
from tinyllm.tokenizer.files import gguf

KEY = "tokenizer.ggml."


@pytest.mark.parametrize(
    ("name", "pre"), [("merges", "gpt-2"), ("ranks", "gpt-2"), ("unordered", "gpt-2"), ("whole", "llama-bpe"),
                      ("llama3", "llama-bpe"), ("qwen2", "qwen2"), ("o200k", "gpt-4o")],
)  # fmt: skip
def test_there_and_back(made, name, pre, same):
    encoding = made(name)
    metadata = gguf.to_metadata(encoding, bos="<|a|>")
    assert (metadata[KEY + "model"], metadata[KEY + "pre"]) == ("gpt2", pre)
    assert metadata[KEY + "eos_token_id"] == encoding.specials.ids["<|endoftext|>"]
    assert metadata[KEY + "bos_token_id"] == encoding.specials.ids["<|a|>"]
    same(encoding, gguf.from_metadata(metadata, name))


def test_arrays_will_do(made, same):
    metadata = gguf.to_metadata(made("merges"))
    metadata[KEY + "token_type"] = np.array(metadata[KEY + "token_type"], np.int32)
    metadata[KEY + "tokens"] = np.array(metadata[KEY + "tokens"])
    metadata[KEY + "merges"] = tuple(np.array(metadata[KEY + "merges"]))
    same(made("merges"), gguf.from_metadata(metadata))


def test_every_id_has_a_token_and_holes_are_marked(made):
    encoding = made("merges")
    metadata = gguf.to_metadata(encoding)
    tokens, types = metadata[KEY + "tokens"], metadata[KEY + "token_type"]
    assert len(tokens) == len(types) == encoding.n_vocab == len(set(tokens))
    holes = set(range(encoding.n_vocab)) - set(encoding.ranks.values()) - set(encoding.specials.ids.values())
    assert holes and {i for i, kind in enumerate(types) if kind == 5} == holes
    assert {i for i, kind in enumerate(types) if kind == 3} == set(encoding.specials.ids.values())


def test_what_fills_holes_is_no_token(made):
    merges = made("merges")
    encoding = Encoding(
        "x", pat_str="gpt2", mergeable_ranks=merges.ranks, merges=merges.merges, special_tokens={"[PAD0]": 500}
    )
    tokens = gguf.to_metadata(encoding)[KEY + "tokens"]
    assert tokens.count("[PAD0]") == 1 and tokens[500] == "[PAD0]"


@pytest.mark.parametrize("name", ["cl100k", "nanochat", "none", "nfc"])
def test_patterns_without_a_name_there_are_refused(made, name):
    with pytest.raises(ConfigError, match=r"GGUF has no name for the pattern.*one of gpt2, llama3, qwen2, o200k"):
        gguf.to_metadata(made(name))


def test_whole_pieces_are_taken_with_llama_bpe_only(made):
    whole = made("whole")
    parts = {"mergeable_ranks": whole.ranks, "merges": whole.merges}
    with pytest.raises(ConfigError, match="would not take a piece"):
        gguf.to_metadata(Encoding("x", pat_str="gpt2", ignore_merges=True, **parts))
    with pytest.raises(ConfigError, match="would take a piece"):
        gguf.to_metadata(Encoding("x", pat_str="llama3", ignore_merges=False, **parts))


def put(key, value):
    return lambda metadata: metadata.update({KEY + key: value})


def at(key, place, value):
    return lambda metadata: metadata[KEY + key].__setitem__(place, value)


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (put("model", "llama"), "model: 'llama' (SentencePiece) is not supported"),
        (put("model", "bert"), "model: 'bert' (WordPiece) is not supported"),
        (put("model", None), "model: None is not supported"),
        (put("model", np.zeros((2, 2))), "model: array([[0., 0.],        [0., 0.]]) is not supported"),
        (put("pre", "default"), "pre: 'default' is no pattern that is known"),
        (put("pre", []), "pre: a list of 0 is no pattern"),
        (put("tokens", None), "tokens: is missing, expected a list"),
        (put("tokens", "abc"), "tokens: is 'abc', expected a list"),
        (put("token_type", [1]), "token_type: has 1 entries for"),
        (at("token_type", 5, 6), "token_type[5]: 6 is not supported"),
        (at("token_type", 5, "1"), "token_type[5]: is '1', expected a whole number"),
        (at("token_type", 5, 5), "1 of the 256 single bytes are no tokens, 0x26"),
        (at("tokens", 5, 7), "tokens[5]: is 7, expected a string"),
        (at("tokens", 5, "a b"), "tokens[5]: the token 'a b' is not written in the byte alphabet"),
        (at("tokens", 5, "!"), "tokens[5]: '!' is token 0 already"),
        (at("merges", 2, "a"), "merges[2]: 'a' is no merge"),
        (at("merges", 2, "q q"), "merge 2 is of b'q' and b'q', but b'qq' is no token"),
        (put("merges", 5), "merges: is 5, expected a list"),
    ],
)
def test_each_kind_of_damage_is_named(made, change, line):
    metadata = gguf.to_metadata(made("merges"))
    change(metadata)
    with pytest.raises(DataError, match=re.escape(line)):
        gguf.from_metadata(metadata)
