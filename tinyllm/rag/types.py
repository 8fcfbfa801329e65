"""What the stages of retrieval hand to each other, and what each of them must be able to do.

Four values travel: a Document is cut into Chunks, a search ranks them as Hits, and an Answer cites them. Five protocols
say what a stage does; anything that has the methods is one, no base class is needed.

Everywhere: a higher score is better, ranks start at 1, ties go by the order of insertion, and an id is a non-empty str
without NUL (Postgres refuses it, so the door does for all).
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np

from ..errors import ConfigError, DataError, DTypeError

Array = np.ndarray[Any, np.dtype[Any]]
Kind = Literal["document", "query"]
Verdict = Literal["supported", "misattributed", "frankenquote", "fabricated", "missing"]


def checked_id(value: object, what: str = "id") -> str:
    """Return an id as it is, or say what is wrong with it.

    Raises:
        DTypeError: it is no str.
        DataError: it is empty or holds a NUL.

    Example:
        >>> checked_id("a/b.md")
        'a/b.md'
    """
    if not isinstance(value, str):
        raise DTypeError(f"{what}: {value!r} is a {type(value).__name__}", hint="a str")
    if not value or "\0" in value:
        raise DataError(f"{what}: {value!r} is empty or holds a NUL", hint="a name that is neither")
    return value


@dataclass(frozen=True, slots=True)
class Document:
    """A text with a name.

    Args:
        id: its name in a collection.
        text: all of it; may be empty, when the title alone is to be found.
        title: what it is called.
        section: where it stands, from the outermost heading inwards.
        meta: anything else that is known about it, such as its path or its language.

    Raises:
        DTypeError: the id or the text is no str.
        DataError: the id is empty or holds a NUL.

    Example:
        >>> Document("1", "Ducks swim.", title="Animals").section
        ()
    """

    id: str
    text: str
    title: str = ""
    section: tuple[str, ...] = ()
    meta: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        checked_id(self.id, "Document: id")
        if not isinstance(self.text, str):
            raise DTypeError(f"Document {self.id!r}: the text is a {type(self.text).__name__}", hint="a str")


@dataclass(frozen=True, slots=True)
class Chunk:
    r"""A stretch of a document: ``text`` is ``document.text[start:end]``, always.

    Args:
        id: "<doc_id>:<start>-<end>".
        doc_id: the document it was cut from.
        text: its own words, which alone may be quoted.
        start: where it begins in the document, in characters.
        end: where it ends.
        header: what is said before the text to those who search, such as title and section; never quoted.
        ordinal: which chunk of its document it is, from 0.
        n_tokens: what header and text together take, special tokens included, by the counter it was cut with; 0 if
            nobody counted.

    Example:
        >>> chunk = Chunk.cut(Document("1", "Ducks swim. Cats do not."), 0, 11, header="Animals")
        >>> chunk.id, chunk.text, chunk.full
        ('1:0-11', 'Ducks swim.', 'Animals\nDucks swim.')
    """

    id: str
    doc_id: str
    text: str
    start: int
    end: int
    header: str = ""
    ordinal: int = 0
    n_tokens: int = 0

    @classmethod
    def cut(
        cls, document: Document, start: int, end: int, *, header: str = "", ordinal: int = 0, n_tokens: int = 0
    ) -> Chunk:
        """Cut a chunk out of a document.

        Raises:
            ConfigError: the span does not lie in the text.
        """
        if not 0 <= start <= end <= len(document.text):
            raise ConfigError(
                f"Chunk: {start}-{end} is no span of document {document.id!r}", hint=f"within 0-{len(document.text)}"
            )
        name = f"{document.id}:{start}-{end}"
        return cls(name, document.id, document.text[start:end], start, end, header, ordinal, n_tokens)

    @property
    def full(self) -> str:
        """What an embedder or a lexical index reads: the header on a line of its own, then the text."""
        return with_header(self.header, self.text)


def with_header(header: str, text: str) -> str:
    r"""Put a header before a text, as ``Chunk.full`` does.

    Example:
        >>> with_header("Animals", "Ducks swim."), with_header("", "Ducks swim.")
        ('Animals\nDucks swim.', 'Ducks swim.')
    """
    return "\n".join(part for part in (header, text) if part)


@dataclass(frozen=True, slots=True)
class Hit:
    """A chunk that a search found.

    Args:
        chunk: what was found.
        score: how well it fits, by the last stage that looked; higher is better.
        rank: its place, from 1.
        parts: the score of every stage that looked, by the stage's name.

    Example:
        >>> Hit(Chunk("1:0-4", "1", "Duck", 0, 4), 2.5, 1, {"bm25": 2.5}).parts
        {'bm25': 2.5}
    """

    chunk: Chunk
    score: float
    rank: int
    parts: Mapping[str, float] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class Citation:
    """A claim's proof: a quote, where it stands in which chunk's document, and whether it was found there.

    Args:
        chunk_id: where it was found; where it was not, what was cited, or "" if that is nothing.
        start: where it begins in the document, in characters; 0 where it was not found.
        end: where it ends.
        quote: as it was given.
        verdict: what came of looking for it.
        claim: the statement that it is to prove.
        number: of the source that was cited, from 1 in the order of the prompt; 0 for none.

    Example:
        >>> Citation("1:0-11", 0, 11, "Ducks swim.", "supported").verdict
        'supported'
    """

    chunk_id: str
    start: int
    end: int
    quote: str
    verdict: Verdict
    claim: str = ""
    number: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer with its citations.

    Args:
        text: to be read; it is not escaped for any terminal or page.
        citations: one for each claim, and for each further source of it.
        abstained: nothing that was found was good enough to answer from.
        confidence: what the threshold of abstention was compared with, from 0 to 1.
        sources: the passages that could be cited, in the order of the prompt; number 1 is the first.
        left_out: chunk id -> why it is in no source.
        stripped: kind of hidden character -> how many were taken out of the sources.
        prompt: what the generator read; "" where none was asked.

    Example:
        >>> Answer("", abstained=True).citations
        ()
    """

    text: str
    citations: tuple[Citation, ...] = ()
    abstained: bool = False
    confidence: float = 0.0
    sources: tuple[Chunk, ...] = ()
    left_out: Mapping[str, str] = field(default_factory=dict, hash=False)
    stripped: Mapping[str, int] = field(default_factory=dict, hash=False)
    prompt: str = ""


