"""XQuAD: 240 passages of Wikipedia and 1,190 questions, each with the span of its answer (Artetxe et al. 2020).

A passage is a document, named "<article>/<number>", the article being its title; the one a question was written about
is relevant to it. ``answers`` holds the spans, so that an answer can be checked for the words it should contain.
"""

from __future__ import annotations

import json
from os import PathLike
from pathlib import Path

from ...errors import DataError
from ..types import Document
from .collections import Collection
from .dotted import read_text


def read_xquad(folder: str | PathLike[str]) -> Collection:
    """Read xquad.en.json.

    Args:
        folder: that holds it.

    Raises:
        DataError: the file is missing or damaged, or a span does not hold the answer it should.
    """
    documents: dict[str, Document] = {}
    queries: dict[str, str] = {}
    qrels: dict[str, dict[str, int]] = {}
    answers: dict[str, tuple[tuple[str, int, int], ...]] = {}
    try:
        articles = json.loads(read_text(Path(folder), "xquad.en.json", "utf-8"))["data"]
        for article in articles:
            for place, passage in enumerate(article["paragraphs"]):
                name, text = f"{article['title']}/{place}", passage["context"]
                documents[name] = Document(name, text, article["title"].replace("_", " "))
                for asked in passage["qas"]:
                    queries[asked["id"]], qrels[asked["id"]] = asked["question"], {name: 1}
                    spans = []
                    for answer in asked["answers"]:
                        start, end = answer["answer_start"], answer["answer_start"] + len(answer["text"])
                        if text[start:end] != answer["text"]:
                            raise DataError(f"xquad: {asked['id']}: {text[start:end]!r} is not {answer['text']!r}")
                        spans.append((name, start, end))
                    answers[asked["id"]] = tuple(spans)
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise DataError(f"xquad.en.json is damaged: {error!r}", hint="fetch it again") from error
    return Collection("xquad en", documents, queries, qrels, answers=answers)
