"""The ninth stop: the text the model learned from answers questions, and every quote is checked."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from .stop import Stop, Tour

if TYPE_CHECKING:
    from ...rag import Answer

ASKED = (
    "When are default parameter values evaluated?",
    "How are chained comparisons evaluated?",
    "What does assert do when optimization is requested?",
    "Who wrote Hamlet?",
)


def visit(tour: Tour) -> None:
    """Index Python's manual, headings kept, and ask it three questions that it answers and one that it does not."""
    from ... import kernels
    from ...rag import Library
    from ...rag.answer import answer
    from ...rag.read import manual

    place = tour.folder / "manual.library"
    began = time.perf_counter()
    with kernels.use("numpy"), Library.make(place, manual(), embedder="lsa", anew=True) as library:
        pages, indexed = len(library.made.added), time.perf_counter() - began
        tour.screen.line(f"{pages} pages of Python's manual in {len(library)} passages ({indexed:.1f} s)")
        pipeline = library.pipeline()
        for question in ASKED:
            began = time.perf_counter()
            found = answer(question, pipeline, sentences=1)
            told(tour, question, found, time.perf_counter() - began)
    tour.screen.line()
    tour.screen.paragraph(
        "No model wrote this: the passages are found by their words (BM25) and by vectors made of the manual alone "
        "(LSA), fused, and the sentence that fits best is quoted. That a quote is where it is said to be is checked "
        f"word for word; that it answers the question is up to you. Go on with: tinyllm rag ask {place} QUESTION"
    )


def told(tour: Tour, question: str, found: Answer, seconds: float) -> None:
    """Print a question, its answer, and where that stands."""
    tour.screen.line()
    tour.screen.line(question, style="bold")
    tour.screen.paragraph(found.text, indent="    ")
    for citation in found.citations:
        header = next((chunk.header for chunk in found.sources if chunk.id == citation.chunk_id), "")
        where = f"[{citation.chunk_id}] {header}: {citation.verdict}, {1000 * seconds:.0f} ms"
        tour.screen.line(f"    {where}", style="green" if citation.verdict == "supported" else "red")


STOP = Stop(
    "questions",
    "Questions to the manual",
    "The same text, searched instead of learned: a question finds the passage that answers it, and quotes it.",
    visit,
)
