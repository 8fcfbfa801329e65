"""minbpe's .model."""

from __future__ import annotations

import pytest

from tinyllm.errors import ConfigError, DataError
from tinyllm.tokenizer.files import load, save
from tinyllm.tokenizer.split import SPELLINGS

GPT4 = next(regex for regex in SPELLINGS if regex.startswith("'(?i:[sdmt]") and "{1,3}|" in regex)


def file(tmp_path, *lines):
    path = tmp_path / "toy.model"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_ids_are_those_of_the_file(tmp_path):
    """The first lesson of minbpe: aaabdaaabac is learned as aa, aaa, aaab."""
    path = file(tmp_path, "minbpe v1", "", "1", "<|endoftext|> 300", "97 97", "256 97", "257 98")
    encoding = load(path)
    assert encoding.encode("aaabdaaabac<|endoftext|>", allowed_special="all") == [258, 100, 258, 97, 99, 300]
    assert (encoding.name, encoding.pattern.name, encoding.ignore_merges) == ("toy", "none", False)


@pytest.mark.parametrize(("regex", "name"), [(GPT4, "llama3"), (GPT4.replace("1,3", "1,2"), "nanochat")])
def test_the_pattern_is_known_by_its_text(regex, name, tmp_path):
    assert load(file(tmp_path, "minbpe v1", regex, "0", "97 98")).pattern.name == name


def test_a_pattern_that_is_not_known_can_be_given(tmp_path):
    path = file(tmp_path, "minbpe v1", r"\p{Han}+|.", "0", "97 98")
    with pytest.raises(DataError, match=r"line 2: the pattern .* is none that is known.*pattern="):
        load(path)
    assert load(path, pattern="gpt2").pattern.name == "gpt2"


@pytest.mark.parametrize(
    ("lines", "line"),
    [
        (["minbpe v1"], "ends at line 1"),
        (["minbpe v2", "", "0"], "line 1: is 'minbpe v2'"),
        (["minbpe v1", "", "x"], "line 3: 'x' is not a number"),
        (["minbpe v1", "", "-1"], "line 3: '-1' is not a number"),
        (["minbpe v1", "", "\u0663"], "line 3: "),
        (["minbpe v1", "", "5", "<x> 300"], "ends at line 4, within its 5 special tokens"),
        (["minbpe v1", "", "99999999"], "line 3: 99999999 is beyond"),
        (["minbpe v1", "", "1", "<x> 300 1"], "line 4: '<x> 300 1' is no special token and its id"),
        (["minbpe v1", "", "1", "<x> 97"], "'<x>' and b'a' have the same id, 97"),
        (["minbpe v1", "", "0", "97"], "line 4: '97' is not two ids"),
        (["minbpe v1", "", "0", "97 256"], "line 4: token 256 is not there yet"),
        (["minbpe v1", "", "0", "97 98", "97 98"], "line 5: b'ab' is token 256 already"),
        (["minbpe v1", "", "0", *(f"{256 + i - 1} {256 + i - 1}" if i else "0 0" for i in range(28))], "bytes by now"),
    ],
)
def test_each_kind_of_damage_has_its_line(lines, line, tmp_path):
    with pytest.raises(DataError, match=line) as error:
        load(file(tmp_path, *lines))
    assert "\n" not in str(error.value)


def test_it_is_only_read(made, tmp_path):
    with pytest.raises(ConfigError, match="minbpe: is only read"):
        save(made("merges"), tmp_path / "toy.model", "minbpe")
