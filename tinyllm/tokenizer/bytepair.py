"""Byte-pair encoding in plain Python: learn merges, encode with them, decode.

A tokenizer begins with the 256 single bytes. Training looks for the two neighbors that stand side by side most often,
makes one token of them, and repeats. Encoding takes the pairs of a new text in the order in which they were learned.
Decoding joins the bytes of the tokens. That is all of it; what makes it fast is in ``kernels/bpe``, held to this file.

Source: Sennrich, Haddow, Birch, "Neural Machine Translation of Rare Words with Subword Units" (2016); over bytes and
with pieces cut first: Radford et al., "Language Models are Unsupervised Multitask Learners" (2019).
"""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from ..errors import ConfigError, RangeError, nearest

# the alphabet in which GPT-2 numbered its single bytes: printable ones first, the other 68 after them
ALPHABET = [*range(33, 127), *range(161, 173), *range(174, 256)]
ALPHABET += [byte for byte in range(256) if byte not in ALPHABET]

Rank = Callable[[bytes, bytes], "int | None"]  # of two neighbors, the place of their merge; None where there is none


class Merge(NamedTuple):
    """Two neighbors that become one token, and how often they stood side by side when they did."""

    left: bytes
    right: bytes
    times: int


# learn


def train(
    words: Mapping[bytes, int],
    vocab_size: int,
    tie: str = "bytes",
    min_frequency: int = 1,
    max_token_length: int | None = None,
) -> list[Merge]:
    """Learn merges from pieces and how often each occurs.

    Args:
        words: pieces of text in the order of their first appearance, with their counts.
        vocab_size: how many tokens to end with, the 256 single bytes among them.
        tie: which of several equally frequent pairs is merged first, a name of TIES.
        min_frequency: pairs that stand side by side less often are not merged.
        max_token_length: of a token, in bytes.

    Returns:
        The merges in order; fewer than asked for when no pair is left. Two merges may spell the same token.

    Example:
        >>> [merge.left + merge.right for merge in train({b"low": 5, b"lower": 2, b"newest": 6}, 259)]
        [b'we', b'lo', b'wes']
    """
    if tie not in TIES:
        raise ConfigError(
            f"train: there is no tie rule {tie!r}", hint=nearest(tie, TIES) or "one of " + ", ".join(TIES)
        )
    ids = {bytes((byte,)): i for i, byte in enumerate(ALPHABET if tie == "huggingface" else range(256))}
    texts = [[bytes((byte,)) for byte in word] for word in words]
    weights = list(words.values())
    counts: Counter[tuple[bytes, bytes]] = Counter()
    where: defaultdict[tuple[bytes, bytes], set[int]] = defaultdict(set)  # pair -> words that may hold it
    for i, parts in enumerate(texts):
        for pair in pairwise(parts):
            counts[pair] += weights[i]
            where[pair].add(i)
    merges: list[Merge] = []
    while len(ids) < vocab_size:
        fitting = {p: n for p, n in counts.items() if max_token_length is None or len(p[0] + p[1]) <= max_token_length}
        highest = max(fitting.values(), default=0)
        if highest < max(min_frequency, 1):
            break
        best = TIES[tie]([pair for pair, count in fitting.items() if count == highest], ids, texts, where)
        merges.append(Merge(*best, highest))
        ids.setdefault(best[0] + best[1], len(ids))  # bytes that a token spells already keep its id
        for i in where.pop(best):
            before, after = texts[i], merged(texts[i], best)
            for pair in pairwise(before):
                counts[pair] -= weights[i]
            for pair in pairwise(after):
                counts[pair] += weights[i]
                where[pair].add(i)
            texts[i] = after
    return merges


def merged(parts: Sequence[bytes], pair: tuple[bytes, bytes]) -> list[bytes]:
    """Join every occurrence of a pair, from left to right.

    Example:
        >>> merged([b"a", b"a", b"a"], (b"a", b"a"))
        [b'aa', b'a']
    """
    joined: list[bytes] = []
    i = 0
    while i < len(parts):
        here = tuple(parts[i : i + 2]) == pair
        joined.append(parts[i] + parts[i + 1] if here else parts[i])
        i += 2 if here else 1
    return joined


