"""``tokenizer.json`` with BERT's WordPiece: all that transformers 5 saves of it, for it writes no vocab.txt any more.

Read is what a WordPiece can do: BERT's way to clean a text and to cut it into words, ``##`` inside of words, and
[CLS] and [SEP] around a text or a pair, whatever they are called. Everything else is refused by its name. Truncation
and padding are how a vocabulary is used, and no part of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...errors import DataError
from ..wordpiece import WordPiece
from .assembling import check_ids, short
from .others import check_nothing
from .reading import Given, Source, field

_VOCAB = "the vocab.txt of the model, if there is one"


def is_bert(saved: Mapping[str, Any]) -> bool:
    """Is a tokenizer.json one of WordPiece? Old files tell it by their settings alone.

    Example:
        >>> is_bert({"model": {"type": "WordPiece"}}), is_bert({"model": {"type": "BPE", "merges": []}})
        (True, False)
    """
    model = saved.get("model")
    if not isinstance(model, dict):
        return False
    return model.get("type", "WordPiece" if "max_input_chars_per_word" in model else "BPE") == "WordPiece"


def read(source: Source, given: Given) -> WordPiece:
    """Read a ``tokenizer.json``.

    Raises:
        DataError: it is damaged, or does what a WordPiece cannot.
    """
    check_nothing(source, given)
    where, saved = source.where, source.json
    model = field(saved, "model", dict, where)
    inside = field(model, "continuing_subword_prefix", str, f"{where}: model", default="##")
    if inside != "##":
        raise DataError(f"{where}: model: continuing_subword_prefix {short(inside)} is not supported", hint=_VOCAB)
    vocab = field(model, "vocab", dict, f"{where}: model")
    check_ids(vocab.items(), f"{where}: model.vocab")
    normalizer = _part(saved, "normalizer", "BertNormalizer", where)
    for key in ("clean_text", "handle_chinese_chars"):
        if not field(normalizer, key, bool, f"{where}: normalizer", default=True):
            raise DataError(f"{where}: normalizer: {key} false is not supported", hint=_VOCAB)
    _part(saved, "pre_tokenizer", "BertPreTokenizer", where)
    if saved.get("decoder") is not None:
        _part(saved, "decoder", "WordPiece", where)
    cls, sep = _frame(saved, where)
    padding = field(saved, "padding", dict, where, default={})
    roles = {
        "unknown": field(model, "unk_token", str, f"{where}: model", default="[UNK]"),
        "cls": cls,
        "sep": sep,
        "pad": field(padding, "pad_token", str, f"{where}: padding", default="[PAD]"),
        "mask": "[MASK]",
    }
    for token in field(saved, "added_tokens", list, where, default=[]):
        spelled = token.get("content") if isinstance(token, dict) else token
        if spelled not in roles.values():
            raise DataError(f"{where}: the added token {short(spelled)} is not supported", hint=_VOCAB)
    try:
        return WordPiece(
            vocab,
            lowercase=field(normalizer, "lowercase", bool, f"{where}: normalizer", default=True),
            strip_accents=field(normalizer, "strip_accents", bool, f"{where}: normalizer", default=None),
            max_word_chars=field(model, "max_input_chars_per_word", int, f"{where}: model", default=100),
            **roles,
        )
    except DataError as error:
        raise DataError(f"{where}: {error.message.removeprefix('WordPiece: ')}", hint=error.hint) from None


def _part(saved: Mapping[str, Any], key: str, kind: str, where: str) -> dict[str, Any]:
    """Return a part of the pipeline that has to be of one kind."""
    part = field(saved, key, dict, where)
    if part.get("type") != kind:
        raise DataError(f"{where}: {key}: {short(part.get('type'))} is not supported, {kind} is", hint=_VOCAB)
    return part


def _frame(saved: Mapping[str, Any], where: str) -> tuple[str, str]:
    """Return what stands before a text and what stands behind it, from either way to say so."""
    part = field(saved, "post_processor", dict, where)
    names: list[Any]
    if part.get("type") == "BertProcessing":
        ends = [part.get(key) for key in ("cls", "sep")]
        names = [end[0] if isinstance(end, list) and end else end for end in ends]
    elif part.get("type") == "TemplateProcessing":
        single = [_piece(piece) for piece in field(part, "single", list, f"{where}: post_processor")]
        pair = [_piece(piece) for piece in field(part, "pair", list, f"{where}: post_processor")]
        names = [single[0], single[-1]] if len(single) == 3 else []
        framed = names and single == [names[0], ("A",), names[1]]
        if not framed or pair != [names[0], ("A",), names[1], ("B",), names[1]]:
            raise DataError(f"{where}: post_processor: another frame than BERT's is not supported", hint=_VOCAB)
    else:
        raise DataError(f"{where}: post_processor: {short(part.get('type'))} is not supported", hint=_VOCAB)
    cls, sep = names
    if not isinstance(cls, str) or not isinstance(sep, str):
        raise DataError(f"{where}: post_processor: does not say what stands around a text", hint=_VOCAB)
    return cls, sep


def _piece(piece: Any) -> Any:
    """Return a special token's spelling, or the name of a sequence in a tuple; None for anything else."""
    if isinstance(piece, dict) and len(piece) == 1:
        ((kind, about),) = piece.items()
        name = about.get("id") if isinstance(about, dict) else None
        if isinstance(name, str):
            return name if kind == "SpecialToken" else (name,)
    return None
