"""Our own file: one JSON object with all there is to know of an encoding, so that nothing else is needed to read it.

{
  "kind": "bpe",            "version": 1,           "name": "mine",     "unicode": "16.0.0",
  "pattern": {"name": "gpt2", "normalize": ""},     "ignore_merges": false,   "tie": "bytes",
  "special_tokens": {"<|endoftext|>": 300},
  "tokens": {"!": 0, ..., "Ġhe": 299},              in the byte alphabet of GPT-2 (see ``spelling``)
  "merges": ["h e", "Ġ he"],                        in order; null where the ids are the order
  "counts": [1702, 880]                             of each merge when it was learned, or null
}
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ...errors import DataError
from ..encoding import Encoding
from ..split import PATTERNS, Pattern
from ..unicode16 import UNICODE_VERSION
from .assembling import build, check_ids, check_specials, pair_of, short, token_of
from .reading import Given, Source, field
from .spelling import spelled

if TYPE_CHECKING:
    from .. import Tokenizer

VERSION = 1
_FAMILIES = ("gpt2", "cl100k", "o200k", "whole", "custom")
_FORMS: dict[str, Literal["", "NFC"]] = {"": "", "NFC": "NFC"}
_MOST_DIGITS = 1 << 20


def to_dict(encoding: Encoding) -> dict[str, Any]:
    """Return all that ``from_dict`` needs to make an equal encoding, as JSON can hold it.

    Example:
        >>> toy = Encoding("toy", pat_str="gpt2", mergeable_ranks={bytes((i,)): i for i in range(256)})
        >>> from_dict(to_dict(toy)) == toy
        True
    """
    merges = encoding.merges
    return {
        "kind": "bpe",
        "version": VERSION,
        "name": encoding.name,
        "unicode": encoding.unicode_version,
        "pattern": _pattern_to_dict(encoding.pattern),
        "ignore_merges": encoding.ignore_merges,
        "tie": encoding.tie,
        "special_tokens": dict(encoding.specials.ids),
        "tokens": {spelled(token): i for token, i in encoding.ranks.items()},
        "merges": None if merges is None else [f"{spelled(left)} {spelled(right)}" for left, right in merges],
        "counts": encoding.counts,
    }


def from_dict(saved: Mapping[str, Any], where: str = "tokenizer", given: Given | None = None) -> Encoding:
    """Make the encoding that ``to_dict`` described.

    Args:
        saved: the description.
        where: what an error begins with, such as the path of a file.
        given: what is to be otherwise than described.

    Raises:
        DataError: a part is missing or damaged; it is named.
    """
    given = given or Given()
    if not isinstance(saved, Mapping):
        raise DataError(f"{where}: is {type(saved).__name__}, expected an object")
    if (kind := field(saved, "kind", str, where)) != "bpe":
        raise DataError(f"{where}: is a tokenizer of kind {short(kind)}, expected 'bpe'")
    if (version := field(saved, "version", int, where)) != VERSION:
        raise DataError(
            f"{where}: was written in version {short(version)} of this format, and this tinyllm reads {VERSION}",
            hint="pip install --upgrade tinyllm",
        )
    if (unicode := field(saved, "unicode", str, where)) != UNICODE_VERSION:
        raise DataError(
            f"{where}: cuts text by Unicode {short(unicode)}, and this tinyllm by {UNICODE_VERSION}: ids could differ",
            hint="the tinyllm it was made with",
        )
    name = given.name or field(saved, "name", str, where)
    pattern = given.pattern or _pattern_from_dict(field(saved, "pattern", dict, where), f"{where}: pattern")
    special_tokens = given.special_tokens
    if special_tokens is None:
        special_tokens = field(saved, "special_tokens", dict, where)
        check_specials(special_tokens, f"{where}: special_tokens")
    tokens = field(saved, "tokens", dict, where)
    check_ids(tokens.items(), f"{where}: tokens")
    ranks = {token_of(token, f"{where}: tokens"): i for token, i in tokens.items()}
    merges = field(saved, "merges", list, where, default=None)
    if merges is not None:
        merges = [pair_of(merge, f"{where}: merges[{number}]") for number, merge in enumerate(merges)]
    counts = field(saved, "counts", list, where, default=None)
    wrong = next((i for i, count in enumerate(counts or ()) if type(count) is not int or not 0 <= count < 2**63), None)
    if wrong is not None:
        raise DataError(f"{where}: counts[{wrong}]: is {short((counts or [])[wrong])}, expected a whole number")
    return build(
        where,
        name,
        pattern,
        ranks,
        special_tokens,
        merges,
        counts=counts,
        ignore_merges=field(saved, "ignore_merges", bool, where),
        tie=field(saved, "tie", str, where, default=None),
    )


def read(source: Source, given: Given) -> Tokenizer:
    """Read a file of ours, of whatever kind of tokenizer.

    Raises:
        DataError: it is damaged.
    """
    if source.json.get("kind") == "bpe":
        return from_dict(source.json, source.where, given)
    from .. import from_dict as any_from_dict

    if given != Given():
        raise DataError(
            f"{source.where}: is a tokenizer of kind {short(source.json.get('kind'))}, which is whole as it is",
            hint="load(path) without a pattern, special tokens or a name",
        )
    try:
        return any_from_dict(source.json)
    except DataError as error:
        raise DataError(f"{source.where}: {error.message}", hint=error.hint) from None


def write(encoding: Encoding, path: Path) -> dict[Path, bytes]:
    """Return the content of the file."""
    text = json.dumps(to_dict(encoding), indent=1, ensure_ascii=False, allow_nan=False)
    return {path: f"{text}\n".encode()}


def _pattern_to_dict(pattern: Pattern) -> dict[str, Any]:
    """A published pattern by its name, which is frozen; any other with all there is to it."""
    published = PATTERNS.get(pattern.name)
    if published and dataclasses.replace(published, normalize=pattern.normalize) == pattern:
        return {"name": pattern.name, "normalize": pattern.normalize}
    return dataclasses.asdict(pattern)


def _pattern_from_dict(saved: dict[str, Any], where: str) -> Pattern:
    name, form = field(saved, "name", str, where), field(saved, "normalize", str, where)
    if form not in _FORMS:
        raise DataError(f"{where}: normalize is {short(form)}, expected 'NFC' or ''")
    normalize = _FORMS[form]
    if "family" not in saved:
        if name not in PATTERNS:
            raise DataError(f"{where}: there is none called {short(name)}", hint="one of " + ", ".join(PATTERNS))
        return dataclasses.replace(PATTERNS[name], normalize=normalize)
    family, regex = field(saved, "family", str, where), field(saved, "regex", str, where)
    digits = field(saved, "digits", int, where)
    if family not in _FAMILIES:
        raise DataError(f"{where}: there is no family {short(family)}", hint="one of " + ", ".join(_FAMILIES))
    if not 0 <= digits <= _MOST_DIGITS:
        raise DataError(f"{where}: digits is {short(digits)}, expected 0 to {_MOST_DIGITS:,}")
    if family == "custom":
        try:
            re.compile(regex)
        except (re.error, RecursionError, OverflowError) as error:
            raise DataError(f"{where}: {short(regex)} is no regular expression ({error})") from None
    return Pattern(name, regex, family, digits, field(saved, "ends_whole", bool, where), normalize)
