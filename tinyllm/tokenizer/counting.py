"""Texts and files to distinct words and their counts, in memory bounded by the words.

A long document is read in blocks and cut where a piece certainly starts, whatever follows. Special tokens are cut out.
What is left are segments: bytes that are cut into pieces on their own, so that no piece reaches across a special token
or from one document to the next.
"""

from __future__ import annotations

import codecs
import unicodedata
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import DataError, DTypeError
from .specials import Specials
from .split import Pattern, last_safe_cut, split
from .surrogates import without_surrogates
from .unicode16 import classes

if TYPE_CHECKING:
    from ..kernels.bpe.count import Words

Source = str | Path
Progress = Callable[[str, int, "int | None"], object]  # stage, done, of how many (None where nobody knows)
Array = np.ndarray[Any, Any]

BLOCK = 1 << 23  # bytes read, and counted, at once
_TAIL = 1 << 16  # bytes at the end of a block in which a safe place to cut is looked for


class Reader:
    """Documents, read one after another.

    Args:
        texts: a text (str), a file (Path), or any number of either.
        special_tokens: strings that are cut out.
        pattern: how segments will be cut into pieces.
        progress: is told how much has been read: ("count", bytes, of how many).
        block: how many bytes to read at once.

    Example:
        >>> from .split import PATTERNS
        >>> list(Reader(["one<|end|>two", "three"], ["<|end|>"], PATTERNS["gpt2"]).segments())
        [b'one', b'two', b'three']
    """

    def __init__(
        self,
        texts: Source | Iterable[Source],
        special_tokens: Iterable[str],
        pattern: Pattern,
        progress: Progress | None = None,
        block: int = BLOCK,
    ) -> None:
        self.documents = [texts] if isinstance(texts, (str, Path)) else texts
        # a character for every byte, so that places in strings are places of bytes
        self.specials = Specials({name.encode().decode("latin-1"): i for i, name in enumerate(special_tokens)})
        self.pattern = pattern
        self.block = block
        self._progress = progress

    def segments(self) -> Iterator[bytes]:
        """Yield what is to be cut into pieces: documents without special tokens, in parts of bounded size.

        Raises:
            DataError: a file cannot be read, or is no UTF-8.
            DTypeError: a document is neither str nor Path.
        """
        longest = max((len(name) for name in self.specials.names), default=0)
        done, total = 0, self._total()
        for document in self.documents:
            waiting, enough = bytearray(), self.block
            for chunk in _chunks(document, self.block):
                waiting += chunk
                if len(waiting) >= enough:
                    spans = self._spans(waiting)
                    if cut := _safe_cut(waiting, len(waiting) - longest, spans, self.pattern):
                        yield from _between(waiting, cut, spans)
                        del waiting[:cut]
                    enough = max(self.block, 2 * len(waiting))  # to look again at every chunk could take for ever
                done += len(chunk)
                if self._progress:
                    self._progress("count", done, total)
            yield from _between(waiting, len(waiting), self._spans(waiting))

    def _spans(self, data: bytearray) -> list[tuple[int, int]]:
        """Return begin and end of each special token."""
        if not self.specials.names:
            return []
        found = self.specials.occurrences(data.decode("latin-1"), self.specials.names)
        return [(place, place + len(name)) for place, name in found]

    def is_small(self, limit: int) -> bool:
        """Tell whether the documents are texts of fewer characters than that together."""
        if not isinstance(self.documents, list | tuple):
            return False
        sizes = [len(one) if isinstance(one, str) else limit for one in self.documents]
        return sum(sizes) < limit

    def _total(self) -> int | None:
        """Return how many bytes there are to read, if somebody wants to know and it can be known."""
        if not self._progress or not isinstance(self.documents, Sequence):
            return None
        try:
            return sum(
                len(one.encode("utf-8", "surrogatepass")) if isinstance(one, str) else one.stat().st_size
                for one in self.documents
            )
        except (OSError, AttributeError):
            return None  # reading it will say what is wrong


def _chunks(document: Source, block: int) -> Iterator[bytes]:
    if isinstance(document, Path):
        return _chunks_of_file(document, block)
    if isinstance(document, str):
        return _chunks_of_text(document, block)
    raise DTypeError(
        f"train_bpe: a document is a {type(document).__name__}", hint="a str for a text, a pathlib.Path for a file"
    )


def _chunks_of_text(text: str, block: int) -> Iterator[bytes]:
    begin = 0
    while begin < len(text):
        end = begin + block
        if "\ud800" <= text[end - 1 : end] <= "\udbff":
            end += 1  # the other half of a pair may follow
        part = text[begin:end]
        try:
            yield part.encode()
        except UnicodeEncodeError:
            yield without_surrogates(part).encode()
        begin = end