def _first(pairs: list[Any], ids: Any, texts: list[list[bytes]], where: Any) -> tuple[bytes, bytes]:
    """Of these pairs, the one that occurs first in the text as it now stands."""

    def place(pair: tuple[bytes, bytes]) -> tuple[int, int]:
        for i in sorted(where[pair]):
            for j, here in enumerate(pairwise(texts[i])):
                if here == pair:
                    return i, j
        return len(texts), 0

    best: tuple[bytes, bytes] = min(pairs, key=place)
    return best


# the rules by which other tools choose among equally frequent pairs
TIES: dict[str, Callable[[list[Any], Any, Any, Any], tuple[bytes, bytes]]] = {
    "bytes": lambda pairs, ids, texts, where: max(pairs),  # the greatest (left, right)
    "bytes_min": lambda pairs, ids, texts, where: min(pairs),
    "ids": lambda pairs, ids, texts, where: min(pairs, key=lambda p: (ids[p[0]], ids[p[1]])),  # rustbpe
    "huggingface": lambda pairs, ids, texts, where: min(pairs, key=lambda p: (ids[p[0]], ids[p[1]])),
    "first": _first,  # minbpe, and tiktoken's lesson
}


# encode


def encode(piece: bytes, ranks: Mapping[bytes, int], rank: Rank | None = None) -> list[int]:
    """Turn one piece into token ids.

    A piece that is a token is taken whole. Otherwise its bytes are merged, the pair of lowest rank first.

    Args:
        piece: bytes of one piece of text.
        ranks: token -> id, with every single byte among them.
        rank: the rank of two neighbors; without it, the id of what they spell.

    Example:
        >>> ranks = {bytes((i,)): i for i in range(256)} | {b"he": 256, b"ll": 257, b"hell": 258, b"lo": 259}
        >>> encode(b"hello", ranks)
        [258, 111]
    """
    if piece in ranks:
        return [ranks[piece]]
    merge = merge_all if len(piece) < 64 else merge_all_by_heap
    return [ranks[part] for part in merge(piece, rank or by_id(ranks))]


def by_id(ranks: Mapping[bytes, int]) -> Rank:
    """Any two neighbors that spell a token may merge, the token with the lowest id first."""
    return lambda left, right: ranks.get(left + right)


def merge_all(piece: bytes, rank: Rank) -> list[bytes]:
    """Merge bytes until no pair is left, looking over all of them for the lowest rank each time."""
    parts = [bytes((byte,)) for byte in piece]
    while True:
        found = [(r, i) for i in range(len(parts) - 1) if (r := rank(parts[i], parts[i + 1])) is not None]
        if not found:
            return parts
        _, i = min(found)  # the leftmost among equals
        parts[i : i + 2] = [parts[i] + parts[i + 1]]


def merge_all_by_heap(piece: bytes, rank: Rank) -> list[bytes]:
    """Merge the same with a heap of what could merge, for pieces so long that looking over them all takes too long."""
    parts: list[bytes | None] = [bytes((byte,)) for byte in piece]
    following = [*range(1, len(parts)), -1]
    previous = list(range(-1, len(parts) - 1))
    heap: list[tuple[int, int, bytes, bytes]] = []

    def offer(i: int) -> None:
        """Put the pair that starts at i on the heap, if it may merge."""
        if i < 0 or (j := following[i]) < 0:
            return
        left, right = parts[i], parts[j]
        if left is not None and right is not None and (r := rank(left, right)) is not None:
            heapq.heappush(heap, (r, i, left, right))

    for i in range(len(parts)):
        offer(i)
    while heap:
        _, i, left, right = heapq.heappop(heap)
        if parts[i] != left or (j := following[i]) < 0 or parts[j] != right:
            continue  # one of the two has merged with another since
        parts[i], parts[j] = left + right, None
        following[i] = following[j]
        if following[j] >= 0:
            previous[following[j]] = i
        offer(i)
        offer(previous[i])
    return [part for part in parts if part is not None]


# decode


def decode(ids: Iterable[int], tokens: Mapping[int, bytes]) -> bytes:
    """Join the bytes of tokens.

    Raises:
        RangeError: an id stands for no token.

    Example:
        >>> decode([104, 105], {104: b"h", 105: b"i"})
        b'hi'
    """
    ids = list(ids)
    try:
        return b"".join([tokens[i] for i in ids])
    except KeyError as unknown:
        raise RangeError(
            f"decode: there is no token {unknown.args[0]!r}", hint=f"ids from 0 to {max(tokens, default=-1)}"
        ) from None
