"""The unstable end of a text: which of its last tokens may change when more text follows.

The last piece of a text may grow, and what it grows into may be merged quite differently. Whoever lets a model go on
from the middle of a word has to know: the tokens that stay, and the ways in which the end may be completed. Both
functions give what tiktoken gives; that is, they overlook that a contraction may still join what they call stable
("x'" is two pieces, and "x'll" one).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from itertools import accumulate
from typing import TYPE_CHECKING

from . import bytepair
from .specials import Names
from .split import last_safe_cut, split
from .unicode16 import SPACE, classes

if TYPE_CHECKING:
    from .encoding import Encoding


def take_back(encoding: Encoding, text: str) -> tuple[list[int], bytes]:
    r"""Encode a text but for its last piece, and but for the tokens of spaces before that, where it begins with one.

    Args:
        encoding: whose ids are meant.
        text: without surrogates; special tokens in it are plain text.

    Returns:
        The ids, and the bytes that were taken back.

    Example:
        >>> from tinyllm.tokenizer import Encoding
        >>> toy = Encoding("toy", pat_str="gpt2", mergeable_ranks={bytes((i,)): i for i in range(256)})
        >>> take_back(toy, "a? go")
        ([97, 63], b' go')
    """
    cut = last_safe_cut(text, encoding.pattern)  # tokens that are all space never reach across it
    ids = encoding.encode_ordinary(text[:cut]) if cut else []
    pieces = [encoding.encode_piece(piece.encode()) for piece in split(text[cut:], encoding.pattern)]
    if not pieces:
        return ids, b""
    ids += [i for piece in pieces for i in piece]
    kept = len(ids) - len(pieces[-1])
    if _is_space(encoding, ids[kept]):
        while kept and _is_space(encoding, ids[kept - 1]):
            kept -= 1
    return ids[:kept], encoding.decode_bytes(ids[kept:])


def _is_space(encoding: Encoding, token: int) -> bool:
    return not encoding.decode_single_token_bytes(token).strip(b" \n\t")  # of spaces, tiktoken looks for these three


def encode_with_unstable(
    encoding: Encoding, text: str, allowed_special: Names = (), disallowed_special: Names = "all"
) -> tuple[list[int], list[list[int]]]:
    r"""Encode a text that may go on: ids that stay whatever follows, and all ways its end may be completed.

    A completion spells at least the bytes that the stable ids leave; its last token may reach beyond the text.

    Args:
        encoding: whose ids are meant.
        text: the beginning of a longer text.
        allowed_special, disallowed_special: as in ``Encoding.encode``. After a special token nothing is unstable.

    Returns:
        The stable ids, and the completions in ascending order.

    Raises:
        SpecialTokenError: the text holds a disallowed special token.

    Example:
        >>> from tinyllm.tokenizer import Encoding
        >>> ranks = {bytes((i,)): i for i in range(256)} | {b"he": 256, b"ll": 257, b"hell": 258, b"eh": 259}
        >>> toy = Encoding("toy", pat_str="gpt2", mergeable_ranks=ranks)
        >>> encode_with_unstable(toy, "oh he")
        ([111, 104], [[32, 256], [32, 258]])
    """
    *parts, last = encoding.parts(text, allowed_special, disallowed_special)
    stable: list[int] = []
    for part in parts:
        stable += [part] if isinstance(part, int) else encoding.encode_ordinary(part)
    if isinstance(last, int):
        return [*stable, last], []
    ids, taken = take_back(encoding, encoding.clean(last))
    return stable + ids, sorted(map(list, _completions(encoding, taken)))


def _completions(encoding: Encoding, end: bytes) -> set[tuple[int, ...]]:
    """All token sequences that spell these bytes, or, with their last token, more than these."""
    if not end:
        return set()
    found: set[tuple[int, ...]] = {(encoding.ranks[token],) for token in _beginning_with(encoding, end)}
    for cut in range(1, len(end)):
        for token in _beginning_with(encoding, end[cut:]):  # it reaches from the cut to the end, or beyond
            ids = _encode(encoding, end[:cut] + token)
            ends = accumulate(map(len, encoding.decode_tokens_bytes(ids)))
            found.add(tuple(ids[: 1 + sum(1 for covered in ends if covered < len(end))]))
    final = end.decode("utf-8", "surrogateescape")[-1]
    rest = end[: -len(final.encode("utf-8", "surrogateescape"))]
    if rest and classes()[ord(final)] == SPACE:  # it may be left to the word that follows
        found.add((*_merge(encoding, rest), *_merge(encoding, end[len(rest) :])))
    return found


def _beginning_with(encoding: Encoding, start: bytes) -> Iterator[bytes]:
    tokens = encoding.sorted_tokens
    for i in range(bisect_left(tokens, start), len(tokens)):
        if not tokens[i].startswith(start):
            return
        yield tokens[i]


def _encode(encoding: Encoding, data: bytes) -> list[int]:
    try:
        return encoding.encode_ordinary(data.decode())
    except UnicodeDecodeError:
        return _merge(encoding, data)


def _merge(encoding: Encoding, data: bytes) -> list[int]:
    """Merge as one piece, even where that is a token which no merges lead to."""
    return [encoding.ranks[part] for part in bytepair.merge_all_by_heap(data, encoding.rank)]