def _chunks_of_file(path: Path, block: int) -> Iterator[bytes]:
    decoder, done, held_back = codecs.getincrementaldecoder("utf-8")(), 0, 0
    try:
        with path.open("rb") as file:
            while True:
                chunk = file.read(block)
                held_back = len(decoder.getstate()[0])  # of a character that began in the chunk before
                decoder.decode(chunk, final=not chunk)
                if not chunk:
                    return
                yield chunk
                done += len(chunk)
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path} is no UTF-8: byte {done - held_back + error.start:,} is {error.object[error.start]:#04x}, "
            f"{error.reason}",
            hint="convert the file to UTF-8, or leave it out",
        ) from None
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from None


def _safe_cut(data: bytearray, before: int, spans: list[tuple[int, int]], pattern: Pattern) -> int:
    """Return the last place up to ``before`` at which a piece starts whatever comes after the data; 0 for none."""
    if before <= 0:
        return 0
    begin = max(0, before - _TAIL)
    while begin < before and data[begin] & 0xC0 == 0x80:  # inside a character
        begin += 1
    tail, _ = codecs.utf_8_decode(data[begin:before], "strict", False)
    place = last_safe_cut(tail, pattern)
    cut = begin + len(tail[:place].encode()) if place else 0
    return next((start for start, end in spans if start < cut < end), cut)


def _between(data: bytearray, end: int, spans: list[tuple[int, int]]) -> Iterator[bytes]:
    """Yield what is left of data[:end] without these spans."""
    begin = 0
    for start, stop in spans:
        if start >= end:
            break
        if start > begin:
            yield bytes(data[begin:start])
        begin = stop
    if end > begin:
        yield bytes(data[begin:end])


# segments to words


def count_plain(reader: Reader) -> dict[bytes, int]:
    """Count the pieces of all documents, in the order of their first appearance, in plain Python.

    Raises:
        DataError: a file cannot be read, or is no UTF-8; a pattern of the user's own does not cover a text.
        DTypeError: a document is neither str nor Path.
    """
    words: Counter[str] = Counter()
    for segment in reader.segments():
        words.update(split(segment.decode(), reader.pattern))
    return {word.encode(): count for word, count in words.items()}


def count_fast(reader: Reader, threads: int) -> Words:
    """Count the same with the kernels, on so many threads, each with a counter of its own.

    Raises:
        DataError: a file cannot be read, or is no UTF-8.
        DTypeError: a document is neither str nor Path.
    """
    from ..kernels.bpe.count import WordCounter
    from ..kernels.bpe.split import FAMILIES

    pattern, table = reader.pattern, np.frombuffer(classes(), np.uint8)
    family, ends_whole = FAMILIES[pattern.family], int(pattern.ends_whole)
    counters = [WordCounter(table, family, pattern.digits, ends_whole) for _ in range(threads)]
    running: deque[Future[None]] = deque()
    offset = 0
    with ExitStack() as stack:
        workers = [stack.enter_context(ThreadPoolExecutor(1)) for _ in range(threads if threads > 1 else 0)]
        for i, (data, bounds) in enumerate(_blocks(reader)):
            if not workers:
                counters[0].count(data, bounds, offset)
            else:
                running.append(workers[i % threads].submit(counters[i % threads].count, data, bounds, offset))
            if len(running) > 2 * threads:  # as many blocks as may be in memory
                running.popleft().result()
            offset += data.size
        for future in running:
            future.result()
    for counter in counters[1:]:
        counters[0].absorb(counter)
    return counters[0].ordered()


def _blocks(reader: Reader) -> Iterator[tuple[Array, Array]]:
    """Yield segments joined to blocks, as counters take them: bytes, and where each segment begins and ends."""
    from ..kernels.bpe.split import PADDING

    parts: list[bytes] = []
    size = 0
    for segment in reader.segments():
        if reader.pattern.normalize:
            segment = unicodedata.normalize("NFC", segment.decode()).encode()
        parts.append(segment)
        size += len(segment) + PADDING
        if size >= reader.block:
            yield _joined(parts, PADDING)
            parts, size = [], 0
    if parts:
        yield _joined(parts, PADDING)


def _joined(parts: list[bytes], padding: int) -> tuple[Array, Array]:
    sizes = np.array([len(part) for part in parts], np.int64)
    ends = np.cumsum(sizes + padding) - padding
    return np.frombuffer(bytes(padding).join([*parts, b""]), np.uint8), np.stack([ends - sizes, ends], axis=1)
