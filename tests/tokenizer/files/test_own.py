"""Our own file: everything comes back, and each kind of damage has its line."""

from __future__ import annotations

import copy
import json
import re

import pytest

from tinyllm import tokenizer
from tinyllm.errors import DataError
from tinyllm.tokenizer import Encoding, Pattern
from tinyllm.tokenizer.bytepair import train
from tinyllm.tokenizer.files import load, save
from tinyllm.tokenizer.files.own import from_dict, to_dict


def test_all_of_it_comes_back(encoding, same, tmp_path):
    path = tmp_path / "mine.json"
    encoding.save(path)
    again = load(path)
    assert again == encoding and again.name == encoding.name
    same(encoding, again)
    assert tokenizer.from_dict(json.loads(path.read_text(encoding="utf-8"))) == encoding
    assert to_dict(again) == to_dict(encoding) and list(again.ranks) == list(encoding.ranks)


def test_what_training_knew_comes_back(tmp_path):
    learned = train({b"low": 5, b"lower": 2, b"newest": 6}, 262)
    ranks = {bytes((i,)): i for i in range(256)} | {m.left + m.right: 256 + i for i, m in enumerate(learned)}
    encoding = Encoding(
        "counted", pat_str="gpt2", mergeable_ranks=ranks, merges=[m[:2] for m in learned],
        counts=[m.times for m in learned], tie="bytes",
    )  # fmt: skip
    again = load(save(encoding, tmp_path / "counted.json"))
    assert (again.counts, again.tie, again.merges) == (encoding.counts, "bytes", encoding.merges)


@pytest.mark.parametrize(
    "pattern",
    [re.compile(r"\w+|\W"), Pattern("five", "", "cl100k", digits=5, ends_whole=True), Pattern("gpt2", "other", "gpt2")],
)
def test_patterns_of_ones_own_come_back(pattern, tmp_path):
    ranks = {bytes((i,)): i for i in range(256)}
    encoding = Encoding("mine", pat_str=pattern, mergeable_ranks=ranks)
    again = load(save(encoding, tmp_path / "mine.json"))
    assert again.pattern == encoding.pattern
    assert again.encode("one 12345678\n ") == encoding.encode("one 12345678\n ")


def test_a_published_pattern_is_its_name():
    """Which is frozen, so that a correction of its text would reach old files, too."""
    ranks = {bytes((i,)): i for i in range(256)}
    saved = to_dict(Encoding("x", pat_str="o200k", mergeable_ranks=ranks))
    assert saved["pattern"] == {"name": "o200k", "normalize": ""}


def test_a_file_of_version_1_is_read_for_ever():
    """Written out by hand: what was saved once must open with the same ids whatever becomes of the code."""
    letters = [*map(chr, [*range(33, 127), *range(161, 173), *range(174, 256), *range(256, 324)])]
    saved = {
        "kind": "bpe", "version": 1, "name": "old", "unicode": "16.0.0", "ignore_merges": False,
        "pattern": {"name": "llama3", "normalize": "NFC"}, "tie": "bytes", "special_tokens": {"<|end|>": 300},
        "tokens": {letter: i for i, letter in enumerate(letters)} | {"\u0120t": 256, "he": 257, "\u0120the": 258},
        "merges": ["\u0120 t", "h e", "\u0120t he"], "counts": [5, 4, 3],
    }  # fmt: skip
    encoding = from_dict(saved)
    assert encoding.encode("the the\n<|end|>e\u0301", allowed_special="all") == [83, 257, 258, 198, 300, 127, 102]
    assert (encoding.counts, encoding.tie, encoding.pattern.normalize) == ([5, 4, 3], "bytes", "NFC")
    assert to_dict(encoding) == saved


def test_what_is_given_wins(made, tmp_path):
    path = save(made("merges"), tmp_path / "mine.json")
    other = load(path, pattern="o200k", special_tokens={"<x>": 700}, name="other")
    assert (other.name, other.pattern.name, other.specials.ids) == ("other", "o200k", {"<x>": 700})


