"""Ingest: make a store hold exactly these documents, chunking and embedding only what changed.

    with SqliteStore("notes.db", embedder.id, embedder.dim) as store, Cache("notes.cache") as cache:
        changes = ingest(folder("notes"), store, Headings(embedder=embedder), embedder, cache)

What the store holds is read, never assumed. Every chunk there has a fingerprint of all it says; those of a document
together are its digest. The cache notes which digest a document gives with a chunker: where the store has the same
one, the document is neither chunked nor embedded. Nothing else says how far a run came, so a run that is killed is
finished by the next one: new chunks are written, then old ones deleted, then the digest is noted, and each document
that stands between two of these steps differs from its digest.
"""

from __future__ import annotations

import dataclasses
import json
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sized
from dataclasses import dataclass, field
from types import FunctionType
from typing import Any

import numpy as np

from .. import __version__
from ..errors import DataError, DTypeError
from .cache import Array, Cache, Cached, embedded, key_of
from .store.base import VectorStore, same_embedder
from .types import Chunk, Chunker, Document, Embedder

BATCH = 256  # chunks that are embedded and written together
_SLICE = 1000  # chunks read from the store at once
_TRIES = 20  # readings of a store that another process deletes from

Prints = dict[str, bytes]  # of one document: a chunk's id -> its fingerprint


@dataclass(frozen=True, slots=True)
class Changes:
    """What a run did, as ids of documents in the order they came; a document that gives no chunk counts as the same.

    Example:
        >>> print(Changes(added=("a.md", "b.md"), same=("c.md",)))
        2 added, 0 changed, 0 removed, 1 same
    """

    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    same: tuple[str, ...] = ()

    def __str__(self) -> str:
        return ", ".join(f"{len(getattr(self, f.name)):,} {f.name}" for f in dataclasses.fields(self))


def ingest(
    documents: Iterable[Document],
    store: VectorStore,
    chunker: Chunker,
    embedder: Embedder,
    cache: Cache | None = None,
    progress: Callable[[int, int | None], object] | None = None,
    *,
    remove: bool = True,
) -> Changes:
    """Make a store hold exactly these documents.

    Args:
        documents: all of them, in the order they shall stand; read one after the other, never all at once.
        store: where the chunks go.
        chunker: cuts them.
        embedder: makes the vectors; must be the one whose vectors the store holds.
        cache: keeps vectors and notes between runs; without one, every document is chunked again, and chunks that the
            store does not hold are embedded.
        progress: is called with how many documents are settled and how many there are, None if nobody knows.
        remove: delete documents that did not come; False where these are only some of all.

    Returns:
        Which documents were added, changed, removed, or stayed the same.

    Raises:
        DataError: an id comes twice; what came before the second one is stored.
        ConfigError: the store holds another embedder's vectors.
        DTypeError: one of the documents is none.

    Example:
        >>> from tinyllm.rag.chunk import SentencePack
        >>> from tinyllm.rag.store.memory import MemoryStore
        >>> class Letters:
        ...     id, dim, max_tokens = "letters", 2, None
        ...     def count(self, text): return len(text)
        ...     def embed(self, texts, kind="document"): return [[text.count("a"), text.count("e")] for text in texts]
        >>> store, notes = MemoryStore("letters", 2), [Document("1", "A day at sea."), Document("2", "Tea.")]
        >>> print(ingest(notes, store, SentencePack(), Letters()))
        2 added, 0 changed, 0 removed, 0 same
        >>> print(ingest(notes[1:], store, SentencePack(), Letters()))
        0 added, 0 changed, 1 removed, 1 same
    """
    same_embedder("to ingest into", store.embedder_id, store.dim, embedder.id, embedder.dim)
    if cache is not None and not isinstance(embedder, Cached):
        embedder = Cached(embedder, cache)
    run = _Run(store, chunker, embedder, cache, chunker_sha(chunker), _held(store))
    total = len(documents) if isinstance(documents, Sized) else None
    seen: set[str] = set()
    for document in documents:
        if not isinstance(document, Document):
            raise DTypeError(f"ingest: {document!r:.60} is no Document", hint="rag.read.folder(path) yields them")
        if document.id in seen:
            run.write()
            raise DataError(f"ingest: two documents are called {document.id!r}", hint="give each an id of its own")
        seen.add(document.id)
        run.take(document)
        if progress:
            progress(len(seen) - len(run.waiting), total)
    run.write()
    removed = tuple(doc_id for doc_id in run.held if doc_id not in seen) if remove else ()
    store.delete([chunk_id for doc_id in removed for chunk_id in run.held[doc_id]])
    if progress and seen:
        progress(len(seen), total)
    return Changes(tuple(run.added), tuple(run.changed), removed, tuple(run.same))


