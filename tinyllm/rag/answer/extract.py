"""Extracting: the sentences of the sources that answer a question, word for word, by no model at all.

A sentence is worth a weighted sum of what can be seen of it:

    overlap    how much of the question's words it has, rare words counting most (idf among the sentences looked at)
    before     how much of what it lacks the sentence before it has, or the header if it is the first: "he" is somebody
    after      and the one behind it
    passage    how its passage was ranked: 1, 1/2, 1/3, ...
    kind       what the question asks for is in it, and not from the question itself: a number for "how many", a number
               or a month for "when", a name for "who" and "where"

The weights are those of a softmax over the sentences of a question, fitted on half of XQuAD's articles.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ...errors import ConfigError
from ...tokenizer.sentences import sentence_spans
from ...tokenizer.truncate import word_spans
from ..lexical.words import words
from ..types import Chunk
from .cite import MIN_WORDS, count_words
from .fold import fold

Array = np.ndarray[Any, np.dtype[Any]]

FEATURES = ("overlap", "before", "after", "passage", "kind")
WEIGHTS = (7.8, 1.5, 0.4, 4.5, 1.4)
LONGEST = 60, 2000  # words and characters: what has more words and no stop is a list, to be quoted in pieces

_COUNTED = re.compile(
    r"\bhow (?:many|much|long|old|far|large|big|tall|often|high|fast|wide|deep|few)\b|\bpercentage\b"
    r"|\bwhat (?:is|was|are|were)? ?(?:the )?(?:percent|number|population|amount|proportion|share|size)\b",
    re.IGNORECASE,
)
_DATED = re.compile(r"\bwhen\b|\b(?:what|which) (?:\w+ )?(?:year|date|month|day|decade|century|time)\b", re.IGNORECASE)
_NAMED = re.compile(
    r"\b(?:who|whom|whose|where)\b|\b(?:what|which) (?:country|city|state|person|place)\b", re.IGNORECASE
)
_NUMBER = re.compile(
    r"(?<!\S)[^\s\d]*+\d\S*|\b(?:two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|dozen|hundred|thousand|million|billion"
    r"|half|third|quarter|twice)s?\b",
    re.IGNORECASE,
)
_DATE = re.compile(
    r"(?<!\S)[^\s\d]*+\d\S*|\b(?:January|February|March|April|May|June|July|August|September|October|November|December|Monday"
    r"|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday|Christmas|Easter)\b|\bcentury\b"
)
_NAME = re.compile(r"(?<=[\w,;:] )[\"'(\u201c]?[A-Z][\w-]+")
_ASKED = ((_COUNTED, _NUMBER), (_DATED, _DATE), (_NAMED, _NAME))
_EDGE = ".,;:!?()[]\"'\u201c\u201d\u2018\u2019"


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of a source.

    Attributes:
        source: its number, from 1.
        text: as it is there.
        start: where it begins in its document.
        end: where it ends.
        score: how well it answers.
        cover: the share of the question's words it has, rare ones counting most, and half of the share that the
            sentence before it adds: from 0 to 1, to be compared across questions.
    """

    source: int
    text: str
    start: int
    end: int
    score: float = 0.0
    cover: float = 0.0


def rank_sentences(
    question: str,
    sources: Sequence[Chunk],
    scores: Sequence[float] | None = None,
    weights: Sequence[float] = WEIGHTS,
) -> list[Sentence]:
    """Rank the sentences of sources by how well they answer a question, the best first.

    Args:
        question: the user's.
        sources: number 1 first.
        scores: how well each source was found; in their order unless told.
        weights: of ``FEATURES``.

    Raises:
        ConfigError: not as many scores as sources.

    Example:
        >>> note = Chunk("1:0-40", "1", "Ducks like water. They swim. Cats do not.", 0, 41)
        >>> [one.text for one in rank_sentences("Do cats swim?", [note])]
        ['Cats do not.', 'They swim.', 'Ducks like water.']
    """
    if scores is not None and len(scores) != len(sources):
        raise ConfigError(f"{len(scores)} scores of {len(sources)} sources", hint="one for each")
    best_first = sorted(range(len(sources)), key=lambda i: -scores[i] if scores is not None else i)
    ranks = {place: rank for rank, place in enumerate(best_first, 1)}
    sentences, table = features(question, sources, ranks)
    worth = table @ np.asarray(weights, float)
    rated = [
        replace(one, score=float(value), cover=float(row[0] + row[1] / 2))
        for one, value, row in zip(sentences, worth, table, strict=True)
    ]
    return sorted(rated, key=lambda one: -one.score)


