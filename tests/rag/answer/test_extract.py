"""The extractor: what it looks at, what it passes over, and that what it quotes stands where it says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyllm.errors import ConfigError
from tinyllm.rag.answer.extract import FEATURES, LONGEST, Sentence, extract, features, rank_sentences
from tinyllm.rag.types import Chunk


def chunk(text: str, start: int = 0, doc: str = "d", header: str = "") -> Chunk:
    return Chunk(f"{doc}:{start}-{start + len(text)}", doc, text, start, start + len(text), header)


LAMP = chunk(
    "The lamp was lit in 1874. It burned oil at first. Augustin Fresnel made the lens. The keeper saw 29 ships a day.",
    100,
)


@pytest.mark.parametrize(
    "question, begins",
    [
        ("When was the lamp lit?", "The lamp"),
        ("What did it burn at first?", "It burned"),
        ("Who made the lens?", "Augustin"),
        ("How many ships did the keeper see?", "The keeper"),
    ],
)
def test_the_sentence_that_answers_comes_first(question, begins):
    best = rank_sentences(question, [LAMP])[0]
    assert best.text.startswith(begins)
    assert LAMP.text[best.start - 100 : best.end - 100] == best.text and best.source == 1


def seen(question: str, *sources: Chunk) -> list[dict[str, float]]:
    _, table = features(question, sources, {i: i + 1 for i in range(len(sources))})
    return [dict(zip(FEATURES, row, strict=False)) for row in table.tolist()]


def test_what_is_seen_of_a_sentence():
    one, two, three, four = seen(
        "Who lit the lamp of the pier at dawn?",
        chunk("A lamp stood there. Anna lit it. Nobody saw the dawn."),
        chunk("So."),
    )
    assert one["overlap"] > 0 and two["before"] == one["overlap"] and two["after"] == three["overlap"]
    assert one["before"] == 0 and four["after"] == four["before"] == 0  # another source is no neighbor
    assert [row["passage"] for row in (one, two, three, four)] == [1, 1, 1, 0.5]
    assert all(0 <= row["overlap"] + row["before"] + row["after"] <= 1 + 1e-12 for row in (one, two, three))
    assert seen("Is the pier old?", chunk("It is.", header="The pier"))[0]["before"] > 0
    assert (
        seen("Who saw the lamp?", chunk("A lamp is here. The lamp shone."))[1]["before"] == 0
    )  # it has the word itself
    rare, frequent = seen("lamp pier", chunk("A pier. The lamp is here. A lamp is there."))[:2]
    assert rare["overlap"] > frequent["overlap"]


@pytest.mark.parametrize(
    "question, sentence, kind",
    [
        ("How many ships came?", "We counted 29 ships.", 1),
        ("How many ships came?", "We counted twelve ships.", 1),
        ("How many ships came?", "We counted the ships.", 0),
        ("How many ships came in 1874?", "Ships came in 1874.", 0),  # the question's own number
        ("When did it open?", "It opened in March.", 1),
        ("When did it open?", "It opened late.", 0),
        ("Who made it?", "It was made by Anna.", 1),
        ("Who is Anna?", "It was made by Anna.", 0),
        ("Why is it red?", "It was made by Anna in 1874.", 0),
    ],
)
def test_the_kind_that_is_asked_for(question, sentence, kind):
    assert seen(question, chunk(sentence))[0]["kind"] == kind


def test_scores_give_the_rank_of_a_source():
    sources = [chunk("Ducks swim in ponds.", doc="a"), chunk("Ducks swim in ponds.", doc="b")]
    assert rank_sentences("ducks", sources)[0].source == 1
    assert rank_sentences("ducks", sources, [1.0, 2.0])[0].source == 2
    with pytest.raises(ConfigError, match="1 scores of 2 sources"):
        rank_sentences("ducks", sources, [1.0])


def test_weights_decide():
    sources = [chunk("Ducks swim in ponds.", doc="a"), chunk("Many ducks swim in cold ponds.", doc="b")]
    assert rank_sentences("cold ducks", sources)[0].source == 2
    assert rank_sentences("cold ducks", sources, weights=(0, 0, 0, 1, 0))[0].source == 1


def rated(*scores: float) -> list[Sentence]:
    return [Sentence(1, f"sentence number {i} of many", 0, 9, score) for i, score in enumerate(scores)]


def test_extract():
    assert len(extract(rated(5, 4, 3, 2))) == 2
    assert len(extract(rated(5, 4, 3, 2), sentences=9, margin=2)) == 3
    assert len(extract(rated(5, 4), margin=0.5)) == 1
    short = [Sentence(1, "Yes, it is.", 0, 11, 9.0), *rated(5, 4)]
    assert [one.score for one in extract(short, margin=1)] == [5, 4]
    assert extract([]) == [] == extract(short[:1])
    with pytest.raises(ConfigError, match="0 sentences"):
        extract(rated(1), sentences=0)


def test_a_text_without_stops_is_quoted_in_pieces():
    sentences = rank_sentences("word", [chunk("word " * 150), chunk("x" * 3000)])
    assert sorted(len(one.text.split()) for one in sentences) == [30, LONGEST[0], LONGEST[0]]


@given(st.text(), st.lists(st.text(), max_size=3))
def test_whatever_is_asked_of_whatever_text(question, texts):
    sources = [chunk(text, 5, str(i)) for i, text in enumerate(texts)]
    for one in rank_sentences(question, sources):
        source = sources[one.source - 1]
        assert source.text[one.start - 5 : one.end - 5] == one.text
        assert np.isfinite(one.score) and 0 <= one.cover <= 1 + 1e-12