@dataclass(slots=True)
class _Waiting:
    """A document that has been cut and not yet been written."""

    new: list[tuple[Chunk, dict[str, Any]]]  # chunks that the store lacks, each with its meta
    old: list[str]  # ids it has and should not have
    note: tuple[bytes, bytes, Any] | None


@dataclass(slots=True)
class _Run:
    store: VectorStore
    chunker: Chunker
    embedder: Embedder
    cache: Cache | None
    chunker_sha: bytes | None
    held: dict[str, Prints]  # what the store held when the run began, by document
    waiting: list[_Waiting] = field(default_factory=list)
    added: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    same: list[str] = field(default_factory=list)

    def take(self, document: Document) -> None:
        """Look at a document; if the store does not hold it as it is, cut it and let it wait to be written."""
        held = self.held.get(document.id, {})
        keys = (_document_sha(document), self.chunker_sha) if self.cache is not None and self.chunker_sha else None
        if self.cache is not None and keys:
            noted = self.cache.chunking(*keys)
            if noted and noted.get("digest") == _digest(held):
                self.same.append(document.id)
                return
        chunks = self.chunker.split(document)
        metas = [_meta(document, chunk) for chunk in chunks]
        prints = {chunk.id: fingerprint(chunk, meta) for chunk, meta in zip(chunks, metas, strict=True)}
        new = [pair for pair in zip(chunks, metas, strict=True) if held.get(pair[0].id) != prints[pair[0].id]]
        old = [chunk_id for chunk_id in held if chunk_id not in prints]
        note = (*keys, {"chunks": list(prints), "digest": _digest(prints)}) if keys else None
        verdict = self.same if not new and not old else self.changed if held else self.added
        verdict.append(document.id)
        self.waiting.append(_Waiting(new, old, note))
        if sum(len(each.new) for each in self.waiting) >= BATCH or len(self.waiting) >= BATCH:
            self.write()

    def write(self) -> None:
        """Embed and write what waits: new chunks first, so that whoever is killed in between has lost nothing."""
        new = [pair for each in self.waiting for pair in each.new]
        old = [chunk_id for each in self.waiting for chunk_id in each.old]
        for at in range(0, len(new), BATCH):
            chunks, metas = zip(*new[at : at + BATCH], strict=True)
            self.store.upsert(chunks, self._vectors(chunks), metas)
        if old:
            self.store.delete(old)
        notes = [each.note for each in self.waiting if each.note]
        if self.cache is not None and notes:
            self.cache.note_chunkings(notes)
        self.waiting.clear()

    def _vectors(self, chunks: tuple[Chunk, ...]) -> Array:
        """Take the vectors of what a document also said before, elsewhere in it, from the store; embed the rest."""
        known: dict[str, Array] = {}
        for doc_id in dict.fromkeys(chunk.doc_id for chunk in chunks):
            ids = list(self.held.get(doc_id, ()))
            try:
                there = [chunk.full for chunk in self.store.get(ids)] if ids else []
                known |= zip(there, self.store.vectors(ids) if ids else (), strict=True)
            except DataError:
                continue  # another process deleted some of them meanwhile
        texts = list(dict.fromkeys(chunk.full for chunk in chunks if chunk.full not in known))
        if texts:
            known |= zip(texts, embedded(self.embedder, texts), strict=True)
        return np.stack([known[chunk.full] for chunk in chunks])


