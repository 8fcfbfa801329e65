"""The readers and the traps of their files: small files made here for what must be refused, real ones for the rest."""

from __future__ import annotations

import json
import re
import zipfile
from dataclasses import replace

import pytest

from tinyllm.errors import ConfigError, DataError
from tinyllm.rag.evaluate.collections import Collection, load
from tinyllm.rag.evaluate.dotted import records
from tinyllm.rag.evaluate.scifact import sentences
from tinyllm.rag.types import Document


@pytest.fixture
def folder_of(data_file):
    return lambda name, file: data_file(f"collections/{name}/{file}").parent


# toy


def test_toy_has_what_it_should():
    toy = load("toy")
    assert len(toy.documents) == 30 and len(toy.queries) == 12
    assert {grade for grades in toy.qrels.values() for grade in grades.values()} == {1, 2, 3}
    assert all(max(grades.values()) == 3 for grades in toy.qrels.values())
    assert [document.id for document in toy.documents.values() if not document.text] == ["opening-hours"]
    assert any("\u3041" < letter < "\u3096" for letter in toy.documents["tea-jp"].text)
    assert "<|endoftext|>" in toy.documents["notice-hostile"].text
    first, copy = (set(toy.documents[name].text.split()) for name in ("bread-starter", "bread-starter-copy"))
    assert first != copy and len(first & copy) / len(first | copy) > 0.9
    hostile = {query: ["notice-hostile"] for query in toy.queries}
    assert set(toy.evaluate(hostile, ["ndcg@10"])["ndcg@10"].values()) == {0.0}
    assert load("toy") is toy


# Cranfield


def test_cranfield_is_all_there(folder_of):
    cranfield = load("cranfield", folder_of("cranfield", "cran.qry"))
    assert len(cranfield.documents) == 1400 and sum(map(len, cranfield.qrels.values())) == 1837
    assert list(cranfield.queries) == [str(n) for n in range(1, 226)]  # by their place, not by .I, which runs to 365
    assert cranfield.queries["3"].startswith("what problems of heat conduction")  # .I 004
    assert cranfield.queries["225"].startswith("what design factors can be used")  # .I 365


def test_cranfield_grades_are_turned_around(folder_of):
    cranfield = load("cranfield", folder_of("cranfield", "cran.qry"))
    assert cranfield.qrels["1"]["184"] == 3  # code 2, of a high degree
    assert cranfield.qrels["1"]["12"] == 2  # code 3
    counts = [sum(list(grades.values()).count(grade) for grades in cranfield.qrels.values()) for grade in range(1, 5)]
    assert counts == [363, 734, 387, 128 + 225]


def test_cranfield_source_in_three_ways(folder_of):
    folder = folder_of("cranfield", "cran.qry")
    relevant, miss, removed = (load("cranfield", folder, source=way) for way in ("relevant", "miss", "removed"))
    sources = {query: relevant.qrels[query].keys() - miss.qrels[query].keys() for query in relevant.queries}
    assert all(len(names) == 1 for names in sources.values())
    assert removed.removed == sources and removed.qrels == miss.qrels and not miss.removed
    query, (source,) = "1", sources["1"]
    best = max(miss.qrels[query], key=miss.qrels[query].get)
    run = {query: [source, best]}
    first = [each.evaluate(run, ["mrr"])["mrr"][query] for each in (relevant, miss, removed)]
    assert first == [1.0, 0.5, 1.0]
    assert relevant.qrels[query][source] == 4
    with pytest.raises(ConfigError, match="source='kept'"):
        load("cranfield", folder, source="kept")


def test_cranfield_bodies_and_slips(folder_of):
    documents = load("cranfield", folder_of("cranfield", "cran.qry")).documents
    assert [name for name, d in documents.items() if d.title and d.text.startswith(d.title)] == []
    assert documents["1"].text.startswith("an experimental study of a wing in a propeller slipstream")
    assert [name for name, d in documents.items() if not d.text] == ["471", "995"]
    assert documents["471"].title == documents["995"].title == ""
    assert documents["240"].meta["author"] == "dean r. chapman"
    assert "turbulent separations is made for a prandtl number of unity in low-speed flow" in documents["240"].text


def test_cranfield_damaged(tmp_path):
    with pytest.raises(DataError, match=r"no file cran\.all\.1400"):
        load("cranfield", tmp_path)
    (tmp_path / "cran.all.1400").write_text(".I 1\n.T\nwings\n.W\nwings lift\n")
    (tmp_path / "cran.qry").write_bytes(b".I 7\r\n.W\r\nwhat lifts\r\n.I\r\n")
    for line in ("1 1", "1 1 best", "2 1 3"):
        (tmp_path / "cranqrel.raw").write_text(line)
        with pytest.raises(DataError, match=r"cranqrel\.raw"):
            load("cranfield", tmp_path)
    (tmp_path / "cranqrel.raw").write_text("1 2 3")
    with pytest.raises(DataError, match="judges '2', which is no document"):
        load("cranfield", tmp_path)
    (tmp_path / "cranqrel.raw").write_text("\n1   1 2 \n")
    assert load("cranfield", tmp_path).qrels == {"1": {"1": 3}}


def test_records_outside_of_a_field():
    with pytest.raises(DataError, match="line 2 is in no field: 'stray'"):
        list(records(".I 1\nstray\n"))
    assert list(records(".I 1\n.W\none\n.A\ntwo\n", last="W")) == [("1", {"W": ["one", "two"]})]


# CISI