@runtime_checkable
class Chunker(Protocol):
    """Cuts a document into chunks, in the order of the text; a document without any text or title gives none."""

    def split(self, document: Document) -> list[Chunk]:
        """Cut a document."""


@runtime_checkable
class Embedder(Protocol):
    """Turns texts into vectors.

    ``id`` holds all that changes a vector: model, weights, tokenizer, pooling and limit, so that vectors of two
    embedders are never mixed. ``max_tokens`` is the most tokens it reads, special ones included; None if all are read.
    """

    @property
    def id(self) -> str:
        """What it is, exactly."""

    @property
    def dim(self) -> int:
        """How many numbers a vector has."""

    @property
    def max_tokens(self) -> int | None:
        """The most tokens it reads of a text, special ones included."""

    def embed(self, texts: Sequence[str], kind: Kind = "document") -> Array:
        """Return a vector of each text, float32 (N, dim)."""

    def count(self, text: str) -> int:
        """Return how many tokens a text has for it, special ones not counted."""


@runtime_checkable
class Index(Protocol):
    """Finds the nearest of many vectors; scores are higher where they are nearer.

    ``allow`` holds the only ids that may be found. Fewer than k live ones give a short result.
    """

    def add(self, ids: Sequence[str], vectors: Array) -> None:
        """Add vectors (N, dim) under ids; one that is there already is replaced."""

    def remove(self, ids: Sequence[str]) -> None:
        """Forget vectors."""

    def search(self, query: Array, k: int, allow: Any = None) -> tuple[list[str], Array]:
        """Return the ids of the k best, best first, and their scores."""

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write all of it to a file."""


@runtime_checkable
class Retriever(Protocol):
    """Answers a query with hits, best first, ranks from 1."""

    def search(self, query: str, k: int) -> list[Hit]:
        """Return at most k hits."""


@runtime_checkable
class Reranker(Protocol):
    """Looks again at what was found."""

    def score(self, query: str, chunks: Sequence[Chunk]) -> Array:
        """Return how well each chunk answers the query, float32 (N,)."""
