"""vocab.json with merges.txt, and the names they were first published under."""

from __future__ import annotations

import json

import pytest

from tinyllm.errors import ConfigError, DataError
from tinyllm.tokenizer import Encoding, get_encoding
from tinyllm.tokenizer.files import load, save


@pytest.mark.parametrize("name", ["merges", "ranks", "unordered"])
def test_there_and_back_by_every_name(made, name, same, tmp_path):
    encoding = made(name)
    save(encoding, tmp_path / "pair", "gpt2")
    assert sorted(path.name for path in (tmp_path / "pair").iterdir()) == ["merges.txt", "vocab.json"]
    for path in ("pair", "pair/vocab.json", "pair/merges.txt"):
        again = load(tmp_path / path)
        same(encoding, again)
        assert (again.name, again.pattern.name) == ("pair", "gpt2")


@pytest.mark.parametrize("path", ["encoder.json", "vocab.bpe", "my-vocab.json", "my-merges.txt"])
def test_a_name_says_the_other(made, path, tmp_path):
    save(made("merges"), tmp_path / path)
    assert len(list(tmp_path.iterdir())) == 2
    for path in tmp_path.iterdir():
        assert load(path).ranks == made("merges").ranks


@pytest.mark.parametrize("name", ["llama3", "nfc", "none"])
def test_another_pattern_cannot_be_said(made, name, tmp_path):
    with pytest.raises(ConfigError, match="readers would cut it by 'gpt2'"):
        save(made(name), tmp_path / "pair", "gpt2")
    assert not (tmp_path / "pair").exists()


def test_tokens_that_only_a_whole_piece_can_be_cannot_be_said(made, tmp_path):
    whole = made("whole")
    encoding = Encoding("whole", pat_str="gpt2", mergeable_ranks=whole.ranks, merges=whole.merges, ignore_merges=True)
    with pytest.raises(ConfigError, match=r"2 tokens are made by no merges, b' quixotic' for one.*not take"):
        save(encoding, tmp_path / "pair", "gpt2")


def test_a_word_that_is_a_key_of_other_formats(made, tmp_path):
    """GPT-2's vocabulary has the tokens "kind" and "model"."""
    save(made("merges"), tmp_path / "pair", "gpt2")
    path = tmp_path / "pair" / "vocab.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"kind": 900, "model": 901, "tokenizer_class": 902}))
    with pytest.raises(DataError, match=r"vocab\.json: no merge makes the token 'kind'"):
        load(path)
    given = {"kind": 900, "model": 901, "tokenizer_class": 902} | made("merges").specials.ids
    assert load(path, special_tokens=given).specials.ids == given


def test_brackets_make_a_special_token(made, tmp_path):
    encoding = made("merges")
    specials = {"[PAD]": 900, "<s>": 901, "<two words>": 902}
    parts = {"mergeable_ranks": encoding.ranks, "merges": encoding.merges, "special_tokens": specials}
    encoding = Encoding("x", pat_str="gpt2", **parts)
    assert load(save(encoding, tmp_path / "pair", "gpt2")).specials.ids == specials


def pair(tmp_path, made):
    save(made("merges"), tmp_path, "gpt2")
    return tmp_path / "vocab.json", tmp_path / "merges.txt"


@pytest.mark.parametrize(
    ("file", "change", "line"),
    [
        (1, lambda text: text + "a\n", "merges.txt: line 8[0-9]: 'a' is no merge"),
        (1, lambda text: text + "a b c\n", "merges.txt: line 8[0-9]: 'a b c' is no merge"),
        (1, lambda text: text + "a  b\n", "merges.txt: line 8[0-9]: 'a  b' is no merge"),
        (1, lambda text: text + "q q\n", "merges.txt: merge 8[0-9] is of b'q' and b'q', but b'qq' is no token"),
        (1, lambda text: text + "\u4e2d a\n", "line 8[0-9]: the token '\u4e2d' is not written in the byte alphabet"),
        (0, lambda text: text[:500], "vocab.json: line 1: is not JSON"),
        (0, lambda text: text.replace('"a": ', '"a": 1'), "have the same id|expected 0"),
        (0, lambda text: text.replace('"a": ', '"b": '), "vocab.json: the key 'b' is there twice"),
        (0, lambda text: text.replace('"a": ', '"a": -'), "id of 'a' is -64, expected 0 to"),
        (0, lambda text: text.replace('"a": ', '"a": 9999999'), "id of 'a' is 999999964, expected 0 to"),
        (0, lambda text: text.replace('"a": 64', '"a": "64"'), "id of 'a' is '64', expected a whole number"),
        (0, lambda text: text.replace('"a": 64, ', ""), "1 of the 256 single bytes are no tokens, 0x61"),
        (1, lambda text: text[: text.rindex("\n", 0, -1) + 1], "vocab.json: no merge makes the token '.*whole"),
        (0, lambda text: "[]", "vocab.json: is no tokenizer that is known|is a list"),
    ],
)
def test_each_kind_of_damage_is_named(made, file, change, line, tmp_path):
    path = pair(tmp_path, made)[file]
    path.write_text(change(path.read_text(encoding="utf-8")), encoding="utf-8")
    with pytest.raises(DataError, match=line) as error:
        load(tmp_path / "vocab.json" if file == 0 else path)
    assert "\n" not in str(error.value)


def test_the_line_of_the_version_may_be_missing(made, same, tmp_path):
    _, merges = pair(tmp_path, made)
    merges.write_bytes(merges.read_bytes().partition(b"\n")[2].replace(b"\n", b"\r\n"))
    same(made("merges"), load(merges))


def test_one_without_the_other(made, tmp_path):
    vocab, merges = pair(tmp_path, made)
    merges.rename(tmp_path / "elsewhere.txt")
    with pytest.raises(DataError, match=r"merges.txt: there is no such file"):
        load(vocab)
    with pytest.raises(DataError, match="its name does not say how the other is called"):
        load(tmp_path / "elsewhere.txt")


def test_what_was_published_comes_out_again_byte_by_byte(data_file, tmp_path):
    folder = data_file("gpt2/encoder.json").parent
    read = load(folder)
    assert (read.name, read.specials.ids, len(read.merges)) == ("gpt2", {"<|endoftext|>": 50256}, 50000)
    ranks = get_encoding("gpt2", data_file("encodings/r50k_base.tiktoken"))
    save(ranks, tmp_path / "encoder.json")  # whose merges are recovered
    for name in ("encoder.json", "vocab.bpe"):
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes()
