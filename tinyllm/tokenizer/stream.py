"""Texts that come in chunks, and ids that go out one by one: exact, however the chunks are cut.

Encoding chunk by chunk, or line by line, gives other ids than encoding the whole: a piece may reach across the border.
So what has come is held back from the last place on at which a piece starts whatever follows (``last_safe_cut``). Held
back as well: a special token of which only the beginning is there, half a character in UTF-8, half a surrogate pair.
Memory is about a block, or the longest stretch without a safe place, if that is longer.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import DataError, DTypeError
from .specials import Names
from .split import last_safe_cut
from .surrogates import without_surrogates
from .unstable import take_back

if TYPE_CHECKING:
    from .encoding import Encoding
    from .vocabulary import Vocabulary

Ids = np.ndarray[Any, np.dtype[np.uint32]]

BLOCK = 1 << 17  # characters that are gathered before they are encoded: enough for the kernels to be worth it


def encode_stream(
    encoding: Encoding,
    chunks: Iterable[str] | Iterable[bytes],
    allowed_special: Names = (),
    disallowed_special: Names = "all",
    block: int = BLOCK,
) -> Iterator[int]:
    """Yield the ids of the chunks joined.

    Bytes that are UTF-8 give the ids of that text. From the first byte on that is not, all is one piece with what
    ``take_back`` takes back, as in ``encode_bytes``; that rest is held in memory. So is all of a text whose pattern is
    a regex of the user's own, or that is not cut at all, from one special token to the next.

    Args:
        encoding: whose ids are meant.
        chunks: all str or all bytes, of any length.
        allowed_special, disallowed_special: as in ``Encoding.encode``.
        block: how many characters are gathered before the next ids come; 1 gives them as early as can be.

    Raises:
        SpecialTokenError: the text holds a disallowed special token; ids of what stood before it may have come.
        DTypeError: a chunk is neither str nor bytes, or they are mixed.

    Example:
        >>> from tinyllm.tokenizer import Encoding
        >>> ranks = {bytes((i,)): i for i in range(256)} | {b"he": 256, b"ll": 257, b"hell": 258}
        >>> toy = Encoding("toy", pat_str="gpt2", mergeable_ranks=ranks, special_tokens={"<|end|>": 259})
        >>> list(encode_stream(toy, ["he", "l", "lo<|en", "d|>"], allowed_special="all")) == [258, 111, 259]
        True
    """
    for ids in encode_blocks(encoding, chunks, allowed_special, disallowed_special, block):
        yield from ids.tolist()


def encode_blocks(
    encoding: Encoding,
    chunks: Iterable[str] | Iterable[bytes],
    allowed_special: Names = (),
    disallowed_special: Names = "all",
    block: int = BLOCK,
) -> Iterator[Ids]:
    """Yield the ids that ``encode_stream`` yields, in arrays, uint32 (T,), none of them empty.

    Arguments and errors are those of ``encode_stream``.
    """
    allowed, forbidden = encoding.specials.choose(allowed_special, disallowed_special)
    held: list[str] = []
    size, wanted, begin = 0, block, 0  # characters held, how many to wait for, how many came before them
    for chunk in _texts(chunks):
        if isinstance(chunk, bytes):  # the last one: what is no UTF-8
            yield from _last_bytes(encoding, "".join(held), chunk, allowed, forbidden, begin)
            return
        held.append(chunk)
        size += len(chunk)
        if size < wanted:
            continue
        text = "".join(held)
        undecided = encoding.specials.open_end(text, allowed | forbidden)
        encoding.specials.refuse(text, forbidden, begin, undecided)
        if end := _decided(encoding, text, allowed, undecided):
            yield encoding.encode_to_numpy(text[:end], allowed_special=allowed, disallowed_special=())
        held, size, begin = [text[end:]], len(text) - end, begin + end
        wanted = size + max(size, block)  # looked through again only when it has doubled
    if text := "".join(held):
        encoding.specials.refuse(text, forbidden, begin)
        yield encoding.encode_to_numpy(text, allowed_special=allowed, disallowed_special=())


def encode_file(
    encoding: Encoding,
    path: str | Path,
    allowed_special: Names = (),
    disallowed_special: Names = "all",
    block: int = BLOCK,
) -> Iterator[Ids]:
    """Yield the ids of a file of any size, in arrays, uint32 (T,); line ends count as they are.

    The other arguments are those of ``encode_stream``.

    Raises:
        DataError: the file cannot be read.
        SpecialTokenError: it holds a disallowed special token.
    """
    try:
        with Path(path).open("rb") as file:
            blocks = iter(lambda: file.read(block), b"")
            yield from encode_blocks(encoding, blocks, allowed_special, disallowed_special, block)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from None


def _decided(encoding: Encoding, text: str, allowed: frozenset[str], undecided: int) -> int:
    """Return how much of a text has the same ids whatever follows.

    Args:
        encoding: whose ids are meant.
        text: begins at a safe place.
        allowed: special tokens that count as such.
        undecided: the place from which on a special token may begin that is not there in full.
    """
    done = 0
    for place, name in encoding.specials.occurrences(text, allowed):
        if place + len(name) > undecided:
            undecided = min(undecided, place)
            break
        done = place + len(name)
    return done + last_safe_cut(text[done:undecided], encoding.pattern)


def _last_bytes(
    encoding: Encoding, text: str, rest: bytes, allowed: frozenset[str], forbidden: frozenset[str], begin: int
) -> Iterator[Ids]:
    """Encode the end of a stream that is no UTF-8, as ``encode_bytes`` does."""
    encoding.specials.refuse(text, forbidden, begin)
    after = 0  # the last special token
    for place, name in encoding.specials.occurrences(text, allowed):
        after = place + len(name)
    if after:
        yield encoding.encode_to_numpy(text[:after], allowed_special=allowed, disallowed_special=())
    stable, last = take_back(encoding, text[after:])
    yield np.array(stable + encoding.encode_piece(last + rest), np.uint32)


def _texts(chunks: Iterable[str] | Iterable[bytes]) -> Iterator[str | bytes]:
    """Yield the text of chunks, without surrogates; from the first byte on that is no UTF-8, the rest as bytes."""
    cut = ""  # the first half of a surrogate pair
    cut_bytes = b""  # the beginning of a character
    following = iter(chunks)
    for chunk in _all_alike(following):
        if isinstance(chunk, str):
            text = cut + chunk
            cut = text[-1:] if "\ud800" <= text[-1:] <= "\udbff" else ""
            yield without_surrogates(text[: len(text) - len(cut)])
            continue
        data = cut_bytes + chunk
        try:
            text, used = codecs.utf_8_decode(data, "strict", False)
        except UnicodeDecodeError as error:
            yield data[: error.start].decode()
            yield b"".join((data[error.start :], *_all_alike(following, bytes)))
            return
        yield text
        cut_bytes = data[used:]
    if cut or cut_bytes:
        yield without_surrogates(cut) or cut_bytes


def _all_alike(chunks: Iterable[Any], kind: type | None = None) -> Iterator[Any]:
    """Yield chunks as str or as bytes, and refuse the others."""
    for chunk in chunks:
        chunk = bytes(chunk) if isinstance(chunk, bytearray | memoryview) else chunk
        kind = kind or (str if isinstance(chunk, str) else bytes)
        if not isinstance(chunk, kind):
            raise DTypeError(
                f"encode_stream: a chunk is a {type(chunk).__name__}", hint="chunks that are all str or all bytes"
            )
        yield chunk


def decode_stream(vocabulary: Vocabulary, tokens: Iterable[int], errors: str = "replace") -> Iterator[str]:
    """Yield the text of ids as they come; a character comes when all of its bytes are there.

    Args:
        vocabulary: whose ids they are.
        tokens: ids.
        errors: what becomes of bytes that are no UTF-8, as in ``bytes.decode``. Joined, the texts are what ``decode``
            gives.

    Raises:
        TokenError: an id stands for no token.

    Example:
        >>> from tinyllm.tokenizer import Encoding
        >>> toy = Encoding("toy", pat_str="gpt2", mergeable_ranks={bytes((i,)): i for i in range(256)})
        >>> list(decode_stream(toy, [97, 0xE2, 0x82, 0xAC, 98]))
        ['a', '€', 'b']
    """
    decoder = codecs.getincrementaldecoder("utf-8")(errors)
    for token in tokens:
        if text := decoder.decode(vocabulary.decode_single_token_bytes(token)):
            yield text
    if text := decoder.decode(b"", final=True):
        yield text