def features(question: str, sources: Sequence[Chunk], ranks: dict[int, int]) -> tuple[list[Sentence], Array]:
    """Return the sentences of sources in order, and what can be seen of each, (N, 5).

    Args:
        question: the user's.
        sources: where they are from.
        ranks: of each source by its place, from 1.
    """
    sentences: list[Sentence] = []
    bags: list[set[str]] = []
    asked = set(words(question))
    literal = {word.strip(_EDGE).casefold() for word in question.split()}
    for place, source in enumerate(sources):
        for begin, end in _quotable(source.text):
            sentences.append(Sentence(place + 1, source.text[begin:end], source.start + begin, source.start + end))
            bags.append(set(words(source.text[begin:end])))
    spread = Counter(word for bag in bags for word in bag & asked)
    idf = {word: math.log(1 + (len(bags) - spread[word] + 0.5) / (spread[word] + 0.5)) for word in asked}
    total = sum(idf.values()) or 1.0

    def share(some: set[str]) -> float:
        return sum(idf[word] for word in sorted(some)) / total

    rows = []
    for i, (one, bag) in enumerate(zip(sentences, bags, strict=True)):
        lacks = asked - bag
        same = [0 <= j < len(bags) and sentences[j].source == one.source for j in (i - 1, i + 1)]
        before = bags[i - 1] if same[0] else set(words(sources[one.source - 1].header))
        after = bags[i + 1] if same[1] else set()
        answers = _answers_kind(question, one.text, literal)
        rows.append(
            [share(asked & bag), share(lacks & before), share(lacks & after), 1 / ranks[one.source - 1], answers]
        )
    return sentences, np.array(rows, float).reshape(len(rows), len(FEATURES))


def _quotable(text: str) -> Iterator[tuple[int, int]]:
    """Yield the spans of sentences, one without an end in pieces; a word without an end is nothing to quote."""
    size, most = LONGEST
    for begin, end in sentence_spans(text):
        spans = word_spans(text, begin, end)
        for i in range(0, len(spans), size):
            first, last = spans[i][0], spans[min(i + size, len(spans)) - 1][1]
            if last - first <= most:
                yield first, last


def _answers_kind(question: str, sentence: str, literal: set[str]) -> float:
    """Return 1 where a question asks for a kind of thing and a sentence has one that is not the question's own."""
    for asks, answers in _ASKED:
        if asks.search(question):
            return float(any(found[0].strip(_EDGE).casefold() not in literal for found in answers.finditer(sentence)))
    return 0.0


def extract(ranked: Sequence[Sentence], sentences: int = 2, margin: float = 2.5) -> list[Sentence]:
    """Choose what to answer with: the best sentence, and further ones that are hardly worse.

    What is too short to be verified is passed over.

    Args:
        ranked: as ``rank_sentences`` returned them.
        sentences: the most of them.
        margin: how much less than the best one each may be worth: 2.5 is being less likely by a factor of 12.

    Raises:
        ConfigError: fewer than one sentence.

    Example:
        >>> two = [Sentence(1, "Most young ducks swim.", 0, 22, 4.0), Sentence(1, "Some cats do not.", 23, 40, 1.0)]
        >>> [one.text for one in extract(two)], len(extract(two, margin=3))
        (['Most young ducks swim.'], 2)
    """
    if sentences < 1:
        raise ConfigError(f"an answer of {sentences} sentences", hint="1 or more")
    chosen: list[Sentence] = []
    for one in ranked:
        if len(chosen) == sentences or (chosen and one.score < chosen[0].score - margin):
            break
        if count_words(fold(one.text).text) >= MIN_WORDS:
            chosen.append(one)
    return chosen
