"""Answers: extracted, generated, flagged, abstained from; and what XQuAD says of them."""

from __future__ import annotations

import re

import pytest

from tinyllm import rag
from tinyllm.errors import ConfigError, DTypeError
from tinyllm.rag.answer import Rules, answer
from tinyllm.rag.answer.pack import MARK, SILENCE
from tinyllm.rag.evaluate.collections import load

PAGES = [
    rag.Document("ducks", "Most ducks can swim from their first day. They eat weeds and snails.", title="Ducks"),
    rag.Document("cats", "A cat will not swim if it can\u200b help it. Its fur takes long to dry.", title="Cats"),
    rag.Document("bells", "The bell was cast in 1874. It has never been rung.", title="Bells"),
]
DOCUMENTS = {page.id: page for page in PAGES}


@pytest.fixture(scope="module")
def pages():
    pipeline = rag.Pipeline(rag.SentencePack(12, header=rag.contextual_header), [rag.Lexical()])
    pipeline.add(PAGES)
    return pipeline


def test_extracted(pages):
    found = answer("When can ducks swim?", pages, sentences=1, documents=DOCUMENTS)
    assert found.text == '"Most ducks can swim from their first day." [1]' and not found.abstained and not found.prompt
    (one,) = found.citations
    assert one.verdict == "supported" and DOCUMENTS["ducks"].text[one.start : one.end] == one.quote
    assert found.sources[0].doc_id == "ducks" and 0.25 <= found.confidence <= 1


def test_nothing_found_nothing_said(pages):
    for question in ("Who invented the zeppelin?", "", " \n", "the of and"):
        found = answer(question, pages)
        assert found.abstained and found.text == SILENCE and not found.citations and found.confidence == 0
    assert answer("When can ducks fly over mountains of Peru?", pages).abstained
    assert not answer("When can ducks fly over mountains of Peru?", pages, threshold=0).abstained
    empty = rag.Pipeline(rag.Whole(), [rag.Lexical()])
    assert answer("Who swims?", empty).abstained and answer("Who swims?", empty, lambda prompt: "Ducks.").abstained


def generator(reply: str, prompts: list[str]):
    def complete(prompt: str) -> str:
        prompts.append(prompt)
        return reply

    return complete


def test_generated(pages):
    prompts: list[str] = []
    reply = """Ducks swim early. [1] "ducks can swim from their first day"
So do geese. [1] "geese can swim from their first day"
Cats avoid it."""
    found = answer("Do ducks or cats swim?", pages, generator(reply, prompts), seed=1)
    assert prompts == [found.prompt] and found.prompt.endswith("Question: Do ducks or cats swim?\nAnswer:")
    assert found.text.splitlines() == [
        "Ducks swim early. [1]",
        "So do geese. [not supported: frankenquote]",
        "Cats avoid it. [not supported: missing]",
    ]
    assert [one.verdict for one in found.citations] == ["supported", "frankenquote", "missing"]
    kept = answer("Do ducks or cats swim?", pages, generator(reply, prompts), unsupported="remove")
    assert kept.text == "Ducks swim early. [1]" and len(kept.citations) == 3


def test_what_the_model_saw_may_be_quoted(pages):
    """The zero-width space was taken out of the prompt, the mark put in: both are no misquotation."""
    prompts: list[str] = []
    reply = f'No. [1] "cat{MARK}will{MARK}not{MARK}swim{MARK}if{MARK}it{MARK}can{MARK}help"'
    found = answer("Will a cat swim?", pages, generator(reply, prompts), rules=Rules(mark=MARK), documents=DOCUMENTS)
    assert "\u200b" not in prompts[0] and f"cat{MARK}will" in prompts[0] and found.stripped == {"invisible": 1}
    (one,) = found.citations
    assert (
        one.verdict == "supported"
        and DOCUMENTS["cats"].text[one.start : one.end] == "cat will not swim if it can\u200b help"
    )
    assert found.text == "No. [1]"


def test_several_sources_of_one_statement(pages):
    reply = 'Some swim. [1] "Most ducks can swim from" [2] "cat will not swim if" [9] "Its fur takes long to"'
    found = answer("Do ducks or cats swim?", pages, generator(reply, []))
    assert [one.verdict for one in found.citations] == ["supported", "supported", "misattributed"]
    assert found.text == "Some swim. [1] [2]"


def test_a_model_may_abstain(pages):
    for reply in (SILENCE, "", "\n"):
        found = answer("Do ducks swim?", pages, generator(reply, []))
        assert found.abstained and found.text == SILENCE and found.prompt and found.sources


def test_numbers_in_brackets_are_always_checked_ones(pages):
    found = answer(
        "Do ducks swim?", pages, generator('See [7] and [8] for it [1] "Most ducks can swim from"\n[3] is so', [])
    )
    assert set(re.findall(r"\[\d+\]", found.text)) == {"[1]"}
    assert found.text.splitlines() == ["See (7) and (8) for it [1]", "(3) is so [not supported: missing]"]


def test_what_is_shown_holds_nothing_hidden(pages):
    found = answer("Do ducks swim?", pages, generator('\x1b[31mYes\u202e [1] "Most ducks can swim from"', []))
    assert found.text == "Yes [1]"


def test_refusals(pages):
    with pytest.raises(ConfigError, match="unsupported='hide'"):
        answer("Who?", pages, unsupported="hide")
    with pytest.raises(DTypeError, match="the question is a int"):
        answer(7, pages)
    with pytest.raises(DTypeError, match="returned a NoneType"):
        answer("Do ducks swim?", pages, lambda prompt: None)
    with pytest.raises(ConfigError, match="a budget of 20 tokens"):
        answer("Do ducks swim?", pages, budget=20)


def test_what_was_left_out_is_said(pages):
    found = answer("Do ducks or cats swim?", pages, rules=Rules(per_document=1))
    assert found.left_out and set(found.left_out.values()) == {"document"}
    assert not {source.id for source in found.sources} & set(found.left_out)


def test_xquad(data_file):
    """Of every tenth question; all 1,190, on both halves of the articles: benchmarks/rag_answers.py."""
    xquad = load("xquad", data_file("collections/xquad/xquad.en.json").parent)
    words = rag.Lexical()
    words.add([rag.Chunk.cut(one, 0, len(one.text), header=one.title) for one in xquad.documents.values()])
    some = list(xquad.queries)[::10]
    contains = 0
    for query in some:
        found = answer(xquad.queries[query], words, documents=xquad.documents)
        assert all(one.verdict == "supported" for one in found.citations) and len(found.citations) <= 2
        documents = {source.id: source.doc_id for source in found.sources}
        contains += any(
            documents[one.chunk_id] == name and one.start <= begin and end <= one.end
            for one in found.citations
            for name, begin, end in xquad.answers[query]
        )
    assert contains / len(some) >= 0.82
