"""Sentences: what must not be cut, what must, and that the spans leave nothing out."""

from __future__ import annotations

import ast
import csv
import io
import re
import zipfile
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyllm.errors import DTypeError
from tinyllm.tokenizer.sentences import sentence_spans


def sentences(text):
    return [text[begin:end] for begin, end in sentence_spans(text)]


WHOLE = [
    "Pi is 3.14 and e is 2.72.",
    "Use a list, e.g. Python's, or a tuple, i.e. Something fixed.",
    "As Fig. 3 and Eq. (4) show, it holds.",
    "He lives in the U.S. Senate building.",
    "Found by Smith et al. (2005) in mice.",
    "By J. R. R. Tolkien and D. E. Knuth.",
    "Dr. Who met Mrs. Smith at St. Paul's.",
    "Wait ... what?",
    "Well... yes, of course.",
    "\u201cReally?\u201d he asked.",
    "See https://example.com/a.b?c=d!e for more.",
    "Open file.txt. it says",
    "No. 5 is alive (vol. 3, pp. 4-6).",
    "It was so on Jan. 5 of that year.",
    "Yahoo! is a company.",
    "A p value of < .05 was found.",
]
CUT = {
    "One. Two! Three? Four.": ["One.", "Two!", "Three?", "Four."],
    "What?! No.": ["What?!", "No."],
    "He said \u201cGo.\u201d Then he went.": ["He said \u201cGo.\u201d", "Then he went."],
    "(It rained.) We left.": ["(It rained.)", "We left."],
    "He is from the U.S. The rest are not.": ["He is from the U.S.", "The rest are not."],
    "Take vitamin C. It helps.": ["Take vitamin C.", "It helps."],
    "So do I. Nobody else does.": ["So do I.", "Nobody else does."],
    "The answer is no. Ask again.": ["The answer is no.", "Ask again."],
    "It was lost in 1999. Then found.": ["It was lost in 1999.", "Then found."],
    "We saw it. p53 was high. mRNA fell.": ["We saw it.", "p53 was high.", "mRNA fell."],
    "It grew. 12 died.": ["It grew.", "12 died."],
    "Well... Then he left.": ["Well...", "Then he left."],
    "1. Wash. 2. Dry.": ["1. Wash.", "2. Dry."],
    "Title without a stop\n\nThen a text.": ["Title without a stop", "Then a text."],
    "\u6211\u662f\u8c01\uff1f\u6211\u4e0d\u77e5\u9053\u3002\u4f60\u5462": [
        "\u6211\u662f\u8c01\uff1f",
        "\u6211\u4e0d\u77e5\u9053\u3002",
        "\u4f60\u5462",
    ],
    "\u300c\u884c\u304f\u3002\u300d\u5f7c\u306f\u8a00\u3063\u305f\u3002": [
        "\u300c\u884c\u304f\u3002\u300d",
        "\u5f7c\u306f\u8a00\u3063\u305f\u3002",
    ],
    "\u0422\u044b \u043a\u0442\u043e? \u042f \u043d\u0438\u043a\u0442\u043e.": [
        "\u0422\u044b \u043a\u0442\u043e?",
        "\u042f \u043d\u0438\u043a\u0442\u043e.",
    ],
    "one line\nand the next": ["one line\nand the next"],
    "Ducks swim, cats etc. The end.": ["Ducks swim, cats etc.", "The end."],
}


@pytest.mark.parametrize("text", WHOLE)
def test_what_must_not_be_cut(text):
    assert sentences(text) == [text]


@pytest.mark.parametrize("text", CUT)
def test_what_must_be_cut(text):
    assert sentences(text) == CUT[text]


def test_blank_texts_have_none():
    assert sentence_spans("") == sentence_spans(" \n\n\t ") == []


def test_a_text_is_a_str():
    with pytest.raises(DTypeError, match="bytes"):
        sentence_spans(b"One. Two.")


PARTS = st.sampled_from(
    ["One", "two", "Fig", "U.S", "3.14", ".", "?", "...", " ", " ", "\n\n", "\u3002", '"', ")", "\u4f60", "e.g."]
)


@given(st.one_of(st.text(), st.lists(PARTS).map("".join)))
def test_spans_leave_nothing_out(text):
    spans = sentence_spans(text)
    end = 0
    for first, last in [*spans, (len(text), len(text))]:
        assert first >= end and not text[end:first].strip()
        end = last
    for first, last in spans:
        assert text[first:last].strip() == text[first:last] != ""


@given(st.lists(PARTS).map("".join))
def test_a_sentence_is_found_again_behind_a_blank_line(text):
    assert sentences("Before\n\n" + text) == ["Before", *sentences(text)]


@pytest.mark.parametrize(
    "text", ["." * 100_000 + "x", ".)" * 50_000 + "x", "." + " " * 100_000, ". " * 50_000, "\n " * 50_000]
)
def test_hostile_texts_take_linear_time(text):
    assert sum(end - begin for begin, end in sentence_spans(text)) <= len(text)


def abstracts(path, step=1):
    """Yield each abstract of SciFact as its sentences, as somebody else's splitter cut them."""
    csv.field_size_limit(1 << 20)
    quoted = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"", re.S)
    with zipfile.ZipFile(path) as archive, archive.open("corpus_train.csv") as file:
        for row in islice(csv.DictReader(io.TextIOWrapper(file, "utf-8")), 0, None, step):
            yield [ast.literal_eval(part).strip() for part in quoted.findall(row["abstract"])]


def boundaries_found(documents):
    """Count boundaries inside of documents: right, found, and true ones."""
    right = found = true = 0
    for parts in documents:
        text = " ".join(part for part in parts if part)
        ends, at = set(), -1
        for part in parts:
            if part:
                at += 1 + len(part)
                ends.add(at)
        ours = {end for _, end in sentence_spans(text)} - {len(text)}
        ends.discard(len(text))
        right, found, true = right + len(ours & ends), found + len(ours), true + len(ends)
    return right, found, true


def test_scifact(data_file):
    """Every fifth abstract. The boundaries are another program's, which cuts "1.4 +/- 0.2" and rows of dots in two."""
    documents = list(abstracts(data_file("collections/scifact/scifact.zip"), step=5))
    assert len(documents) == 1037
    right, found, true = boundaries_found(documents)
    assert right / found > 0.99 and right / true > 0.96
