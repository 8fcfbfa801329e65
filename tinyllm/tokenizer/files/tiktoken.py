"""``.tiktoken``, OpenAI's vocabularies: a line per token, its bytes in base64 and its rank, which is its id.

    IQ== 0
    Ig== 1

The file says neither how text is cut nor which special tokens there are. Those of OpenAI's own files are known.
"""

from __future__ import annotations

import re
from binascii import a2b_base64, b2a_base64
from hashlib import sha256
from pathlib import Path

from ...assets import ASSETS
from ...errors import ConfigError, DataError
from ..encoding import Encoding
from ..named import get_encoding, list_encoding_names
from .assembling import MOST_IDS, build, short
from .merges import check_ids_say_it_all
from .reading import Given, Source

_LINE = re.compile(rb"((?:S{4})*(?:S{4}|S{3}=|S{2}==)) (\d{1,10})".replace(b"S", rb"[A-Za-z0-9+/]"))
_KNOWN = {asset.sha256: asset for asset in ASSETS.values() if asset.path.endswith(".tiktoken")}
_AGAIN = "get the file again, whole and unchanged"


def looks_so(data: bytes) -> bool:
    """Tell whether the first line is a token and its rank."""
    return _LINE.fullmatch(data.lstrip().split(b"\n", 1)[0].rstrip()) is not None


def read(source: Source, given: Given) -> Encoding:
    """Read a ``.tiktoken`` file.

    Raises:
        DataError: it is damaged, or has the name of one of OpenAI's and another content.
        ConfigError: it is none of OpenAI's, and the pattern was not given.
    """
    if found := _KNOWN.get(sha256(source.data).hexdigest()):
        return _published(source, given, found.name)
    named = ASSETS.get(source.path.stem)
    if given.pattern is None and named and named.path.endswith(".tiktoken"):
        raise DataError(
            f"{source.where}: is not {named.name} as it was published: sha256 is "
            f"{sha256(source.data).hexdigest()}, expected {named.sha256}",
            hint=f"tinyllm data get {named.name}, or pattern= if it is another vocabulary",
        )
    ranks = _ranks(source)
    if given.pattern is None:
        raise ConfigError(
            f"{source.where}: a .tiktoken file does not say how text is cut, and this is none of OpenAI's",
            hint='load(path, pattern="cl100k", special_tokens={...}), with the pattern it was made for',
        )
    return build(source.where, given.name or source.path.stem, given.pattern, ranks, given.special_tokens or {})


def write(encoding: Encoding, path: Path) -> dict[Path, bytes]:
    """Return the content of the file; pattern and special tokens are not in it.

    Raises:
        ConfigError: the merges do not follow from the ids, so that its reader would give other ids.
    """
    check_ids_say_it_all(encoding)
    in_order = sorted(encoding.ranks.items(), key=lambda item: item[1])
    lines = [b"%s %d\n" % (b2a_base64(token, newline=False), rank) for token, rank in in_order]
    return {path: b"".join(lines)}


def _published(source: Source, given: Given, name: str) -> Encoding:
    """One of OpenAI's files: whatever was not given is known."""
    asked = given.name if given.name in list_encoding_names() else name
    known = get_encoding(asked or name, source.path)
    if given.pattern is None and given.special_tokens is None and given.name in (None, known.name):
        return known
    special_tokens = known.specials.ids if given.special_tokens is None else given.special_tokens
    return build(source.where, given.name or known.name, given.pattern or known.pattern, known.ranks, special_tokens)


def _ranks(source: Source) -> dict[bytes, int]:
    ranks: dict[bytes, int] = {}
    first: dict[int, int] = {}  # rank -> its line
    for number, line in enumerate(source.data.split(b"\n"), start=1):
        if not (line := line.rstrip()):
            continue
        if not (match := _LINE.fullmatch(line)):
            raise DataError(
                f"{source.where}: line {number}: {short(line)} is not a token in base64 and its rank", hint=_AGAIN
            )
        token = a2b_base64(match[1])
        rank = int(match[2])
        if rank >= MOST_IDS:
            raise DataError(f"{source.where}: line {number}: rank {rank} is beyond {MOST_IDS - 1:,}", hint=_AGAIN)
        if token in ranks:
            raise DataError(
                f"{source.where}: line {number}: {short(token)} has rank {ranks[token]} already", hint=_AGAIN
            )
        if rank in first:
            raise DataError(
                f"{source.where}: line {number}: rank {rank} is that of line {first[rank]} already", hint=_AGAIN
            )
        ranks[token], first[rank] = rank, number
    return ranks
