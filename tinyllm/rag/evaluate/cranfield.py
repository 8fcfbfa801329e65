"""Cranfield: 1,400 abstracts on aerodynamics, 225 questions, 1,837 judgments (Cleverdon 1967), and its traps.

Numbers: judgments speak of questions 1 to 225 in file order; the numbers in the file run to 365 and are of no use.

Grades: the file's codes are upside down, 1 being a complete answer and 4 minimum interest, so a code c becomes 5 - c.

Source documents: each question was asked by the author of a paper, and code -1 marks that paper. It stands high in
any ranking. There are three ways to take it, whose figures do not compare (one BM25: nDCG@10 .524, .364 and .414):

    source="relevant"   it is relevant, with the highest grade
    source="miss"       it is not relevant and stays in the rankings, a certain error near the top
    source="removed"    it is taken out of the question's ranking: neither helps nor harms

Bodies begin with the title once more (410 twice): it is cut off. Documents 471 and 995 are empty, title and all. In
document 240 an author's and a source's line stand in the middle of the body, which goes on behind them.
"""

from __future__ import annotations

from os import PathLike
from pathlib import Path

from ...errors import ConfigError, DataError
from ..types import Document
from .collections import Collection
from .dotted import read_text, records

SOURCE = -1
SOURCES = ("relevant", "miss", "removed")


def read_cranfield(folder: str | PathLike[str], source: str = "relevant") -> Collection:
    """Read cran.all.1400, cran.qry and cranqrel.raw.

    Args:
        folder: that holds the three files.
        source: what to do with the paper a question comes from: "relevant", "miss" or "removed".

    Raises:
        ConfigError: another ``source``.
        DataError: a file that is missing or damaged.
    """
    if source not in SOURCES:
        raise ConfigError(f"cranfield: source={source!r}", hint=", ".join(SOURCES))
    home = Path(folder)
    documents = {}
    for number, fields in records(read_text(home, "cran.all.1400"), last="W"):
        title = " ".join(fields.get("T", ()))
        body = " ".join(fields.get("W", ()))
        while title and body.startswith(title):
            body = body.removeprefix(title).lstrip()
        documents[number] = Document(
            number, body, title, meta={key: " ".join(fields.get(letter, ())) for letter, key in _KNOWN.items()}
        )
    texts = [" ".join(fields["W"]) for _, fields in records(read_text(home, "cran.qry"))]
    queries = {str(place): text for place, text in enumerate(texts, start=1)}
    qrels: dict[str, dict[str, int]] = {query: {} for query in queries}
    removed: dict[str, frozenset[str]] = {}
    for line in read_text(home, "cranqrel.raw").splitlines():
        if not line.strip():
            continue
        try:
            query, document, code = line.split()
            grade = 4 if int(code) == SOURCE else 5 - int(code)
            if int(code) != SOURCE or source == "relevant":
                qrels[query][document] = grade
            elif source == "removed":
                removed[query] = removed.get(query, frozenset()) | {document}
        except (ValueError, KeyError) as error:
            raise DataError(f"cranqrel.raw: {line!r}", hint="question, document and code in each line") from error
    return Collection(f"cranfield, source {source}", documents, queries, qrels, removed)


_KNOWN = {"A": "author", "B": "appeared"}
