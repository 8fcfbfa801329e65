"""CISI: 1,460 abstracts on information science, 112 questions of which 76 are judged, 3,114 judgments (Small 1973).

Three traps: 36 questions were judged by nobody and are left out; ``.X`` lines are links between papers, no words; the
column of grades holds 0 throughout, and yet each line means "relevant". 55 questions are abstracts of papers,
with title, author and source; what is asked with is title and words (the words alone cost .012 nDCG@10 of BM25).
"""

from __future__ import annotations

from os import PathLike
from pathlib import Path

from ...errors import DataError
from ..types import Document
from .collections import Collection
from .dotted import read_text, records


def read_cisi(folder: str | PathLike[str]) -> Collection:
    """Read CISI.ALL, CISI.QRY and CISI.REL.

    Args:
        folder: that holds the three files.

    Raises:
        DataError: a file that is missing or damaged.
    """
    home = Path(folder)
    documents = {}
    for number, fields in records(read_text(home, "CISI.ALL")):
        words, title = " ".join(fields.get("W", ())), " ".join(fields.get("T", ()))
        documents[number] = Document(number, words, title, meta={"author": "; ".join(fields.get("A", ()))})
    asked = {}
    for number, fields in records(read_text(home, "CISI.QRY")):
        asked[number] = " ".join((*fields.get("T", ()), *fields.get("W", ())))
    qrels: dict[str, dict[str, int]] = {}
    for line in read_text(home, "CISI.REL").splitlines():
        query, _, rest = line.partition(",")
        if line.strip():
            if query not in asked:
                raise DataError(f"CISI.REL: {line!r}", hint="question,document,0,0.000000 in each line")
            qrels.setdefault(query, {})[rest.partition(",")[0].strip()] = 1
    queries = {number: text for number, text in asked.items() if number in qrels}
    return Collection("cisi", documents, queries, qrels)