def test_other_kinds_are_read_as_well(tmp_path):
    for made in (tokenizer.ByteTokenizer(), tokenizer.CharTokenizer("abc")):
        path = tmp_path / "tokenizer.json"
        path.write_text(json.dumps(made.to_dict()))
        assert load(path) == made and load(tmp_path) == made
        with pytest.raises(DataError, match="whole as it is"):
            load(path, pattern="gpt2")


def put(*keys, value):
    def change(saved):
        for key in keys[:-1]:
            saved = saved[key]
        saved[keys[-1]] = value

    return change


def drop(key):
    return lambda saved: saved.pop(key)


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (put("kind", value="chars"), "kind 'chars', expected 'bpe'"),
        (put("version", value=2), "version 2 of this format"),
        (put("version", value="1"), "version: is a string, expected a whole number"),
        (put("unicode", value="15.1.0"), "by Unicode '15.1.0', and this tinyllm by 16.0.0"),
        (put("name", value=3), "name: is a whole number, expected a string"),
        (drop("pattern"), "has no 'pattern'"),
        (put("pattern", "name", value="gpt3"), "pattern: there is none called 'gpt3'"),
        (put("pattern", "normalize", value="NFKC"), "normalize is 'NFKC'"),
        (put("pattern", value={"name": "x", "normalize": "", "family": "gpt5", "regex": "", "digits": 0}), "no family"),
        (
            put("pattern", value={"name": "x", "normalize": "", "family": "cl100k", "regex": "", "digits": -1}),
            "digits is -1, expected 0 to",
        ),
        (
            put("pattern", value={"name": "x", "normalize": "", "family": "custom", "regex": "(", "digits": 0}),
            "pattern: '\\(' is no regular expression",
        ),
        (drop("tokens"), "has no 'tokens'"),
        (put("tokens", value=[]), "tokens: is a list, expected an object"),
        (put("tokens", "a", value=5), "'&' and 'a' have the same id, 5"),
        (put("tokens", "a", value=-1), "id of 'a' is -1, expected 0 to"),
        (put("tokens", "a", value=10**12), "id of 'a' is 1000000000000"),
        (put("tokens", "a", value=10**40), "id of 'a' is a number of many digits"),
        (put("tokens", "a", value=True), "id of 'a' is True"),
        (put("tokens", "a", value=1.0), "id of 'a' is 1.0"),
        (put("tokens", "a b", value=700), "'a b' is not written in the byte alphabet"),
        (put("tokens", "", value=700), "'' is not written in the byte alphabet"),
        (lambda saved: saved["tokens"].pop("a"), "1 of the 256 single bytes are no tokens, 0x61"),
        (put("merges", 3, value="a"), r"merges\[3\]: 'a' is no merge"),
        (put("merges", 3, value=7), r"merges\[3\]: 7 is no merge"),
        (put("merges", 3, value="a q"), "merge 3 is of b'a' and b'q', but b'aq' is no token"),
        (put("merges", value="a b"), "merges: is a string, expected a list"),
        (put("counts", value=[1]), "has 1 counts for"),
        (put("counts", value=[-1]), r"counts\[0\]: is -1"),
        (put("tie", value=1), "tie: is a whole number"),
        (put("ignore_merges", value=None), "ignore_merges: is null, expected true or false"),
        (put("special_tokens", value={"<x>": 5}), "'<x>' and b'&' have the same id, 5"),
        (put("special_tokens", value={"": 900}), "a special token is empty"),
        (put("special_tokens", value={"\ud800": 900}), "holds half a character"),
        (put("special_tokens", value={"<x>": "900"}), "id of '<x>' is '900'"),
    ],
)
def test_each_kind_of_damage_is_named(made, change, line):
    saved = json.loads(json.dumps(to_dict(made("merges"))))
    assert from_dict(copy.deepcopy(saved)) == made("merges")
    change(saved)
    with pytest.raises(DataError, match=line) as error:
        from_dict(saved, "mine.json")
    assert str(error.value).startswith("E-DATA mine.json: ") and "\n" not in str(error.value)


def test_what_is_no_object():
    with pytest.raises(DataError, match="is list, expected an object"):
        from_dict([])
