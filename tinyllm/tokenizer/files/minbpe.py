"""minbpe's ``.model``: a text file of version, pattern, special tokens, and merges as pairs of ids.

    minbpe v1
    <the regex that cuts text; empty for none>
    1
    <|endoftext|> 300
    104 101

Single bytes have their values as ids, and merge number k makes token 256 + k. Its ``.vocab`` is for people only.
"""

from __future__ import annotations

from ...errors import DataError
from ..encoding import Encoding
from ..split import PATTERNS, SPELLINGS
from .assembling import MOST_IDS, build, check_specials, short
from .reading import Given, Source

HEAD = "minbpe v1"
_AGAIN = "the .model file that minbpe saved, whole and unchanged"
_MOST_BYTES = 1 << 27  # of all tokens: a few lines can double a token until it fills the memory


def read(source: Source, given: Given) -> Encoding:
    """Read a ``.model`` file.

    Raises:
        DataError: it is damaged, or its pattern is not known.
    """
    lines = [line.strip() for line in source.lines]
    if lines[0] != HEAD:
        raise DataError(f"{source.where}: line 1: is {short(lines[0])}, expected {HEAD!r}", hint=_AGAIN)
    if len(lines) < 3:
        raise DataError(f"{source.where}: ends at line {len(lines)}, before its special tokens", hint=_AGAIN)
    pattern = given.pattern or (SPELLINGS.get(lines[1]) if lines[1] else PATTERNS["none"])
    if pattern is None:
        raise DataError(
            f"{source.where}: line 2: the pattern {short(lines[1])} is none that is known",
            hint="pattern= one of " + ", ".join(PATTERNS) + ", or a re.Pattern of your own that cuts the same",
        )
    (n_special,) = _numbers(lines[2], 1, f"{source.where}: line 3")
    if len(lines) < 3 + n_special:
        raise DataError(
            f"{source.where}: ends at line {len(lines)}, within its {n_special} special tokens", hint=_AGAIN
        )
    special_tokens = {}
    for number, line in enumerate(lines[3 : 3 + n_special], start=4):
        words = line.split()
        if len(words) != 2:
            raise DataError(f"{source.where}: line {number}: {short(line)} is no special token and its id", hint=_AGAIN)
        (special_tokens[words[0]],) = _numbers(words[1], 1, f"{source.where}: line {number}")
    check_specials(special_tokens, source.where)
    tokens = [bytes((byte,)) for byte in range(256)]
    ids = {token: i for i, token in enumerate(tokens)}
    merges, total = [], 0
    for number, line in enumerate(lines[3 + n_special :], start=4 + n_special):
        where = f"{source.where}: line {number}"
        left, right = _numbers(line, 2, where)
        if max(left, right) >= len(tokens):
            raise DataError(f"{where}: token {max(left, right)} is not there yet", hint=_AGAIN)
        total += len(tokens[left]) + len(tokens[right])
        if total > _MOST_BYTES:
            raise DataError(f"{where}: the tokens take more than {_MOST_BYTES:,} bytes by now", hint=_AGAIN)
        token = tokens[left] + tokens[right]
        if token in ids:
            raise DataError(f"{where}: {short(token)} is token {ids[token]} already", hint=_AGAIN)
        ids[token] = len(tokens)
        tokens.append(token)
        merges.append((tokens[left], tokens[right]))
    specials = special_tokens if given.special_tokens is None else given.special_tokens
    return build(source.where, given.name or source.path.stem, pattern, ids, specials, merges)


def _numbers(line: str, n: int, where: str) -> list[int]:
    words = line.split()
    if len(words) != n or not all(word.isascii() and word.isdigit() and len(word) < 9 for word in words):
        raise DataError(f"{where}: {short(line)} is not {'a number' if n == 1 else 'two ids'}", hint=_AGAIN)
    numbers = [int(word) for word in words]
    if max(numbers) >= MOST_IDS:
        raise DataError(f"{where}: {max(numbers)} is beyond {MOST_IDS - 1:,}", hint=_AGAIN)
    return numbers
