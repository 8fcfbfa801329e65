"""``tokenizer.json`` of Hugging Face's tokenizers: byte-level BPE, read and written so that both give equal ids.

Read is what an Encoding can do: the model BPE over ``ByteLevel``, a ``Split`` by a known regex, NFC, added tokens.
Everything else is refused by its name rather than read as something similar. What is put around a text, cut off or
filled up (post-processor, truncation, padding) is how a vocabulary is used, and no part of it.
"""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import Any, Literal

from ...errors import ConfigError, DataError
from ..encoding import Encoding
from ..split import PATTERNS, SPELLINGS, Pattern
from .assembling import build, check_ids, check_specials, pair_of, short, token_of
from .merges import merges_of
from .reading import Given, Source, field
from .spelling import first_names, spelled, spelled_tokens

FILE, CONFIG = "tokenizer.json", "tokenizer_config.json"
_ASIDE = "load(path, pattern=...) with the name of a pattern that cuts the same, if there is one"
# tokenizers reads {1,3}+ as any number of digits, and not every reader knows possessive quantifiers: cl100k is the scan
# of llama3, but for a run of spaces up to the end
_CL100K = PATTERNS["llama3"].regex.replace(r"|\s*[\r\n]+", r"|\s+(?![\s\S])|\s*[\r\n]+")
_AS_WRITTEN = {name: pattern.regex for name, pattern in PATTERNS.items()} | {"cl100k": _CL100K}
_MISREAD = re.compile(r"\d\}\+")
_AS_READ = {regex: pattern for regex, pattern in SPELLINGS.items() if not _MISREAD.search(regex)} | {
    _CL100K: PATTERNS["cl100k"],
    PATTERNS["cl100k"].regex.replace("{1,3}+", "{1,3}"): PATTERNS["cl100k"],
}
_OTHER_MODELS = {
    "Unigram": "tokenizers itself: only byte-level BPE is read here",
    "WordLevel": "tokenizers itself: only byte-level BPE is read here",
}


# read


def read(source: Source, given: Given) -> Encoding:
    """Read a ``tokenizer.json``.

    Raises:
        DataError: it is damaged, or does what an Encoding cannot.
    """
    where, saved = source.where, source.json
    model = field(saved, "model", dict, where)
    _check_model(model, f"{where}: model")
    normalize = _normalize(saved.get("normalizer"), f"{where}: normalizer")
    pattern = given.pattern or _pattern(saved.get("pre_tokenizer"), f"{where}: pre_tokenizer")
    if (decoder := saved.get("decoder")) is not None and _type_of(decoder) != "ByteLevel":
        raise DataError(f"{where}: the decoder {_type_of(decoder)} is not supported", hint="a byte-level BPE tokenizer")
    tokens = field(model, "vocab", dict, f"{where}: model")
    check_ids(tokens.items(), f"{where}: model.vocab")
    added = _added(field(saved, "added_tokens", list, where, default=[]), tokens, bool(normalize), where)
    ranks = {token_of(token, f"{where}: model.vocab"): i for token, i in tokens.items() if token not in added}
    listed = field(model, "merges", list, f"{where}: model")
    merges = [pair_of(merge, f"{where}: model.merges[{number}]") for number, merge in enumerate(listed)]
    if not normalize:  # merges that spell an added token never happen: no text between two of them holds one
        spelt = {token.encode() for token in added if token.isascii()}
        merges = [(left, right) for left, right in merges if spelt.isdisjoint((left, right, left + right))]
    return build(
        where,
        given.name or (source.path.absolute().parent.name if source.path.name == FILE else source.path.stem) or "bpe",
        dataclasses.replace(pattern, normalize=normalize),
        ranks,
        added if given.special_tokens is None else given.special_tokens,
        merges,
        ignore_merges=field(model, "ignore_merges", bool, f"{where}: model", default=False),
        lacking="for tokenizers: BpeTrainer(initial_alphabet=pre_tokenizers.ByteLevel.alphabet())",
    )


