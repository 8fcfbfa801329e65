"""How often does an answer made of sentences contain the answer? XQuAD: 1,190 questions whose answers are spans.

    python benchmarks/rag_answers.py FOLDER/collections/xquad

BM25 finds passages, the extractor answers with at most so many sentences, each of them quoted and verified. Reported
for the half of the articles that weights, margin and threshold were chosen on, for the other half, and for all:

    contains    one of the cited sentences contains the marked span, in the passage where it was marked
    precision   of the citations: those that do
    cited       sentences per question that is answered
    answered    the share of the questions that are
    refused     of the same questions with their passage hidden from the search: those that are not answered
    supported   whether the verifier found every quote
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Sequence

import numpy as np

from tinyllm.rag import Chunk, Lexical
from tinyllm.rag.answer import answer, calibrate
from tinyllm.rag.answer.answer import THRESHOLD
from tinyllm.rag.evaluate.collections import Collection, load
from tinyllm.rag.types import Answer, Hit


class Hiding:
    """A retriever that never finds one document."""

    def __init__(self, retriever: Lexical) -> None:
        self.retriever, self.hidden = retriever, ""

    def search(self, query: str, k: int) -> list[Hit]:
        """Return at most k hits of the others."""
        return [hit for hit in self.retriever.search(query, k + 1) if hit.chunk.doc_id != self.hidden][:k]


def halves(collection: Collection) -> tuple[list[str], list[str]]:
    """Return the questions of one half of the articles, drawn with seed 0, and those of the other."""
    article = {query: next(iter(grades)).split("/")[0] for query, grades in collection.qrels.items()}
    names = sorted(set(article.values()))
    chosen = set(np.random.default_rng(0).permutation(names)[: len(names) // 2].tolist())
    return [q for q in article if article[q] in chosen], [q for q in article if article[q] not in chosen]


def holds(found: Answer, spans: Sequence[tuple[str, int, int]]) -> list[bool]:
    """Return for each citation whether it contains a marked span."""
    sources = {source.id: source.doc_id for source in found.sources}
    return [
        any(sources[one.chunk_id] == name and one.start <= begin and end <= one.end for name, begin, end in spans)
        for one in found.citations
    ]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--k", type=int, default=10)
    wanted = parser.parse_args()
    xquad = load("xquad", wanted.folder)
    words = Lexical()
    words.add([Chunk.cut(one, 0, len(one.text), header=one.title) for one in xquad.documents.values()])
    hiding = Hiding(words)
    chosen, held_out = halves(xquad)
    without = {}
    for query, text in xquad.queries.items():
        hiding.hidden = next(iter(xquad.qrels[query]))
        without[query] = answer(text, hiding, threshold=0, k=wanted.k, seed=0).confidence
    rows = []
    for sentences in (1, 2, 3):
        begun = time.perf_counter()
        found = {q: answer(t, words, sentences=sentences, threshold=0, k=wanted.k) for q, t in xquad.queries.items()}
        ms = 1000 * (time.perf_counter() - begun) / len(found)
        right = {query: holds(found[query], xquad.answers[query]) for query in found}
        keep = calibrate([found[q].confidence for q in chosen], [any(right[q]) for q in chosen], keep=0.98)
        for threshold in (0.0, THRESHOLD, round(keep.value, 3)):
            for name, some in (("chosen on", chosen), ("held out", held_out), ("all", list(xquad.queries))):
                given = [q for q in some if not found[q].abstained and found[q].confidence >= threshold]
                cited = [hit for query in given for hit in right[query]]
                rows.append(
                    {
                        "sentences": sentences,
                        "threshold": threshold,
                        "questions": f"{name} ({len(some)})",
                        "contains": round(sum(any(right[query]) for query in given) / len(some), 4),
                        "precision": round(float(np.mean(cited)), 4),
                        "cited": round(len(cited) / len(given), 2),
                        "answered": round(len(given) / len(some), 4),
                        "refused": round(float(np.mean([without[query] < threshold for query in some])), 4),
                        "supported": all(one.verdict == "supported" for q in given for one in found[q].citations),
                        "ms": round(ms, 1),
                    }
                )
    if wanted.json:
        print(
            json.dumps(
                {
                    "machine": platform.processor() or platform.machine(),
                    "python": platform.python_version(),
                    "rows": rows,
                }
            )
        )
        return
    print("  ".join(f"{key:>16}" for key in rows[0]))
    for row in rows:
        print("  ".join(f"{value!s:>16}" for value in row.values()))


if __name__ == "__main__":
    main()
