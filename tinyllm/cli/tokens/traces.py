"""From an encoding to the merges of a word, as ``viz`` draws them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ...errors import ConfigError
from ...viz.merges import Merge, MergeTrace

if TYPE_CHECKING:
    from ...tokenizer import Encoding
    from ...tokenizer.explain import Piece
    from ...viz.tokens import TokenText

LONGEST = 200  # bytes of a piece that is explained


def traces_of_word(encoding: Encoding, word: str) -> list[MergeTrace]:
    """Return how each piece of a word is merged; one, unless there are several words.

    Raises:
        ConfigError: there is nothing to explain, or it is too long for that.
    """
    from ...tokenizer.explain import trace

    if not word or len(word.encode("utf-8", "replace")) > LONGEST:
        raise ConfigError(
            f"--explain: a word of {len(word):,} characters", hint=f'one of at most {LONGEST} bytes: " strawberry"'
        )
    return [_drawn(encoding, piece) for piece in trace(encoding, word).pieces]


def _drawn(encoding: Encoding, piece: Piece) -> MergeTrace:
    counts = encoding.counts
    merges = [Merge(step.at, step.rank, counts[step.rank] if counts else None) for step in piece.steps]
    return MergeTrace(piece.data, merges, piece.ids, encoding.name, piece.whole)


def traces_of(encoding: Encoding, shown: TokenText, special: str) -> dict[int, MergeTrace]:
    """Return for the places of tokens how the piece that each belongs to was merged."""
    from ...tokenizer.explain import trace

    known: dict[str, MergeTrace] = {}
    found: dict[int, MergeTrace] = {}
    place = 0
    for piece in _pieces(encoding, shown, special):
        if isinstance(piece, int):
            place += 1
            continue
        ids = encoding.encode_piece(piece.encode())
        if list(shown.ids[place : place + len(ids)]) != ids:
            break  # the text goes on where what is shown ends, and its last piece with it
        if len(piece) <= LONGEST:
            if piece not in known:
                known[piece] = _drawn(encoding, trace(encoding, piece).pieces[0])
            if known[piece].ids == tuple(ids):  # a piece that stands alone may be cut up, in rare cases
                found |= {place + i: known[piece] for i in range(len(ids))}
        place += len(ids)
    return found


def _pieces(encoding: Encoding, shown: TokenText, special: str) -> Iterator[str | int]:
    """Yield the pieces of what is shown, and the ids of special tokens between them."""
    from ...tokenizer import split

    text = b"".join(shown.tokens).decode("utf-8", "replace")
    for part in encoding.parts(text, "all" if special == "token" else (), ()):
        if isinstance(part, int):
            yield part
        else:
            yield from split(part, encoding.pattern)