def fingerprint(chunk: Chunk, meta: Mapping[str, Any]) -> bytes:
    """Return the sha256 of all that a chunk says, and of its meta.

    Example:
        >>> chunk = Chunk("1:0-4", "1", "Duck", 0, 4)
        >>> fingerprint(chunk, {}) == fingerprint(chunk, {"language": "en"})
        False
    """
    c = chunk
    return key_of(c.id, c.doc_id, c.text, c.start, c.end, c.header, c.ordinal, c.n_tokens, _json(meta))


def chunker_sha(chunker: object) -> bytes | None:
    """Return a digest of a chunker's class and settings, or None if there is no telling: then nothing is noted of it.

    One of our own chunkers can be told by its fields, with an embedder by its id and a header by its name; any other
    by an attribute ``id`` of its own.

    Example:
        >>> from tinyllm.rag.chunk import SentencePack
        >>> chunker_sha(SentencePack(100)) == chunker_sha(SentencePack(101)), chunker_sha(object())
        (False, None)
    """
    try:
        return key_of("chunker", __version__, _told(chunker))
    except LookupError:
        return None


def _told(value: object) -> str:
    if value is None or isinstance(value, (bool, int, float, str)):
        return repr(value)
    kind = type(value)
    name = f"{kind.__module__}.{kind.__qualname__}"
    if isinstance(getattr(value, "id", None), str):
        return f"{name} {value.id!r}"  # type: ignore[attr-defined]
    ours = "tinyllm."
    if isinstance(value, FunctionType) and value.__module__.startswith(ours) and "<" not in value.__qualname__:
        return f"{value.__module__}.{value.__qualname__}"
    if dataclasses.is_dataclass(value) and name.startswith(ours):
        return f"{name}({', '.join(f'{f.name}={_told(getattr(value, f.name))}' for f in dataclasses.fields(value))})"
    raise LookupError(name)


def _held(store: VectorStore) -> dict[str, Prints]:
    """Read the fingerprints of all that a store holds."""
    for _ in range(_TRIES):
        held: dict[str, Prints] = {}
        ids = store.ids()
        try:
            for at in range(0, len(ids), _SLICE):
                some = ids[at : at + _SLICE]
                for chunk, meta in zip(store.get(some), store.meta(some), strict=True):
                    held.setdefault(chunk.doc_id, {})[chunk.id] = fingerprint(chunk, meta)
        except DataError:
            continue  # another process deleted one after we had read its name
        return held
    raise DataError("ingest: another process does not stop deleting from this store", hint="wait until it is done")


def _meta(document: Document, chunk: Chunk) -> dict[str, Any]:
    """What a store keeps beside a chunk: the document's meta and title, and, of one in pages, the page it begins on."""
    meta = {"title": document.title} if document.title else {}
    meta |= {name: value for name, value in document.meta.items() if name != "pages"}
    pages = document.meta.get("pages")
    return {**meta, "page": bisect_right(pages, chunk.start)} if pages else meta


def _document_sha(document: Document) -> bytes:
    return key_of(document.id, document.text, document.title, _json([*document.section]), _json(document.meta))


def _digest(prints: Prints) -> str:
    return key_of(*sorted(prints.values())).hex()


def _json(value: object) -> str:
    try:
        return json.dumps(dict(value) if isinstance(value, Mapping) else value, sort_keys=True)
    except (TypeError, ValueError) as error:
        raise DataError(
            f"ingest: a document's meta is no JSON: {error}", hint="texts, numbers, lists and dicts"
        ) from None