def _check_model(model: dict[str, Any], where: str) -> None:
    kind = field(model, "type", str, where, default="BPE" if "merges" in model else "Unigram")
    if kind != "BPE":
        raise DataError(
            f"{where}: {short(kind)} is not supported", hint=_OTHER_MODELS.get(kind, "a byte-level BPE tokenizer")
        )
    if field(model, "byte_fallback", bool, where, default=False):
        raise DataError(
            f"{where}: byte_fallback, SentencePiece's way to spell unknown characters, is not supported",
            hint="a byte-level BPE tokenizer",
        )
    for key in ("continuing_subword_prefix", "end_of_word_suffix"):
        if field(model, key, str, where, default=""):
            raise DataError(f"{where}: {key} {short(model[key])} is not supported", hint="a byte-level BPE tokenizer")
    if model.get("dropout"):
        raise DataError(
            f"{where}: dropout makes ids random", hint="dropout null; encode_with_dropout does it where it is wanted"
        )


def _type_of(part: Any) -> str:
    kind = part.get("type") if isinstance(part, dict) else part
    return kind if type(kind) is str and kind.isidentifier() and len(kind) < 50 else short(kind)


def _steps(part: Any, key: str, where: str) -> list[dict[str, Any]]:
    """The steps of a sequence, however deep, in order."""
    waiting, steps = [part], []
    while waiting:
        step = waiting.pop(0)
        if step is None:
            continue
        if not isinstance(step, dict):
            raise DataError(f"{where}: is {short(step)}, expected an object")
        if step.get("type") == "Sequence":
            waiting = field(step, key, list, where) + waiting
        else:
            steps.append(step)
    return steps


def _normalize(normalizer: Any, where: str) -> Literal["", "NFC"]:
    steps = _steps(normalizer, "normalizers", where)
    for step in steps:
        if _type_of(step) != "NFC":
            raise DataError(f"{where}: {_type_of(step)} is not supported", hint="a tokenizer with NFC or none")
    return "NFC" if steps else ""


def _pattern(pre_tokenizer: Any, where: str) -> Pattern:
    steps = _steps(pre_tokenizer, "pretokenizers", where)
    for step in steps:
        if (kind := _type_of(step)) not in ("Split", "ByteLevel"):
            why = "; it puts a sign for each space, as SentencePiece does" if kind == "Metaspace" else ""
            raise DataError(f"{where}: {kind} is not supported{why}", hint=_ASIDE)
        if kind == "ByteLevel" and step.get("add_prefix_space", True) is not False:
            raise DataError(
                f"{where}: add_prefix_space, which puts a space before the text, is not supported",
                hint="put the space there yourself, and load(path, pattern='gpt2')",
            )
    if [_type_of(step) for step in steps] == ["ByteLevel"]:
        return PATTERNS["gpt2" if steps[0].get("use_regex", True) else "none"]
    if [_type_of(step) for step in steps] != ["Split", "ByteLevel"] or steps[1].get("use_regex", True):
        kinds = ", ".join(map(_type_of, steps)) or "nothing"
        raise DataError(
            f"{where}: {kinds}{' with use_regex' if steps and steps[-1].get('use_regex') else ''} is not supported; "
            "one Split, then ByteLevel without a regex, is",
            hint=_ASIDE,
        )
    split = steps[0]
    how = (split.get("behavior"), split.get("invert", False))
    if how not in (("Isolated", False), ("Removed", True)):  # pieces are what the regex matches
        told = f"behavior {short(how[0])} and invert {short(how[1])}"
        raise DataError(f"{where}: Split with {told} is not supported", hint=_ASIDE)
    pattern = split.get("pattern")
    regex = pattern.get("Regex") if isinstance(pattern, dict) else None
    if type(regex) is not str or regex not in _AS_READ:
        text = repr(regex[:500]) if type(regex) is str else short(pattern)
        why = " (tokenizers takes {1,3}+ for any number of digits)" if _MISREAD.search(text) else ""
        raise DataError(f"{where}: the pattern {text} is none that is known{why}", hint=_ASIDE)
    return _AS_READ[regex]


