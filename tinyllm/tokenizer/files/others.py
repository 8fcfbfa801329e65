"""Files of tokenizers that are no byte-level BPE: the classes that own them open them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...errors import DataError
from .reading import Given, Source, field

if TYPE_CHECKING:
    from ..scores import ScoredBPE
    from ..wordpiece import WordPiece


def wordpiece(source: Source, given: Given) -> WordPiece:
    """Read a vocab.txt; whether letters are lowered is in the tokenizer_config.json beside it, if there is one.

    Raises:
        DataError: it is damaged.
    """
    from ..wordpiece import WordPiece

    check_nothing(source, given)
    settings: dict[str, Any] = {}
    if (beside := source.path.with_name("tokenizer_config.json")).is_file():
        config = Source.read(beside)
        settings["lowercase"] = field(config.json, "do_lower_case", bool, config.where, default=True)
        settings["strip_accents"] = field(config.json, "strip_accents", bool, config.where, default=None)
        if not field(config.json, "tokenize_chinese_chars", bool, config.where, default=True):
            raise DataError(f"{config.where}: tokenize_chinese_chars false is not supported")
    return WordPiece.from_file(source.path, **settings)


def llama2c(source: Source, given: Given) -> ScoredBPE:
    """Read a tokenizer.bin.

    Raises:
        DataError: it is damaged.
    """
    from ..scores import ScoredBPE

    check_nothing(source, given)
    return ScoredBPE.from_file(source.path)


def check_nothing(source: Source, given: Given) -> None:
    """Refuse what only a byte-level BPE can be told.

    Raises:
        DataError: a pattern, special tokens or a name were given.
    """
    if given != Given():
        raise DataError(
            f"{source.where}: is no byte-level BPE, so it has neither a pattern nor special tokens to be told",
            hint="load(path) alone",
        )
