"""A collection of your own: two files in a folder, as the toy collection has them.

    documents.jsonl    a line for each document: {"id": "a.md", "text": "...", "title": "..."}; the title may be missing
    queries.json       {"q1": {"text": "how do ducks swim", "grades": {"a.md": 3, "b.md": 1}}}; 1 is relevant already

Ten questions that people have really asked, judged in an afternoon, say more about a pipeline than any published table.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from ...errors import DataError
from ..types import Document
from .collections import Collection
from .dotted import read_text

_FIELDS = ("id", "text", "title", "section", "meta")
_SHAPE = '{"q1": {"text": "how do ducks swim", "grades": {"a.md": 3}}}'


def read_own(folder: str | PathLike[str]) -> Collection:
    """Read documents.jsonl and queries.json.

    Args:
        folder: that holds them; the collection is named after it.

    Raises:
        DataError: a file is missing, is no JSON, or says something else; the line is named.
    """
    place = Path(folder)
    documents: dict[str, Document] = {}
    for number, line in enumerate(read_text(place, "documents.jsonl", "utf-8").split("\n"), start=1):
        if line.strip():
            document = _document(line, f"documents.jsonl, line {number}")
            if document.id in documents:
                raise DataError(f"documents.jsonl, line {number}: the id {document.id!r} again", hint="one for each")
            documents[document.id] = document
    queries, qrels = read_queries(read_text(place, "queries.json", "utf-8"))
    return Collection(place.resolve().name, documents, queries, qrels)


def read_queries(text: str, name: str = "queries.json") -> tuple[dict[str, str], dict[str, dict[str, int]]]:
    """Return the texts and the judgments of a queries.json.

    Raises:
        DataError: it is no JSON, or not of that form.

    Example:
        >>> read_queries('{"q": {"text": "who swims", "grades": {"ducks": 1}}}')
        ({'q': 'who swims'}, {'q': {'ducks': 1}})
    """
    try:
        judged = json.loads(text)
    except ValueError as error:
        raise DataError(f"{name}: is no JSON ({error})", hint=_SHAPE) from error
    if not isinstance(judged, dict) or not judged:
        raise DataError(f"{name}: holds no queries", hint=_SHAPE)
    for query, entry in judged.items():
        asked = entry.get("text") if isinstance(entry, dict) else None
        grades = entry.get("grades") if isinstance(entry, dict) else None
        whole = isinstance(grades, dict) and all(type(grade) is int for grade in grades.values())
        if not isinstance(asked, str) or not whole:
            raise DataError(f"{name}: query {query!r} has no text, or no whole numbers as grades", hint=_SHAPE)
    return {q: entry["text"] for q, entry in judged.items()}, {q: entry["grades"] for q, entry in judged.items()}


def _document(line: str, where: str) -> Document:
    try:
        fields = json.loads(line)
    except ValueError as error:
        raise DataError(f"{where}: is no JSON ({error})", hint='{"id": "a.md", "text": "..."}') from error
    if not isinstance(fields, Mapping) or not isinstance(fields.get("id"), str):
        raise DataError(f"{where}: has no id", hint='{"id": "a.md", "text": "..."}')
    known: dict[str, Any] = {name: fields[name] for name in _FIELDS if name in fields}
    kinds = {"text": str, "title": str, "section": list, "meta": Mapping}
    wrong = next((name for name, kind in kinds.items() if name in known and not isinstance(known[name], kind)), None)
    if wrong or "text" not in known:
        raise DataError(f"{where}: its {wrong or 'text'} is missing or of another kind", hint="texts, as in id")
    known["section"] = tuple(map(str, known.get("section", ())))
    return Document(**known)
