"""Answering: search, pack, ask or extract, and check every citation before anybody reads it.

    found = answer("who swims?", rag)                          # sentences of the sources, word for word
    found = answer("who swims?", rag, llm=complete)            # any callable from a prompt to a text
    found.text, found.citations, found.abstained

Nothing that a source says starts anything: no tool is called, no address is fetched, here or on behalf of a source.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from ...errors import ConfigError, DTypeError
from ..chunk.limit import count_words
from ..types import Answer, Citation, Document, Retriever
from .cite import Claim, parse, verify
from .extract import extract, rank_sentences
from .guard import strip
from .pack import RULES, SILENCE, Rules, pack

_NUMBER = re.compile(r"\[(\d+)\]")
THRESHOLD = 0.25  # at 0.264, 98 % of the right answers of XQuAD's first half are given: see benchmarks/rag_answers.py


def answer(
    question: str,
    retriever: Retriever,
    llm: Callable[[str], str] | None = None,
    budget: int = 2048,
    *,
    k: int = 10,
    count: Callable[[str], int] = count_words,
    rules: Rules = RULES,
    documents: Mapping[str, Document] | None = None,
    sentences: int = 2,
    margin: float = 2.5,
    threshold: float = THRESHOLD,
    unsupported: str = "flag",
    seed: int | None = None,
) -> Answer:
    """Answer a question from what a retriever finds, or say that it cannot be answered.

    Every number in brackets in the answer's text is that of a source which was found to say what is quoted from it.

    Args:
        question: anything; a blank one is abstained from.
        retriever: what searches.
        llm: the generator, prompt -> text, such as a GPT's generate or a client's complete; without one the answer is
            made of the sentences that fit the question best.
        budget: the most tokens of the prompt.
        k: how many hits to look at.
        count: the generator's token count, such as ``encoding.count``; words and signs unless told.
        rules: what may go into the prompt.
        documents: id -> document, to join chunks exactly and to look quotes up where they came from.
        sentences: the most sentences of an answer without a generator.
        margin: how much worse than the best one a further sentence may be, see ``extract``.
        threshold: below which confidence there is no answer: see ``calibrate``.
        unsupported: "flag" says behind a statement that no quote supports it, "remove" leaves it out.
        seed: of the fence's code, for tests.

    Raises:
        ConfigError: another ``unsupported``, or a budget that does not hold the question.
        DTypeError: a question or a reply of the generator that is no str.

    Example:
        >>> from tinyllm.rag import Document, Pipeline, Whole
        >>> from tinyllm.rag.retrieve import Lexical
        >>> rag = Pipeline(Whole(), [Lexical()])
        >>> rag.add([Document("1", "Cats do not swim. Most ducks swim in cold water."), Document("2", "Dogs bark.")])
        >>> found = answer("Which animals swim in cold water?", rag, sentences=1)
        >>> found.text, found.citations[0].verdict
        ('"Most ducks swim in cold water." [1]', 'supported')
        >>> answer("How do bees dance?", rag).abstained
        True
    """
    if unsupported not in ("flag", "remove"):
        raise ConfigError(f"answer: unsupported={unsupported!r}", hint='"flag" or "remove"')
    if not isinstance(question, str):
        raise DTypeError(f"answer: the question is a {type(question).__name__}", hint="a str")
    hits = retriever.search(question, k) if question.strip() else []
    packed = pack(question, hits, budget, count, rules=rules, documents=documents, seed=seed)
    ranked = rank_sentences(question, packed.sources, packed.scores)
    chosen = extract(ranked, sentences, margin)
    confidence = min(chosen[0].cover, 1.0) if chosen else 0.0
    silent = Answer(
        SILENCE,
        abstained=True,
        confidence=confidence,
        sources=packed.sources,
        left_out=packed.left_out,
        stripped=packed.stripped,
    )
    if not chosen or confidence < threshold:
        return silent
    if llm is None:
        claims = [Claim(f'"{_line(one.text)}"', one.source, one.text) for one in chosen]
    else:
        reply = llm(packed.prompt)
        if not isinstance(reply, str):
            raise DTypeError(f"answer: the generator returned a {type(reply).__name__}", hint="a str")
        claims = parse(reply.replace(rules.mark, " ") if rules.mark else reply)
        silent = replace(silent, prompt=packed.prompt)
        if SILENCE in reply:
            return silent
    citations = verify(claims, packed.sources, documents)
    lines = _lines(citations, unsupported == "flag")
    if not lines:
        return replace(silent, citations=tuple(citations))
    return replace(silent, text="\n".join(lines), citations=tuple(citations), abstained=False)


def _line(text: str) -> str:
    """Return a text on one line, without what cannot be seen, and [3] as (3): a number in brackets is a checked one."""
    return _NUMBER.sub(r"(\1)", " ".join(strip(text)[0].split()))


def _lines(citations: Sequence[Citation], flag: bool) -> list[str]:
    """Return the statements with the numbers of the sources that support them, those of no source flagged or gone."""
    grouped: dict[str, list[Citation]] = {}
    for one in citations:
        grouped.setdefault(one.claim, []).append(one)
    lines = []
    for statement, theirs in grouped.items():
        numbers = sorted({one.number for one in theirs if one.verdict == "supported"})
        if numbers:
            lines.append(" ".join([_line(statement), *(f"[{number}]" for number in numbers)]))
        elif flag:
            lines.append(f"{_line(statement)} [not supported: {theirs[0].verdict}]")
    return lines