def _added(added_tokens: list[Any], tokens: dict[str, int], normalizes: bool, where: str) -> dict[str, int]:
    """The added tokens, all of which tokenizers finds in a text before it cuts it: our special tokens."""
    added: dict[str, int] = {}
    flags: dict[bool, list[str]] = {True: [], False: []}
    for number, token in enumerate(added_tokens):
        here = f"{where}: added_tokens[{number}]"
        if not isinstance(token, dict):
            raise DataError(f"{here}: is {short(token)}, expected an object")
        content, i = field(token, "content", str, here), field(token, "id", int, here)
        if content in added:
            raise DataError(f"{here}: {short(content)} is there twice")
        for flag in ("lstrip", "rstrip", "single_word"):
            if field(token, flag, bool, here, default=False):
                raise DataError(
                    f"{here}: {short(content)} has {flag}, which is not supported: it would be found otherwise",
                    hint=f"{flag} false, if it does not matter",
                )
        # tokenizers goes by the vocabulary, else it counts on from the largest id; what the file says is a comment
        real = tokens.get(content, max(len(tokens), 1 + max(added.values(), default=0)))
        if i != real:
            raise DataError(
                f"{here}: {short(content)} has id {short(i)}, but tokenizers makes it {real}",
                hint=f"{short(content)} in model.vocab, with its id",
            )
        added[content] = i
        flags[field(token, "normalized", bool, here, default=True)].append(content)
    check_specials(added, f"{where}: added_tokens")
    check_ids(added.items(), f"{where}: added_tokens")
    if flags[True] and normalizes:
        raise DataError(
            f"{where}: added_tokens: {short(flags[True][0])} is normalized before it is found, which is not supported"
        )
    for late in flags[True]:  # which are looked for in what the others leave
        for early in flags[False]:
            if _may_overlap(late, early):
                raise DataError(
                    f"{where}: added_tokens: {short(early)} is found before {short(late)}, which is not supported: "
                    "they overlap, and one is normalized"
                )
    return added


def _may_overlap(a: str, b: str) -> bool:
    return a in b or b in a or any(a.endswith(b[:n]) or b.endswith(a[:n]) for n in range(1, min(len(a), len(b))))


# write


def write(encoding: Encoding, path: Path) -> dict[Path, bytes]:
    """Return the content of tokenizer.json, and beside it in a folder, of tokenizer_config.json.

    Raises:
        ConfigError: a pattern of the user's own, or one that tokenizers cannot say.
    """
    whole = _json(to_json(encoding))
    if path.suffix == ".json":
        return {path: whole}
    return {path / FILE: whole, path / CONFIG: _json(to_config(encoding))}


def to_json(encoding: Encoding) -> dict[str, Any]:
    """Return what tokenizer.json holds.

    Raises:
        ConfigError: a pattern of the user's own, or one that tokenizers cannot say.
    """
    pattern = encoding.pattern
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
    steps: dict[str, Any] = byte_level | {"use_regex": pattern.name == "gpt2"}
    published = PATTERNS.get(pattern.name)
    if published is None or dataclasses.replace(published, normalize=pattern.normalize) != pattern:
        raise ConfigError(
            f"{encoding.name}: the pattern {pattern.name!r} is none of the published ones; tokenizers might read it "
            "otherwise",
            hint="format='tinyllm', which keeps it",
        )
    if pattern.name not in ("gpt2", "none"):
        regex = {"Regex": _AS_WRITTEN[pattern.name]}
        split = {"type": "Split", "pattern": regex, "behavior": "Isolated", "invert": False}
        steps = {"type": "Sequence", "pretokenizers": [split, byte_level]}
    tokens = spelled_tokens(encoding)  # special tokens, too: tokenizers would number them anew
    plain = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [{"id": i, "content": special} | plain for special, i in first_names(encoding).items()],
        "normalizer": {"type": "NFC"} if pattern.normalize else None,
        "pre_tokenizer": steps,
        "post_processor": None,
        "decoder": byte_level,
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": encoding.ignore_merges,
            "vocab": tokens,
            "merges": [[spelled(left), spelled(right)] for left, right in merges_of(encoding)],
        },
    }


def to_config(encoding: Encoding) -> dict[str, Any]:
    """Return what tokenizer_config.json holds: without it transformers would not know what to open."""
    config: dict[str, Any] = {"tokenizer_class": "PreTrainedTokenizerFast", "clean_up_tokenization_spaces": False}
    if "<|endoftext|>" in encoding.special_tokens_set:
        config["eos_token"] = "<|endoftext|>"
    return config


def _json(value: dict[str, Any]) -> bytes:
    return (json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()
