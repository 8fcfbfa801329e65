"""A folder of one's own: what is read, and the one clear line for what is not."""

from __future__ import annotations

import json

import pytest

from tinyllm.errors import DataError
from tinyllm.rag.evaluate.collections import load
from tinyllm.rag.evaluate.own import read_own, read_queries

DOCUMENTS = [{"id": "a", "text": "Ducks swim.", "title": "Ducks", "section": ["Birds"], "meta": {"page": 3}}]
QUERIES = {"q": {"text": "who swims", "grades": {"a": 2}}}


def written(folder, documents=DOCUMENTS, queries=QUERIES):
    lines = [line if isinstance(line, str) else json.dumps(line) for line in documents]
    (folder / "documents.jsonl").write_text("\n".join(lines) + "\n", "utf-8")
    (folder / "queries.json").write_text(queries if isinstance(queries, str) else json.dumps(queries), "utf-8")
    return folder


def test_it_is_read(tmp_path):
    own = load("own", written(tmp_path))
    assert own.name == tmp_path.name and own.queries == {"q": "who swims"} and own.qrels == {"q": {"a": 2}}
    duck = own.documents["a"]
    assert (duck.text, duck.title, duck.section, duck.meta) == ("Ducks swim.", "Ducks", ("Birds",), {"page": 3})


def test_a_line_separator_in_a_text_is_no_new_line(tmp_path):
    line = json.dumps({"id": "a", "text": "one\u2028two"}, ensure_ascii=False)
    assert read_own(written(tmp_path, [line])).documents["a"].text == "one\u2028two"


@pytest.mark.parametrize(
    ("documents", "words"),
    [
        (["{"], "line 1: is no JSON"),
        ([*DOCUMENTS, "[]"], "line 2: has no id"),
        ([*DOCUMENTS, *DOCUMENTS], "line 2: the id 'a' again"),
        ([{"id": "a"}], "its text is missing"),
        ([{"id": "a", "text": "x", "title": 3}], "its title is missing or of another kind"),
        ([{"id": "a", "text": "x", "section": "Birds"}], "its section"),
    ],
)
def test_bad_documents(tmp_path, documents, words):
    with pytest.raises(DataError, match=words):
        read_own(written(tmp_path, documents))


@pytest.mark.parametrize(
    "queries",
    ["{", "[]", "{}", '{"q": "who"}', '{"q": {"text": "who"}}', '{"q": {"text": "who", "grades": {"a": 0.5}}}'],
)
def test_bad_queries(queries):
    with pytest.raises(DataError, match=r"queries\.json"):
        read_queries(queries)


def test_a_judged_document_that_is_not_there(tmp_path):
    with pytest.raises(DataError, match="judges 'b', which is no document"):
        read_own(written(tmp_path, queries={"q": {"text": "who", "grades": {"b": 1}}}))


def test_a_missing_file(tmp_path):
    with pytest.raises(DataError, match=r"no file documents\.jsonl"):
        load("own", tmp_path)
