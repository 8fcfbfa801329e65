"""A library: a corpus on disk, cut, embedded and ready to be asked, in one folder.

    with Library.make("notes.library", folder("notes")) as library:     # the first time
        for hit in library.search("how do ducks swim", k=3):
            hit.chunk.doc_id, hit.chunk.text, hit.parts
    with Library("notes.library") as library:                           # from then on
        library.sync(folder("notes"))                                   # touches only what changed

What lies in the folder:

    library.json       how it was made: the chunker, the embedder
    library.sqlite     chunks and vectors (``SqliteStore``), and the cache that saves a second embedding (``Cache``)
    lsa.npz            the embedder's own words, where it was made of this corpus
    bm25.npz           the index of words, so that it need not be made at every start; made again where it is old

Everything that cannot be made again is in the SQLite file, in transactions: a run that is killed is finished by the
next one, and two processes may write at a time.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from ..atomic import write_json
from ..errors import CheckpointError, ConfigError, DataError, TinyLLMError, nearest
from .cache import Cache
from .chunk import FixedTokens, Headings, SentencePack, Whole, contextual_header
from .embed import LSA, embedder
from .fuse import RRF
from .ingest import Changes, ingest
from .lexical.bm25 import BM25
from .pipeline import Pipeline
from .retrieve import Dense, Lexical
from .store.sqlite import SqliteStore
from .types import Chunk, Chunker, Document, Embedder, Hit

SETTINGS, STORE, LSA_FILE, WORDS = "library.json", "library.sqlite", "lsa.npz", "bm25.npz"
FORMAT = 1
AGAIN = "index the documents again"
OWN_FILES = (SETTINGS, STORE, LSA_FILE, WORDS)
MAX_TOKENS = 200  # of a chunk whose embedder reads everything: a passage that can be shown and quoted
CHUNKERS: Mapping[str, Callable[..., Chunker]] = {
    "headings": Headings,
    "sentences": SentencePack,
    "fixed": FixedTokens,
}
EMBEDDERS = ("auto", "lsa", "minilm")
Progress = Callable[[int, int | None], object]


class Library:
    """An indexed corpus that was made before.

    Args:
        path: its folder.

    Attributes:
        path: its folder.
        settings: what library.json says.
        made: what ``make`` did, of a library that was just made.
        embedder: makes its vectors.
        store: holds its chunks and vectors.
        chunker: cuts what is new.

    Raises:
        DataError: there is no library.
        CheckpointError: it is damaged.
        ConfigError: its embedder is not here, or is another one than made the vectors.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.settings = _settings(self.path)
        self.embedder = _embedder_of(self.path, self.settings)
        self.chunker = _chunker(self.settings["chunker"], self.settings["max_tokens"], self.embedder)
        self.made = Changes()
        self.store = SqliteStore(self.path / STORE, self.embedder.id, self.embedder.dim)
        self._cache = Cache(self.path / STORE)
        self._pipeline: tuple[tuple[str, ...], Pipeline] | None = None  # and the chunks it was filled with

    @staticmethod
    def is_at(path: str | os.PathLike[str]) -> bool:
        """Tell whether there is a library in this folder."""
        return (Path(path) / SETTINGS).is_file()

    @classmethod
    def make(
        cls,
        path: str | os.PathLike[str],
        documents: Iterable[Document],
        *,
        embedder: str = "auto",
        chunker: str = "headings",
        max_tokens: int | None = None,
        anew: bool = False,
        progress: Progress | None = None,
    ) -> Self:
        """Index a corpus into a new folder.

        Args:
            path: the folder; it is not there yet, or holds nothing but a library that ``anew`` may replace.
            documents: the corpus; an embedder that is made of it (LSA) reads all of it first.
            embedder: "minilm", "lsa", or "auto": MiniLM where its weights are, else LSA.
            chunker: "headings", "sentences" or "fixed".
            max_tokens: of a chunk; what the embedder reads, or 200, unless told.
            anew: replace a library that is there, once the new one is whole.
            progress: is called with how many documents are indexed, and how many there are.

        Raises:
            ConfigError: the folder holds something, or a setting does not exist.
            DataError: there are no documents, or two of one id.
        """
        place = Path(path)
        known("embedder", embedder, EMBEDDERS)
        known("chunker", chunker, CHUNKERS)
        _refuse_full(place, anew)
        corpus = list(documents)
        if not corpus:
            raise DataError("Library: there are no documents", hint="a folder with texts in it")
        replaced = cls.is_at(place)
        target = place.with_name(place.name + ".unfinished") if replaced else place
        maker, name, why = _chosen(embedder)
        cut = _chunker(chunker, max_tokens, maker)  # refuses its settings before there is anything on the disk
        settings = {"format": FORMAT, "embedder": name, "why": why, "chunker": chunker, "max_tokens": max_tokens}
        if name == "lsa" or not (cls.is_at(target) and _settings(target) == settings):
            shutil.rmtree(target, ignore_errors=True)  # else it goes on where a run was killed
        target.mkdir(parents=True, exist_ok=True)
        if name == "lsa":
            LSA().fit([chunk.full for document in corpus for chunk in cut.split(document)]).save(target / LSA_FILE)
        write_json(target / SETTINGS, settings)
        with cls(target) as library:
            made = library.sync(corpus, progress)
        if replaced:
            old = place.with_name(place.name + ".old")
            shutil.rmtree(old, ignore_errors=True)
            place.rename(old)
            target.rename(place)
            shutil.rmtree(old)
        finished = cls(place)
        finished.made = made
        return finished

    @property
    def why(self) -> str:
        """Why it has this embedder, in one sentence."""
        return str(self.settings.get("why", ""))

    def unseen(self, doc_ids: Iterable[str]) -> float:
        """Return the share of the words in these documents that the embedder was not made for; 0 if it knows all.

        Where it grows beyond a tenth or so, a library with an embedder of its own is better made anew.
        """
        share = getattr(self.embedder, "unseen", None)
        texts = [chunk.text for name in doc_ids for chunk in self.store.get(self.store.ids(name))] if share else []
        return sum(share(text) for text in texts) / len(texts) if share and texts else 0.0

    def sync(self, documents: Iterable[Document], progress: Progress | None = None) -> Changes:
        """Make the library hold exactly these documents; what did not change is neither cut nor embedded again.

        Raises:
            DataError: two documents of one id.
        """
        self._pipeline = None
        return ingest(documents, self.store, self.chunker, self.embedder, self._cache, progress)

    def __len__(self) -> int:
        return self.store.count()

    def chunks(self) -> list[Chunk]:
        """Return all chunks, in the order of the corpus."""
        return self.store.get(self.store.ids())

    def pipeline(self) -> Pipeline:
        """Return what searches the chunks: BM25 and vectors, fused by their ranks.

        It is filled once and again after other processes have changed the corpus; to read them costs a fraction of a
        second for ten thousand chunks.
        """
        ids = tuple(self.store.ids())
        if self._pipeline is None or self._pipeline[0] != ids:
            chunks = self.store.get(ids)
            meaning = Dense(self.embedder)
            meaning.add(chunks, self.store.vectors(ids))
            self._pipeline = ids, Pipeline(Whole(), [self._words(chunks), meaning], fuse=RRF())
        return self._pipeline[1]

    def _words(self, chunks: list[Chunk]) -> Lexical:
        """Return the index of words, from its file unless that is missing, damaged or of another state."""
        try:
            return Lexical.over(chunks, BM25.load(self.path / WORDS))
        except TinyLLMError:
            words = Lexical(BM25())
            words.add(chunks)
            with suppress(TinyLLMError):  # a folder that cannot be written only costs time
                words.index.save(self.path / WORDS)
            return words

    def search(self, query: str, k: int = 10) -> list[Hit]:
        """Return the k best chunks, best first; every stage's score is in ``Hit.parts``.

        Raises:
            ConfigError: k is no whole number from 1 on.
        """
        return self.pipeline().search(query, k)

    def close(self) -> None:
        """Close its file; a second time does nothing."""
        self.store.close()
        self._cache.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def known(what: str, value: str, values: Iterable[str]) -> None:
    """Refuse a setting that does not exist.

    Raises:
        ConfigError: it does not; the nearest is named.
    """
    names = list(values)
    if value not in names:
        raise ConfigError(f"Library: {what} {value!r}", hint=nearest(str(value), names) or ", ".join(names))


