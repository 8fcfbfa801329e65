"""From ranks to merges and back, so that two ways of writing down a vocabulary give equal ids.

A file of ranks lets any two neighbors merge that spell a token; a list of merges names the pairs. What makes them
comparable: while bytes merge inside a token that is about to be, nothing reaches across its borders, so they merge as
they would if they stood alone. Alone, they always merge in the same order. Hence every token is only ever made of *one*
pair, the last one when its own bytes are merged, and a vocabulary is no more than these pairs and their order.
"""

from __future__ import annotations

from collections.abc import Iterable

from ...errors import ConfigError
from ..bytepair import Rank, by_id, merge_all, merge_all_by_heap
from ..encoding import Encoding

Pair = tuple[bytes, bytes]


def made_of(tokens: Iterable[bytes], rank: Rank) -> dict[bytes, Pair]:
    """Return for each token of two bytes or more the pair it is made of; tokens that no merging reaches are left out.

    Example:
        >>> ranks = {b"cd": 256, b"bc": 257, b"abc": 258, b"abcd": 259}
        >>> made_of(ranks, by_id(ranks))  # in "abcd", "cd" comes first, and then there is nothing to merge
        {b'cd': (b'c', b'd'), b'bc': (b'b', b'c'), b'abc': (b'a', b'bc')}
    """
    made = {}
    for token in tokens:
        n = len(token)
        if n < 2:
            continue

        def all_but_the_last(left: bytes, right: bytes, n: int = n) -> int | None:
            return None if len(left) + len(right) == n else rank(left, right)

        parts = (merge_all if n < 64 else merge_all_by_heap)(token, all_but_the_last)
        if len(parts) == 2 and rank(*parts) is not None:
            made[token] = (parts[0], parts[1])
    return made


def merges_of(encoding: Encoding) -> list[Pair]:
    """Return merges in order that give the ids of an encoding, each once; pieces that are tokens aside."""
    if encoding.merges is not None:
        return list(dict.fromkeys(encoding.merges))
    made = made_of(encoding.ranks, by_id(encoding.ranks))
    return [made[token] for token in sorted(made, key=encoding.ranks.__getitem__)]


def never_made(encoding: Encoding) -> list[bytes]:
    """Return the tokens that merging does not reach: only a whole piece can be one of them, if at all."""
    rank = by_id(encoding.ranks) if encoding.merges is None else _by_place(encoding.merges)
    made = made_of(encoding.ranks, rank)
    return [token for token in encoding.ranks if len(token) > 1 and token not in made]


def check_whole_pieces(encoding: Encoding, ignore_merges: bool, owner: str) -> None:
    """Refuse an encoding whose ids hang on ``ignore_merges`` where the owner of a format has its own mind about it.

    Raises:
        ConfigError: a token is never made by merging, and the owner would treat it otherwise.
    """
    if encoding.ignore_merges != ignore_merges and (lost := never_made(encoding)):
        raise ConfigError(
            f"{encoding.name}: {len(lost)} tokens are made by no merges, {lost[0]!r} for one, and {owner} would "
            f"{'take' if ignore_merges else 'not take'} a piece that is one",
            hint="format='huggingface' or format='tinyllm', which can say so",
        )


def check_ids_say_it_all(encoding: Encoding) -> None:
    """Refuse an encoding whose merges do not follow from its ids.

    Raises:
        ConfigError: a token would be made of another pair, or at another time.
    """
    by_rank = made_of(encoding.ranks, by_id(encoding.ranks))
    if encoding.merges is not None:
        place = _by_place(encoding.merges)
        by_merge = made_of(encoding.ranks, place)
        order = sorted(by_merge, key=lambda token: place(*by_merge[token]) or 0)
        wrong = next((token for token in encoding.ranks if by_rank.get(token) != by_merge.get(token)), None)
        if wrong is None:
            ids = [encoding.ranks[token] for token in order]
            wrong = next((token for token, i, after in zip(order, ids, ids[1:], strict=False) if i > after), None)
        if wrong is not None:
            raise ConfigError(
                f"{encoding.name}: the merges cannot be told from the ids, {wrong!r} for one",
                hint="format='huggingface' or format='tinyllm', which keep the merges",
            )
    check_whole_pieces(encoding, True, "a reader of ranks")


def _by_place(merges: Iterable[Pair]) -> Rank:
    order = {pair: place for place, pair in enumerate(dict.fromkeys(merges))}
    return lambda left, right: order.get((left, right))