def test_cisi_and_its_traps(folder_of):
    cisi = load("cisi", folder_of("cisi", "CISI.ALL"))
    assert len(cisi.documents) == 1460 and len(cisi.queries) == 76  # 36 of the 112 were judged by nobody
    assert sum(map(len, cisi.qrels.values())) == 3114 and {
        g for each in cisi.qrels.values() for g in each.values()
    } == {1}
    assert "36" not in cisi.queries and "28" in cisi.qrels["1"]
    text = cisi.documents["1"].text
    assert text.startswith("The present study") and text.endswith("librarianship in this country and abroad.")
    assert not any(re.search(r"\d\t\d", document.text) for document in cisi.documents.values())  # links look so
    assert cisi.queries["58"].startswith("Directions in Library Networking Bibliographic control before")
    assert "Avram" not in cisi.queries["58"] and "JASIS" not in cisi.queries["58"]
    assert cisi.documents["1"].meta["author"] == "Comaromi, J.P."


# SciFact


def test_scifact_and_its_traps(folder_of):
    folder = folder_of("scifact", "scifact.zip")
    test, train = load("scifact", folder), load("scifact", folder, split="train")
    assert len(test.documents) == 5183 and (len(test.queries), len(train.queries)) == (300, 809)
    assert (sum(map(len, test.qrels.values())), sum(map(len, train.qrels.values()))) == (339, 919)
    assert test.qrels["1"] == {"31715818": 1} and train.qrels["0"] == {"31715818": 1}
    with zipfile.ZipFile(folder / "scifact.zip") as archive:
        raw = archive.read("corpus_train.csv").decode()
    assert raw.count("\\n") == 3304 and "\\u" in raw
    for document in test.documents.values():
        assert not re.search(r"\\[nxu']", document.text) and "\n" not in document.text
    spans = {name: document.meta["sentences"] for name, document in test.documents.items()}
    assert sum(map(len, spans.values())) == 45_952
    text, cut = test.documents["4983"].text, spans["4983"]
    assert text[slice(*cut[0])].startswith("Alterations of the architecture") and text[slice(*cut[0])].endswith(
        "disabilities."
    )
    assert " ".join(text[start:end] for start, end in cut) == text


def test_scifact_sentences_are_unescaped():
    printed = "['It\\'s 5\\u2009mm \\\\ wide.'\n \"It isn't.\"\n 'Said \"no\".']"
    assert sentences(printed) == ["It's 5\u2009mm \\ wide.", "It isn't.", 'Said "no".'] and sentences("[]") == []
    for bad in ("['one' two]", "'one'", "['one", "[print('x')]"):
        with pytest.raises(DataError):
            sentences(bad)


def test_scifact_damaged(tmp_path):
    with pytest.raises(ConfigError, match="split='dev'"):
        load("scifact", tmp_path, split="dev")
    (tmp_path / "beir" / "qrels").mkdir(parents=True)
    (tmp_path / "beir" / "queries.jsonl").write_text('{"_id": "1", "text": "claim"}\n')
    judged = tmp_path / "beir" / "qrels" / "test.tsv"
    for line in ("2\t0 5\t1", "1", "1 0 5 yes"):
        judged.write_text(line)
        with pytest.raises(DataError, match=r"test\.tsv"):
            load("scifact", tmp_path)
    judged.write_text("1\t 0 5\t1\n")
    with pytest.raises(DataError, match=r"no file scifact\.zip"):
        load("scifact", tmp_path)
    (tmp_path / "scifact.zip").write_bytes(b"no archive")
    with pytest.raises(DataError, match="damaged"):
        load("scifact", tmp_path)


# XQuAD


def test_xquad_spans_hold_their_answers(folder_of):
    xquad = load("xquad", folder_of("xquad", "xquad.en.json"))
    assert (len(xquad.documents), len(xquad.queries), len(xquad.answers)) == (240, 1190, 1190)
    (document, start, end) = xquad.answers["56beb4343aeaaa14008c925b"][0]
    assert xquad.documents[document].text[start:end] == "308" and xquad.qrels["56beb4343aeaaa14008c925b"] == {
        document: 1
    }


def test_xquad_damaged(tmp_path):
    asked = {"id": "q", "question": "who", "answers": [{"answer_start": 1, "text": "Ducks"}]}
    entry = {"data": [{"title": "A", "paragraphs": [{"context": "Ducks swim.", "qas": [asked]}]}]}
    (tmp_path / "xquad.en.json").write_text(json.dumps(entry))
    with pytest.raises(DataError, match="'ucks ' is not 'Ducks'"):
        load("xquad", tmp_path)
    for text in ("{", "{}", "[]"):
        (tmp_path / "xquad.en.json").write_text(text)
        with pytest.raises(DataError, match="damaged"):
            load("xquad", tmp_path)


# what all of them are


def test_a_collection_checks_itself():
    documents = {"d": Document("d", "Ducks swim.")}
    good = Collection("good", documents, {"q": "who"}, {"q": {"d": 1}})
    with pytest.raises(DataError, match="do not match"):
        replace(good, queries={"q": "who", "r": "what"})
    with pytest.raises(DataError, match="judges 'x'"):
        replace(good, qrels={"q": {"x": 1}})
    with pytest.raises(DataError, match="query"):
        replace(good, queries={"": "who"}, qrels={"": {"d": 1}})
    with pytest.raises(DataError, match="no query 'z'"):
        good.take(["z"])
    assert good.take([]).queries == {} and good.take(["q"], "other").name == "other"


def test_load_refuses():
    for name, folder in (("cranfeild", "."), ("cisi", None), ("toy", ".")):
        with pytest.raises(ConfigError):
            load(name, folder)
    with pytest.raises(ConfigError, match="no choice 'split'"):
        load("cisi", ".", split="test")
