"""``tinyllm tokens``: what is printed of a text, by which encoding, at what price; its pages, pictures and errors."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyllm import kernels
from tinyllm.cli.screen import Screen
from tinyllm.cli.tokens import asked, prices
from tinyllm.cli.tokens.painted import plain_lines, show_ids, show_staircase, show_tokens
from tinyllm.cli.tokens.traces import traces_of_word
from tinyllm.tokenizer import Encoding
from tinyllm.viz.cells import columns, unescaped

ROOT = Path(__file__).parents[2]
DATA = os.environ.get("TINYLLM_DATA", "")  # before a fixture takes it away
MERGES = [(b"h", b"e"), (b"l", b"l"), (b"he", b"ll"), (b"hell", b"o"), (b" ", b"w"), (b"\xe6", b"\x97")]


def toy(name="toy"):
    """A vocabulary that knows hello, the beginning of a word, and two thirds of a character."""
    tokens = [bytes((i,)) for i in range(256)] + [left + right for left, right in MERGES]
    return Encoding(
        name, pat_str="gpt2", mergeable_ranks={token: i for i, token in enumerate(tokens)}, merges=MERGES,
        counts=[90, 80, 70, 60, 50, 40], special_tokens={"<|end|>": 262},
    )  # fmt: skip


@pytest.fixture
def vocabulary(tmp_path) -> Path:
    return toy().save(tmp_path / "toy.json")


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self):
        return True


def colored(width=60):
    return Screen.of(Terminal(), {"TERM": "xterm-256color", "COLORTERM": "truecolor", "COLUMNS": str(width)})


def facts(text):
    """The summary: name -> value."""
    return dict(line.split(maxsplit=1) for line in text.split("\n\n")[-1].splitlines() if " " in line)


# what is printed


def test_a_text_in_tokens_and_how_many_there_are(tinyllm, vocabulary):
    done = tinyllm("tokens", "hello wide\nworld", "--encoding", vocabulary)
    assert (done.code, done.err) == (0, "")
    text, summary = done.out.split("\n\n")
    assert text == "hello| w|i|d|e|\\n\nw|o|r|l|d"
    assert facts(summary) == {
        "tokens": "11",
        "characters": "16",
        "bytes": "16",
        "per": "token   1.45 bytes, 1.45 characters",
        "encoding": "toy, 263 ids",
    }


def test_words_without_quotes_are_one_text(tinyllm, vocabulary):
    assert tinyllm("tokens", "hello", "hello", "--encoding", vocabulary).out.startswith("hello| |hello\n")


def test_ids_are_a_list(tinyllm, vocabulary):
    done = tinyllm("tokens", "hello", "--ids", "--encoding", vocabulary)
    assert done.out.startswith("hello\n\n[259]\n\ntokens ")


def test_partial_characters_are_bytes_in_plain_lines(tinyllm, vocabulary):
    assert tinyllm("tokens", "日", "--encoding", vocabulary).out.startswith("\\xe6\\x97|\\xa5\n")


def test_only_the_head_of_a_long_text_is_shown_but_all_is_counted(tinyllm, vocabulary, tmp_path):
    (tmp_path / "long.txt").write_text("ab" * 450)
    done = tinyllm("tokens", "long.txt", "--encoding", vocabulary)
    assert done.out.splitlines()[0].count("|") == 399
    assert done.out.splitlines()[1] == "... and 500 more tokens; --all shows them"
    assert facts(done.out)["tokens"] == "900"
    assert tinyllm("tokens", "long.txt", "--encoding", vocabulary, "--all").out.splitlines()[0].count("|") == 899
    assert tinyllm("tokens", "long.txt", "--encoding", vocabulary, "--head", 0).out.startswith("tokens  ")


def test_the_head_never_ends_inside_a_character(tinyllm, vocabulary):
    done = tinyllm("tokens", "日日", "--encoding", vocabulary, "--head", 1, "--json")
    assert [each["hex"] for each in json.loads(done.out)["shown"]] == ["e697", "a5"]


def test_json_for_programs(tinyllm, vocabulary):
    done = tinyllm("tokens", "hello 日", "--json", "--ids", "--encoding", vocabulary, "--price", 2)
    found = json.loads(done.out)
    assert found["shown"] == [
        {"id": 259, "text": "hello", "hex": "68656c6c6f", "bytes": [0, 5], "characters": [0, 5]},
        {"id": 32, "text": " ", "hex": "20", "bytes": [5, 6], "characters": [5, 6]},
        {"id": 261, "text": None, "hex": "e697", "bytes": [6, 8], "characters": [6, 7]},
        {"id": 165, "text": None, "hex": "a5", "bytes": [8, 9], "characters": [6, 7]},
    ]
    assert found["ids"] == [259, 32, 261, 165]
    assert (found["tokens"], found["characters"], found["bytes"], found["encoding"]) == (4, 7, 9, "toy")
    assert found["prices"] == [{"name": "", "per_million": 2.0, "cost": 8e-06}]


@given(st.text(max_size=40))
def test_plain_lines_lose_nothing(text):
    ids = toy().encode_ordinary(text)
    tokens = toy().decode_tokens_bytes(ids)
    lines = list(plain_lines(tokens))
    assert all(line.isprintable() for line in lines)
    marked = re.sub(r"\\(.)", lambda found: "\\" + ("P" if found[1] == "|" else found[1]), "".join(lines))
    assert unescaped(marked.replace("|", "").replace("\\P", "\\|")) == b"".join(tokens)


# where the text comes from


def test_a_file_is_read_byte_by_byte(tinyllm, vocabulary, tmp_path):
    (tmp_path / "a.txt").write_bytes(b"\xef\xbb\xbfhello\r\n")
    done = tinyllm("tokens", "a.txt", "--encoding", vocabulary)
    assert facts(done.out)["bytes"] == "10"
    assert done.out.startswith("\\xef|\\xbb|\\xbf|hello|\\r|\\n\n")


def test_standard_input_is_taken_as_it_is(shell, vocabulary):
    done = shell("tokens", "-", "--encoding", vocabulary, stdin=subprocess.PIPE)
    assert done.code == 0
    process = subprocess.run(
        [sys.executable, "-m", "tinyllm", "tokens", "-", "--encoding", str(vocabulary)],
        input=b"hello\n", capture_output=True, check=True, env={"PYTHONPATH": str(ROOT), "TINYLLM_KERNELS": "numpy"},
    )  # fmt: skip
    assert process.stdout.startswith(b"hello|\\n\n\n")


def test_bytes_that_are_no_text_are_cut_all_the_same_and_it_is_said(tinyllm, vocabulary, tmp_path):
    (tmp_path / "latin.txt").write_bytes(b"hello caf\xe9!")
    done = tinyllm("tokens", "latin.txt", "--encoding", vocabulary)
    assert done.code == 0
    assert "|\\xe9|" in done.out
    assert facts(done.out)["bytes"] == "11"
    assert done.err == "note: latin.txt is no UTF-8 text: byte 9 is 0xe9\n"
    (tmp_path / "utf16.txt").write_bytes("hi".encode("utf-16"))
    assert "it looks like UTF-16" in tinyllm("tokens", "utf16.txt", "--encoding", vocabulary).err


def test_a_name_without_a_file_is_a_text_and_it_is_said(tinyllm, vocabulary, tmp_path):
    done = tinyllm("tokens", "hello.txt", "--encoding", vocabulary)
    assert done.out.startswith("hello|")
    assert done.err == "note: there is no file hello.txt: these are the tokens of its name\n"
    (tmp_path / "hello.txt").write_text("ll")
    assert tinyllm("tokens", "hello.txt", "--encoding", vocabulary).out.startswith("ll\n")
    assert tinyllm("tokens", "hello.txt", "--text", "--encoding", vocabulary).err == ""
    assert tinyllm("tokens", "http://hello.org", "--encoding", vocabulary).err == ""


def test_a_text_longer_than_a_name_of_a_file_can_be(tinyllm, vocabulary):
    assert facts(tinyllm("tokens", "x" * 5000, "--encoding", vocabulary).out)["tokens"] == "5,000"


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ([], "E-DATA there is no text. Try: tinyllm tokens"),
        (["."], "E-DATA . is a folder. Try: tinyllm tokens compress ."),
        (["a", "b"], "E-DATA 2 files are named. Try: tinyllm tokens compress a b"),
        (["hello", "--encoding", "gpt-4o"], "E-CONFIG there is no encoding or file 'gpt-4o'. Try: --model gpt-4o"),
        (["hello", "--encoding", "gpt4"], "E-CONFIG there is no encoding or file 'gpt4'. Try: --model gpt-4"),
        (["hello", "--encoding", "cl100k"], "E-CONFIG there is no encoding or file 'cl100k'. Try: cl100k_base"),
        (["hello", "--encoding", "zzz"], "E-CONFIG there is no encoding or file 'zzz'. Try: one of gpt2, "),
        (["hello", "--encoding", "gpt2", "--model", "gpt-4"], "E-CONFIG --encoding gpt2 and --model gpt-4: both say"),
        (["hello", "--model", "gpt5o"], "E-CONFIG no encoding is known for the model 'gpt5o'"),
        (["hello", "--prices", "none.csv"], "none.csv: no such file or directory"),
    ],
)
def test_what_cannot_be_is_one_line(tinyllm, tmp_path, words, line):
    (tmp_path / "a").write_text("x")
    (tmp_path / "b").write_text("x")
    done = tinyllm("tokens", *words)
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith(f"tinyllm: {line}")
    assert done.err.count("\n") == 1


def test_a_vocabulary_that_is_not_here_says_which_file_to_put_where(tinyllm, monkeypatch, tmp_path):
    def offline(*_, **__):
        raise OSError("no network")

    monkeypatch.setattr("urllib.request.urlopen", offline)
    from tinyllm.tokenizer import named

    named._load.cache_clear()
    done = tinyllm("tokens", "hello", "--encoding", "p50k_base")
    assert done.code == 1
    assert "p50k_base.tiktoken" in done.err
    assert str(tmp_path / "cache") in done.err
    assert tinyllm("tokens", "hello").code == 1


# special tokens


def test_special_tokens_are_plain_text_unless_asked_and_it_is_said(tinyllm, vocabulary):
    done = tinyllm("tokens", "hello<|end|>", "--encoding", vocabulary)
    assert done.out.startswith("hello|<|\\||e|n|d|\\||>\n")
    assert done.err == "note: the text holds <|end|>, here plain text; --special token makes one token of each\n"
    done = tinyllm("tokens", "hello<|end|>", "--encoding", vocabulary, "--special", "token")
    assert (done.out.splitlines()[0], done.err) == ("hello|<\\|end\\|>", "")
    assert tinyllm("tokens", "hello", "--encoding", vocabulary).err == ""


def test_special_tokens_as_an_error_name_both_ways_out(tinyllm, vocabulary):
    done = tinyllm("tokens", "hello<|end|>", "--encoding", vocabulary, "--special", "error")
    assert (done.code, done.out) == (1, "")
    assert done.err == (
        "tinyllm: E-SPECIAL the text holds the special token '<|end|>' at character 5. Try: --special token if it is "
        "meant as that token, --special plain if it is plain text\n"
    )


# prices


def test_a_price_for_all(tinyllm, vocabulary):
    done = tinyllm("tokens", "hello", "--encoding", vocabulary, "--price", "2.50")
    assert facts(done.out)["cost"] == "0.0000025 at 2.50 per million"


@pytest.mark.parametrize(
    "text",
    [
        '{"gpt-4o": 2.5, "toy": 10, "claude": 3}',
        "name,price\ngpt-4o,2.5\ntoy,10\nclaude,3\n",
        "gpt-4o, 2.5\n\n# mine\ntoy, 10\nclaude, 3",
    ],
)
def test_a_table_of_prices(tinyllm, vocabulary, tmp_path, text):
    (tmp_path / "prices").write_text(text)
    done = tinyllm("tokens", "hello", "--encoding", vocabulary, "--prices", "prices")
    assert facts(done.out)["cost"] == "0.00001 at 10.00 per million, toy"
    assert prices.prices_for("o200k_base", None, prices.read_prices("prices"), None) == {"gpt-4o": 2.5}
    assert prices.prices_for("o200k_base", "gpt-4o-mini", prices.read_prices("prices"), None) == {}


def test_a_table_without_this_encoding_says_so(tinyllm, vocabulary, tmp_path):
    (tmp_path / "p.csv").write_text("gpt-4,30\n")
    done = tinyllm("tokens", "hello", "--encoding", vocabulary, "--prices", "p.csv")
    assert (done.code, done.err) == (0, "note: p.csv holds no price for toy\n")


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "holds no prices"),
        ("{", "is not JSON"),
        ("[1]", "is not a JSON object"),
        ('{"a": "x"}', "the price of a is 'x', no number"),
        ('{"a": true}', "the price of a is True, no number"),
        ("a,1\nb,x\n", "the price of b is 'x', no number"),
        ("a,-1\n", "the price of a is -1. Try: 0 or more"),
        ("a,nan\n", "the price of a is nan"),
        ("a\nb\n", "the price of b is '', no number"),
    ],
)
def test_tables_that_are_none(tinyllm, vocabulary, tmp_path, text, what):
    (tmp_path / "p").write_text(text)
    done = tinyllm("tokens", "hello", "--encoding", vocabulary, "--prices", "p")
    assert done.code == 1
    assert what in done.err
    assert done.err.count("\n") == 1


# explained


def test_a_word_merge_by_merge(tinyllm, vocabulary):
    done = tinyllm("tokens", "--explain", "hello", "--encoding", vocabulary)
    assert done.out.splitlines() == [
        "hello: 4 merges, 1 token",
        "   │h│e│l│l│o│",
        " 1 │he │l│l│o│  h + e     rank 0  90 times",
        " 2 │he │ll │o│  l + l     rank 1  80 times",
        " 3 │hell   │o│  he + ll   rank 2  70 times",
        " 4 │hello    │  hell + o  rank 3  60 times",
        "id 259 in toy",
    ]


def test_explained_on_a_screen_without_unicode(vocabulary):
    stream = type("Stream", (io.StringIO,), {"encoding": "ascii"})()
    show_staircase(Screen.of(stream, {}), traces_of_word(toy(), "né")[0])
    assert stream.getvalue().splitlines() == ["n\\xc3\\xa9: 0 merges, 3 tokens", "   |n|\\xc3|\\xa9|"]


def test_several_words_and_a_text_beside_them(tinyllm, vocabulary):
    done = tinyllm("tokens", "hello", "--explain", "he he", "--encoding", vocabulary)
    assert [line for line in done.out.splitlines() if "merge" in line] == [
        "he: 1 merge, 1 token",
        "·he: 1 merge, 2 tokens",
    ]
    assert done.out.startswith("hello\n")
    found = json.loads(tinyllm("tokens", "--explain", "he he", "--json", "--encoding", vocabulary).out)
    assert [each["ids"] for each in found["explain"]] == [[256], [32, 256]]


@pytest.mark.parametrize("word", ["", "x" * 201])
def test_words_that_cannot_be_explained(tinyllm, vocabulary, word):
    done = tinyllm("tokens", "--explain", word, "--encoding", vocabulary)
    assert done.code == 1
    assert "--explain: a word of" in done.err


# pages and pictures


def test_a_page_with_merges_for_every_token(tinyllm, vocabulary, tmp_path):
    done = tinyllm("tokens", "hello <b>日 hello", "--encoding", vocabulary, "--html", "pages/t.html")
    assert (done.code, done.out.splitlines()[-1]) == (0, "written     pages/t.html")
    page = (tmp_path / "pages" / "t.html").read_text(encoding="utf-8")
    assert "<b>" not in page
    held = json.loads(re.search(r'id="data">(.*?)</script>', page)[1])
    assert [trace["about"].split(":")[0] for trace in held["panels"][0]["traces"]] == [
        "hello",
        "·<",
        "b",
        ">",
        "日",
        "·hello",
    ]
    assert page.count("data-trace=") == len(toy().encode("hello <b>日 hello"))


def test_what_is_cut_off_at_the_end_of_the_head_has_no_merges(tinyllm, vocabulary, tmp_path):
    tinyllm("tokens", "hello abcdef", "--encoding", vocabulary, "--html", "t.html", "--head", 4)
    page = (tmp_path / "t.html").read_text(encoding="utf-8")
    assert page.count('class="t ') == 4
    assert page.count("data-trace=") == 4  # as far as is shown, " ab" is merged as the whole word is
    tinyllm("tokens", "a hello", "--encoding", vocabulary, "--html", "t.html", "--special", "token")
    assert (tmp_path / "t.html").read_text(encoding="utf-8").count("data-trace=") == 3


@pytest.mark.parametrize("words", [["hello"], ["--explain", "hello"]])
def test_pictures(tinyllm, vocabulary, tmp_path, words):
    done = tinyllm("tokens", *words, "--encoding", vocabulary, "--picture", "a.png")
    assert done.code == 0
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_a_page_of_merges_and_pictures_that_cannot_be(tinyllm, vocabulary, tmp_path):
    assert tinyllm("tokens", "--explain", "hello he", "--encoding", vocabulary, "--html", "m.html").code == 0
    assert '"stairs"' in (tmp_path / "m.html").read_text(encoding="utf-8")
    done = tinyllm("tokens", "--explain", "hello he", "--encoding", vocabulary, "--picture", "a.png")
    assert (done.code, "'hello he' is 2 words to toy" in done.err) == (1, True)
    assert (
        "does not end in the name of a format" in tinyllm("tokens", "x", "--encoding", vocabulary, "--picture", "a").err
    )


# colors


def test_every_token_has_its_color_and_the_text_is_whole(monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    screen = colored()
    show_tokens(screen, [b"to", b" be\n", b"or", b"<|end|>"], special=[3])
    lines = screen.stream.getvalue().splitlines()
    assert [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in lines] == ["to be⏎", "or<|end|>"]
    backgrounds = re.findall(r"48;([\d;]+)m", screen.stream.getvalue())
    assert len(set(backgrounds)) == 4


@given(st.text(alphabet="ab 日\t\n\u202e\x1bé\U0001f600", max_size=200), st.integers(20, 50))
def test_colored_lines_fit_the_screen_and_cannot_steer_it(text, width):
    screen = colored(width)
    show_tokens(screen, [char.encode() for char in text])
    plain = re.sub(r"\x1b\[[0-9;]*m", "", screen.stream.getvalue())
    for line in plain.splitlines():
        assert line.isprintable()
        assert columns(line) <= width
    shown = plain.replace("\\u202e", "\u202e").replace("\\x1b", "\x1b")
    assert [c for c in shown if c in "ab日é\U0001f600"] == [c for c in text if c in "ab日é\U0001f600"]


def test_ids_are_never_broken():
    screen = colored(20)
    show_ids(screen, [123456] * 9)
    lines = re.sub(r"\x1b\[[0-9;]*m", "", screen.stream.getvalue()).split("\n")
    assert set(" ".join(lines).split()) == {"123456"}


def test_a_screen_without_unicode_gets_ascii():
    stream = type("Stream", (io.StringIO,), {"encoding": "ascii"})()
    show_tokens(Screen.of(stream, {}), ["é|".encode(), b"\n"])
    assert stream.getvalue() == "\\xc3\\xa9\\||\\n\n"


# several encodings


def test_encodings_are_compared(tinyllm, vocabulary, tmp_path, monkeypatch):
    other = toy("other")
    monkeypatch.setattr("tinyllm.cli.tokens.report.at_hand", lambda: iter(["other"]))
    real = asked.encoding_of
    monkeypatch.setattr(
        "tinyllm.cli.tokens.report.encoding_of",
        lambda name, model=None: other if name == "other" else real(name, model),
    )
    done = tinyllm("tokens", "hello", "--compare", "--price", 2, "--encoding", vocabulary)
    assert done.out.split("\n\n")[-1].splitlines() == [
        "encoding  tokens  bytes/token      cost",
        "toy            1         5.00  0.000002  at 2.00",
        "other          1         5.00  0.000002  at 2.00",
    ]
    done = tinyllm("tokens", "hello", "--compare", "--json", "--encoding", vocabulary)
    assert [row["encoding"] for row in json.loads(done.out)["compare"]] == ["toy", "other"]
    tinyllm("tokens", "hello", "--compare", "--html", "t.html", "--encoding", vocabulary)
    assert (tmp_path / "t.html").read_text(encoding="utf-8").count("<section>") == 2


def test_texts_are_compared(tinyllm, vocabulary, tmp_path):
    (tmp_path / "en.txt").write_text("hello hello ")
    (tmp_path / "ja.txt").write_text("日日")
    done = tinyllm("tokens", "compress", "en.txt", "ja.txt", "--encodings", vocabulary, "--out", "c.png")
    assert done.out.splitlines() == [
        "bytes per token; * the most",
        "        bytes   toy",
        "en.txt     12  3.00*",
        "ja.txt      6  1.50*",
        "all        18  2.25*",
        "written  c.png",
    ]
    assert (tmp_path / "c.png").exists()
    done = tinyllm("tokens", "compress", "en.txt", "ja.txt", "--encodings", vocabulary, "--show", "times")
    assert [line.split()[-1] for line in done.out.splitlines()[2:]] == ["1.00*", "1.00*"]
    done = tinyllm("tokens", "compress", ".", "--encodings", vocabulary, "--json")
    counts = {row["language"]: row["tokens"] for row in json.loads(done.out)["texts"]}
    assert set(counts) == {"en.txt", "ja.txt", "toy.json"}  # not the picture
    assert (counts["en.txt"], counts["ja.txt"]) == (4, 4)


def test_texts_that_cannot_be_compared(tinyllm, vocabulary, tmp_path):
    (tmp_path / "empty").write_text("")
    (tmp_path / "latin").write_bytes(b"caf\xe9")
    assert "is empty" in tinyllm("tokens", "compress", "empty", "--encodings", vocabulary).err
    assert "latin is no UTF-8 text" in tinyllm("tokens", "compress", "latin", "--encodings", vocabulary).err
    assert "there is no such file" in tinyllm("tokens", "compress", "nowhere", "--encodings", vocabulary).err
    assert "no encoding is at hand" in tinyllm("tokens", "compress", "latin").err


# training


@pytest.fixture
def plain_kernels():
    with kernels.use("numpy"):
        yield


def test_a_vocabulary_is_learned_reported_and_saved(tinyllm, tmp_path, plain_kernels):
    (tmp_path / "a.txt").write_text("low low lower newest newest ")
    done = tinyllm("tokens", "train", "a.txt", "--vocab-size", 260, "--special", "<|end|>", "--out", "mine.json")
    assert (done.code, done.err) == (0, "")
    merges = [" ".join(line.split()) for line in done.out.splitlines() if "|" in line]
    assert merges == ["1 |w| + |e| 3", "2 |l| + |o| 3", "3 |we| + |s| 2"]
    found = facts(done.out)
    assert found["vocabulary"] == "260 tokens"
    assert found["file"] == "mine.json"
    assert found["merges"].startswith("3 in ")
    assert tinyllm("tokens", "lowest<|end|>", "--encoding", "mine.json", "--special", "token").out.startswith(
        "lo|wes|t|<\\|end\\|>\n"
    )
    assert "encoding    mine, 260 ids" in tinyllm("tokens", "x", "--encoding", "mine.json").out


def test_a_text_too_small_says_so_and_a_file_is_not_replaced(tinyllm, tmp_path, plain_kernels):
    (tmp_path / "a.txt").write_text("aaaa")
    done = tinyllm("tokens", "train", "a.txt", "--vocab-size", 1000, "--out", "mine.json", "--json")
    found = json.loads(done.out)
    assert (found["vocab_size"], found["asked"], found["merges"]) == (258, 1000, 2)
    assert found["first"][0] == {"left": "a", "right": "a", "times": 3}
    assert found["bytes_per_token"] == 4.0
    before = (tmp_path / "mine.json").read_bytes()
    done = tinyllm("tokens", "train", "a.txt", "--vocab-size", 257, "--out", "mine.json")
    assert (done.code, "Try: another name, or --overwrite" in done.err) == (1, True)
    assert (tmp_path / "mine.json").read_bytes() == before
    assert tinyllm("tokens", "train", "a.txt", "--vocab-size", 257, "--out", "mine.json", "--overwrite").code == 0


def test_what_was_learned_is_kept_where_it_cannot_be_saved_as_asked(tinyllm, tmp_path, plain_kernels):
    (tmp_path / "a.txt").write_text("aaaa")
    done = tinyllm("tokens", "train", "a.txt", "--vocab-size", 257, "--out", "mine.xyz")
    assert done.code == 1
    assert "what was learned is kept in mine.xyz.kept.json" in done.err
    assert tinyllm("tokens", "aa", "--encoding", "mine.xyz.kept.json").out.startswith("aa\n")


def test_folders_hold_texts_and_other_files(tinyllm, tmp_path, plain_kernels):
    folder = tmp_path / "texts"
    (folder / ".git").mkdir(parents=True)
    (folder / ".git" / "x.txt").write_text("zzzz")
    (folder / "b.bin").write_bytes(b"\0\1")
    (folder / "a.txt").write_text("abab")
    done = tinyllm("tokens", "train", "texts", "--vocab-size", 257, "--out", "m.json", "--json")
    found = json.loads(done.out)
    assert (found["bytes_read"], found["skipped"]) == (4, ["texts/b.bin"])
    (folder / "a.txt").unlink()
    assert "no text is in this folder" in tinyllm("tokens", "train", "texts", "--out", "n.json").err


@pytest.mark.parametrize(
    ("options", "what"),
    [
        (["--pattern", "gtp2"], "Try: gpt2"),
        (["--tie", "huggingfaces"], "Try: huggingface"),
        (["--special", ""], "is empty"),
        (["--vocab-size", 256, "--special", "<|a|>"], "is too small"),
    ],
)
def test_settings_of_training_that_cannot_be(tinyllm, tmp_path, plain_kernels, options, what):
    (tmp_path / "a.txt").write_text("abab")
    done = tinyllm("tokens", "train", "a.txt", "--out", "m.json", *options)
    assert done.code == 1
    assert what in done.err
    assert done.err.count("\n") == 1
    assert tinyllm("tokens", "train", "a.txt", "--vocab-size", 255, "--out", "m.json").code == 2


# with the published vocabularies


def test_gpt2_and_o200k_as_published(tinyllm, data_file, monkeypatch):
    monkeypatch.setenv("TINYLLM_DATA", DATA)
    data_file("encodings/o200k_base.tiktoken")
    done = tinyllm("tokens", "hello world", "--ids", "--encoding", "gpt2", "--text")
    assert done.out.startswith("hello| world\n\n[31373, 995]\n")
    done = tinyllm("tokens", "strawberry", "--compare", "--model", "gpt-4o")
    rows = {line.split()[0]: line.split()[1] for line in done.out.split("\n\n")[-1].splitlines()[1:]}
    assert rows == {"gpt2": "3", "p50k_base": "3", "cl100k_base": "3", "o200k_base": "3"}
    assert "encoding    o200k_base, 200,019 ids" in tinyllm("tokens", "x").out


def test_showing_a_text_loads_neither_numba_nor_matplotlib(vocabulary):
    code = (
        "import sys; from tinyllm.cli.main import main\n"
        f"main(['tokens', 'hello', '--html', 't.html', '--encoding', {str(vocabulary)!r}])\n"
        "print({'numba', 'matplotlib', 'urllib.request'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=vocabulary.parent,
        env={"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.stdout.endswith("set()\n")