def _refuse_full(place: Path, anew: bool) -> None:
    """Refuse a folder with anything in it that making a library there would cost."""
    if not place.exists():
        return
    if not place.is_dir():
        raise ConfigError(f"{place}: is a file", hint="another path")
    foreign = sorted(entry.name for entry in place.iterdir() if not entry.name.startswith(OWN_FILES))
    if foreign:
        raise ConfigError(f"{place}: holds other things, such as {foreign[0]}", hint="a path of its own for a library")
    if Library.is_at(place) and not anew:
        raise ConfigError(f"{place}: holds a library already", hint="Library(path).sync(documents), or anew=True")


def _chosen(name: str) -> tuple[Any, str, str]:
    """Return an embedder, "minilm" or "lsa", and why."""
    found = embedder(name)
    return found, "lsa" if isinstance(found, LSA) else "minilm", found.why.partition(": ")[2]


def _chunker(name: str, max_tokens: int | None, counter: Embedder | None) -> Chunker:
    """Return what cuts: tokens are counted by an embedder that has a limit, else words and signs are."""
    limited = counter is not None and counter.max_tokens is not None
    longest = MAX_TOKENS if max_tokens is None and not limited else max_tokens
    return CHUNKERS[name](max_tokens=longest, embedder=counter if limited else None, header=contextual_header)


def _embedder_of(place: Path, settings: Mapping[str, Any]) -> Embedder:
    if settings["embedder"] == "lsa":
        return LSA.load(place / LSA_FILE)
    return embedder("minilm")


def _settings(place: Path) -> dict[str, Any]:
    try:
        settings = json.loads((place / SETTINGS).read_text("utf-8"))
    except FileNotFoundError:
        raise DataError(
            f"{place}: there is no library" if place.exists() else f"{place}: there is no such folder",
            hint=f"tinyllm rag index FOLDER --to {place}",
        ) from None
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{place / SETTINGS}: cannot be read ({error})", hint=AGAIN) from None
    if not isinstance(settings, dict) or settings.get("format") != FORMAT:
        raise CheckpointError(f"{place / SETTINGS}: is of another version", hint=AGAIN)
    if settings.get("embedder") not in EMBEDDERS[1:] or settings.get("chunker") not in CHUNKERS:
        raise CheckpointError(f"{place / SETTINGS}: is damaged", hint=AGAIN)
    return settings
