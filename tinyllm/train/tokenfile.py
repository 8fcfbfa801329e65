"""Token files from texts of any size: what is read is turned into ids and written, and never held as a whole.

    from pathlib import Path
    from tinyllm.tokenizer import get_encoding
    from tinyllm.train import TrainConfig, write_token_file

    write_token_file("web.npy", get_encoding("gpt2"), sorted(Path("web").rglob("*.txt")), end_of_text=True)
    config = TrainConfig(data="web.npy", tokenizer="gpt2")

The file is a NumPy array: a header of 128 bytes that says which dtype and how many, then the ids one after another, so
``stream.open_tokens`` maps it into memory whatever its size. How many there will be is known at the end only; then the
header is written once more, in the same room.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from ..atomic import write_atomically
from ..errors import ConfigError, DataError, DTypeError
from ..tokenizer import Encoding, Tokenizer
from ..tokenizer.stream import encode_blocks
from ..tokenizer.surrogates import without_surrogates
from .stream import token_dtype

Array = np.ndarray[Any, Any]
Progress = Callable[[int, int], object]  # bytes read, tokens written

END = "<|endoftext|>"
_READ = 1 << 20  # bytes of a file, or characters of a text, that are looked at together
_HEADER = 128  # bytes; the length of a .npy header is a multiple of 64


@dataclass(frozen=True)
class Written:
    """What has been written.

    Attributes:
        path: of the token file.
        tokens: how many ids, separators included.
        bytes: how much text they were made from, in UTF-8.
        documents: how many of them were not empty.
        dtype: of the ids: "uint16" or "uint32".
    """

    path: Path
    tokens: int
    bytes: int
    documents: int
    dtype: str


def write_token_file(
    path: str | Path,
    tokenizer: Tokenizer,
    documents: str | Path | Iterable[str | Path],
    *,
    end_of_text: bool = False,
    progress: Progress | None = None,
) -> Written:
    """Turn documents into ids and write them to a token file, which takes its name when it is complete.

    Args:
        path: of the file, ending in .npy; its folder must exist.
        tokenizer: what makes the ids; two bytes each where its vocabulary allows it, else four. Special tokens in a
            document are plain text.
        documents: a str is a text, a ``pathlib.Path`` a UTF-8 file, which is read a megabyte at a time; one of them or
            any number, a generator for one. Nothing merges across two documents.
        end_of_text: write <|endoftext|> after each document.
        progress: is told (bytes read, tokens written) now and then.

    Raises:
        ConfigError: the tokenizer has no <|endoftext|>, or the path another ending.
        DataError: a file cannot be read or is not UTF-8, a character is unknown, or there is no text at all.
        DTypeError: a document is neither str nor Path.
        CheckpointError: the token file cannot be written.

    Example:
        >>> import tempfile
        >>> from tinyllm.tokenizer import ByteTokenizer
        >>> from tinyllm.train.stream import open_tokens
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     written = write_token_file(f"{folder}/tokens.npy", ByteTokenizer(), ["one", "two"])
        ...     bytes(open_tokens(written.path).tolist())
        b'onetwo'
    """
    path = Path(path).expanduser()
    if path.suffix != ".npy":
        raise ConfigError(f"{path}: a token file ends in .npy", hint=f"{path.with_suffix('.npy')}")
    job = _Job(tokenizer, end_of_text, progress)
    write_atomically(
        path, lambda file: job.write(file, [documents] if isinstance(documents, (str, Path)) else documents)
    )
    return Written(path, job.tokens, job.bytes, job.documents, job.dtype.name)


class _Job:
    """A token file being written, and how far it is."""

    def __init__(self, tokenizer: Tokenizer, end_of_text: bool, progress: Progress | None) -> None:
        self.tokenizer = tokenizer
        self.dtype = np.dtype(token_dtype(tokenizer.n_vocab))
        self.end = np.array([_end_of(tokenizer)] if end_of_text else [], self.dtype)
        self.progress = progress
        self.tokens = self.bytes = self.documents = 0

    def write(self, file: IO[bytes], documents: Iterable[str | Path]) -> None:
        """Write the header, the ids of one document after another, and the header again."""
        file.write(header(self.dtype, 0))
        for document in documents:
            before = self.tokens
            for ids in _ids(self.tokenizer, self._chunks(document)):
                self._put(file, ids)
            if self.tokens > before:
                self.documents += 1
                self._put(file, self.end)
        if not self.tokens:
            raise DataError("write_token_file: there is no text in the documents", hint="files with some text in them")
        file.seek(0)
        file.write(header(self.dtype, self.tokens))

    def _put(self, file: IO[bytes], ids: Array) -> None:
        file.write(ids.astype(self.dtype, copy=False).tobytes())
        self.tokens += len(ids)
        if self.progress:
            self.progress(self.bytes, self.tokens)

    def _chunks(self, document: str | Path) -> Iterator[str]:
        if isinstance(document, str):
            document = without_surrogates(document)  # two halves of a pair must not be cut apart
            for begin in range(0, len(document), _READ):
                chunk = document[begin : begin + _READ]
                self.bytes += len(chunk.encode())
                yield chunk
        elif isinstance(document, Path):
            for size, chunk in _read(document):
                self.bytes += size
                yield chunk
        else:
            raise DTypeError(
                f"write_token_file: a document is a {type(document).__name__}",
                hint="a str for a text, a pathlib.Path for a file",
            )


def header(dtype: np.dtype[Any], count: int) -> bytes:
    r"""Return the first 128 bytes of a .npy file (version 1.0) with a row of that many numbers.

    Example:
        >>> header(np.dtype("<u2"), 1000)[:67]
        b"\x93NUMPY\x01\x00v\x00{'descr': '<u2', 'fortran_order': False, 'shape': (1000,)"
    """
    text = f"{{'descr': '{dtype.str}', 'fortran_order': False, 'shape': ({count},), }}".encode()
    start = b"\x93NUMPY\x01\x00" + (_HEADER - 10).to_bytes(2, "little")
    return start + text.ljust(_HEADER - 11) + b"\n"


def _end_of(tokenizer: Tokenizer) -> int:
    if isinstance(tokenizer, Encoding) and END in tokenizer.specials.ids:
        return tokenizer.specials.ids[END]
    raise ConfigError(
        f"write_token_file: the tokenizer {tokenizer.name} has no {END}",
        hint=f"train_bpe(..., special_tokens=[{END!r}]), or end_of_text=False",
    )


def _ids(tokenizer: Tokenizer, chunks: Iterator[str]) -> Iterator[Array]:
    """Turn a text that comes in chunks into ids, some at a time."""
    if not isinstance(tokenizer, Encoding):  # one id per byte or character: it does not matter where a text is cut
        yield from map(tokenizer.encode_to_numpy, chunks)
        return
    yield from encode_blocks(tokenizer, chunks, disallowed_special=())


def _read(path: Path) -> Iterator[tuple[int, str]]:
    """Yield a file piece by piece: how many bytes were read, and the characters that they complete."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    done = 0  # bytes up to the beginning of what is decoded next
    try:
        with path.open("rb") as file:
            while True:
                data = file.read(_READ)
                text = decoder.decode(data, final=not data)
                yield len(data), text if done else text.removeprefix("\ufeff")  # a mark that some editors write
                if not data:
                    return
                done = file.tell() - len(decoder.getstate()[0])
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path}: is not UTF-8 text (byte {error.object[error.start]:#04x} at {done + error.start:,})",
            hint="if it is text in Latin-1, convert it: iconv -f LATIN1 -t UTF-8; if it is no text, leave it out",
        ) from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {(error.strerror or str(error)).lower()}") from error
