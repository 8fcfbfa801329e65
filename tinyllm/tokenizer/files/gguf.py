"""The tokenizer inside of a GGUF file, as plain values by name; ``models`` reads and writes the file itself.

    tokenizer.ggml.model       "gpt2": byte-level BPE
    tokenizer.ggml.pre         how text is cut: "gpt-2", "llama-bpe", "qwen2", "gpt-4o"
    tokenizer.ggml.tokens      token by id, in the byte alphabet; special ones as they are
    tokenizer.ggml.token_type  1 normal, 3 control, 4 a user's own, 5 unused, which fills holes
    tokenizer.ggml.merges      "a b" in order

Some things only the name in ``pre`` says: with "llama-bpe" a piece that is a token is taken whole. llama.cpp does not
apply NFC (for "qwen2" it should), and its "gpt-4o" knows the case of ASCII letters only.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Mapping
from itertools import count
from typing import Any

from ...errors import ConfigError, DataError
from ..encoding import Encoding
from ..split import PATTERNS
from .assembling import MOST_IDS, build, check_specials, pair_of, short, token_of
from .merges import check_whole_pieces, merges_of
from .spelling import first_names, spelled, spelled_tokens

_KEY = "tokenizer.ggml."
_NORMAL, _CONTROL, _USER, _UNUSED = 1, 3, 4, 5
# pre -> the pattern, and whether a piece that is a token is taken whole; the first name of a pattern is written
_PRE = {
    "gpt-2": ("gpt2", False),
    "llama-bpe": ("llama3", True),
    "llama3": ("llama3", True),
    "llama-v3": ("llama3", True),
    "dbrx": ("llama3", False),
    "smaug-bpe": ("llama3", False),
    "qwen2": ("qwen2", False),
    "deepseek-r1-qwen": ("qwen2", False),
    "gpt-4o": ("o200k", False),
    "llama4": ("o200k", False),
}


def from_metadata(metadata: Mapping[str, Any], name: str = "gguf") -> Encoding:
    """Make the encoding that the metadata of a GGUF file describe.

    Args:
        metadata: values by name; lists may be arrays.
        name: what the encoding is to be called.

    Raises:
        DataError: a part is missing or damaged, or the tokenizer is of a kind that an Encoding is not.
    """
    model = metadata.get(_KEY + "model")
    if not isinstance(model, str) or model != "gpt2":
        other = {"llama": "SentencePiece", "bert": "WordPiece", "t5": "Unigram"}.get(str(model))
        raise DataError(
            f"{_KEY}model: {short(model)}{f' ({other})' if other else ''} is not supported",
            hint="'gpt2', byte-level BPE",
        )
    pre = metadata.get(_KEY + "pre")
    if not isinstance(pre, str) or pre not in _PRE:
        raise DataError(f"{_KEY}pre: {short(pre)} is no pattern that is known", hint="one of " + ", ".join(_PRE))
    pattern, ignore_merges = _PRE[pre]
    tokens = _list(metadata, "tokens")
    if len(tokens) > MOST_IDS:
        raise DataError(f"{_KEY}tokens: there are {len(tokens):,}, expected at most {MOST_IDS:,}")
    types = _list(metadata, "token_type")
    if len(types) != len(tokens):
        raise DataError(f"{_KEY}token_type: has {len(types):,} entries for {len(tokens):,} tokens")
    ranks: dict[bytes, int] = {}
    specials: dict[str, int] = {}
    for i, (token, kind) in enumerate(zip(tokens, types, strict=True)):
        where = f"{_KEY}tokens[{i}]"
        if not isinstance(token, str):
            raise DataError(f"{where}: is {short(token)}, expected a string")
        token = str(token)  # NumPy has strings of its own
        kind = _whole(kind, f"{_KEY}token_type[{i}]")
        if kind == _NORMAL:
            if (before := ranks.setdefault(token_of(token, where), i)) != i:
                raise DataError(f"{where}: {short(token)} is token {before} already")
        elif kind in (_CONTROL, _USER):
            if (before := specials.setdefault(token, i)) != i:
                raise DataError(f"{where}: {short(token)} is token {before} already")
        elif kind != _UNUSED:
            raise DataError(f"{_KEY}token_type[{i}]: {kind} is not supported", hint="1, 3, 4 or 5")
    check_specials(specials, _KEY + "tokens")
    listed = [str(merge) if isinstance(merge, str) else merge for merge in _list(metadata, "merges")]
    merges = [pair_of(merge, f"{_KEY}merges[{number}]") for number, merge in enumerate(listed)]
    return build(_KEY + "tokens", name, PATTERNS[pattern], ranks, specials, merges, ignore_merges=ignore_merges)


def to_metadata(encoding: Encoding, bos: str | None = None, eos: str | None = "<|endoftext|>") -> dict[str, Any]:
    """Return the metadata by which a reader of GGUF gives the ids of this encoding.

    Args:
        encoding: the encoding.
        bos, eos: special tokens at the beginning and the end of a text; left out where the encoding has none such.

    Raises:
        ConfigError: GGUF has no name for the pattern, or its readers would give other ids.

    Example:
        >>> toy = Encoding("toy", pat_str="gpt2", mergeable_ranks={bytes((i,)): i for i in range(256)})
        >>> metadata = to_metadata(toy)
        >>> metadata["tokenizer.ggml.pre"], metadata["tokenizer.ggml.tokens"][32:36]
        ('gpt-2', ['Ġ', '!', '"', '#'])
    """
    pre = next((pre for pre, (name, _) in _PRE.items() if PATTERNS[name] == encoding.pattern), None)
    if pre is None:
        known = ", ".join(dict.fromkeys(name for name, _ in _PRE.values()))
        after = f" after {encoding.pattern.normalize}" if encoding.pattern.normalize else ""
        raise ConfigError(
            f"{encoding.name}: GGUF has no name for the pattern {encoding.pattern.name!r}{after}",
            hint=f"one of {known}",
        )
    check_whole_pieces(encoding, _PRE[pre][1], f"a reader of GGUF with pre {pre!r}")
    spelt = {i: token for token, i in spelled_tokens(encoding).items()}
    control = set(first_names(encoding).values())
    names = set(spelt.values())
    unused = (filler for i in count() if (filler := f"[PAD{i}]") not in names)
    ids = range(encoding.n_vocab)
    metadata = {
        "model": "gpt2",
        "pre": pre,
        "tokens": [spelt[i] if i in spelt else next(unused) for i in ids],
        "token_type": [_CONTROL if i in control else _NORMAL if i in spelt else _UNUSED for i in ids],
        "merges": [f"{spelled(left)} {spelled(right)}" for left, right in merges_of(encoding)],
        "add_bos_token": False,  # "llama-bpe" alone would add one
    }
    for key, special in (("bos_token_id", bos), ("eos_token_id", eos)):
        if special in encoding.specials.ids:
            metadata[key] = encoding.specials.ids[special]
    return {_KEY + key: value for key, value in metadata.items()}


def _list(metadata: Mapping[str, Any], key: str) -> list[Any]:
    value = metadata.get(_KEY + key)
    if not isinstance(value, Iterable) or isinstance(value, (str, bytes, Mapping)):
        raise DataError(f"{_KEY}{key}: is {'missing' if value is None else short(value)}, expected a list")
    return list(value)


def _whole(value: Any, where: str) -> int:
    try:
        return operator.index(value)
    except TypeError:
        raise DataError(f"{where}: is {short(value)}, expected a whole number") from None
