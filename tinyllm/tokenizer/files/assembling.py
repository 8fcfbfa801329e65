"""From what a file said to an Encoding, each contradiction named before it can do harm."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ...errors import ConfigError, DataError
from ..encoding import Encoding
from ..split import Pattern
from .spelling import bytes_of

MOST_IDS = 1 << 22  # the largest vocabularies have a quarter million; a table is made up to the largest id
_AGAIN = "get the file again, whole and unchanged"


def check_ids(ids: Iterable[tuple[Any, Any]], where: str) -> None:
    """Look at (token, id) pairs.

    Raises:
        DataError: an id is no whole number, is negative or absurdly large, or two tokens share one.

    Example:
        >>> check_ids([("a", 0), ("b", 0)], "vocab.json")
        Traceback (most recent call last):
            ...
        tinyllm.errors.DataError: E-DATA vocab.json: 'a' and 'b' have the same id, 0
    """
    seen: dict[int, Any] = {}
    for token, i in ids:
        if type(i) is not int:
            raise DataError(f"{where}: the id of {short(token)} is {short(i)}, expected a whole number")
        if not 0 <= i < MOST_IDS:
            raise DataError(f"{where}: the id of {short(token)} is {short(i)}, expected 0 to {MOST_IDS - 1:,}")
        if seen.setdefault(i, token) is not token:
            raise DataError(f"{where}: {short(seen[i])} and {short(token)} have the same id, {i}")


def check_specials(special_tokens: Mapping[str, Any], where: str) -> None:
    """Look at special tokens; several may share an id.

    Raises:
        DataError: one is empty, cannot be written in UTF-8, or has an id that is none.
    """
    for special, i in special_tokens.items():
        check_ids([(special, i)], where)
        if not special:
            raise DataError(f"{where}: a special token is empty")
        if any("\ud800" <= char <= "\udfff" for char in special):
            raise DataError(f"{where}: the special token {short(special)} holds half a character")


def token_of(text: Any, where: str) -> bytes:
    """Return the bytes of a token written in GPT-2's alphabet.

    Raises:
        DataError: it is empty, or none of that alphabet.
    """
    token = bytes_of(text) if type(text) is str else None
    if not token:
        raise DataError(
            f"{where}: the token {short(text)} is not written in the byte alphabet of GPT-2, nor a special token",
            hint="a byte-level BPE vocabulary; SentencePiece's and WordPiece's are written otherwise",
        )
    return token


def pair_of(text: Any, where: str) -> tuple[bytes, bytes]:
    """Return the halves of a merge written "a b" or ["a", "b"] in GPT-2's alphabet.

    Raises:
        DataError: it is neither.
    """
    halves = text.split(" ") if type(text) is str else text
    if type(halves) is not list or len(halves) != 2:
        raise DataError(f"{where}: {short(text)} is no merge", hint='two tokens, "a b"')
    return token_of(halves[0], where), token_of(halves[1], where)


def build(
    where: str,
    name: str,
    pattern: Pattern,
    ranks: dict[bytes, int],
    special_tokens: Mapping[str, int],
    merges: Sequence[tuple[bytes, bytes]] | None = None,
    *,
    counts: Sequence[int] | None = None,
    ignore_merges: bool | None = None,
    tie: str | None = None,
    lacking: str = _AGAIN,
) -> Encoding:
    """Put an encoding together.

    Args:
        where: what an error begins with.
        name, pattern, ranks, special_tokens, merges, counts, ignore_merges, tie: of the encoding; ids are checked.
        lacking: what to do where single bytes are missing.

    Raises:
        DataError: the parts contradict each other.
    """
    missing = [byte for byte in range(256) if bytes((byte,)) not in ranks]
    if missing:
        raise DataError(
            f"{where}: {len(missing)} of the 256 single bytes are no tokens, {missing[0]:#04x} for one", hint=lacking
        )
    owners = {i: token for token, i in ranks.items()}
    for special, i in special_tokens.items():
        if i in owners:
            raise DataError(f"{where}: {short(special)} and {short(owners[i])} have the same id, {i}")
    for number, (left, right) in enumerate(merges or ()):
        for token in (left, right, left + right):
            if token not in ranks:
                raise DataError(
                    f"{where}: merge {number} is of {short(left)} and {short(right)}, but {short(token)} is no token",
                    hint=_AGAIN,
                )
    try:
        return Encoding(
            name,
            pat_str=pattern,
            mergeable_ranks=ranks,
            special_tokens=special_tokens,
            merges=merges,
            counts=counts,
            ignore_merges=ignore_merges,
            tie=tie,
        )
    except ConfigError as error:
        raise DataError(f"{where}: {error.message.removeprefix(f'{name}: ')}", hint=error.hint) from None


def short(value: Any) -> str:
    """Write a value for an error message, cut if it is long.

    Example:
        >>> short("a" * 100)
        "'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa..."
    """
    if isinstance(value, (list, dict)):  # which may be nested without end
        return f"{'a list' if isinstance(value, list) else 'an object'} of {len(value)}"
    if type(value) is int and abs(value) >= 10**18:
        return "a number of many digits"
    text = repr(value[:50] if isinstance(value, (str, bytes)) else value).replace("\n", " ")
    return text if len(text) <= 50 else text[:47] + "..."
