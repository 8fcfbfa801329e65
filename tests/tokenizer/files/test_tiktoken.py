""".tiktoken files: OpenAI's are known, others say little, and nothing damaged comes through."""

from __future__ import annotations

import shutil
from base64 import b64encode

import pytest

from tinyllm.errors import ConfigError, DataError
from tinyllm.tokenizer import Encoding, get_encoding
from tinyllm.tokenizer.files import load, save

LINES = [b"%s %d" % (b64encode(bytes((byte,))), byte) for byte in range(256)]


@pytest.fixture
def published(data_file):
    """Find one of OpenAI's files."""
    return lambda name: data_file(f"encodings/{name}.tiktoken")


def file(tmp_path, lines, name="mine.tiktoken"):
    path = tmp_path / name
    path.write_bytes(b"\n".join(lines) + b"\n")
    return path


@pytest.mark.parametrize("name", ["merges", "ranks", "cl100k", "o200k", "none"])
def test_there_and_back(made, name, same, tmp_path):
    encoding = made(name)
    path = save(encoding, tmp_path / "mine.tiktoken")
    again = load(path, pattern=encoding.pattern, special_tokens=encoding.specials.ids)
    same(encoding, again)
    assert (again.name, again.merges, again.ignore_merges) == ("mine", None, True)


@pytest.mark.parametrize("name", ["unordered", "whole"])
def test_what_ranks_cannot_say_is_refused(made, name, tmp_path):
    with pytest.raises(ConfigError, match="cannot be told from the ids"):
        save(made(name), tmp_path / "mine.tiktoken")
    assert list(tmp_path.iterdir()) == []


def test_a_token_that_no_merge_makes_is_a_piece_taken_whole(made, same, tmp_path):
    """As the readers of these files do; an encoding that would not do so is refused."""
    whole = made("whole")
    ranks = {token: i for token, i in whole.ranks.items() if token.isascii() or len(token) == 1}
    merges = [pair for pair in whole.merges if pair[0] + pair[1] in ranks]
    parts = {"pat_str": "llama3", "mergeable_ranks": ranks, "merges": merges}
    encoding = Encoding("whole", **parts, ignore_merges=True)
    assert encoding.encode(" quixotic") == [601]
    same(encoding, load(save(encoding, tmp_path / "mine.tiktoken"), pattern="llama3"))
    with pytest.raises(ConfigError, match="b' quixotic' for one, and a reader of ranks would take a piece that is one"):
        save(Encoding("whole", **parts, ignore_merges=False), tmp_path / "other.tiktoken")


def test_the_pattern_has_to_be_given(made, tmp_path):
    path = save(made("merges"), tmp_path / "mine.tiktoken")
    with pytest.raises(ConfigError, match=r"does not say how text is cut.*pattern="):
        load(path)
    assert load(path, pattern="gpt2").specials.ids == {}
    with pytest.raises(ConfigError, match="no split pattern 'gpt3'"):
        load(path, pattern="gpt3")


@pytest.mark.parametrize("special_tokens", [{"<x>": -1}, {"": 400}, {"<x>": "7"}])
def test_special_tokens_that_are_none(made, special_tokens, tmp_path):
    path = save(made("merges"), tmp_path / "mine.tiktoken")
    with pytest.raises(ConfigError, match="special_tokens: "):
        load(path, pattern="gpt2", special_tokens=special_tokens)


def test_line_ends_of_windows_and_empty_lines(tmp_path):
    path = tmp_path / "mine.tiktoken"
    path.write_bytes(b"\r\n".join([*LINES, b"", b""]))
    assert load(path, pattern="none").encode("ab") == [97, 98]


@pytest.mark.parametrize(
    ("lines", "line"),
    [
        ([*LINES, b"YWI="], "line 257: b'YWI=' is not a token in base64 and its rank"),
        ([*LINES, b"YWI= 256 7"], "line 257: "),
        ([*LINES, b"YWI= -1"], "line 257: "),
        ([*LINES, b"YWI= 1_0"], "line 257: "),
        ([*LINES, b"YWI 256"], "line 257: b'YWI 256' is not a token in base64 and its rank"),
        ([*LINES, b"YWJj= 256"], "line 257: b'YWJj= 256' is not a token in base64 and its rank"),
        ([*LINES, b"Y= 256"], "line 257: b'Y= 256' is not a token in base64 and its rank"),
        ([*LINES, b"YWI= 99999999999999"], "line 257: "),
        ([*LINES, b"YWI= 999999999"], "line 257: rank 999999999 is beyond"),
        ([*LINES, b"YQ== 256"], "line 257: b'a' has rank 97 already"),
        ([*LINES, b"YWI= 97"], "line 257: rank 97 is that of line 98 already"),
        (LINES[:200], "56 of the 256 single bytes are no tokens, 0xc8 for one"),
        ([*LINES[:100], b"\x00\xff\x13", *LINES[100:]], "line 101: "),
    ],
)
def test_each_kind_of_damage_has_its_line(lines, line, tmp_path):
    path = file(tmp_path, lines)
    with pytest.raises(DataError, match=line) as error:
        load(path, pattern="gpt2")
    assert str(error.value).startswith(f"E-DATA {path}: ") and "\n" not in str(error.value)


def test_one_that_says_it_is_openais_and_is_not(tmp_path):
    path = file(tmp_path, LINES, "cl100k_base.tiktoken")
    with pytest.raises(
        DataError, match=r"not cl100k_base as it was published: sha256 is [0-9a-f]{64}, expected 223921"
    ):
        load(path)
    assert load(path, pattern="gpt2").n_vocab == 256  # but it may be said to be something else


# OpenAI's own


def test_openais_are_known_by_their_content(published, tmp_path):
    path = published("cl100k_base")
    assert load(path) is get_encoding("cl100k_base", path)
    copy = tmp_path / "renamed.txt"
    shutil.copy(path, copy)
    assert load(copy) == get_encoding("cl100k_base", path)
    assert load(copy).encode("today\n \n") == [31213, 27907]


def test_which_of_the_encodings_that_share_a_file(published, tmp_path):
    path = published("p50k_base")
    assert load(path).n_vocab == 50281
    assert load(path, name="p50k_edit").n_vocab == 50284
    with pytest.raises(DataError, match="is not cl100k_base as it was published"):
        load(path, name="cl100k_base")
    mine = load(path, name="mine")
    assert mine.name == "mine" and mine.specials.ids == {"<|endoftext|>": 50256}
    assert load(path, special_tokens={}).specials.ids == {}
    assert load(path, pattern="o200k").pattern.name == "o200k"


def test_what_we_write_of_openais_is_the_very_file(published, tmp_path):
    path = published("r50k_base")
    save(load(path), tmp_path / "mine.tiktoken")
    assert (tmp_path / "mine.tiktoken").read_bytes() == path.read_bytes()
