"""GPT-2's pair of files: ``vocab.json`` with ``merges.txt``, first published as ``encoder.json`` with ``vocab.bpe``.

The one maps tokens to ids, special tokens among them; the other has a line ``A B`` per merge, in order. Text is cut by
GPT-2's pattern, unless it is said otherwise. Both files are needed; either name opens both.
"""

from __future__ import annotations

import json
import re
from hashlib import sha256
from pathlib import Path

from ...assets import ASSETS
from ...errors import ConfigError, DataError
from ..encoding import Encoding
from ..split import PATTERNS
from .assembling import build, check_ids, check_specials, pair_of, short, token_of
from .merges import check_whole_pieces, merges_of
from .reading import Given, Source
from .spelling import bytes_of, spelled, spelled_tokens

PAIRS = (("vocab.json", "merges.txt"), ("encoder.json", "vocab.bpe"))
_HEAD = "#version"
_BRACKETS = re.compile(r"<.+>|\[.+\]", re.DOTALL)
_PUBLISHED = ASSETS["gpt2-encoder.json"].sha256, ASSETS["gpt2-vocab.bpe"].sha256


def both(path: Path) -> tuple[Path, Path] | None:
    """Return the pair that a file belongs to by its name, which may have a prefix; None if it belongs to none.

    Example:
        >>> [path.name for path in both(Path("mine-merges.txt"))]
        ['mine-vocab.json', 'mine-merges.txt']
    """
    for pair in PAIRS:
        for name in pair:
            if path.name.endswith(name):
                prefix = path.name.removesuffix(name)
                return path.with_name(prefix + pair[0]), path.with_name(prefix + pair[1])
    return None


def read(source: Source, given: Given) -> Encoding:
    """Read both files, given one of them.

    Tokens in brackets that no merge makes, <|endoftext|> or [PAD], are the special ones, unless they are given.

    Raises:
        DataError: one of them is missing or damaged, or they do not belong together.
    """
    pair = both(source.path)
    if pair is None:
        raise DataError(
            f"{source.where}: is one of two files, and its name does not say how the other is called",
            hint="vocab.json beside merges.txt",
        )
    vocab, lines = (source if path == source.path else Source.read(path) for path in pair)
    tokens = vocab.json
    check_ids(tokens.items(), vocab.where)
    merges = _merges(lines)
    made = {left + right for left, right in merges}
    special_tokens = given.special_tokens
    if special_tokens is None:
        alone = {token: i for token, i in tokens.items() if len(token) != 1 and bytes_of(token) not in made}
        if strange := next((token for token in alone if not _BRACKETS.fullmatch(token)), None):
            raise DataError(
                f"{vocab.where}: no merge makes the token {short(strange)}",
                hint=f"a {lines.path.name} that is whole, or special_tokens={{...}} if it is one",
            )
        special_tokens = alone
        check_specials(special_tokens, vocab.where)
    ranks = {token_of(token, vocab.where): i for token, i in tokens.items() if token not in special_tokens}
    hashes = tuple(sha256(file.data).hexdigest() for file in (vocab, lines))
    return build(
        lines.where,
        given.name or ("gpt2" if hashes == _PUBLISHED else source.path.absolute().parent.name or "gpt2"),
        given.pattern or PATTERNS["gpt2"],
        ranks,
        special_tokens,
        merges,
        lacking=f"the {vocab.path.name} and the {lines.path.name} of one vocabulary, with all 256 bytes",
    )


def write(encoding: Encoding, path: Path) -> dict[Path, bytes]:
    """Return the content of both files: vocab.json and merges.txt in a folder, or the pair that a file belongs to.

    Raises:
        ConfigError: the owners of this format, who cut text by GPT-2's pattern, would give other ids.
    """
    if encoding.pattern != PATTERNS["gpt2"]:
        raise ConfigError(
            f"{encoding.name}: cuts text by the pattern {encoding.pattern.name!r}"
            + (f" after {encoding.pattern.normalize}" if encoding.pattern.normalize else "")
            + ", which these files cannot say; their readers would cut it by 'gpt2'",
            hint="format='huggingface' or format='tinyllm', which can",
        )
    check_whole_pieces(encoding, False, "a reader of vocab.json and merges.txt")
    vocab, lines = both(path) or (path / PAIRS[0][0], path / PAIRS[0][1])
    merges = "".join(f"{spelled(left)} {spelled(right)}\n" for left, right in merges_of(encoding))
    return {
        lines: f"{_HEAD}: 0.2\n{merges}".encode(),
        vocab: json.dumps(spelled_tokens(encoding)).encode(),
    }


def _merges(source: Source) -> list[tuple[bytes, bytes]]:
    first = source.lines[0].startswith(_HEAD)
    return [
        pair_of(line, f"{source.where}: line {number}")
        for number, line in enumerate(source.lines[first:], start=1 + first)
        if line
    ]
